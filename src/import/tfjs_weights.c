/* The weightsManifest of a TensorFlow.js model, its shards, and what their bytes stand for. */
#include "base/half.h"
#include "base/mem.h"
#include "engine/graph.h"
#include "import/tfjs_model.h"

#include <math.h>
#include <string.h>

#define MAX_FILES   4096u
#define MAX_WEIGHTS GH_MAX_VALUES
#define MAX_BYTES   ((size_t)2 << 30) /* of all shards */

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "no memory for the model's weights");
}

static size_t stored_size(gh_tfjs_stored stored)
{
    static const size_t sizes[] = {[GH_TFJS_FLOAT32] = 4,
                                   [GH_TFJS_FLOAT16] = 2,
                                   [GH_TFJS_INT32] = 4,
                                   [GH_TFJS_UINT16] = 2,
                                   [GH_TFJS_UINT8] = 1};
    return sizes[stored];
}

static gh_status read_shape(gh_tfjs_weight *w, const json_t *list, gh_err *e)
{
    size_t rank = json_array_size(list);
    if (!json_is_array(list) || rank > GH_MAX_RANK)
        return gh_fail(e, GH_FORMAT, "weight \"%.120s\": its shape is not a list of at most %d numbers",
                       w->name, GH_MAX_RANK);
    w->shape.rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(list, i);
        w->shape.dims[i] = json_is_integer(dim) ? json_integer_value(dim) : -1;
        if (w->shape.dims[i] < 0)
            return gh_fail(e, GH_FORMAT, "weight \"%.120s\": dimension %zu is not a number from 0 on",
                           w->name, i);
    }
    if (!gh_shape_count(&w->count, &w->shape) || w->count > GH_MAX_ELEMENTS)
        return gh_fail(e, GH_LIMIT, "weight \"%.120s\" has more elements than gharial accepts", w->name);
    return GH_OK;
}

/* {"dtype": "uint8", "scale": s, "min": m}; float16 has neither. */
static gh_status read_quantisation(gh_tfjs_weight *w, const json_t *q, gh_err *e)
{
    const char *type = json_string_value(json_object_get(q, "dtype"));
    const json_t *scale = json_object_get(q, "scale"), *min = json_object_get(q, "min");
    if (type && strcmp(type, "float16") == 0 && !w->whole) {
        w->stored = GH_TFJS_FLOAT16;
        return GH_OK;
    }
    if (!type || (strcmp(type, "uint8") != 0 && strcmp(type, "uint16") != 0))
        return gh_fail(e, GH_UNSUPPORTED,
                       "weight \"%.120s\" is quantised as \"%.40s\"; gharial reads float16, uint8 and uint16",
                       w->name, type ? type : "");
    if (!json_is_number(scale) || !json_is_number(min))
        return gh_fail(e, GH_FORMAT, "weight \"%.120s\" is quantised without the numbers scale and min",
                       w->name);
    w->stored = strcmp(type, "uint8") == 0 ? GH_TFJS_UINT8 : GH_TFJS_UINT16;
    w->quantised = true;
    w->scale = json_number_value(scale);
    w->min = json_number_value(min);
    return GH_OK;
}

static gh_status read_type(gh_tfjs_weight *w, const json_t *spec, gh_err *e)
{
    static const struct {
        const char *name;
        gh_tfjs_stored stored;
        bool whole;
    } known[] = {{"float32", GH_TFJS_FLOAT32, false},
                 {"float16", GH_TFJS_FLOAT16, false},
                 {"int32", GH_TFJS_INT32, true},
                 {"bool", GH_TFJS_UINT8, true}};
    const char *type = json_string_value(json_object_get(spec, "dtype"));
    const json_t *quantisation = json_object_get(spec, "quantization");
    for (size_t i = 0; type && i < GH_COUNT(known); i++)
        if (strcmp(type, known[i].name) == 0) {
            w->stored = known[i].stored;
            w->whole = known[i].whole;
            return quantisation ? read_quantisation(w, quantisation, e) : GH_OK;
        }
    return gh_fail(e, GH_UNSUPPORTED,
                   "weight \"%.120s\" is of type \"%.40s\"; gharial reads float32, float16, int32 and bool",
                   w->name, type ? type : "");
}

