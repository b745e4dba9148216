/* Opening a body. The graph is read twice: once to learn the rank at the cut, once with the pooling that it
 * needs. */
#include "train/nets/body_parts.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/cut.h"
#include "engine/onnx.h"
#include "tasks/registry.h"

#include <stdio.h>
#include <string.h>

/* Names of possible cuts in a message: the last ones, where heads are cut off, come first. */
#define MOST_LISTED 6

static gh_status unknown_cut(const gh_graph *g, const char *cut, gh_err *e)
{
    uint32_t *cuts = NULL;
    size_t count = 0, at = 0;
    char text[320] = "";
    GH_TRY(gh_graph_cuts(&cuts, &count, g, e));
    for (size_t i = 0; i < MOST_LISTED && i < count && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.48s", i ? ", " : "",
                               g->values[cuts[count - 1 - i]].name);
    gh_free(cuts);
    return gh_fail(e, GH_NOTFOUND, "the body has no value \"%.60s\"; it can be cut at %s%s", cut, text,
                   count > MOST_LISTED ? ", ..." : "");
}

gh_status gh_body_find_cut(uint32_t *out, const gh_graph *g, const char *cut, gh_err *e)
{
    *out = gh_graph_find(g, cut);
    return *out != GH_NONE ? GH_OK : unknown_cut(g, cut, e);
}

static gh_status find_cut(uint32_t *out, const gh_graph *g, const char *cut, gh_err *e)
{
    if (cut)
        return gh_body_find_cut(out, g, cut, e);
    *out = gh_graph_default_cut(g);
    if (*out != GH_NONE)
        return GH_OK;
    return gh_fail(e, GH_NOTFOUND,
                   "the body ends in no dense layer, so say where to cut it (--cut NAME; gharial "
                   "inspect lists the names)");
}

/* Appends what makes a vector of the value at the cut, and makes it the output. */
static void add_pooling(gh_graph *g, uint32_t *value, int rank)
{
    if (rank == 2)
        return;
    uint32_t v = *value;
    if (rank == 4)
        v = gh_graph_op(g, "GlobalAveragePool", "features_pool", &v, 1);
    v = gh_graph_op(g, "Flatten", "features", &v, 1);
    if (v != GH_NONE)
        g->outputs[0] = v;
    *value = v;
}

static gh_status read_cut(gh_graph **out, uint32_t *value, const char *file, const char *cut, int rank,
                          gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(gh_onnx_read(&g, file, e));
    gh_status status = GH_OK;
    if (g->ninputs != 1)
        status =
            gh_fail(e, GH_UNSUPPORTED, "the body has %u inputs; one picture is what it gets", g->ninputs);
    if (!status)
        status = find_cut(value, g, cut, e);
    if (!status)
        status = gh_graph_cut(g, *value, e);
    if (!status) {
        add_pooling(g, value, rank);
        status = gh_graph_check(g, e);
    }
    if (status)
        gh_graph_free(&g);
    else
        *out = g;
    return status;
}

static gh_status build_net(gh_body *b, const char *cut, int rank, gh_tensor *given, gh_err *e)
{
    gh_graph *g = NULL;
    uint32_t value;
    GH_TRY(read_cut(&g, &value, b->file, cut, rank, e));
    if (!b->cut) {
        b->cut = gh_strdup(g->values[value].name);
        if (!b->cut) {
            gh_graph_free(&g);
            return gh_fail(e, GH_NOMEM, "memory ran out at the body");
        }
    }
    gh_net_free(&b->net);
    GH_TRY(gh_net_from_graph(&b->net, &g, GH_PASS_ALL, e));
    const gh_manifest_input *in = &b->manifest->input;
    const gh_shape picture = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width});
    return gh_net_output_for(given, b->net, 0, &picture, e);
}

