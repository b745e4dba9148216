/* The table of heads, and what all of them do with their rows before they fit. */
#include "train/heads/head.h"

#include "base/mem.h"
#include "base/rng.h"
#include "train/heads/head_parts.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { MOST_FOLDS = 64, ROWS_A_PIECE = 128 };
#define MOST_CLASSES 65536u
#define MOST_WIDTH   ((size_t)1 << 20)

const gh_head_type *const gh_head_types[] = {&gh_head_softmax, &gh_head_mlp, &gh_head_forest, &gh_head_knn,
                                             NULL};

const gh_head_type *gh_head_type_find(const char *name)
{
    for (size_t i = 0; gh_head_types[i]; i++)
        if (strcmp(gh_head_types[i]->name, name) == 0)
            return gh_head_types[i];
    return NULL;
}

const float *gh_head_held_out(const gh_head *head)
{
    return head->held_out;
}

size_t gh_head_width(const gh_head *head)
{
    return head->width;
}

uint32_t gh_head_classes(const gh_head *head)
{
    return head->classes;
}

gh_status gh_fail_stopped(gh_err *e)
{
    return gh_fail(e, GH_INTERRUPTED, "stopped");
}

char *gh_buf_text(gh_buf *buf)
{
    char *text = NULL;
    gh_buf_add(buf, "", 1);
    if (buf->failed) {
        gh_buf_free(buf);
    } else {
        text = (char *)buf->data;
        *buf = (gh_buf){0};
    }
    return text;
}

int gh_pieces(size_t n, int most)
{
    int pieces = 1;
    while (pieces * 2 <= most && n / (size_t)(pieces * 2) >= ROWS_A_PIECE)
        pieces *= 2;
    return pieces;
}

uint32_t gh_rows_class(const gh_rows *rows, size_t i)
{
    uint32_t best = 0;
    if (!rows->votes)
        return rows->label[i];
    for (uint32_t c = 1; c < rows->classes; c++)
        if (rows->votes[i * rows->classes + c] > rows->votes[i * rows->classes + best])
            best = c;
    return best;
}

/* ---- checks ---- */

typedef struct finite_job {
    const gh_rows *rows;
    int pieces;
    atomic_size_t first; /* bad row with the lowest number */
} finite_job;

static bool row_is_finite(const float *x, size_t width)
{
    for (size_t j = 0; j < width; j++)
        if (!isfinite(x[j]))
            return false;
    return true;
}

static void find_infinite(void *arg, int begin, int end, int thread)
{
    finite_job *job = arg;
    const gh_rows *r = job->rows;
    size_t to = gh_piece_start(r->n, job->pieces, end);
    (void)thread;
    for (size_t i = gh_piece_start(r->n, job->pieces, begin); i < to; i++)
        if (!row_is_finite(r->x + i * r->width, r->width)) {
            size_t seen = atomic_load(&job->first);
            while (i < seen && !atomic_compare_exchange_weak(&job->first, &seen, i))
                ;
            return;
        }
}

static gh_status check_features(const gh_rows *rows, gh_pool *pool, gh_err *e)
{
    finite_job job = {.rows = rows, .pieces = gh_pieces(rows->n, 64)};
    atomic_init(&job.first, SIZE_MAX);
    gh_pool_for(pool, job.pieces, find_infinite, &job);
    size_t row = atomic_load(&job.first);
    for (size_t j = 0; row != SIZE_MAX && j < rows->width; j++)
        if (!isfinite(rows->x[row * rows->width + j]))
            return gh_fail(e, GH_FORMAT,
                           "feature %zu of row %zu is not a finite number; a head needs finite ones", j, row);
    return GH_OK;
}

static gh_status check_votes(const gh_rows *rows, size_t i, gh_err *e)
{
    double sum = 0;
    for (uint32_t c = 0; c < rows->classes; c++) {
        float v = rows->votes[i * rows->classes + c];
        if (!(v >= 0 && v <= 1.001f))
            return gh_fail(e, GH_ARG, "the share of class %u in row %zu is %g; shares are 0 to 1", c, i, v);
        sum += v;
    }
    if (fabs(sum - 1) > 1e-3)
        return gh_fail(e, GH_ARG, "the shares of row %zu sum to %g instead of 1", i, sum);
    return GH_OK;
}

/* Targets and weights; *with counts the classes that have a row with weight. */
static gh_status check_targets(uint32_t *with, bool *seen, const gh_rows *rows, gh_err *e)
{
    for (size_t i = 0; i < rows->n; i++) {
        float w = gh_rows_weight(rows, i);
        if (!(w >= 0 && isfinite(w)))
            return gh_fail(e, GH_ARG, "the weight of row %zu is %g; weights are 0 or more", i, w);
        if (rows->votes)
            GH_TRY(check_votes(rows, i, e));
        else if (rows->label[i] >= rows->classes)
            return gh_fail(e, GH_ARG, "row %zu has label %u, but there are %u classes", i, rows->label[i],
                           rows->classes);
        for (uint32_t c = 0; w > 0 && c < rows->classes; c++) {
            uint32_t at = rows->votes ? c : rows->label[i];
            if (rows->votes && !(gh_rows_target(rows, i, c) > 0))
                continue;
            *with += !seen[at];
            seen[at] = true;
            if (!rows->votes)
                break;
        }
    }
    return GH_OK;
}

