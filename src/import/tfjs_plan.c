/* What of a TF.js model is wanted: the outputs and inputs that were asked for, the nodes between them in an
 * order of execution, and the operators that are missing. */
#include "base/log.h"
#include "base/mem.h"
#include "import/tfjs_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CUTS 256u

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "no memory to plan the network");
}

/* ---- inputs and outputs ---- */

/* "1x300x300x3"; false for what is no shape. */
static bool parse_shape(gh_shape *out, const char *text, size_t len)
{
    gh_shape s = {.rank = 0};
    for (const char *at = text, *end = text + len; at <= end; at++) {
        int64_t dim = 0;
        size_t digits = 0;
        for (; at + digits < end && at[digits] >= '0' && at[digits] <= '9' && dim < 1 << 24; digits++)
            dim = dim * 10 + (at[digits] - '0');
        if (!digits && at < end && *at == '?' && s.rank == 0) {
            dim = -1;
            digits = 1;
        }
        at += digits;
        if (!digits || dim == 0 || s.rank == GH_MAX_RANK || (at < end && *at != 'x'))
            return false;
        s.dims[s.rank++] = dim;
    }
    *out = s;
    return true;
}

/* The shape that the node itself declares: a placeholder does. */
static bool declared_shape(gh_shape *out, const gh_tfjs_node *n)
{
    if (strcmp(n->op, "Placeholder") != 0 && strcmp(n->op, "PlaceholderWithDefault") != 0)
        return false;
    return gh_tfjs_shape(out, n, "shape");
}

static gh_status not_found(const gh_tfjs_model *m, const char *name, size_t len, gh_err *e)
{
    char text[200] = "";
    size_t at = 0;
    for (uint32_t i = m->nnodes; i-- > 0 && at + 1 < sizeof text;) /* the last ones are near the outputs */
        if (strcmp(m->nodes[i].op, "Const") != 0) {
            int n = snprintf(text + at, sizeof text - at, "%s%s", at ? ", " : "", m->nodes[i].name);
            at = n < 0 || at + (size_t)n >= sizeof text ? sizeof text - 1 : at + (size_t)n;
        }
    return gh_fail(e, GH_NOTFOUND, "the network has no tensor \"%.*s\"; among its last ones are %s...",
                   len > 120 ? 120 : (int)len, name, text);
}

static gh_status take_output(gh_tfjs_import *im, const char *name, size_t len, gh_err *e)
{
    gh_tfjs_ref ref = gh_tfjs_find(im->m, name, len);
    if (ref.node == GH_TFJS_NONE)
        return not_found(im->m, name, len, e);
    if (im->nwanted == MAX_CUTS)
        return gh_fail(e, GH_LIMIT, "more than %u outputs", MAX_CUTS);
    for (uint32_t i = 0; i < im->nwanted; i++)
        if (im->wanted[i].node == ref.node && im->wanted[i].output == ref.output)
            return gh_fail(e, GH_ARG, "the output \"%.*s\" is asked for twice", len > 120 ? 120 : (int)len,
                           name);
    im->wanted[im->nwanted++] = ref;
    return GH_OK;
}

/* "NAME" or "NAME=1x300x300x3". */
static gh_status take_input(gh_tfjs_import *im, const char *text, size_t len, gh_err *e)
{
    const char *equals = memchr(text, '=', len);
    size_t name = equals ? (size_t)(equals - text) : len;
    gh_tfjs_ref ref = gh_tfjs_find(im->m, text, name);
    gh_shape shape = {.rank = 0};
    if (ref.node == GH_TFJS_NONE)
        return not_found(im->m, text, name, e);
    const gh_tfjs_node *n = &im->m->nodes[ref.node];
    if (equals ? !parse_shape(&shape, equals + 1, len - name - 1) : !declared_shape(&shape, n))
        return gh_fail(e, GH_ARG,
                       "the input \"%.120s\" needs a shape in TensorFlow's order: NAME=1x300x300x3", n->name);
    if (im->made[ref.node].values)
        return gh_fail(e, GH_ARG, "the input \"%.120s\" is named twice", n->name);
    im->b.name = n->name;
    gh_tfjs_set_at(im, n, ref.output, ref.output + 1, gh_nhwc_input(&im->b, n->name, GH_F32, shape));
    im->made[ref.node].given = true;
    return im->b.failed;
}

