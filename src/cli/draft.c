/* Guessing a task from the outputs' shapes and from the layer that the network ends in. */
#include "cli/draft.h"

#include "base/mem.h"
#include "tasks/jsontext.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_OUTPUTS 16

void gh_draft_note(gh_draft *d, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_array_append_new(d->notes, gh_json_text(text));
}

void gh_draft_free(gh_draft *d)
{
    json_decref(d->manifest);
    json_decref(d->notes);
    *d = (gh_draft){0};
}

typedef struct outputs {
    gh_tensor t[MOST_OUTPUTS];
    const char *names[MOST_OUTPUTS];
    size_t n;
} outputs;

static gh_status read_outputs(outputs *o, const gh_network *n, gh_err *e)
{
    gh_shape in = n->input;
    o->n = gh_net_outputs(n->net);
    o->n = o->n < MOST_OUTPUTS ? o->n : MOST_OUTPUTS;
    for (size_t i = 0; i < o->n; i++) {
        GH_TRY(gh_net_output_for(&o->t[i], n->net, i, &in, e));
        o->names[i] = gh_net_output(n->net, i)->name;
    }
    return GH_OK;
}

/* What the network ends in, layers that only move elements apart. */
static const char *last_layer(const gh_net *net)
{
    static const char *const movers[] = {"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast"};
    const gh_graph *g = gh_net_graph(net);
    uint32_t at = gh_net_output(net, 0)->producer;
    for (uint32_t steps = 0; at != GH_NONE && steps < g->nnodes; steps++) {
        const gh_node *n = &g->nodes[at];
        bool moves = false;
        for (size_t i = 0; i < GH_COUNT(movers); i++)
            moves = moves || strcmp(n->type, movers[i]) == 0;
        if (!moves || n->inputs[0] == GH_NONE)
            return n->act.kind == GH_ACT_SIGMOID ? "Sigmoid" : n->type;
        at = g->values[n->inputs[0]].producer;
    }
    return "";
}

static bool is_one_of(const char *type, const char *list)
{
    const char *at = strstr(list, type);
    return *type && at && (at[strlen(type)] == ' ' || !at[strlen(type)]);
}

/* Elements of one picture, when they all stand on one axis; else 0. */
static int64_t vector_of(const gh_tensor *t)
{
    size_t count = 0;
    bool vector = t->type == GH_F32 && t->shape.rank >= 2 && gh_shape_count(&count, &t->shape);
    for (int d = 2; vector && d < t->shape.rank; d++)
        vector = t->shape.dims[d] == 1;
    return vector && t->shape.dims[0] == 1 ? (int64_t)count : 0;
}

static bool is_map(const gh_tensor *t)
{
    return t->type == GH_F32 && t->shape.rank == 4 && t->shape.dims[2] > 1 && t->shape.dims[3] > 1;
}

static json_t *numbered(int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, json_sprintf("%lld", (long long)i));
    return list;
}

static void put(gh_draft *d, const char *key, json_t *value)
{
    json_object_set_new(d->manifest, key, value);
}

static gh_task draft_vector(gh_draft *d, const char *last, int64_t n)
{
    if (is_one_of(last,
                  "LpNormalization Div BatchNormalization GlobalAveragePool ReduceMean GlobalMaxPool")) {
        gh_draft_note(d, "%lld numbers that end in %s are taken for features of a picture: task embed",
                      (long long)n, last);
        put(d, "output", json_pack("{s:s}", "decoder", "features"));
        return GH_TASK_EMBED;
    }
    bool done = strcmp(last, "Softmax") == 0 || strcmp(last, "Sigmoid") == 0;
    gh_draft_note(d, "%lld numbers a picture, the network ends in %s: task classify, whose scores %s",
                  (long long)n, *last ? last : "its input",
                  done ? "are probabilities already" : "go through softmax");
    if (strcmp(last, "Sigmoid") == 0)
        gh_draft_note(d, "it ends in Sigmoid: the classes may not exclude one another");
    gh_draft_note(
        d, "the labels are numbers: put the classes' names there, or the name of a file with one a line");
    put(d, "output", json_pack("{s:s}", "decoder", done ? "probabilities" : "softmax"));
    put(d, "labels", numbered(n));
    return GH_TASK_CLASSIFY;
}

static gh_task draft_mask(gh_draft *d, const gh_tensor *t, const char *last)
{
    int64_t channels = t->shape.dims[1];
    bool done = strcmp(last, "Sigmoid") == 0 || strcmp(last, "Softmax") == 0;
    const char *activation = done ? "none" : channels == 1 ? "sigmoid" : "softmax";
    gh_draft_note(d, "a map of %lld channel%s, the network ends in %s: task segment, activation %s",
                  (long long)channels, channels == 1 ? "" : "s", last, activation);
    put(d, "output", json_pack("{s:s, s:s}", "decoder", "mask", "activation", activation));
    put(d, "labels", channels == 1 ? json_pack("[s, s]", "background", "object") : numbered(channels));
    put(d, "threshold", json_real(0.5));
    return GH_TASK_SEGMENT;
}

/* Maps of a quarter of the input's size: one of centres, one of sizes, one of offsets. */
static bool is_centernet(const outputs *o, const gh_network *n)
{
    bool all = o->n == 3 || o->n == 4;
    for (size_t i = 0; all && i < o->n; i++)
        all = is_map(&o->t[i]) && o->t[i].shape.dims[2] * 4 == n->size.height;
    return all && o->t[0].shape.dims[1] == 1 && o->t[1].shape.dims[1] == 2;
}

