/* COCO run lengths. They go down the columns while rows come in, so what is kept is each place where a pixel
 * differs from the one above it; at the end these are put in order of columns. */
#include "image/mask.h"

#include "base/mem.h"

#include <string.h>

/* The class from this pixel on, down the column and over to the next. */
typedef struct change {
    int32_t x, y;
    uint8_t from, to;
} change;

struct gh_mask_runs {
    int width, height, row;
    uint8_t *top, *above; /* classes of the first row, and of the newest */
    gh_buf found;         /* changes below the first row, row by row */
    change *sorted;       /* all, column by column; NULL before the end */
    size_t count;
};

void gh_mask_runs_free(gh_mask_runs **r)
{
    if (!*r)
        return;
    gh_free((*r)->top);
    gh_free((*r)->above);
    gh_free((*r)->sorted);
    gh_buf_free(&(*r)->found);
    gh_free(*r);
    *r = NULL;
}

gh_status gh_mask_runs_new(gh_mask_runs **out, int width, int height, gh_err *e)
{
    gh_mask_runs *r = gh_calloc(1, sizeof *r);
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at the run lengths of a mask");
    r->width = width;
    r->height = height;
    r->top = gh_calloc((size_t)width, 1);
    r->above = gh_calloc((size_t)width, 1);
    if (!r->top || !r->above) {
        gh_mask_runs_free(&r);
        return gh_fail(e, GH_NOMEM, "memory ran out at the run lengths of a mask");
    }
    *out = r;
    return GH_OK;
}

void gh_mask_runs_row(gh_mask_runs *r, const uint8_t *row)
{
    size_t w = (size_t)r->width;
    GH_ASSERT(r->row < r->height && !r->sorted);
    if (r->row == 0)
        memcpy(r->top, row, w);
    for (size_t x = 0; r->row > 0 && x < w; x++) {
        if (x + 8 <= w && memcmp(row + x, r->above + x, 8) == 0) {
            x += 7;
            continue;
        }
        if (row[x] == r->above[x])
            continue;
        const change c = {(int32_t)x, r->row, r->above[x], row[x]};
        gh_buf_add(&r->found, &c, sizeof c);
    }
    memcpy(r->above, row, w);
    r->row++;
}

/* Changes by column, those of a column from the top; each column begins with that from the foot of the one
 * before. False when memory is short. */
static bool sort_changes(gh_mask_runs *r)
{
    size_t n = r->found.len / sizeof(change), w = (size_t)r->width;
    const change *found = (const change *)(const void *)r->found.data;
    size_t *place = gh_calloc(w + 1, sizeof *place);
    change *sorted = gh_calloc(n + w, sizeof *sorted);
    if (!place || !sorted || r->found.failed) {
        gh_free(place);
        gh_free(sorted);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        place[found[i].x + 1]++;
    for (size_t x = 0; x < w; x++)
        place[x + 1] += place[x] + 1;
    for (size_t x = 0; x < w; x++)
        sorted[place[x]++] = (change){(int32_t)x, 0, x ? r->above[x - 1] : r->top[x], r->top[x]};
    for (size_t i = 0; i < n; i++)
        sorted[place[found[i].x]++] = found[i];
    r->sorted = sorted;
    r->count = n + w;
    gh_free(place);
    return true;
}

/* A number in groups of five bits from the lowest, the sign in the last one, as printable characters. */
static void put_number(gh_buf *out, int64_t v)
{
    for (bool more = true; more;) {
        int digit = (int)(v & 31);
        v >>= 5;
        more = digit & 16 ? v != -1 : v != 0;
        const char c = (char)(48 + digit + (more ? 32 : 0));
        gh_buf_add(out, &c, 1);
    }
}

/* Lengths from the fourth on are written as the difference from the last but one. */
typedef struct lengths {
    gh_buf *out;
    int64_t before[2];
    int64_t start; /* of the run at hand, in pixels down the columns */
    size_t count;
} lengths;

static void end_run(lengths *l, int64_t end)
{
    int64_t length = end - l->start;
    put_number(l->out, l->count > 2 ? length - l->before[0] : length);
    l->before[0] = l->before[1];
    l->before[1] = length;
    l->start = end;
    l->count++;
}

void gh_mask_runs_text(gh_buf *out, gh_mask_runs *r, int class)
{
    lengths l = {.out = out};
    GH_ASSERT(r->row == r->height);
    if (!r->sorted && !sort_changes(r)) {
        out->failed = true;
        return;
    }
    if (r->top[0] == class)
        end_run(&l, 0);
    for (size_t i = 0; i < r->count; i++) {
        const change *c = &r->sorted[i];
        if ((c->from == class) != (c->to == class))
            end_run(&l, (int64_t)c->x * r->height + c->y);
    }
    end_run(&l, (int64_t)r->width * r->height);
}