/* Calls `take` for each part of a list that commas part. */
static gh_status each(gh_tfjs_import *im, const char *list,
                      gh_status (*take)(gh_tfjs_import *im, const char *text, size_t len, gh_err *e),
                      gh_err *e)
{
    for (const char *at = list; *at; at += *at == ',') {
        size_t len = strcspn(at, ",");
        GH_TRY(take(im, at, len, e));
        at += len;
    }
    return GH_OK;
}

/* The model's own statement, in either of two places; NULL where there is none. */
static const json_t *signature_outputs(const gh_tfjs_model *m)
{
    const json_t *outputs = json_object_get(json_object_get(m->root, "signature"), "outputs");
    const json_t *meta = json_object_get(m->root, "userDefinedMetadata");
    if (!json_object_size(outputs))
        outputs = json_object_get(json_object_get(meta, "signature"), "outputs");
    return json_object_size(outputs) ? outputs : NULL;
}

static gh_status take_signature(gh_tfjs_import *im, const json_t *outputs, gh_err *e)
{
    const char *key;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)outputs, key, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        name = name ? name : key;
        GH_TRY(take_output(im, name, strlen(name), e));
    }
    return GH_OK;
}

/* Every tensor that no node reads. */
static gh_status take_ends(gh_tfjs_import *im, gh_err *e)
{
    const gh_tfjs_model *m = im->m;
    bool *read = gh_calloc((size_t)m->nnodes + 1, sizeof *read);
    if (!read)
        return no_memory(e);
    for (uint32_t i = 0; i < m->nnodes; i++)
        for (uint32_t k = 0; k < m->nodes[i].ninputs; k++)
            read[m->nodes[i].inputs[k].node] = true;
    gh_status status = GH_OK;
    for (uint32_t i = 0; i < m->nnodes && status == GH_OK; i++)
        if (!read[i] && m->nodes[i].ninputs)
            status = take_output(im, m->nodes[i].name, strlen(m->nodes[i].name), e);
    gh_free(read);
    return status;
}

gh_status gh_tfjs_take_cut(gh_tfjs_import *im, const gh_tfjs_cut *cut, gh_err *e)
{
    const json_t *outputs = signature_outputs(im->m);
    im->wanted = gh_calloc(MAX_CUTS, sizeof *im->wanted);
    if (!im->wanted)
        return no_memory(e);
    if (cut && cut->inputs)
        GH_TRY(each(im, cut->inputs, take_input, e));
    if (cut && cut->outputs)
        GH_TRY(each(im, cut->outputs, take_output, e));
    else if (outputs)
        GH_TRY(take_signature(im, outputs, e));
    else
        GH_TRY(take_ends(im, e));
    return im->nwanted ? GH_OK : gh_fail(e, GH_FORMAT, "the network has no output");
}

/* ---- the order of execution ---- */

typedef struct visit {
    uint32_t node, next; /* the next input to look at */
} visit;

enum { NEW, OPEN, DONE };

/* Depth first without recursion: a node is done when all that it reads is done. */
static void walk(gh_tfjs_import *im, visit *stack, uint8_t *state, uint32_t from)
{
    size_t depth = 0;
    if (state[from] != NEW)
        return;
    state[from] = OPEN;
    stack[depth++] = (visit){from, 0};
    while (depth) {
        visit *v = &stack[depth - 1];
        const gh_tfjs_node *n = &im->m->nodes[v->node];
        if (im->made[v->node].given || v->next == n->ninputs) {
            state[v->node] = DONE;
            im->order[im->norder++] = v->node;
            depth--;
            continue;
        }
        uint32_t to = n->inputs[v->next++].node;
        if (state[to] == OPEN) {
            im->cycle = to;
        } else if (state[to] == NEW) {
            state[to] = OPEN;
            stack[depth++] = (visit){to, 0};
        }
    }
}

/* ---- operators that are missing ---- */

