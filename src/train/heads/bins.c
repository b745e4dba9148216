/* Bins by sorting each feature: a radix sort of the values' bits. */
#include "train/heads/bins.h"

#include "base/mem.h"
#include "train/heads/head_parts.h"

#include <string.h>

enum {
    BINS = 256,
    STRIP = 16, /* features sorted one after the other from one read of the rows: a cache line */
    DIGIT = 11, /* bits of a pass of the radix sort */
    DIGITS = 1 << DIGIT
};

typedef struct entry {
    uint32_t key, row;
} entry;

typedef struct strip_space {
    float *values; /* [STRIP][n] */
    entry *a, *b;  /* [n] each */
} strip_space;

typedef struct bins_job {
    const gh_rows *rows;
    gh_bins *out;
    strip_space *space; /* one a thread */
} bins_job;

/* Unsigned numbers in the order of the floats; -0 and 0 are one. */
static uint32_t key_of(float v)
{
    uint32_t bits;
    v += 0.0f;
    memcpy(&bits, &v, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* Sorts s->a, with s->b as the other side; three passes end in s->b. */
static void sort_entries(strip_space *s, size_t n)
{
    entry *from = s->a, *to = s->b;
    for (int shift = 0; shift < 32; shift += DIGIT) {
        uint32_t start[DIGITS + 1] = {0};
        for (size_t i = 0; i < n; i++)
            start[(from[i].key >> shift & (DIGITS - 1)) + 1]++;
        for (int d = 0; d < DIGITS; d++)
            start[d + 1] += start[d];
        for (size_t i = 0; i < n; i++)
            to[start[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
        entry *other = from;
        from = to;
        to = other;
    }
}

/* Gives each run of equal values a bin; a bin is full when the rows up to here fill their share. */
static void assign(uint8_t *bin, const entry *sorted, size_t n, size_t distinct)
{
    size_t b = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && sorted[i].key != sorted[i - 1].key && (distinct <= BINS || i * BINS >= (b + 1) * n))
            b += b < BINS - 1;
        bin[sorted[i].row] = (uint8_t)b;
    }
}

static void bin_feature(const bins_job *j, strip_space *s, size_t feature, const float *values)
{
    size_t n = j->rows->n, distinct = 1;
    for (size_t i = 0; i < n; i++)
        s->a[i] = (entry){key_of(values[i]), (uint32_t)i};
    sort_entries(s, n);
    for (size_t i = 1; i < n; i++)
        distinct += s->b[i].key != s->b[i - 1].key;
    assign(j->out->bin + feature * n, s->b, n, distinct);
}

static void bin_strips(void *arg, int begin, int end, int thread)
{
    const bins_job *j = arg;
    strip_space *s = &j->space[thread];
    size_t n = j->rows->n, d = j->rows->width;
    for (int strip = begin; strip < end; strip++) {
        size_t from = (size_t)strip * STRIP, count = d - from < STRIP ? d - from : STRIP;
        for (size_t i = 0; i < n; i++)
            for (size_t f = 0; f < count; f++)
                s->values[f * n + i] = j->rows->x[i * d + from + f];
        for (size_t f = 0; f < count; f++)
            bin_feature(j, s, from + f, s->values + f * n);
    }
}

static void free_spaces(strip_space *space, int count)
{
    for (int t = 0; space && t < count; t++) {
        gh_free(space[t].values);
        gh_free(space[t].a);
        gh_free(space[t].b);
    }
    gh_free(space);
}

gh_status gh_bins_of(gh_bins *out, const gh_rows *rows, gh_pool *pool, gh_err *e)
{
    int threads = gh_pool_size(pool);
    gh_bins b = {.n = rows->n, .width = rows->width, .bin = gh_calloc(rows->width, rows->n)};
    bins_job j = {rows, &b, gh_calloc((size_t)threads, sizeof *j.space)};
    bool whole = b.bin && j.space;
    for (int t = 0; whole && t < threads; t++) {
        j.space[t].values = gh_calloc(rows->n, STRIP * sizeof(float));
        j.space[t].a = gh_calloc(rows->n, sizeof(entry));
        j.space[t].b = gh_calloc(rows->n, sizeof(entry));
        whole = j.space[t].values && j.space[t].a && j.space[t].b;
    }
    if (whole) {
        gh_pool_for(pool, (int)((rows->width + STRIP - 1) / STRIP), bin_strips, &j);
        *out = b;
    } else {
        gh_bins_free(&b);
    }
    free_spaces(j.space, threads);
    return whole ? GH_OK
                 : gh_fail(e, GH_NOMEM, "no memory to sort %zu rows of %zu features", rows->n, rows->width);
}

void gh_bins_free(gh_bins *b)
{
    gh_free(b->bin);
    b->bin = NULL;
}
