/* Connected regions in one pass over rows: runs of equal class are joined with the runs of the row above by
 * union-find; a region that no run of the newest row belongs to is finished, goes to its class's list of the
 * largest, and its place is used again. So there are never more places than runs in two rows. */
#include "image/mask.h"

#include "base/heap.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct run {
    int from, to; /* pixels [from, to) */
    int part;
    uint8_t class;
} run;

/* A part of a region; parts that meet are joined under the one that is their root. */
typedef struct part {
    int up;  /* its parent, itself at the root; the next free one when unused */
    int row; /* the newest row with a run of it */
    gh_region region;
    uint8_t class;
} part;

typedef struct list {
    gh_region *items; /* a heap, the least on top, until the end */
    int count;
    int64_t pixels;
} list;

struct gh_regions {
    int width, classes, limit, row;
    run *above, *now;
    int nabove;
    part *parts;
    int nparts, free;
    list *lists;
    gh_region *items; /* of all lists */
    bool ended;
};

/* a goes behind b: fewer pixels, or the same number and further down, or to the right. */
static bool behind(const void *left, const void *right, const void *arg)
{
    const gh_region *a = left, *b = right;
    (void)arg;
    if (a->pixels != b->pixels)
        return a->pixels < b->pixels;
    return a->y != b->y ? a->y > b->y : a->x > b->x;
}

/* The smallest of a full list is its root: what a larger region drives out. */
static const gh_heap smallest = {.size = sizeof(gh_region), .before = behind};

static int compare(const void *left, const void *right)
{
    return behind(left, right, NULL) ? 1 : behind(right, left, NULL) ? -1 : 0;
}

void gh_regions_free(gh_regions **r)
{
    if (!*r)
        return;
    gh_free((*r)->above);
    gh_free((*r)->now);
    gh_free((*r)->parts);
    gh_free((*r)->lists);
    gh_free((*r)->items);
    gh_free(*r);
    *r = NULL;
}

gh_status gh_regions_new(gh_regions **out, int width, int classes, int limit, gh_err *e)
{
    gh_regions *r = gh_calloc(1, sizeof *r);
    size_t w = (size_t)width;
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at the regions of a mask");
    r->width = width;
    r->classes = classes;
    r->limit = limit;
    r->free = -1;
    r->above = gh_calloc(w, sizeof *r->above);
    r->now = gh_calloc(w, sizeof *r->now);
    r->parts = gh_calloc(2 * w, sizeof *r->parts);
    r->lists = gh_calloc((size_t)classes, sizeof *r->lists);
    r->items = gh_calloc((size_t)classes * (size_t)limit, sizeof *r->items);
    if (!r->above || !r->now || !r->parts || !r->lists || !r->items) {
        gh_regions_free(&r);
        return gh_fail(e, GH_NOMEM, "memory ran out at the regions of a mask");
    }
    for (int i = 0; i < classes; i++)
        r->lists[i].items = r->items + (size_t)i * (size_t)limit;
    *out = r;
    return GH_OK;
}

static int root_of(part *parts, int i)
{
    while (parts[i].up != i)
        i = parts[i].up = parts[parts[i].up].up;
    return i;
}

static int new_part(gh_regions *r, const run *n)
{
    int i = r->free;
    if (i >= 0)
        r->free = r->parts[i].up;
    else
        i = r->nparts++;
    GH_ASSERT(i < 2 * r->width);
    r->parts[i] = (part){.up = i, .row = r->row, .class = n->class, .region = {n->from, r->row, 0, 0, 0}};
    return i;
}

static void free_part(gh_regions *r, int i)
{
    r->parts[i].up = r->free;
    r->parts[i].row = -1;
    r->free = i;
}

static void add_box(gh_region *a, const gh_region *b)
{
    int right = a->x + a->w > b->x + b->w ? a->x + a->w : b->x + b->w;
    int bottom = a->y + a->h > b->y + b->h ? a->y + a->h : b->y + b->h;
    a->x = a->x < b->x ? a->x : b->x;
    a->y = a->y < b->y ? a->y : b->y;
    a->w = right - a->x;
    a->h = bottom - a->y;
    a->pixels += b->pixels;
}