gh_status gh_rows_check(const gh_rows *rows, gh_pool *pool, gh_err *e)
{
    uint32_t with = 0;
    if (rows->n < 1 || rows->n > INT_MAX || rows->width < 1 || rows->width > MOST_WIDTH)
        return gh_fail(e, GH_ARG, "%zu rows of %zu features; 1 to %d rows of 1 to %zu are accepted", rows->n,
                       rows->width, INT_MAX, MOST_WIDTH);
    if (rows->classes < 2 || rows->classes > MOST_CLASSES)
        return gh_fail(e, GH_ARG, "%u class%s; a head tells 2 to %u apart", rows->classes,
                       rows->classes == 1 ? "" : "es", MOST_CLASSES);
    bool *seen = gh_calloc(rows->classes, sizeof *seen);
    if (!seen)
        return gh_fail(e, GH_NOMEM, "no memory for %u classes", rows->classes);
    gh_status status = check_targets(&with, seen, rows, e);
    gh_free(seen);
    if (!status && with < 2)
        status = gh_fail(e, GH_ARG, "all %zu rows belong to one class; a head needs rows of at least two",
                         rows->n);
    return status ? status : check_features(rows, pool, e);
}

/* ---- folds ---- */

/* Rows in random order, class after class: start[c] .. start[c + 1]. */
static void order_by_class(uint32_t *order, uint32_t *start, const gh_rows *rows, uint64_t seed)
{
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    memset(start, 0, (rows->classes + 2) * sizeof *start);
    for (size_t i = 0; i < rows->n; i++)
        start[gh_rows_class(rows, i) + 2]++;
    for (uint32_t c = 2; c < rows->classes + 2; c++)
        start[c] += start[c - 1];
    for (size_t i = 0; i < rows->n; i++)
        order[start[gh_rows_class(rows, i) + 1]++] = (uint32_t)i;
    for (uint32_t c = 0; c < rows->classes; c++)
        for (uint32_t i = start[c + 1]; i > start[c] + 1; i--) {
            uint32_t other = start[c] + (uint32_t)gh_rng_below(&rng, i - start[c]), t = order[i - 1];
            order[i - 1] = order[other];
            order[other] = t;
        }
}

/* Deals the rows of each class out in turn. A class of one row is never held out: nothing would know it. */
static uint32_t deal(uint32_t *fold, const uint32_t *order, const uint32_t *start, uint32_t classes,
                     uint32_t want)
{
    uint32_t next = 0, most = 0, shared = 0;
    for (uint32_t c = 0; c < classes; c++) {
        uint32_t count = start[c + 1] - start[c];
        most = count > most ? count : most;
        shared += count > 1;
    }
    uint32_t k = want < most ? want : most;
    for (uint32_t c = 0; c < classes; c++)
        for (uint32_t i = start[c]; i < start[c + 1]; i++)
            fold[order[i]] = start[c + 1] - start[c] > 1 ? next++ % k : GH_NO_FOLD;
    return shared < 2 || k < 2 ? 0 : k;
}

static gh_status given_folds(uint32_t *fold, uint32_t *count, const gh_rows *rows, gh_err *e)
{
    for (size_t i = 0; i < rows->n; i++) {
        fold[i] = rows->fold[i];
        if (fold[i] != GH_NO_FOLD && fold[i] >= MOST_FOLDS)
            return gh_fail(e, GH_ARG, "row %zu is in fold %u; at most %d folds are accepted", i, fold[i],
                           MOST_FOLDS);
        if (fold[i] != GH_NO_FOLD && fold[i] >= *count)
            *count = fold[i] + 1;
    }
    return GH_OK;
}

/* Whether every fold leaves at least two classes with weight to train on. */
static bool folds_are_useful(const uint32_t *fold, uint32_t count, const gh_rows *rows)
{
    for (uint32_t f = 0; f < count; f++) {
        uint32_t first = UINT32_MAX;
        bool two = false;
        for (size_t i = 0; i < rows->n && !two; i++)
            if (fold[i] != f && gh_rows_weight(rows, i) > 0) {
                two = first != UINT32_MAX && gh_rows_class(rows, i) != first;
                first = gh_rows_class(rows, i);
            }
        if (!two)
            return false;
    }
    return count >= 2;
}

gh_status gh_rows_folds(uint32_t **out, uint32_t *count, const gh_rows *rows, uint32_t want, uint64_t seed,
                        gh_err *e)
{
    uint32_t *fold = gh_calloc(rows->n, sizeof *fold), *order = NULL, *start = NULL, k = 0;
    gh_status status = fold ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the folds");
    if (!status && rows->fold) {
        status = given_folds(fold, &k, rows, e);
    } else if (!status) {
        order = gh_calloc(rows->n, sizeof *order);
        start = gh_calloc(rows->classes + 2u, sizeof *start);
        if (!order || !start) {
            status = gh_fail(e, GH_NOMEM, "no memory for the folds");
        } else {
            order_by_class(order, start, rows, seed);
            k = deal(fold, order, start, rows->classes, want);
        }
    }
    gh_free(order);
    gh_free(start);
    if (!status && folds_are_useful(fold, k, rows)) {
        *out = fold;
        *count = k;
        return GH_OK;
    }
    gh_free(fold);
    if (!status) {
        *out = NULL;
        *count = 0;
    }
    return status;
}
