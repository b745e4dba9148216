/* Einsum: sums of products over labelled axes ("bij,bjk->bik"), by walking every label. With ellipsis,
 * repeated labels (diagonals), labels that are summed, and the implicit output of numpy. */
#include "engine/ops/einsum.h"

#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

/* Products that one node may compute: a small file must not keep a worker for days. A layer of a network has
 * some 1e10. */
#define MOST_PRODUCTS 0x1p40
/* The axes of an ellipsis have labels of their own: this and the distance from the last of them. */
#define ELLIPSIS 128

/* The labels of one operand, an axis each. */
typedef struct operand_labels {
    int rank;
    uint8_t label[GH_MAX_RANK];
} operand_labels;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Reads one term of the equation up to ',', '-' or its end. `ellipsis` is the number of axes that "..."
 * stands for, or -1 where it follows from `rank`. */
static gh_status read_term(const gh_io *io, const char **at, operand_labels *out, int rank, int ellipsis)
{
    char letters[GH_MAX_RANK];
    int n = 0, dots = -1;
    for (; **at && **at != ',' && **at != '-'; ++*at) {
        if (**at == ' ')
            continue;
        if (strncmp(*at, "...", 3) == 0 && dots < 0) {
            dots = n;
            *at += 2;
        } else if (is_letter(**at) && n < GH_MAX_RANK) {
            letters[n++] = **at;
        } else {
            return gh_io_fail(io, GH_FORMAT, "its equation is not understood at \"%.20s\"", *at);
        }
    }
    int spans = dots < 0 ? 0 : ellipsis >= 0 ? ellipsis : rank - n;
    if (rank >= 0 && (spans < 0 || n + spans != rank))
        return gh_io_fail(io, GH_FORMAT, "a term of its equation does not fit %d dimensions", rank);
    if (n + spans > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    out->rank = 0;
    for (int i = 0; i <= n; i++) {
        for (int k = 0; i == dots && k < spans; k++)
            out->label[out->rank++] = (uint8_t)(ELLIPSIS + spans - 1 - k);
        if (i < n)
            out->label[out->rank++] = (uint8_t)letters[i];
    }
    return GH_OK;
}

static int find(const gh_einsum *s, uint8_t label)
{
    for (int i = 0; i < s->nlabels; i++)
        if (s->label[i] == label)
            return i;
    return -1;
}

static gh_status add_label(const gh_io *io, gh_einsum *s, uint8_t label)
{
    if (s->nlabels == GH_EINSUM_LABELS)
        return gh_io_fail(io, GH_LIMIT, "its equation has more than %d labels", GH_EINSUM_LABELS);
    s->dim[s->nlabels] = 1;
    s->label[s->nlabels++] = label;
    return GH_OK;
}

/* Without "->" the output has the axes of the ellipsis, then every label that stands once, in order. */
static gh_status implicit_output(const gh_io *io, gh_einsum *s, const operand_labels *terms)
{
    int seen[256] = {0};
    for (uint32_t i = 0; i < io->nin; i++)
        for (int d = 0; d < terms[i].rank; d++)
            seen[terms[i].label[d]]++;
    for (int c = 255; c >= ELLIPSIS; c--)
        if (seen[c])
            GH_TRY(add_label(io, s, (uint8_t)c));
    for (int c = 0; c < ELLIPSIS; c++)
        if (seen[c] == 1)
            GH_TRY(add_label(io, s, (uint8_t)c));
    return GH_OK;
}

static gh_status explicit_output(const gh_io *io, gh_einsum *s, const char *at, int ellipsis)
{
    operand_labels out;
    GH_TRY(read_term(io, &at, &out, -1, ellipsis));
    if (*at)
        return gh_io_fail(io, GH_FORMAT, "its equation is not understood at \"%.20s\"", at);
    for (int d = 0; d < out.rank; d++) {
        if (find(s, out.label[d]) >= 0)
            return gh_io_fail(io, GH_FORMAT, "its output names '%c' twice", out.label[d]);
        GH_TRY(add_label(io, s, out.label[d]));
    }
    return GH_OK;
}

/* Adds one operand's sizes and steps; a side of 1 is repeated. */
static gh_status add_operand(const gh_io *io, gh_einsum *s, uint32_t i, const operand_labels *term)
{
    const gh_shape *shape = &io->in[i].shape;
    for (int d = 0; d < term->rank; d++) {
        int at = find(s, term->label[d]);
        if (at < 0) {
            if (term->label[d] >= ELLIPSIS)
                return gh_io_fail(io, GH_UNSUPPORTED, "its output has no ellipsis");
            at = s->nlabels;
            GH_TRY(add_label(io, s, term->label[d]));
        }
        if (shape->dims[d] == 1)
            continue;
        if (s->dim[at] != 1 && s->dim[at] != shape->dims[d])
            return gh_io_fail(io, GH_FORMAT, "a label has %lld elements and %lld", (long long)s->dim[at],
                              (long long)shape->dims[d]);
        s->dim[at] = shape->dims[d];
        s->step[i][at] += gh_shape_span(shape, d + 1, shape->rank);
    }
    return GH_OK;
}

gh_status gh_einsum_of(const gh_io *io, gh_einsum *s)
{
    const char *at = gh_node_string(io->node, "equation", "");
    operand_labels terms[GH_EINSUM_OPERANDS];
    int ellipsis = 0;
    *s = (gh_einsum){.terms = 1};
    for (uint32_t i = 0; i < io->nin; i++) {
        GH_TRY(read_term(io, &at, &terms[i], io->in[i].shape.rank, -1));
        if (*at == ',' ? i + 1 == io->nin : i + 1 < io->nin)
            return gh_io_fail(io, GH_FORMAT, "its equation is not for %u inputs", io->nin);
        at += *at == ',';
        for (int d = 0, spans; d < terms[i].rank; d++) {
            spans = terms[i].label[d] >= ELLIPSIS ? terms[i].label[d] - ELLIPSIS + 1 : 0;
            ellipsis = spans > ellipsis ? spans : ellipsis;
        }
    }
    if (*at && strncmp(at, "->", 2) != 0)
        return gh_io_fail(io, GH_FORMAT, "its equation is not understood at \"%.20s\"", at);
    GH_TRY(*at ? explicit_output(io, s, at + 2, ellipsis) : implicit_output(io, s, terms));
    s->nout = s->nlabels;
    if (s->nout > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    for (uint32_t i = 0; i < io->nin; i++)
        GH_TRY(add_operand(io, s, i, &terms[i]));
    double products = 1;
    for (int i = 0; i < s->nlabels; i++)
        products *= (double)s->dim[i];
    if (products > MOST_PRODUCTS)
        return gh_io_fail(io, GH_LIMIT, "it sums %.3g products, more than gharial accepts", products);
    for (int i = s->nout; i < s->nlabels; i++)
        s->terms *= (size_t)s->dim[i];
    return GH_OK;
}

static gh_status einsum_infer(gh_io *io)
{
    gh_dtype type = io->in[0].type;
    gh_einsum s;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!gh_number_type(type) || type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    for (uint32_t i = 1; i < io->nin; i++)
        GH_TRY(gh_io_need(io, i, type, -1));
    GH_TRY(gh_einsum_of(io, &s));
    io->out[0].type = type;
    io->out[0].shape = gh_shape_of(s.nout, s.dim);
    return GH_OK;
}

/* ---- running ---- */

typedef struct einsum_job {
    const gh_exec *x;
    gh_einsum s;
} einsum_job;

/* Where output element `i` begins in every operand. */
static void begin_at(const einsum_job *j, size_t i, size_t *at)
{
    for (uint32_t o = 0; o < j->x->nin; o++)
        at[o] = 0;
    for (int l = j->s.nout - 1; l >= 0; l--) {
        size_t index = i % (size_t)j->s.dim[l];
        i /= (size_t)j->s.dim[l];
        for (uint32_t o = 0; o < j->x->nin; o++)
            at[o] += index * j->s.step[o][l];
    }
}

/* Goes on to the next row of the labels that are summed, the last of them aside. */
static void next_row(const einsum_job *j, int64_t *index, size_t *at)
{
    for (int l = j->s.nlabels - 2; l >= j->s.nout; l--) {
        bool more = ++index[l] < j->s.dim[l];
        for (uint32_t o = 0; o < j->x->nin; o++)
            at[o] += more ? j->s.step[o][l] : 0 - j->s.step[o][l] * (size_t)(j->s.dim[l] - 1);
        if (more)
            return;
        index[l] = 0;
    }
}

/* The sum of products along one row of n terms. */
static double row_f32(const einsum_job *j, const size_t *at, const size_t *step, size_t n)
{
    const float *a = (const float *)j->x->in[0].data + at[0], *b = NULL;
    double sum = 0;
    if (j->x->nin == 2) {
        b = (const float *)j->x->in[1].data + at[1];
        for (size_t t = 0; t < n; t++)
            sum += (double)a[t * step[0]] * (double)b[t * step[1]];
        return sum;
    }
    for (size_t t = 0; t < n; t++) {
        double product = a[t * step[0]];
        for (uint32_t o = 1; o < j->x->nin; o++)
            product *= (double)((const float *)j->x->in[o].data)[at[o] + t * step[o]];
        sum += product;
    }
    return sum;
}

static void add_row(const einsum_job *j, const size_t *at, const size_t *step, size_t n, double *sum,
                    uint64_t *whole)
{
    const gh_exec *x = j->x;
    if (x->in[0].type == GH_F32) {
        *sum += row_f32(j, at, step, n);
        return;
    }
    for (size_t t = 0; t < n; t++) {
        double product = 1;
        uint64_t bits = 1;
        for (uint32_t o = 0; o < x->nin; o++)
            if (gh_is_float(x->in[0].type))
                product *= gh_number_at(&x->in[o], at[o] + t * step[o]);
            else
                bits *= (uint64_t)gh_int_at(&x->in[o], at[o] + t * step[o]);
        *sum += product;
        *whole += bits;
    }
}

static void einsum_units(const void *job, int begin, int end)
{
    const einsum_job *j = job;
    const gh_einsum *s = &j->s;
    size_t step[GH_EINSUM_OPERANDS] = {0}, at[GH_EINSUM_OPERANDS] = {0};
    int last = s->nlabels - 1;
    bool sums = last >= s->nout;
    size_t row = sums ? (size_t)s->dim[last] : 1, rows = row ? s->terms / row : 0;
    for (uint32_t o = 0; o < j->x->nin && sums; o++)
        step[o] = s->step[o][last];
    for (int i = begin; i < end; i++) {
        int64_t index[GH_EINSUM_LABELS] = {0};
        double sum = 0;
        uint64_t whole = 0;
        begin_at(j, (size_t)i, at);
        for (size_t r = 0; r < rows; r++, next_row(j, index, at))
            add_row(j, at, step, row, &sum, &whole);
        if (gh_is_float(j->x->in[0].type))
            gh_number_store(&j->x->out[0], (size_t)i, sum);
        else
            gh_int_store(&j->x->out[0], (size_t)i, (int64_t)whole);
    }
}

static gh_status einsum_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    einsum_job j = {.x = x};
    GH_TRY(gh_einsum_of(&io, &j.s));
    gh_exec_range(x, (int)gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank), einsum_units, &j);
    return GH_OK;
}

static double einsum_macs(const gh_io *io)
{
    gh_io quiet = *io;
    gh_einsum s;
    quiet.e = NULL;
    if (gh_einsum_of(&quiet, &s))
        return 0;
    return (double)gh_shape_span(&io->out[0].shape, 0, io->out[0].shape.rank) * (double)s.terms;
}

const gh_op gh_ops_einsum[] = {
    {"Einsum", "", 12, 0, GH_OP_UNPACKED, 1, GH_EINSUM_OPERANDS, 1, einsum_infer, einsum_run,
     &gh_einsum_matmul, einsum_macs},
};
const size_t gh_ops_einsum_count = GH_COUNT(gh_ops_einsum);