/* One weight at the end of its group. */
static gh_status read_weight(gh_tfjs_model *m, const json_t *spec, uint32_t group, gh_err *e)
{
    gh_tfjs_weight *w = &m->weights[m->nweights];
    size_t bytes = 0;
    *w = (gh_tfjs_weight){.name = json_string_value(json_object_get(spec, "name")), .group = group};
    if (!w->name)
        return gh_fail(e, GH_FORMAT, "weight %u has no \"name\"", m->nweights);
    GH_TRY(read_type(w, spec, e));
    GH_TRY(read_shape(w, json_object_get(spec, "shape"), e));
    w->offset = m->group_bytes[group];
    if (!gh_mul_size(&bytes, w->count, stored_size(w->stored)) || bytes > MAX_BYTES - w->offset)
        return gh_fail(e, GH_LIMIT, "the weights take more than %zu bytes", MAX_BYTES);
    m->group_bytes[group] += bytes;
    m->nweights++;
    return GH_OK;
}

/* A path that stays in the folder of the topology. */
static bool stays_within(const char *path)
{
    if (!path || !path[0] || path[0] == '/' || strlen(path) > 255)
        return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t len = strcspn(part, "/");
        if (len == 0 || (len <= 2 && strncmp(part, "..", len) == 0))
            return false;
    }
    return true;
}

static gh_status read_group(gh_tfjs_model *m, const json_t *json, uint32_t group, gh_err *e)
{
    const json_t *paths = json_object_get(json, "paths"), *weights = json_object_get(json, "weights");
    if (!json_is_array(paths) || !json_is_array(weights))
        return gh_fail(e, GH_FORMAT, "group %u of the weightsManifest has no lists \"paths\" and \"weights\"",
                       group);
    for (size_t i = 0; i < json_array_size(paths); i++) {
        const char *name = json_string_value(json_array_get(paths, i));
        if (!stays_within(name))
            return gh_fail(e, GH_FORMAT,
                           "shard \"%.120s\" is not named by a path within the model's own folder",
                           name ? name : "");
        m->files[m->nfiles++] = (gh_tfjs_file){.name = name, .group = group};
    }
    for (size_t i = 0; i < json_array_size(weights); i++)
        GH_TRY(read_weight(m, json_array_get(weights, i), group, e));
    return GH_OK;
}

gh_status gh_tfjs_read_manifest(gh_tfjs_model *m, gh_err *e)
{
    const json_t *list = json_is_array(m->root) ? m->root : json_object_get(m->root, "weightsManifest");
    size_t groups = json_array_size(list), files = 0, weights = 0;
    if (!json_is_array(list))
        return gh_fail(e, GH_FORMAT,
                       "the list \"weightsManifest\", which names weights and shards, is missing");
    for (size_t i = 0; i < groups; i++) {
        const json_t *group = json_array_get(list, i);
        files += json_array_size(json_object_get(group, "paths"));
        weights += json_array_size(json_object_get(group, "weights"));
    }
    if (groups > MAX_FILES || files > MAX_FILES || weights > MAX_WEIGHTS)
        return gh_fail(e, GH_LIMIT, "%zu weights in %zu shards; at most %u in %u are accepted", weights,
                       files, MAX_WEIGHTS, MAX_FILES);
    m->weights = gh_arena_array(m->arena, weights + 1, sizeof *m->weights);
    m->files = gh_arena_array(m->arena, files + 1, sizeof *m->files);
    m->group_bytes = gh_arena_array(m->arena, groups + 1, sizeof *m->group_bytes);
    if (!m->weights || !m->files || !m->group_bytes)
        return no_memory(e);
    m->ngroups = (uint32_t)groups;
    for (uint32_t i = 0; i < m->ngroups; i++)
        GH_TRY(read_group(m, json_array_get(list, i), i, e));
    return GH_OK;
}

