/* The TF.js importer: every node that the wanted outputs need goes through the table of operators into the
 * NHWC builder. */
#include "import/tfjs.h"

#include "base/mem.h"
#include "import/arch.h"
#include "import/tfjs_ops.h"

#include <stdio.h>
#include <string.h>

const gh_nhwc_value *gh_tfjs_in(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i)
{
    if (im->b.failed)
        return NULL;
    if (i >= n->ninputs)
        return gh_nhwc_fail(&im->b, GH_FORMAT, "input %u is missing", i);
    gh_tfjs_ref ref = n->inputs[i];
    const gh_tfjs_outputs *o = &im->made[ref.node];
    if (ref.output >= o->count || !o->values[ref.output])
        return gh_nhwc_fail(&im->b, GH_UNSUPPORTED,
                            "its input is output %u of \"%.100s\", which is not computed", ref.output,
                            im->m->nodes[ref.node].name);
    return o->values[ref.output];
}

const gh_nhwc_value **gh_tfjs_all(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value **all = gh_arena_array(im->b.arena, n->ninputs + 1u, sizeof *all);
    if (!all)
        gh_nhwc_fail(&im->b, GH_NOMEM, "no memory for its inputs");
    for (uint32_t i = 0; all && i < n->ninputs; i++)
        all[i] = gh_tfjs_in(im, n, i);
    return im->b.failed ? NULL : all;
}

bool gh_tfjs_get_ints(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, int64_t *out, size_t *count,
                      size_t max)
{
    return gh_nhwc_get_ints(&im->b, gh_tfjs_in(im, n, i), out, count, max);
}

bool gh_tfjs_get_int(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, int64_t *out)
{
    size_t count = 0;
    if (!gh_tfjs_get_ints(im, n, i, out, &count, 1))
        return false;
    if (count != 1)
        gh_nhwc_fail(&im->b, GH_FORMAT, "input %u has no number", i);
    return count == 1;
}

void gh_tfjs_set_at(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, uint32_t count,
                    const gh_nhwc_value *v)
{
    gh_tfjs_outputs *o = &im->made[n - im->m->nodes];
    if (!o->values) {
        o->values = gh_arena_array(im->b.arena, count, sizeof *o->values);
        o->count = o->values ? count : 0;
        if (!o->values)
            gh_nhwc_fail(&im->b, GH_NOMEM, "no memory for its outputs");
    }
    if (i < o->count)
        o->values[i] = v;
}

void gh_tfjs_set(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *v)
{
    gh_tfjs_set_at(im, n, 0, 1, v);
}

void gh_tfjs_const(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_nhwc *b = &im->b;
    if (n->weight == GH_TFJS_NONE) {
        gh_nhwc_fail(b, GH_FORMAT, "the weightsManifest has no weight of this name");
        return;
    }
    const gh_tfjs_weight *w = &im->m->weights[n->weight];
    if (w->stored == GH_TFJS_FLOAT32 && !w->quantised) { /* as it is; copied where it is not aligned */
        gh_tfjs_set(im, n, gh_nhwc_const(b, GH_F32, w->shape, w->data, false));
        return;
    }
    void *data = gh_arena_array(w->whole ? b->arena : b->graph->arena, w->count + 1,
                                w->whole ? sizeof(int64_t) : sizeof(float));
    if (!data)
        gh_nhwc_fail(b, GH_NOMEM, "no memory for a constant");
    else if (w->whole)
        gh_tfjs_ints(data, w);
    else
        gh_tfjs_floats(data, w);
    gh_tfjs_set(im, n, gh_nhwc_const(b, w->whole ? GH_I64 : GH_F32, w->shape, data, false));
}

static void add_node(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    im->b.name = n->name;
    if (im->made[n - im->m->nodes].given)
        return;
    if (n->ninputs < n->row->min || n->ninputs > n->row->max)
        gh_nhwc_fail(&im->b, GH_FORMAT, "%.60s has %u inputs; it takes %u to %u", n->op, n->ninputs,
                     n->row->min, n->row->max);
    else
        n->row->map(im, n);
}

/* The name of an output in the graph: the node's, with its number unless that is 0. */
static const char *output_name(gh_tfjs_import *im, gh_tfjs_ref ref)
{
    const char *name = im->m->nodes[ref.node].name;
    char number[16];
    size_t len = strlen(name);
    if (!ref.output)
        return name;
    int more = snprintf(number, sizeof number, ":%u", ref.output);
    char *text = gh_arena_alloc(im->b.arena, len + (size_t)more + 1);
    if (text) {
        memcpy(text, name, len);
        memcpy(text + len, number, (size_t)more + 1);
    } else {
        gh_nhwc_fail(&im->b, GH_NOMEM, "no memory for names");
    }
    return text;
}

static gh_status build(gh_tfjs_import *im, const gh_tfjs_cut *cut, gh_err *e)
{
    GH_TRY(gh_tfjs_take_cut(im, cut, e));
    GH_TRY(gh_tfjs_plan(im, e));
    for (uint32_t i = 0; i < im->norder && !im->b.failed; i++)
        add_node(im, &im->m->nodes[im->order[i]]);
    for (uint32_t i = 0; i < im->nwanted && !im->b.failed; i++) {
        const gh_tfjs_node end = {
            .name = im->m->nodes[im->wanted[i].node].name, .inputs = &im->wanted[i], .ninputs = 1};
        im->b.name = end.name;
        gh_nhwc_output(&im->b, gh_tfjs_in(im, &end, 0), output_name(im, im->wanted[i]));
    }
    return gh_nhwc_finish(&im->b);
}

