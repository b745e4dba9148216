/* Runs one case through the whole engine: read, passes, plan, session. */
#include "onnx/case.h"

#include "base/mem.h"
#include "engine/net.h"
#include "engine/onnx.h"
#include "engine/onnx_proto.h"
#include "engine/op.h"
#include "onnx/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_TENSORS 64

/* The tensors of input_*.pb or output_*.pb; their elements live in `graph`. */
typedef struct tensors {
    gh_graph *graph;
    gh_buf files[MOST_TENSORS];
    gh_tensor t[MOST_TENSORS];
    uint32_t count;
} tensors;

static void tensors_free(tensors *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        gh_buf_free(&t->files[i]);
    gh_graph_free(&t->graph);
}

static void set(oc_outcome *out, oc_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void set(oc_outcome *out, oc_kind kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    out->kind = kind;
    vsnprintf(out->why, sizeof out->why, fmt, args);
    va_end(args);
    for (char *c = out->why; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
}

static gh_status tensors_read(tensors *t, const char *folder, const char *what, gh_err *e)
{
    char path[1000];
    gh_onnx_tensor read;
    t->count = 0;
    t->graph = NULL;
    GH_TRY(gh_graph_new(&t->graph, e));
    while (t->count < MOST_TENSORS) {
        snprintf(path, sizeof path, "%s/%s_%u.pb", folder, what, t->count);
        if (access(path, R_OK) != 0)
            return GH_OK;
        t->files[t->count] = (gh_buf){0};
        gh_buf *file = &t->files[t->count++];
        GH_TRY(gh_file_read(file, path, GH_MAX_MODEL_BYTES, e));
        GH_TRY(gh_onnx_read_tensor(&read, t->graph, file->data, file->len, e));
        t->t[t->count - 1] = read.tensor;
    }
    return GH_OK;
}

/* How a case's graph is changed before it is run; its answer must not change. */
typedef struct variant {
    unsigned passes;
    enum {
        AS_INPUTS,
        BUT_FIRST, /* all inputs but the first become constants, which is what packs weights and fuses */
        ALL        /* all do, which is what folds */
    } constants;
    bool blocked; /* the first input comes through a convolution that changes nothing: blocked layout */
} variant;

/* Turns every graph input, or all but the first, into a constant with the elements of the data set. A model
 * has at least one input: one that nothing reads where the first is a constant, too. */
static void fix_inputs(gh_graph *g, const tensors *in, bool first)
{
    for (uint32_t i = first ? 0 : 1; i < g->ninputs; i++) {
        gh_value *v = &g->values[g->inputs[i]];
        v->type = in->t[i].type;
        v->shape = in->t[i].shape;
        v->data = in->t[i].data;
    }
    g->ninputs = 1;
    if (first)
        g->inputs[0] = gh_graph_value(g, "oc_unread", in->t[0].type, in->t[0].shape);
}

/* Puts a depthwise 1x1 convolution with weights of 1 between the first input and its readers. */
static void put_behind_conv(gh_graph *g)
{
    gh_value *old = &g->values[g->inputs[0]];
    gh_shape shape = old->shape, weights = {.rank = 4, .dims = {shape.dims[1], 1, 1, 1}};
    uint32_t target = g->inputs[0], in[2];
    float *ones = NULL;
    in[0] = gh_graph_value(g, "oc_input", old->type, shape);
    in[1] = gh_graph_const_f32(g, "oc_ones", weights, &ones);
    if (gh_graph_node(g, "Conv", "oc_conv", in, 2, &target, 1) == GH_NONE)
        return; /* gh_net_from_graph tells */
    for (int64_t i = 0; i < shape.dims[1]; i++)
        ones[i] = 1;
    gh_graph_set_int(g, target, "group", shape.dims[1]);
    for (uint32_t i = 0; i < g->noutputs; i++) /* an output that is the input stays one */
        g->outputs[i] = g->outputs[i] == target ? in[0] : g->outputs[i];
    g->inputs[0] = in[0];
}

/* Some vectors keep bfloat16 under another type than the model declares: no constant can be made of them. */
static bool can_fix(const gh_graph *g, const tensors *in, bool first)
{
    for (uint32_t i = first ? 0 : 1; i < g->ninputs && i < in->count; i++)
        if (g->values[g->inputs[i]].type != in->t[i].type)
            return false;
    return g->ninputs > (first ? 0 : 1) && in->count == g->ninputs;
}

/* Only a picture of float32 has a blocked layout. */
static bool can_block(const gh_graph *g)
{
    const gh_value *v = g->ninputs ? &g->values[g->inputs[0]] : NULL;
    return v && v->type == GH_F32 && v->shape.rank == 4 && v->shape.dims[1] > 0;
}

static gh_status run(gh_session *s, gh_plan *plan, const tensors *in, uint32_t ninputs, gh_err *e)
{
    GH_TRY(gh_session_bind(s, plan, e));
    for (uint32_t i = 0; i < ninputs; i++) {
        gh_tensor *to = gh_session_input(s, i);
        size_t count = 0;
        if (to->type != in->t[i].type || !gh_shape_count(&count, &to->shape))
            return gh_fail(e, GH_ARG, "input %u of the vectors is %s, not %s", i,
                           gh_dtype_name(in->t[i].type), gh_dtype_name(to->type));
        if (count)
            memcpy(to->data, in->t[i].data, count * gh_dtype_size(to->type));
    }
    return gh_session_run(s, e);
}

static void compare(oc_outcome *out, const gh_session *s, size_t noutputs, const tensors *want)
{
    char why[300] = "";
    set(out, OC_PASS, "%s", "");
    if (want->count != noutputs || !noutputs)
        set(out, OC_WRONG, "%zu outputs came, not %u", noutputs, want->count);
    for (uint32_t i = 0; i < want->count && out->kind == OC_PASS; i++)
        if (!oc_same(gh_session_output(s, i), &want->t[i], why, sizeof why))
            set(out, OC_WRONG, "output %u: %s", i, why);
}

/* One data set on one net. */
static void run_set(oc_outcome *out, gh_net *net, const tensors *in, const tensors *want)
{
    gh_err e;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    gh_shape shapes[MOST_TENSORS];
    uint32_t ninputs = (uint32_t)gh_net_inputs(net);
    for (uint32_t i = 0; i < ninputs; i++)
        shapes[i] = in->t[i].shape;
    if (gh_plan_get(&plan, net, shapes, &e) || gh_session_new(&s, NULL, &e) || run(s, plan, in, ninputs, &e))
        set(out, OC_SKIP, "%s", e.text);
    else
        compare(out, s, gh_net_outputs(net), want);
    gh_session_free(&s);
    gh_plan_put(&plan);
}

/* Names each operator of the graph that has no row, once; false when there is none. */
static bool list_missing(oc_outcome *out, gh_graph *g)
{
    char text[400] = "";
    if (gh_graph_bind(g, NULL) != GH_UNSUPPORTED)
        return false;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        bool seen = n->op != NULL;
        for (uint32_t k = 0; k < i && !seen; k++)
            seen = !g->nodes[k].op && strcmp(g->nodes[k].type, n->type) == 0;
        size_t at = strlen(text);
        if (!seen)
            snprintf(text + at, sizeof text - at, "%s%s%s%s", at ? ", " : "", n->domain,
                     *n->domain ? "." : "", n->type);
    }
    set(out, OC_SKIP, "operators not run: %s", text);
    return *text;
}

static void run_net(oc_outcome *out, gh_graph **g, const tensors *in, const tensors *want, unsigned passes)
{
    gh_err e;
    gh_net *net = NULL;
    if (gh_net_from_graph(&net, g, passes, &e))
        set(out, OC_SKIP, "%s", e.text);
    else if (in->count != gh_net_inputs(net))
        set(out, OC_SKIP, "the vectors give %u inputs, the model has %zu", in->count, gh_net_inputs(net));
    else
        run_set(out, net, in, want);
    gh_net_free(&net);
}

/* False when the variant does not apply to this case. */
static bool run_variant(oc_outcome *out, const char *dir, const tensors *in, const tensors *want, variant v)
{
    char path[900];
    gh_err e;
    gh_graph *g = NULL;
    bool applies = true;
    snprintf(path, sizeof path, "%s/model.onnx", dir);
    if (gh_onnx_read(&g, path, &e)) {
        set(out, OC_SKIP, "%s", e.text);
    } else if (!list_missing(out, g)) {
        tensors left = *in;
        applies = (!v.constants || can_fix(g, in, v.constants == ALL)) && (!v.blocked || can_block(g));
        if (applies && v.constants) {
            fix_inputs(g, in, v.constants == ALL);
            left.count = 1;
        }
        if (applies && v.blocked)
            put_behind_conv(g);
        if (applies)
            run_net(out, &g, &left, want, v.passes);
    }
    gh_graph_free(&g);
    return applies;
}

/* All choices of passes must lead to the same end; with all passes the blocked layout must, too. */
static bool run_variants(oc_outcome *out, const char *dir, const tensors *in, const tensors *want,
                         int constants)
{
    const variant others[] = {{0, constants, false},
                              {GH_PASS_FOLD | GH_PASS_FUSE, constants, false},
                              {GH_PASS_LAYOUT, constants, false},
                              {GH_PASS_ALL, constants, true}};
    oc_outcome one;
    if (!run_variant(out, dir, in, want, (variant){GH_PASS_ALL, constants, false}))
        return false;
    for (size_t i = 0; i < GH_COUNT(others) && out->kind != OC_WRONG; i++) {
        if (!run_variant(&one, dir, in, want, others[i]) || (one.kind == OC_SKIP && out->kind == OC_SKIP) ||
            (one.kind == OC_PASS && out->kind == OC_PASS))
            continue;
        set(out, OC_WRONG, "passes %u%s: %.400s", others[i].passes, others[i].blocked ? " blocked" : "",
            one.kind == OC_PASS ? "no failure" : one.why);
    }
    return true;
}

static void run_data(oc_outcome *out, const char *dir, const tensors *in, const tensors *want)
{
    oc_outcome constants;
    bool passed;
    run_variants(out, dir, in, want, AS_INPUTS);
    passed = out->kind == OC_PASS;
    for (int how = BUT_FIRST; how <= ALL && out->kind != OC_WRONG; how++) {
        if (!run_variants(&constants, dir, in, want, how))
            continue;
        if (constants.kind == OC_WRONG)
            set(out, OC_WRONG, "%.500s (inputs as constants)", constants.why);
        else if (constants.kind == OC_PASS && !passed)
            out->kind = OC_CONSTANTS;
        else if (constants.kind == OC_SKIP && (passed || out->kind == OC_CONSTANTS))
            set(out, OC_WRONG, "passes, but not with constants: %.500s", constants.why);
    }
}

void oc_run(oc_outcome *out, const char *dir)
{
    char folder[800];
    tensors in, want;
    gh_err e;
    bool any = false;
    for (int i = 0;; i++) {
        snprintf(folder, sizeof folder, "%s/test_data_set_%d", dir, i);
        if (access(folder, R_OK) != 0)
            break;
        any = true;
        want = (tensors){0};
        if (tensors_read(&in, folder, "input", &e) || tensors_read(&want, folder, "output", &e)) {
            run_variant(out, dir, &in, &want,
                        (variant){GH_PASS_ALL, false, false}); /* the model's own reason, if it has one */
            if (out->kind != OC_SKIP)
                set(out, OC_SKIP, "%s", e.text);
        } else {
            run_data(out, dir, &in, &want);
        }
        tensors_free(&in);
        tensors_free(&want);
        if (out->kind != OC_PASS)
            return;
    }
    if (!any)
        set(out, OC_WRONG, "there is no test data in %s", dir);
}

void oc_text(char *text, int size, const oc_outcome *o)
{
    static const char *const kinds[] = {"pass", "constants: ", "skip: ", "WRONG: "};
    snprintf(text, (size_t)size, "%s%s", kinds[o->kind], o->why);
}
