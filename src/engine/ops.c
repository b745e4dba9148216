/* The table of operators, and what their infer functions share. A family is one file in ops/; its rows are
 * listed here through its own array. */
#include "engine/ops.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const gh_op *rows;
    const size_t *count;
} families[] = {
#define GH_FAMILY(name) {gh_ops_##name, &gh_ops_##name##_count},
#include "engine/ops/families.inc"
#undef GH_FAMILY
};

const gh_op *gh_op_find(const char *domain, const char *type, int64_t opset)
{
    for (size_t f = 0; f < GH_COUNT(families); f++)
        for (size_t i = 0; i < *families[f].count; i++) {
            const gh_op *op = &families[f].rows[i];
            int64_t until = op->until ? op->until : GH_NEWEST_OPSET;
            if (strcmp(op->type, type) == 0 && strcmp(op->domain, domain) == 0 && opset >= op->since &&
                opset <= until)
                return op;
        }
    return NULL;
}

static void list_missing(char *text, size_t size, size_t *at, const gh_graph *g, const gh_node *n)
{
    int64_t opset = gh_graph_opset(g, n->domain);
    int wrote = snprintf(text + *at, size - *at, "%s%s%s%s opset %lld (node \"%s\")", *at ? ", " : "",
                         n->domain, *n->domain ? "." : "", n->type, (long long)opset, n->name);
    *at = wrote < 0 || *at + (size_t)wrote >= size ? size - 1 : *at + (size_t)wrote;
}

/* True when an earlier node of the same kind is missing too: each kind is named once, with its first node. */
static bool listed_before(const gh_graph *g, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (!g->nodes[i].op && strcmp(g->nodes[i].type, g->nodes[at].type) == 0 &&
            strcmp(g->nodes[i].domain, g->nodes[at].domain) == 0)
            return true;
    return false;
}

/* Bound on the kinds compared with one another, so that 100,000 unknown nodes cost little. */
#define MOST_LISTED 64

gh_status gh_graph_bind(gh_graph *g, gh_err *e)
{
    char text[400] = "";
    size_t at = 0, missing = 0, kinds = 0;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        gh_node *n = &g->nodes[i];
        n->op = gh_op_find(n->domain, n->type, gh_graph_opset(g, n->domain));
        if (n->op || n->dead)
            continue;
        missing++;
        if (kinds < MOST_LISTED && at + 1 < sizeof text && !listed_before(g, i)) {
            list_missing(text, sizeof text, &at, g, n);
            kinds++;
        }
    }
    if (missing)
        return gh_fail(e, GH_UNSUPPORTED, "the model needs %zu node%s that gharial does not run: %s%s",
                       missing, missing == 1 ? "" : "s", text, at + 1 >= sizeof text ? "..." : "");
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        if (n->ninputs < n->op->min_in || n->ninputs > n->op->max_in || n->noutputs < 1 ||
            n->noutputs > n->op->max_out)
            return gh_fail(
                e, GH_FORMAT, "node \"%s\" (%s) has %u inputs and %u outputs; it takes %u to %u and 1 to %u",
                n->name, n->type, n->ninputs, n->noutputs, n->op->min_in, n->op->max_in, n->op->max_out);
    }
    return GH_OK;
}

gh_status gh_op_eval(const gh_node *n, const gh_tensor *in, gh_tensor *out, gh_err *e)
{
    gh_exec x = {.node = n,
                 .act = n->act,
                 .in = in,
                 .out = out,
                 .nin = n->ninputs,
                 .nout = n->noutputs,
                 .k = gh_kernels_get(),
                 .e = e};
    size_t count = 0;
    bool empty = true; /* as in plans: kernels see at least one element */
    for (uint32_t i = 0; i < n->noutputs; i++)
        empty = empty && gh_shape_count(&count, &out[i].shape) && count == 0;
    return empty ? GH_OK : n->op->run(&x);
}

gh_status gh_io_fail(const gh_io *io, gh_status status, const char *fmt, ...)
{
    char why[320];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return gh_fail(io->e, status, "node \"%s\" (%s): %s", io->node->name, io->node->type, why);
}

gh_status gh_io_need(const gh_io *io, uint32_t i, gh_dtype type, int rank)
{
    if (!gh_has(io, i))
        return gh_io_fail(io, GH_FORMAT, "input %u is missing", i);
    if (type != GH_UNKNOWN && io->in[i].type != type)
        return gh_io_fail(io, GH_UNSUPPORTED, "input %u is %s; gharial runs it on %s", i,
                          gh_dtype_name(io->in[i].type), gh_dtype_name(type));
    if (rank >= 0 && io->in[i].shape.rank != rank)
        return gh_io_fail(io, GH_FORMAT, "input %u has %d dimensions; %d are needed", i, io->in[i].shape.rank,
                          rank);
    return GH_OK;
}

gh_status gh_prepare_room(const gh_prepare *p, size_t floats)
{
    if (floats > p->room / sizeof(float))
        return gh_io_fail(p->io, GH_LIMIT,
                          "its packed weights need %zu MB more than gharial allows this model",
                          (floats - p->room / sizeof(float)) * sizeof(float) >> 20);
    return GH_OK;
}

gh_status gh_io_axis(const gh_io *io, int *out, int64_t axis, int rank)
{
    int64_t a = axis < 0 ? axis + rank : axis;
    if (a < 0 || a >= rank)
        return gh_io_fail(io, GH_FORMAT, "axis %lld is outside of %d dimensions", (long long)axis, rank);
    *out = (int)a;
    return GH_OK;
}

gh_status gh_io_ints(const gh_io *io, uint32_t i, int64_t *values, size_t *count, size_t max)
{
    const gh_tensor *t = &io->in[i];
    size_t n;
    if (t->type != GH_I64 && t->type != GH_I32)
        return gh_io_fail(io, GH_FORMAT, "input %u must be int64 or int32, not %s", i,
                          gh_dtype_name(t->type));
    if (!t->data)
        return gh_io_fail(io, GH_UNSUPPORTED, "input %u, which decides a shape, depends on the data", i);
    if (!gh_shape_count(&n, &t->shape) || n > max)
        return gh_io_fail(io, GH_FORMAT, "input %u has more than %zu elements", i, max);
    for (size_t k = 0; k < n; k++)
        values[k] = t->type == GH_I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
    *count = n;
    return GH_OK;
}

gh_status gh_io_broadcast(const gh_io *io, gh_shape *out, const gh_shape *a, const gh_shape *b)
{
    gh_shape s = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= s.rank; i++) {
        int64_t da = i <= a->rank ? a->dims[a->rank - i] : 1, db = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1) {
            char ta[96], tb[96];
            return gh_io_fail(io, GH_FORMAT, "%s and %s do not broadcast", gh_shape_text(a, ta, sizeof ta),
                              gh_shape_text(b, tb, sizeof tb));
        }
        s.dims[s.rank - i] = da == 1 ? db : da;
    }
    *out = s;
    return GH_OK;
}

size_t gh_shape_span(const gh_shape *s, int from, int to)
{
    size_t product = 1;
    for (int i = from; i < to; i++)
        product *= (size_t)s->dims[i];
    return product;
}

size_t gh_blocked_count(const gh_shape *s, int block)
{
    size_t blocks = ((size_t)s->dims[1] + (size_t)block - 1) / (size_t)block;
    return (size_t)s->dims[0] * blocks * (size_t)block * (size_t)s->dims[2] * (size_t)s->dims[3];
}
