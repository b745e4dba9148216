/* Unit rows and class prototypes. */
#include "train/heads/cosine.h"

#include "base/mem.h"
#include "train/heads/head_parts.h"
#include "train/products/blas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PIECES = 16 };
#define PIECE_BYTES ((size_t)256 << 20) /* bound on the sums of all pieces */

void gh_unit_rows(float *unit, const float *x, const gh_standard *s, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++, unit += width, x += width) {
        double square = 0;
        for (size_t j = 0; j < width; j++) {
            float v = s ? (x[j] - s->mean[j]) * s->inverse[j] : x[j];
            unit[j] = v;
            square += (double)v * v;
        }
        float scale = 1 / fmaxf((float)sqrt(square), GH_LEAST_LENGTH);
        for (size_t j = 0; j < width; j++)
            unit[j] *= scale;
    }
}

/* ---- prototypes ---- */

typedef struct sums_job {
    const gh_rows *rows;
    const gh_standard *standard;
    float *unit;   /* [pieces][width] */
    float *sums;   /* [pieces][classes][width] */
    double *total; /* [pieces][classes] */
    int pieces;
} sums_job;

static void add_row(const sums_job *j, float *sums, double *total, const float *unit, size_t i)
{
    const gh_rows *rows = j->rows;
    uint32_t from = rows->votes ? 0 : rows->label[i], to = rows->votes ? rows->classes : from + 1;
    for (uint32_t c = from; c < to; c++) {
        float share = gh_rows_weight(rows, i) * gh_rows_target(rows, i, c);
        if (share > 0)
            gh_axpy(rows->width, share, unit, sums + c * rows->width);
        total[c] += share;
    }
}

static void sum_pieces(void *arg, int begin, int end, int thread)
{
    const sums_job *j = arg;
    size_t d = j->rows->width, classes = j->rows->classes;
    (void)thread;
    for (int p = begin; p < end; p++) {
        float *unit = j->unit + (size_t)p * d, *sums = j->sums + (size_t)p * classes * d;
        size_t to = gh_piece_start(j->rows->n, j->pieces, p + 1);
        for (size_t i = gh_piece_start(j->rows->n, j->pieces, p); i < to; i++) {
            gh_unit_rows(unit, j->rows->x + i * d, j->standard, 1, d);
            add_row(j, sums, j->total + (size_t)p * classes, unit, i);
        }
    }
}

gh_status gh_prototypes(float *prototypes, bool *present, const gh_rows *rows, const gh_standard *s,
                        gh_pool *pool, gh_err *e)
{
    size_t d = rows->width, classes = rows->classes;
    sums_job j = {.rows = rows, .standard = s, .pieces = gh_pieces(rows->n, MOST_PIECES)};
    gh_status status = GH_OK;
    while (j.pieces > 1 && (size_t)j.pieces * classes * d * sizeof(float) > PIECE_BYTES)
        j.pieces /= 2;
    j.unit = gh_alloc_aligned((size_t)j.pieces * d * sizeof(float));
    j.sums = gh_calloc((size_t)j.pieces, classes * d * sizeof(float));
    j.total = gh_calloc((size_t)j.pieces, classes * sizeof *j.total);
    if (!j.unit || !j.sums || !j.total) {
        status = gh_fail(e, GH_NOMEM, "no memory for the prototypes of %zu classes", classes);
        goto done;
    }
    gh_pool_for(pool, j.pieces, sum_pieces, &j);
    for (size_t p = 1; p < (size_t)j.pieces; p++) {
        gh_axpy(classes * d, 1, j.sums + p * classes * d, j.sums);
        for (size_t c = 0; c < classes; c++)
            j.total[c] += j.total[p * classes + c];
    }
    for (size_t c = 0; c < classes; c++)
        present[c] = j.total[c] > 0;
    gh_unit_rows(prototypes, j.sums, NULL, classes, d);
done:
    gh_free(j.unit);
    gh_free(j.sums);
    gh_free(j.total);
    return status;
}

/* ---- export ---- */

static uint32_t named(gh_graph *g, const char *type, const char *prefix, const char *name,
                      const uint32_t *inputs, uint32_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s/%s", prefix, name);
    return gh_graph_op(g, type, text, inputs, n);
}

uint32_t gh_export_reduce(gh_graph *g, const char *type, const char *name, uint32_t value, bool keep)
{
    char text[64];
    int64_t one = 1;
    uint32_t inputs[2] = {value};
    bool by_input = gh_graph_opset(g, "") >= 18;
    snprintf(text, sizeof text, "%s_axes", name);
    if (by_input)
        inputs[1] = gh_graph_const(g, text, GH_I64, gh_shape_of(1, &one), &one, true);
    uint32_t out = gh_graph_op(g, type, name, inputs, by_input ? 2 : 1);
    if (!by_input)
        gh_graph_set_ints(g, out, "axes", &one, 1);
    gh_graph_set_int(g, out, "keepdims", keep);
    return out;
}

/* A constant row of `width` numbers that `value` meets in operator `type`. */
static uint32_t with_row(gh_graph *g, const char *type, const char *prefix, const char *name, const char *row,
                         uint32_t value, const float *numbers, size_t width)
{
    char text[64];
    int64_t d = (int64_t)width;
    snprintf(text, sizeof text, "%s/%s", prefix, row);
    uint32_t constant = gh_graph_const(g, text, GH_F32, gh_shape_of(1, &d), numbers, true);
    return named(g, type, prefix, name, (uint32_t[]){value, constant}, 2);
}

uint32_t gh_export_unit_rows(gh_graph *g, const char *prefix, uint32_t value, const gh_standard *s)
{
    char text[64];
    float least = GH_LEAST_LENGTH;
    if (s) {
        value = with_row(g, "Sub", prefix, "centred", "mean", value, s->mean, s->width);
        value = with_row(g, "Mul", prefix, "standardised", "inverse", value, s->inverse, s->width);
    }
    snprintf(text, sizeof text, "%s/length", prefix);
    uint32_t length = gh_export_reduce(g, "ReduceL2", text, value, true);
    snprintf(text, sizeof text, "%s/least", prefix);
    uint32_t floor = gh_graph_const(g, text, GH_F32, gh_shape_of(0, NULL), &least, true);
    length = named(g, "Max", prefix, "bounded", (uint32_t[]){length, floor}, 2);
    return named(g, "Div", prefix, "unit", (uint32_t[]){value, length}, 2);
}