/* ---- shards ---- */

/* The sizes of all shards, before anything is allocated for them. */
static gh_status check_sizes(const gh_tfjs_model *m, uint32_t group, gh_err *e)
{
    size_t have = 0, count = 0;
    for (uint32_t i = 0; i < m->nfiles; i++)
        if (m->files[i].group == group && (have += m->files[i].size, ++count) && have > MAX_BYTES)
            return gh_fail(e, GH_LIMIT, "the shards hold more than %zu bytes", MAX_BYTES);
    if (have == m->group_bytes[group])
        return GH_OK;
    return gh_fail(e, GH_FORMAT, "%zu shard%s of weights hold%s %zu bytes together; the weights take %zu",
                   count, count == 1 ? "" : "s", count == 1 ? "s" : "", have, m->group_bytes[group]);
}

gh_status gh_tfjs_join(gh_tfjs_model *m, gh_arena *arena, gh_err *e)
{
    uint32_t file = 0, weight = 0;
    for (uint32_t g = 0; g < m->ngroups; g++)
        GH_TRY(check_sizes(m, g, e));
    for (uint32_t g = 0; g < m->ngroups; g++) {
        uint8_t *bytes = gh_arena_alloc(arena, m->group_bytes[g] + 1), *at = bytes;
        if (!bytes)
            return no_memory(e);
        for (; file < m->nfiles && m->files[file].group == g; file++) {
            if (m->files[file].size)
                memcpy(at, m->files[file].data, m->files[file].size);
            at += m->files[file].size;
        }
        for (; weight < m->nweights && m->weights[weight].group == g; weight++)
            m->weights[weight].data = bytes + m->weights[weight].offset;
    }
    return GH_OK;
}

/* ---- elements; shards are little-endian ---- */

static uint32_t bits_at(const gh_tfjs_weight *w, size_t i)
{
    size_t size = stored_size(w->stored);
    uint32_t bits = 0;
    for (size_t k = 0; k < size; k++)
        bits |= (uint32_t)w->data[i * size + k] << 8 * k;
    return bits;
}

static double element(const gh_tfjs_weight *w, size_t i)
{
    uint32_t bits = bits_at(w, i);
    float f;
    if (w->stored == GH_TFJS_FLOAT16)
        return (double)gh_half_to_float((uint16_t)bits);
    if (w->stored == GH_TFJS_INT32)
        return (int32_t)bits;
    if (w->stored != GH_TFJS_FLOAT32)
        return w->quantised ? bits * w->scale + w->min : bits;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

void gh_tfjs_floats(float *dst, const gh_tfjs_weight *w)
{
    for (size_t i = 0; i < w->count; i++)
        dst[i] = (float)element(w, i);
}

void gh_tfjs_ints(int64_t *dst, const gh_tfjs_weight *w)
{
    for (size_t i = 0; i < w->count; i++) {
        double v = round(element(w, i)); /* quantised ones come to lie beside a whole number */
        dst[i] = v >= -0x1p31 && v <= 0x1p31 ? (int64_t)v : 0;
    }
}

static void copy_weight(float *dst, const void *weight)
{
    gh_tfjs_floats(dst, weight);
}

gh_status gh_tfjs_weights(gh_weights *out, const gh_tfjs_model *m, gh_err *e)
{
    GH_TRY(gh_weights_open(out, m->nweights, e));
    out->separator = '/';
    out->copy = copy_weight;
    for (uint32_t i = 0; i < m->nweights; i++) {
        const gh_tfjs_weight *from = &m->weights[i];
        out->items[i] =
            (gh_weight){.name = from->name, .shape = from->shape, .count = from->count, .at = from};
    }
    gh_weights_sort(out);
    return GH_OK;
}