/* The root of both. */
static int join(gh_regions *r, int a, int b)
{
    part *p = r->parts;
    a = root_of(p, a);
    b = root_of(p, b);
    if (a == b)
        return a;
    add_box(&p[a].region, &p[b].region);
    p[b].up = a;
    return a;
}

/* Runs of a row into r->now. */
static int split_row(gh_regions *r, const uint8_t *row)
{
    int n = 0;
    for (int x = 0; x < r->width;) {
        int end = x + 1;
        const uint64_t same = UINT64_C(0x0101010101010101) * row[x];
        for (uint64_t eight; end + 8 <= r->width; end += 8) {
            memcpy(&eight, row + end, 8);
            if (eight != same)
                break;
        }
        while (end < r->width && row[end] == row[x])
            end++;
        r->now[n++] = (run){.from = x, .to = end, .part = -1, .class = row[x]};
        x = end;
    }
    return n;
}

/* Joins each run with those above that it touches, corners included; both lists are walked once. */
static void link_runs(gh_regions *r, int n)
{
    for (int i = 0, a = 0; i < n; i++) {
        run *now = &r->now[i];
        while (a < r->nabove && r->above[a].to < now->from)
            a++;
        for (int k = a; k < r->nabove && r->above[k].from <= now->to; k++)
            if (r->above[k].class == now->class)
                now->part = now->part < 0 ? root_of(r->parts, r->above[k].part)
                                          : join(r, now->part, r->above[k].part);
        if (now->part < 0)
            now->part = new_part(r, now);
        part *p = &r->parts[root_of(r->parts, now->part)];
        const gh_region one = {now->from, r->row, now->to - now->from, 1, now->to - now->from};
        p->row = r->row;
        add_box(&p->region, &one);
    }
}

static void finish(gh_regions *r, const part *p)
{
    list *l = &r->lists[p->class];
    l->pixels += p->region.pixels;
    if (l->count < r->limit) {
        l->items[l->count] = p->region;
        gh_heap_up(&smallest, l->items, (size_t)l->count++);
    } else if (r->limit > 0 && behind(&l->items[0], &p->region, NULL)) {
        l->items[0] = p->region;
        gh_heap_down(&smallest, l->items, (size_t)l->count, 0);
    }
}

/* Every run of the row before points at its root from here on, so that joined parts can be given up; regions
 * without a run in this row are finished. */
static void settle(gh_regions *r, int n)
{
    for (int i = 0; i < n; i++)
        r->now[i].part = root_of(r->parts, r->now[i].part);
    for (int i = 0; i < r->nparts; i++) {
        part *p = &r->parts[i];
        if (p->row < 0)
            continue;
        if (p->up == i && p->row == r->row)
            continue;
        if (p->up == i)
            finish(r, p);
        p->row = -2; /* freed below, once nobody's `up` is looked at */
    }
    for (int i = 0; i < r->nparts; i++)
        if (r->parts[i].row == -2)
            free_part(r, i);
}

void gh_regions_row(gh_regions *r, const uint8_t *row)
{
    int n = split_row(r, row);
    GH_ASSERT(!r->ended);
    link_runs(r, n);
    settle(r, n);
    run *above = r->above;
    r->above = r->now;
    r->now = above;
    r->nabove = n;
    r->row++;
}

size_t gh_regions_of(const gh_region **out, int64_t *pixels, gh_regions *r, int class)
{
    if (!r->ended) {
        r->ended = true;
        for (int i = 0; i < r->nparts; i++)
            if (r->parts[i].row >= 0)
                finish(r, &r->parts[i]);
        for (int i = 0; i < r->classes; i++)
            if (r->lists[i].count > 1)
                qsort(r->lists[i].items, (size_t)r->lists[i].count, sizeof(gh_region), compare);
    }
    *out = r->lists[class].items;
    *pixels = r->lists[class].pixels;
    return (size_t)r->lists[class].count;
}