static const gh_tfjs_row *find_row(const char *op)
{
    static const gh_tfjs_row *const families[] = {gh_tfjs_rows_math, gh_tfjs_rows_window, gh_tfjs_rows_move,
                                                  gh_tfjs_rows_make};
    for (size_t f = 0; f < GH_COUNT(families); f++)
        for (const gh_tfjs_row *row = families[f]; row->map; row++)
            if (strcmp(row->op, op) == 0)
                return row;
    return NULL;
}

static int by_op(const void *a, const void *b)
{
    const gh_tfjs_node *const *x = a, *const *y = b;
    int order = strcmp((*x)->op, (*y)->op);
    return order ? order : (*x < *y ? -1 : *x > *y);
}

/* "Enter (a, b), Exit (c)", or with `short_form` "Enter (2), Exit (1)"; false where it does not fit. */
static bool list_missing(char *text, size_t size, const gh_tfjs_node *const *missing, size_t count,
                         bool short_form)
{
    size_t at = 0;
    for (size_t i = 0; i < count;) {
        size_t same = 1;
        while (i + same < count && strcmp(missing[i + same]->op, missing[i]->op) == 0)
            same++;
        char *to = text + at;
        size_t room = size - at;
        int n = snprintf(to, room, "%s%s (", i ? ", " : "", missing[i]->op);
        if (short_form && n >= 0 && (size_t)n < room)
            n += snprintf(to + n, room - (size_t)n, "%zu", same);
        for (size_t k = 0; !short_form && k < same && n >= 0 && (size_t)n < room; k++)
            n += snprintf(to + n, room - (size_t)n, "%s%s", k ? ", " : "", missing[i + k]->name);
        if (n >= 0 && (size_t)n < room)
            n += snprintf(to + n, room - (size_t)n, ")");
        if (n < 0 || (size_t)n >= room)
            return false;
        at += (size_t)n;
        i += same;
    }
    return true;
}

/* All missing nodes in one sentence; where their names do not fit into it, each has a line in the log. */
static gh_status say_missing(const gh_tfjs_node **missing, size_t count, gh_err *e)
{
    char text[400];
    qsort(missing, count, sizeof *missing, by_op);
    bool whole = list_missing(text, sizeof text, missing, count, false);
    if (!whole && !list_missing(text, sizeof text, missing, count, true))
        memcpy(text + sizeof text - 4, "...", 4);
    for (size_t i = 0; i < count && !whole; i++)
        gh_log(GH_LOG_WARN, "not imported: %s, node \"%s\"", missing[i]->op, missing[i]->name);
    return gh_fail(e, GH_UNSUPPORTED, "the network needs %zu node%s that gharial does not import: %s", count,
                   count == 1 ? "" : "s", text);
}

static gh_status check_ops(gh_tfjs_import *im, gh_err *e)
{
    size_t count = 0;
    const gh_tfjs_node **missing = gh_calloc((size_t)im->norder + 1, sizeof *missing);
    if (!missing)
        return no_memory(e);
    for (uint32_t i = 0; i < im->norder; i++) {
        gh_tfjs_node *n = &im->m->nodes[im->order[i]];
        n->row = find_row(n->op);
        if (!n->row && !im->made[im->order[i]].given)
            missing[count++] = n;
    }
    gh_status status = count ? say_missing(missing, count, e) : GH_OK;
    gh_free(missing);
    return status;
}

gh_status gh_tfjs_plan(gh_tfjs_import *im, gh_err *e)
{
    size_t count = (size_t)im->m->nnodes + 1;
    visit *stack = gh_calloc(count, sizeof *stack);
    uint8_t *state = gh_calloc(count, sizeof *state);
    im->order = gh_calloc(count, sizeof *im->order);
    gh_status status = stack && state && im->order ? GH_OK : no_memory(e);
    for (uint32_t i = 0; i < im->nwanted && status == GH_OK; i++)
        walk(im, stack, state, im->wanted[i].node);
    gh_free(stack);
    gh_free(state);
    if (status == GH_OK)
        status = check_ops(im, e);
    if (status == GH_OK && im->cycle != GH_TFJS_NONE)
        status = gh_fail(e, GH_FORMAT, "node \"%.120s\" needs its own result", im->m->nodes[im->cycle].name);
    return status;
}
