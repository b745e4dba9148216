/* The reject rule: cosine distance to the nearest class prototype. Of the distances tried (Mahalanobis with
 * shrunk covariance and its relative form, k neighbours, energy of the logits, largest probability, residual
 * outside of the principal components) it turned away most photos of none of the classes at 5 % of the own
 * ones, it needs no matrix inverse, and it exports to six nodes. */
#include "train/heads/reject.h"

#include "base/mem.h"
#include "train/heads/cosine.h"
#include "train/heads/head_parts.h"
#include "train/products/blas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 };

struct gh_reject {
    size_t width;
    uint32_t classes;  /* those that have rows */
    float *prototypes; /* unit rows, [classes][width] */
};

gh_status gh_reject_fit(gh_reject **out, const gh_rows *rows, gh_err *e)
{
    GH_TRY(gh_rows_check(rows, NULL, e));
    gh_reject *r = gh_calloc(1, sizeof *r);
    bool *present = gh_calloc(rows->classes, sizeof *present);
    gh_status status = GH_OK;
    if (r) {
        r->width = rows->width;
        r->prototypes = gh_calloc(rows->classes, rows->width * sizeof(float));
    }
    if (!r || !r->prototypes || !present)
        status = gh_fail(e, GH_NOMEM, "no memory for the reject rule");
    else
        status = gh_prototypes(r->prototypes, present, rows, NULL, NULL, e);
    for (uint32_t c = 0; !status && c < rows->classes; c++)
        if (present[c])
            memmove(r->prototypes + r->classes++ * r->width, r->prototypes + c * r->width,
                    r->width * sizeof(float));
    gh_free(present);
    if (status)
        gh_reject_free(&r);
    else
        *out = r;
    return status;
}

void gh_reject_free(gh_reject **r)
{
    if (!*r)
        return;
    gh_free((*r)->prototypes);
    gh_free(*r);
    *r = NULL;
}

gh_status gh_reject_distance(float *distance, const gh_reject *r, const float *x, size_t n, gh_err *e)
{
    float *unit = gh_alloc_aligned(CHUNK * (r->width + r->classes) * sizeof *unit);
    if (!unit)
        return gh_fail(e, GH_NOMEM, "no memory for distances");
    float *cosine = unit + CHUNK * r->width;
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t count = n - i < CHUNK ? n - i : CHUNK;
        gh_unit_rows(unit, x + i * r->width, NULL, count, r->width);
        gh_gemm(&(gh_product){.tb = true,
                              .m = (int)count,
                              .n = (int)r->classes,
                              .k = (int)r->width,
                              .a = unit,
                              .lda = (int)r->width,
                              .b = r->prototypes,
                              .ldb = (int)r->width,
                              .c = cosine,
                              .ldc = (int)r->classes});
        for (size_t k = 0; k < count; k++) {
            float best = cosine[k * r->classes];
            for (uint32_t c = 1; c < r->classes; c++)
                best = fmaxf(best, cosine[k * r->classes + c]);
            distance[i + k] = 1 - best;
        }
    }
    gh_free(unit);
    return GH_OK;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

float gh_reject_threshold(const float *distance, size_t n, double rate)
{
    float *sorted = n ? gh_alloc(n * sizeof *sorted) : NULL, threshold = GH_NEVER_REJECT;
    if (!sorted)
        return threshold;
    memcpy(sorted, distance, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    size_t beyond = (size_t)floor(rate * (double)n + 1e-9); /* 0.05 * 100 is 5 */
    threshold = sorted[beyond < n ? n - 1 - beyond : 0];
    gh_free(sorted);
    return threshold;
}

/* 1 - max over the classes of the cosine. */
uint32_t gh_reject_export(gh_graph *g, const gh_reject *r, uint32_t features)
{
    int64_t dims[2] = {(int64_t)r->width, r->classes};
    float *t = NULL, one = 1;
    uint32_t unit = gh_export_unit_rows(g, "reject", features, NULL);
    uint32_t prototypes = gh_graph_const_f32(g, "reject/prototypes", gh_shape_of(2, dims), &t);
    for (size_t j = 0; t && j < r->width; j++)
        for (uint32_t c = 0; c < r->classes; c++)
            t[j * r->classes + c] = r->prototypes[c * r->width + j];
    uint32_t cosine = gh_graph_op(g, "MatMul", "reject/cosine", (uint32_t[]){unit, prototypes}, 2);
    uint32_t nearest = gh_export_reduce(g, "ReduceMax", "reject/nearest", cosine, false);
    uint32_t whole = gh_graph_const(g, "reject/one", GH_F32, gh_shape_of(0, NULL), &one, true);
    return gh_graph_op(g, "Sub", "reject/distance", (uint32_t[]){whole, nearest}, 2);
}
