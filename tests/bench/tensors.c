/* What a model makes of pictures, as raw numbers, so that another runtime can be given the very same input.
 * Usage: bench-tensors MODEL-FOLDER, with paths of pictures on standard input, one a line. Prints a line
 * "channels height width classes"; then, for each picture as its path comes, native float32: the input tensor
 * (channels * height * width), the network's raw output (classes), the scores that gh_run gives (classes; 0
 * where the threshold of the model hides one). */
#include "base/file.h"
#include "base/mem.h"
#include "tasks/preproc.h"
#include "tasks/run.h"

#include <stdio.h>
#include <string.h>

#define MAX_PICTURE ((size_t)64 << 20)

typedef struct teller {
    gh_model *model;
    gh_session *session;
    gh_plan *plan;
    gh_worker *worker;
    uint8_t *scratch; /* the resized picture */
    float *scores;
    size_t pixels, classes;
} teller;

static gh_status open_all(teller *t, const char *folder, gh_err *e)
{
    GH_TRY(gh_model_open(&t->model, folder, true, e));
    const gh_manifest *m = t->model->manifest;
    t->pixels = (size_t)m->input.width * (size_t)m->input.height;
    t->classes = m->nlabels;
    gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, m->input.height, m->input.width});
    GH_TRY(gh_plan_get(&t->plan, t->model->net, &shape, e));
    GH_TRY(gh_session_new(&t->session, NULL, e));
    GH_TRY(gh_session_bind(t->session, t->plan, e));
    GH_TRY(gh_worker_new(&t->worker, NULL, e));
    t->scratch = gh_alloc(t->pixels * 3);
    t->scores = gh_calloc(t->classes, sizeof *t->scores);
    return t->scratch && t->scores ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the scores");
}

static void close_all(teller *t)
{
    gh_worker_free(&t->worker);
    gh_session_free(&t->session);
    if (t->plan)
        gh_plan_put(&t->plan);
    gh_model_put(&t->model);
    gh_free(t->scratch);
    gh_free(t->scores);
}

/* Decodes as gh_run does and leaves the tensor in the session's input. */
static gh_status fill_input(teller *t, const gh_map *file, gh_err *e)
{
    const gh_manifest_input *in = &t->model->manifest->input;
    gh_image_info info;
    gh_image *image = NULL;
    int min_width, min_height;
    GH_TRY(gh_image_probe(&info, file->data, file->size, NULL, e));
    gh_preproc_min_size(&min_width, &min_height, in, info.width, info.height);
    GH_TRY(gh_image_decode(&image, file->data, file->size, &info, min_width, min_height, e));
    gh_status status = gh_preproc_run(gh_session_input(t->session, 0), image, in, t->scratch, e);
    gh_image_free(&image);
    return status;
}

static gh_status score(teller *t, const gh_map *file, gh_err *e)
{
    const gh_run_options all = {.top = (int)t->classes};
    gh_result *r = NULL;
    GH_TRY(gh_run(&r, t->worker, t->model, file->data, file->size, NULL, &all, e));
    memset(t->scores, 0, t->classes * sizeof *t->scores);
    for (size_t i = 0; i < r->nlabels; i++)
        t->scores[r->labels[i].index] = r->labels[i].score;
    gh_result_free(&r);
    return GH_OK;
}

static void put(const void *values, size_t count)
{
    fwrite(values, sizeof(float), count, stdout);
}

static gh_status tell(teller *t, const char *path, gh_err *e)
{
    gh_map file;
    GH_TRY(gh_map_open(&file, path, MAX_PICTURE, e));
    gh_status status = fill_input(t, &file, e);
    if (status == GH_OK) {
        put(gh_session_input(t->session, 0)->data, t->pixels * 3);
        status = gh_session_run(t->session, e);
    }
    if (status == GH_OK) {
        put(gh_session_output(t->session, 0)->data, t->classes);
        status = score(t, &file, e);
    }
    if (status == GH_OK)
        put(t->scores, t->classes);
    gh_map_close(&file);
    return status;
}

int main(int argc, char **argv)
{
    teller t = {0};
    gh_err e = {0};
    char path[4096];
    if (argc != 2) {
        fprintf(stderr, "usage: bench-tensors MODEL-FOLDER < PATHS\n");
        return 2;
    }
    gh_status status = open_all(&t, argv[1], &e);
    if (status == GH_OK)
        printf("3 %d %d %zu\n", t.model->manifest->input.height, t.model->manifest->input.width, t.classes);
    while (status == GH_OK && fflush(stdout) == 0 && fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = 0;
        status = tell(&t, path, &e);
    }
    if (status != GH_OK)
        fprintf(stderr, "bench-tensors: %s\n", e.text);
    close_all(&t);
    return status == GH_OK ? 0 : 1;
}
