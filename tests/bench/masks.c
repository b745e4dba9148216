/* What a segment model makes of pictures, as raw numbers, so that another runtime can be given the very same
 * input. Usage: bench-masks MODEL-FOLDER, with paths of pictures on standard input, one a line. Prints, for
 * each, a line "width height channels input-height input-width mask-height mask-width", then the input tensor
 * (3 planes) and the mask on its grid (a plane a channel) as native float32, then the class of each pixel of
 * the picture as bytes. */
#include "base/file.h"
#include "base/mem.h"
#include "tasks/preproc.h"
#include "tasks/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PICTURE ((size_t)64 << 20)

static gh_err e;

static void must(gh_status status)
{
    if (status == GH_OK)
        return;
    fprintf(stderr, "bench-masks: %s\n", e.text);
    exit(EXIT_FAILURE);
}

static void *need(void *p)
{
    must(p ? GH_OK : gh_fail(&e, GH_NOMEM, "memory ran out"));
    return p;
}

static void put(const void *data, size_t n, size_t size)
{
    if (fwrite(data, size, n, stdout) != n)
        must(gh_fail(&e, GH_IO, "cannot write"));
}

/* As gh_run does it; the size is the manifest's, so models of any size do not go. */
static void put_input(const gh_manifest_input *in, const gh_buf *file)
{
    gh_image_info info;
    gh_image *image = NULL;
    int min_width, min_height;
    size_t pixels = (size_t)in->width * (size_t)in->height;
    must(gh_image_probe(&info, file->data, file->len, NULL, &e));
    gh_preproc_min_size(&min_width, &min_height, in, info.width, info.height);
    must(gh_image_decode(&image, file->data, file->len, &info, min_width, min_height, &e));
    float *values = need(gh_calloc(pixels * 3, sizeof *values));
    uint8_t *scratch = need(gh_alloc(pixels * 3));
    gh_tensor tensor = {
        .type = GH_F32, .shape = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width}), .data = values};
    must(gh_preproc_run(&tensor, image, in, scratch, &e));
    put(values, pixels * 3, sizeof *values);
    gh_free(values);
    gh_free(scratch);
    gh_image_free(&image);
}

static void tell(gh_worker *w, gh_model *m, const char *path)
{
    const gh_run_options options = {.output = GH_MASK_NONE};
    const gh_manifest_input *in = &m->manifest->input;
    gh_buf file = {0};
    gh_result *r = NULL;
    must(gh_file_read(&file, path, MAX_PICTURE, &e));
    must(gh_run(&r, w, m, file.data, file.len, NULL, &options, &e));
    const gh_mask *mask = r->mask;
    size_t pixels = (size_t)r->width * (size_t)r->height;
    uint8_t *index = need(gh_alloc(pixels));
    must(gh_segment_index(index, r, &e));
    printf("%d %d %d %d %d %d %d\n", r->width, r->height, mask->channels, in->height, in->width, mask->height,
           mask->width);
    put_input(in, &file);
    put(mask->values, (size_t)mask->channels * (size_t)mask->height * (size_t)mask->width, sizeof(float));
    put(index, pixels, 1);
    gh_free(index);
    gh_result_free(&r);
    gh_buf_free(&file);
}

int main(int argc, char **argv)
{
    gh_model *m = NULL;
    gh_worker *w = NULL;
    char path[4096];
    if (argc != 2)
        must(gh_fail(&e, GH_ARG, "usage: bench-masks MODEL-FOLDER <PATHS"));
    must(gh_model_open(&m, argv[1], false, &e));
    must(gh_worker_new(&w, NULL, &e));
    if (m->manifest->task != GH_TASK_SEGMENT || m->manifest->input.stride)
        must(gh_fail(&e, GH_UNSUPPORTED, "%s is no segment model of one size", argv[1]));
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = '\0';
        tell(w, m, path);
    }
    gh_worker_free(&w);
    gh_model_put(&m);
    return 0;
}