static const char *find_rows(const outputs *o, int64_t *rows, int64_t numbers, bool exact)
{
    for (size_t i = 0; i < o->n; i++) {
        const gh_shape *s = &o->t[i].shape;
        if (o->t[i].type == GH_F32 && s->rank == 3 && s->dims[0] == 1 && s->dims[1] > 8 &&
            (*rows < 0 || s->dims[1] == *rows) && (exact ? s->dims[2] == numbers : s->dims[2] != numbers)) {
            *rows = s->dims[1];
            return o->names[i];
        }
    }
    return NULL;
}

static bool draft_anchors(gh_draft *d, const outputs *o)
{
    int64_t rows = -1;
    const char *boxes = find_rows(o, &rows, 4, true);
    const char *scores = boxes ? find_rows(o, &rows, 4, false) : NULL;
    if (!scores)
        return false;
    gh_draft_note(d, "%lld boxes and their scores: task localize by anchors", (long long)rows);
    gh_draft_note(
        d,
        "which anchors they are relative to is not in the network: strides and sizes here are those "
        "of RetinaFace; they must come to %lld boxes",
        (long long)rows);
    put(d, "output",
        json_pack("{s:s, s:o, s:o, s:s, s:[f, f], s:f, s:{s:[i, i, i], s:[[i, i], [i, i], [i, i]]}}",
                  "decoder", "anchors", "boxes", gh_json_text(boxes), "scores", gh_json_text(scores),
                  "activation", "softmax", "variances", 0.1, 0.2, "nms", 0.4, "anchors", "strides", 8, 16, 32,
                  "sizes", 16, 32, 64, 128, 256, 512));
    put(d, "labels", json_pack("[s]", "object"));
    put(d, "threshold", json_real(0.5));
    return true;
}

/* GH_TASK_COUNT: no task fits. */
static gh_task draft_task(gh_draft *d, const outputs *o, const gh_network *n)
{
    const char *last = last_layer(n->net);
    int64_t vector = vector_of(&o->t[0]);
    if (vector >= 2 && vector <= GH_MAX_LABELS)
        return draft_vector(d, last, vector);
    if (is_centernet(o, n)) {
        gh_draft_note(
            d, "maps of a quarter of the size for centres, sizes and offsets: task localize, centernet");
        put(d, "output", json_pack("{s:s}", "decoder", "centernet"));
        put(d, "labels", json_pack("[s]", "object"));
        put(d, "threshold", json_real(0.4));
        return GH_TASK_LOCALIZE;
    }
    if (draft_anchors(d, o))
        return GH_TASK_LOCALIZE;
    if (is_map(&o->t[0]) && o->t[0].shape.dims[1] <= 256)
        return draft_mask(d, &o->t[0], last);
    return GH_TASK_COUNT;
}

static gh_status check_input(const gh_network *n, gh_err *e)
{
    char text[80];
    const gh_value *in = gh_net_input(n->net, 0);
    if (gh_net_inputs(n->net) != 1)
        return gh_fail(e, GH_UNSUPPORTED, "it has %zu inputs; the tasks give a network one picture",
                       gh_net_inputs(n->net));
    if (in->type != GH_F32 || in->shape.rank != 4 || (in->shape.dims[1] >= 0 && in->shape.dims[1] != 3))
        return gh_fail(
            e, GH_UNSUPPORTED,
            "its input '%s' is %s %s; the tasks give a network float32 batch x 3 x height x width%s",
            in->name, gh_dtype_name(in->type), gh_shape_text(&in->shape, text, sizeof text),
            in->shape.rank == 4 && in->shape.dims[3] == 3 ? " (channels last: export it with channels first)"
                                                          : "");
    return GH_OK;
}

/* The file's name, or its folder's where the file is a model.onnx. */
static void put_name(gh_draft *d, const char *path)
{
    char name[65];
    const char *end = path + strlen(path), *base = end;
    while (base > path && base[-1] != '/')
        base--;
    if (strcmp(base, "model.onnx") == 0 && base - path > 1) {
        end = --base;
        while (base > path && base[-1] != '/')
            base--;
    }
    size_t len = strcspn(base, *end ? "/" : ".");
    snprintf(name, sizeof name, "%.*s", (int)(len < 64 ? len : 64), base);
    for (char *c = name; *c; c++)
        *c = gh_model_name_ok((char[]){*c, 'x', '\0'}) ? *c : '_';
    put(d, "name", json_string(gh_model_name_ok(name) ? name : "model"));
}

gh_status gh_draft_make(gh_draft *out, const gh_network *n, const char *producer, gh_err *e)
{
    outputs o;
    char text[80];
    *out = (gh_draft){json_object(), json_array()};
    if (!out->manifest || !out->notes)
        return gh_fail(e, GH_NOMEM, "memory ran out at a manifest");
    GH_TRY(check_input(n, e));
    GH_TRY(read_outputs(&o, n, e));
    put_name(out, n->file);
    put(out, "version", json_string("1"));
    put(out, "task", json_null()); /* its place */
    put(out, "input", json_null());
    gh_task task = draft_task(out, &o, n);
    if (task == GH_TASK_COUNT)
        return gh_fail(
            e, GH_UNSUPPORTED,
            "no task of gharial reads its output '%s', %s %s: one number a class, a vector of features, a "
            "map, or boxes with scores are known",
            o.names[0], gh_dtype_name(o.t[0].type), gh_shape_text(&o.t[0].shape, text, sizeof text));
    put(out, "task", json_string(gh_task_name(task)));
    put(out, "input", gh_draft_input(out, n, producer, task));
    return GH_OK;
}