static gh_status import(gh_graph **out, gh_tfjs_model *m, const gh_tfjs_cut *cut, gh_err *e)
{
    gh_graph *g = NULL;
    gh_tfjs_import im = {.m = m, .cycle = GH_TFJS_NONE};
    GH_TRY(gh_graph_new(&g, e));
    gh_status status = gh_tfjs_join(m, g->arena, e);
    if (status == GH_OK)
        status = gh_nhwc_open(&im.b, g, e);
    if (status == GH_OK) {
        im.made = gh_calloc((size_t)m->nnodes + 1, sizeof *im.made);
        status = im.made ? build(&im, cut, e) : gh_fail(e, GH_NOMEM, "no memory for the importer's values");
        gh_nhwc_close(&im.b);
    }
    gh_free(im.made);
    gh_free(im.wanted);
    gh_free(im.order);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}

/* ---- where the shards come from ---- */

gh_status gh_tfjs_read_bytes(gh_graph **out, const char *json, size_t len, const gh_tfjs_blob *shards,
                             size_t count, const gh_tfjs_cut *cut, gh_err *e)
{
    gh_tfjs_model *m = NULL;
    GH_TRY(gh_tfjs_parse(&m, json, len, e));
    gh_status status = GH_OK;
    for (uint32_t i = 0; i < m->nfiles && status == GH_OK; i++) {
        size_t k = 0;
        while (k < count && strcmp(shards[k].name, m->files[i].name) != 0)
            k++;
        if (k == count) {
            status = gh_fail(e, GH_NOTFOUND, "there is no shard \"%.120s\"", m->files[i].name);
            break;
        }
        m->files[i].data = shards[k].data;
        m->files[i].size = shards[k].size;
    }
    if (status == GH_OK)
        status = import(out, m, cut, e);
    gh_tfjs_free(&m);
    return status;
}

/* Maps every shard of the model; *maps is the caller's in every case. */
static gh_status map_shards(gh_map *maps, gh_tfjs_model *m, const char *path, gh_err *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = gh_strdup(slash ? path : ".");
    if (folder && slash)
        folder[slash - path + 1] = '\0';
    gh_status status = folder ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for paths");
    for (uint32_t i = 0; i < m->nfiles && status == GH_OK; i++) {
        char *file = gh_path_join(folder, m->files[i].name);
        status = file ? gh_map_open(&maps[i], file, GH_TFJS_MAX_SHARD, e)
                      : gh_fail(e, GH_NOMEM, "no memory for paths");
        m->files[i].data = maps[i].data;
        m->files[i].size = maps[i].size;
        gh_free(file);
    }
    gh_free(folder);
    return status;
}

/* What becomes of a model whose shards are mapped. */
typedef gh_status (*then)(gh_graph **out, gh_tfjs_model *m, const void *how, gh_err *e);

static gh_status with_shards(gh_graph **out, gh_tfjs_model *m, const char *path, then next, const void *how,
                             gh_err *e)
{
    gh_map *maps = gh_calloc((size_t)m->nfiles + 1, sizeof *maps);
    if (!maps)
        return gh_fail(e, GH_NOMEM, "no memory for paths");
    gh_status status = map_shards(maps, m, path, e);
    if (status == GH_OK)
        status = next(out, m, how, e);
    for (uint32_t i = 0; i < m->nfiles; i++)
        gh_map_close(&maps[i]);
    gh_free(maps);
    return status;
}

typedef gh_status (*parser)(gh_tfjs_model **out, const char *text, size_t len, gh_err *e);

static gh_status read_file(gh_graph **out, const char *path, parser parse, then next, const void *how,
                           gh_err *e)
{
    gh_tfjs_model *m = NULL;
    gh_map json = {0};
    GH_TRY(gh_map_open(&json, path, GH_TFJS_MAX_JSON, e));
    gh_status status = parse(&m, json.size ? (const char *)json.data : "", json.size, e);
    gh_map_close(&json);
    if (status == GH_OK)
        status = with_shards(out, m, path, next, how, e);
    gh_tfjs_free(&m);
    return status == GH_OK ? GH_OK : gh_err_prefix(e, status, "%s", path);
}

static gh_status build_graph(gh_graph **out, gh_tfjs_model *m, const void *cut, gh_err *e)
{
    return import(out, m, cut, e);
}

gh_status gh_tfjs_read(gh_graph **out, const char *path, const gh_tfjs_cut *cut, gh_err *e)
{
    return read_file(out, path, gh_tfjs_parse, build_graph, cut, e);
}

static gh_status build_arch(gh_graph **out, gh_tfjs_model *m, const void *arch, gh_err *e)
{
    gh_weights weights;
    GH_TRY(gh_tfjs_join(m, m->arena, e));
    GH_TRY(gh_tfjs_weights(&weights, m, e));
    gh_status status = gh_arch_build(out, arch, &weights, e);
    gh_weights_close(&weights);
    return status;
}

gh_status gh_tfjs_read_weights(gh_graph **out, const char *path, const char *arch, gh_err *e)
{
    return read_file(out, path, gh_tfjs_parse_weights, build_arch, arch, e);
}
