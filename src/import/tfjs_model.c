/* From the JSON to the tables of gh_tfjs_model: nodes, and the inputs that they name. */
#include "import/tfjs_model.h"

#include "base/json.h"
#include "base/mem.h"
#include "engine/graph.h"

#include <string.h>

#define MAX_DEPTH  32
#define MAX_TABLES ((size_t)256 << 20)
#define MAX_NAME   1000u /* bytes of a node's name */

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "no memory for the model's tables");
}

/* An output's number; GH_TFJS_NONE for what is no number. */
static uint32_t output_of(const char *digits, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9' || n > 100000)
            return GH_TFJS_NONE;
        n = n * 10 + (uint32_t)(digits[i] - '0');
    }
    return len ? n : GH_TFJS_NONE;
}

/* "name", "name:2", and in functions "name:output:2". */
gh_tfjs_ref gh_tfjs_find(const gh_tfjs_model *m, const char *name, size_t len)
{
    const char *colon = memchr(name, ':', len), *last = colon ? memrchr(name, ':', len) : NULL;
    gh_tfjs_ref ref = {GH_TFJS_NONE, 0};
    if (colon)
        ref.output = output_of(last + 1, len - (size_t)(last + 1 - name));
    if (ref.output != GH_TFJS_NONE)
        ref.node = gh_symbols_find(&m->names, name, colon ? (size_t)(colon - name) : len);
    return ref;
}

static gh_status check_kind(const json_t *root, gh_err *e)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *topology = json_object_get(root, "modelTopology");
    bool keras = json_object_get(topology, "model_config") || json_object_get(topology, "class_name");
    if (keras || (format && strcmp(format, "layers-model") == 0))
        return gh_fail(e, GH_UNSUPPORTED,
                       "this is a TensorFlow.js layers model (Keras); gharial imports graph models");
    if (format && strcmp(format, "graph-model") != 0)
        return gh_fail(e, GH_UNSUPPORTED, "the model's format is \"%.40s\"; gharial imports \"graph-model\"",
                       format);
    if (!json_is_array(json_object_get(topology, "node")))
        return gh_fail(e, GH_FORMAT,
                       "this is no TensorFlow.js graph model: \"modelTopology\" with a list \"node\" is "
                       "missing");
    return GH_OK;
}

static gh_status read_node(gh_tfjs_model *m, uint32_t at, const json_t *json, gh_err *e)
{
    gh_tfjs_node *n = &m->nodes[at];
    const json_t *attr = json_object_get(json, "attr");
    *n = (gh_tfjs_node){.name = json_string_value(json_object_get(json, "name")),
                        .op = json_string_value(json_object_get(json, "op")),
                        .attr = json_is_object(attr) ? attr : NULL,
                        .weight = GH_TFJS_NONE};
    if (!n->name || !n->name[0] || !n->op)
        return gh_fail(e, GH_FORMAT, "node %u has no \"name\" or no \"op\"", at);
    size_t len = strlen(n->name);
    if (len > MAX_NAME || strchr(n->name, ':'))
        return gh_fail(e, GH_FORMAT, "node \"%.80s\": a name of %zu bytes; %u without a colon are accepted",
                       n->name, len, MAX_NAME);
    if (gh_symbols_find(&m->names, n->name, len) != UINT32_MAX)
        return gh_fail(e, GH_FORMAT, "two nodes are called \"%.120s\"", n->name);
    return gh_symbols_add(&m->names, n->name, len, at) ? GH_OK : no_memory(e);
}

static gh_status read_inputs(gh_tfjs_model *m, gh_tfjs_node *n, const json_t *json, gh_err *e)
{
    const json_t *inputs = json_object_get(json, "input");
    size_t count = json_array_size(inputs);
    n->inputs = gh_arena_array(m->arena, count ? count : 1, sizeof *n->inputs);
    if (!n->inputs)
        return no_memory(e);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(inputs, i));
        if (!name)
            return gh_fail(e, GH_FORMAT, "node \"%.120s\": input %zu is not a name", n->name, i);
        if (name[0] == '^') /* only says what has to run before */
            continue;
        gh_tfjs_ref ref = gh_tfjs_find(m, name, strlen(name));
        if (ref.node == GH_TFJS_NONE)
            return gh_fail(e, GH_FORMAT, "node \"%.120s\": its input \"%.120s\" is not in the file", n->name,
                           name);
        n->inputs[n->ninputs++] = ref;
    }
    return GH_OK;
}

