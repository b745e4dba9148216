/* Writing model.json and its self-test. */
#include "train/output/model_folder.h"

#include "base/file.h"
#include "base/mem.h"
#include "tasks/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELFTEST_TOLERANCE 0.02

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out while the model was written");
}

json_t *gh_folder_labels(const char *const *classes, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t c = 0; c < count; c++)
        if (json_array_append_new(list, json_string(classes[c])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *gh_folder_input(const gh_manifest_input *in)
{
    static const char *const fits[] = {"crop", "letterbox", "stretch", "pad"};
    static const char *const filters[] = {"bilinear", "bicubic", "bilinear-plain", "lanczos"};
    json_t *o = json_pack("{s:i, s:i, s:s, s:[f,f,f], s:[f,f,f], s:s, s:s}", "width", in->width, "height",
                          in->height, "colour", in->order == GH_ORDER_BGR ? "bgr" : "rgb", "mean",
                          (double)in->mean[0], (double)in->mean[1], (double)in->mean[2], "scale",
                          (double)in->scale[0], (double)in->scale[1], (double)in->scale[2], "fit",
                          fits[in->fit], "filter", filters[in->filter]);
    if (o && in->fit == GH_FIT_CROP)
        json_object_set_new(o, "crop", json_real(in->crop));
    if (o && in->levels == GH_LEVELS_STRETCHED)
        json_object_set_new(o, "levels", json_string("stretched"));
    return o;
}

/* What the body says of its own source, kept with what stands on it. */
json_t *gh_folder_source(const gh_manifest *m)
{
    json_t *o = json_pack("{s:s}", "trained_by", "gharial train " GH_VERSION);
    if (!m || !o)
        return o;
    json_t *body = json_loads(m->json, 0, NULL), *source = json_object_get(body, "source");
    json_object_set_new(o, "body", json_string(m->name));
    if (json_is_object(source)) {
        const char *keys[] = {"registry", "package", "version", "sha256"};
        for (size_t i = 0; i < GH_COUNT(keys); i++)
            if (json_object_get(source, keys[i])) {
                char key[32];
                snprintf(key, sizeof key, "body_%s", keys[i]);
                json_object_set(o, key, json_object_get(source, keys[i]));
            }
    }
    json_decref(body);
    return o;
}

gh_status gh_folder_manifest(const json_t *m, const char *folder, gh_err *e)
{
    char *text = json_dumps(m, JSON_INDENT(2) | JSON_REAL_PRECISION(9)),
         *path = gh_path_join(folder, "model.json");
    gh_status status = text && path ? gh_file_write(path, text, strlen(text), e) : no_memory(e);
    gh_free(path);
    free(text);
    return status;
}

/* ---- the self-test ---- */

/* Copies the picture under a name that says its kind; the name is given through `name`. */
static gh_status copy_picture(char name[32], gh_buf *bytes, const char *picture, const char *folder,
                              gh_err *e)
{
    gh_image_info info;
    GH_TRY(gh_file_read(bytes, picture, GH_MAX_SELFTEST_BYTES, e));
    GH_TRY(gh_image_probe(&info, bytes->data, bytes->len, NULL, e));
    snprintf(name, 32, "selftest.%s",
             info.format == GH_IMAGE_JPEG  ? "jpg"
             : info.format == GH_IMAGE_PNG ? "png"
                                           : "webp");
    char *path = gh_path_join(folder, name);
    gh_status status = path ? gh_file_write(path, bytes->data, bytes->len, e) : no_memory(e);
    gh_free(path);
    return status;
}

/* The first answer that the written model gives, as gh_model_open compares it later. */
static gh_status answer(int *index, double *score, const char *folder, const gh_buf *picture, gh_err *e)
{
    gh_model *model = NULL;
    gh_worker *worker = NULL;
    gh_result *r = NULL;
    const gh_run_options options = {.output = GH_MASK_NONE, .regions = true};
    gh_status status = gh_model_open(&model, folder, false, e);
    if (!status)
        status = gh_worker_new(&worker, NULL, e);
    if (!status)
        status = gh_run(&r, worker, model, picture->data, picture->len, NULL, &options, e);
    *index = -1;
    if (!status && r->nlabels) {
        *index = r->labels[0].index;
        *score = (double)r->labels[0].score;
    } else if (!status && r->nobjects) {
        *index = r->objects[0].index;
        *score = (double)r->objects[0].score;
    } else if (!status && r->nareas) {
        *index = r->areas[0].index;
        *score = (double)r->areas[0].pixels / ((double)r->width * r->height);
    }
    gh_result_free(&r);
    gh_worker_free(&worker);
    gh_model_put(&model);
    return status;
}

gh_status gh_folder_selftest(json_t *manifest, const char *folder, const char *picture, gh_err *e)
{
    gh_buf bytes = {0};
    char name[32];
    int index = -1;
    double score = 0;
    gh_status status = copy_picture(name, &bytes, picture, folder, e);
    if (!status)
        status = answer(&index, &score, folder, &bytes, e);
    if (!status && index < 0)
        status =
            gh_fail(e, GH_INTERNAL, "the model finds nothing in %s, which cannot be its self-test", picture);
    if (!status && json_object_set_new(manifest, "selftest",
                                       json_pack("{s:s, s:i, s:f, s:f}", "input", name, "index", index,
                                                 "score", score, "tolerance", SELFTEST_TOLERANCE)) != 0)
        status = no_memory(e);
    gh_buf_free(&bytes);
    return status ? status : gh_folder_manifest(manifest, folder, e);
}