static gh_status cut_body(gh_body *b, const char *cut, gh_err *e)
{
    gh_tensor given;
    const gh_shape *shape = &given.shape;
    size_t width;
    char text[96];
    GH_TRY(build_net(b, cut, 2, &given, e));
    b->rank = shape->rank;
    if (given.type != GH_F32)
        return gh_fail(e, GH_UNSUPPORTED, "cut at \"%s\" the body gives %s; features are float32", b->cut,
                       gh_dtype_name(given.type));
    if (b->rank != 2)
        GH_TRY(build_net(b, b->cut, b->rank, &given, e));
    if (shape->rank != 2 || shape->dims[0] != 1 || !gh_shape_count(&width, shape) || width == 0)
        return gh_fail(e, GH_UNSUPPORTED, "cut at \"%s\" the body gives %s for one picture, not a vector",
                       b->cut, gh_shape_text(shape, text, sizeof text));
    b->width = width;
    return GH_OK;
}

gh_status gh_body_hash_file(gh_body *b, gh_err *e)
{
    gh_map map = {0};
    GH_TRY(gh_map_open(&map, b->file, GH_MAX_MODEL_BYTES, e));
    b->file_hash = gh_hash_bytes(map.data, map.size);
    gh_map_close(&map);
    return GH_OK;
}

static gh_status hash_body(gh_body *b, gh_err *e)
{
    const gh_manifest_input *in = &b->manifest->input;
    char text[512];
    GH_TRY(gh_body_hash_file(b, e));
    int len = snprintf(text, sizeof text, "%s|%d|%d|%d|%d|%d|%d|%.9g|%.9g,%.9g,%.9g|%.9g,%.9g,%.9g",
                       gh_cpu_level(), b->rank, in->width, in->height, (int)in->order, (int)in->fit,
                       (int)in->filter, in->crop, (double)in->mean[0], (double)in->mean[1],
                       (double)in->mean[2], (double)in->scale[0], (double)in->scale[1], (double)in->scale[2]);
    b->hash = gh_hash_more(gh_hash_more(b->file_hash, b->cut, strlen(b->cut)), text,
                           (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    return GH_OK;
}

/* The manifest of a folder, or the one that a bare .onnx file is taken to have. */
gh_status gh_body_open_manifest(gh_body *b, const char *path, gh_err *e)
{
    size_t len = strlen(path);
    if (len < 5 || strcmp(path + len - 5, ".onnx") != 0) {
        b->file = gh_path_join(path, "model.onnx");
        return b->file ? gh_manifest_read(&b->manifest, path, e)
                       : gh_fail(e, GH_NOMEM, "memory ran out at the body");
    }
    gh_model *model = NULL;
    b->file = gh_strdup(path);
    if (!b->file)
        return gh_fail(e, GH_NOMEM, "memory ran out at the body");
    GH_TRY(gh_model_open(&model, path, false, e));
    b->manifest = model->manifest;
    model->manifest = NULL;
    gh_model_put(&model);
    return GH_OK;
}

gh_status gh_body_open(gh_body **out, const char *path, const char *cut, gh_err *e)
{
    gh_body *b = gh_calloc(1, sizeof *b);
    if (!b)
        return gh_fail(e, GH_NOMEM, "memory ran out at the body");
    gh_status status = gh_body_open_manifest(b, path, e);
    if (!status)
        status = cut_body(b, cut, e);
    if (!status)
        status = hash_body(b, e);
    if (status)
        gh_body_free(&b);
    else
        *out = b;
    return status;
}

gh_status gh_body_graph(gh_graph **out, uint32_t *features, const gh_body *b, gh_err *e)
{
    return read_cut(out, features, b->file, b->cut, b->rank, e);
}

void gh_body_free(gh_body **body)
{
    gh_body *b = *body;
    if (!b)
        return;
    gh_net_free(&b->net);
    gh_manifest_free(&b->manifest);
    gh_free(b->file);
    gh_free(b->cut);
    gh_free(b);
    *body = NULL;
}