static gh_status read_nodes(gh_tfjs_model *m, gh_err *e)
{
    const json_t *list = json_object_get(json_object_get(m->root, "modelTopology"), "node");
    size_t count = json_array_size(list), operands = 0;
    if (count > GH_MAX_NODES)
        return gh_fail(e, GH_LIMIT, "%zu nodes; at most %u are accepted", count, GH_MAX_NODES);
    for (size_t i = 0; i < count; i++)
        operands += json_array_size(json_object_get(json_array_get(list, i), "input"));
    if (operands > GH_MAX_OPERANDS)
        return gh_fail(e, GH_LIMIT, "%zu inputs of nodes; at most %u are accepted", operands,
                       GH_MAX_OPERANDS);
    m->nodes = gh_arena_array(m->arena, count ? count : 1, sizeof *m->nodes);
    if (!m->nodes)
        return no_memory(e);
    m->nnodes = (uint32_t)count;
    for (uint32_t i = 0; i < m->nnodes; i++)
        GH_TRY(read_node(m, i, json_array_get(list, i), e));
    for (uint32_t i = 0; i < m->nnodes; i++)
        GH_TRY(read_inputs(m, &m->nodes[i], json_array_get(list, i), e));
    return GH_OK;
}

/* Gives every Const its weight. */
static gh_status link_weights(gh_tfjs_model *m, gh_err *e)
{
    gh_symbols names = {0};
    gh_status status = GH_OK;
    for (uint32_t i = 0; i < m->nweights && status == GH_OK; i++) {
        const char *name = m->weights[i].name;
        if (gh_symbols_find(&names, name, strlen(name)) != UINT32_MAX)
            status = gh_fail(e, GH_FORMAT, "two weights are called \"%.120s\"", name);
        else if (!gh_symbols_add(&names, name, strlen(name), i))
            status = no_memory(e);
    }
    for (uint32_t i = 0; i < m->nnodes && status == GH_OK; i++)
        if (strcmp(m->nodes[i].op, "Const") == 0)
            m->nodes[i].weight = gh_symbols_find(&names, m->nodes[i].name, strlen(m->nodes[i].name));
    gh_symbols_free(&names);
    return status;
}

/* Nodes, unless the weights alone are wanted. */
static gh_status read_graph(gh_tfjs_model *m, gh_err *e)
{
    GH_TRY(check_kind(m->root, e));
    return read_nodes(m, e);
}

static gh_status parse(gh_tfjs_model **out, const char *text, size_t len, bool weights_only, gh_err *e)
{
    const gh_json_limits limits = {GH_TFJS_MAX_JSON, MAX_DEPTH, 0};
    gh_tfjs_model *m = gh_calloc(1, sizeof *m);
    if (!m)
        return no_memory(e);
    m->arena = gh_arena_new(MAX_TABLES);
    gh_status status = m->arena ? gh_json_load(&m->root, weights_only ? "the manifest" : "the topology", text,
                                               len, &limits, e)
                                : no_memory(e);
    if (status == GH_OK && !weights_only)
        status = read_graph(m, e);
    if (status == GH_OK)
        status = gh_tfjs_read_manifest(m, e);
    if (status == GH_OK)
        status = link_weights(m, e);
    if (status == GH_OK)
        *out = m;
    else
        gh_tfjs_free(&m);
    return status;
}

gh_status gh_tfjs_parse(gh_tfjs_model **out, const char *text, size_t len, gh_err *e)
{
    return parse(out, text, len, false, e);
}

gh_status gh_tfjs_parse_weights(gh_tfjs_model **out, const char *text, size_t len, gh_err *e)
{
    return parse(out, text, len, true, e);
}

void gh_tfjs_free(gh_tfjs_model **model)
{
    gh_tfjs_model *m = *model;
    if (!m)
        return;
    json_decref(m->root);
    gh_symbols_free(&m->names);
    gh_arena_free(&m->arena);
    gh_free(m);
    *model = NULL;
}
