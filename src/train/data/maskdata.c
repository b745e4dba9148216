/* Every pair is opened once before the run: what is wrong shall be told now and not in the third epoch. */
#include "train/data/maskdata.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/data/picture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* No class counts more than this many times the mean: a few pixels would shake the whole net. */
#define MOST_WEIGHT 10.0f

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the masks");
}

/* ---- one pair ---- */

typedef struct pair {
    gh_status status;
    gh_err error;
    double pixels[GH_MAX_MASKSET_CLASSES];
} pair;

typedef struct scan {
    const gh_maskdata *d;
    pair *pairs;
} scan;

static gh_status look(pair *p, const gh_maskset_picture *at, const int map[256])
{
    int width = 0, height = 0;
    gh_image_info picture = {0};
    uint8_t *mask = NULL;
    gh_err *e = &p->error;
    gh_status status = gh_picture_look(&picture, at->path, e);
    if (status != GH_OK)
        return gh_err_prefix(e, status, "%s", at->path);
    GH_TRY(gh_maskset_mask(&mask, &width, &height, at, map, e));
    if (width != picture.width || height != picture.height) {
        gh_free(mask);
        return gh_fail(e, GH_FORMAT,
                       "%s has %d x %d pixels, its picture %d x %d; a mask has its picture's size", at->mask,
                       width, height, picture.width, picture.height);
    }
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        if (mask[i] != GH_MASK_IGNORED)
            p->pixels[mask[i]]++;
    gh_free(mask);
    return GH_OK;
}

static void look_at_range(void *arg, int begin, int end, int thread)
{
    scan *s = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        s->pairs[i].status = look(&s->pairs[i], &s->d->set->pictures[i], s->d->map);
}

/* ---- classes ---- */

/* Without classes.txt the values themselves are the classes. */
static gh_status name_classes(gh_maskdata *d, const pair *pairs, gh_err *e)
{
    char text[16];
    for (size_t i = 0; i < d->set->npictures; i++)
        for (uint32_t c = d->nclasses; c < GH_MAX_MASKSET_CLASSES; c++)
            if (pairs[i].status == GH_OK && pairs[i].pixels[c] > 0)
                d->nclasses = c + 1;
    for (uint32_t c = 0; c < d->nclasses; c++) {
        snprintf(text, sizeof text, "%u", c);
        d->classes[c] = gh_arena_string(d->set->arena, text, strlen(text));
        if (!d->classes[c])
            return no_memory(e);
    }
    return GH_OK;
}

static gh_status number_classes(gh_maskdata *d, gh_err *e)
{
    const gh_maskset *set = d->set;
    d->classes = gh_arena_array(set->arena, GH_MAX_MASKSET_CLASSES, sizeof *d->classes);
    d->pixels = gh_calloc(GH_MAX_MASKSET_CLASSES, sizeof *d->pixels);
    if (!d->classes || !d->pixels)
        return no_memory(e);
    for (int v = 0; v < 256; v++)
        d->map[v] = set->nclasses || v == GH_MASK_IGNORED ? -1 : v;
    d->map[GH_MASK_IGNORED] = GH_MASK_IGNORED;
    for (size_t v = 0; v < set->nclasses; v++) {
        bool none = gh_maskset_is_void(set->classes[v]);
        d->map[v] = none ? GH_MASK_IGNORED : (int)d->nclasses;
        if (!none)
            d->classes[d->nclasses++] = set->classes[v];
    }
    d->background = d->nclasses && strcasecmp(d->classes[0], "background") == 0;
    return GH_OK;
}

static gh_status check_classes(const gh_maskdata *d, gh_err *e)
{
    uint32_t present = 0, first = 0;
    for (uint32_t c = d->nclasses; c-- > 0;)
        if (d->pixels[c] > 0) {
            present++;
            first = c;
        }
    if (present == 0)
        return gh_fail(e, GH_FORMAT,
                       "the masks to learn from hold no class at all, only what counts nowhere");
    if (present == 1)
        return gh_fail(
            e, GH_FORMAT,
            "the masks to learn from hold one class only (%.60s); at least two are to be told apart",
            d->classes[first]);
    for (uint32_t c = 0; c < d->nclasses; c++)
        if (d->pixels[c] == 0)
            gh_log(GH_LOG_WARN, "class %s has no pixel in the masks to learn from", d->classes[c]);
    return GH_OK;
}

/* ---- parts ---- */

static gh_status drop_unusable(const gh_maskdata *d, const pair *pairs, bool strict, gh_err *e)
{
    size_t bad = 0, first = 0;
    for (size_t i = d->set->npictures; i-- > 0;)
        if (pairs[i].status != GH_OK) {
            bad++;
            first = i;
        }
    if (bad && (strict || bad == d->set->npictures)) {
        if (bad == d->set->npictures && bad > 1)
            return gh_fail(e, pairs[first].status, "none of the %zu pairs can be used; the first: %s", bad,
                           pairs[first].error.text);
        return gh_fail(e, pairs[first].status, "%s", pairs[first].error.text);
    }
    for (size_t i = 0; i < d->set->npictures; i++)
        if (pairs[i].status != GH_OK)
            gh_log(GH_LOG_WARN, "left out: %s", pairs[i].error.text);
    return GH_OK;
}

/* Judged by: the part val; else each picture with an even chance, so that adding some changes little. */
static bool is_judge(const gh_maskdata *d, size_t i, const gh_maskdata_options *o)
{
    const gh_maskset *s = d->set;
    if (s->per_split[GH_SPLIT_VAL])
        return s->pictures[i].split == GH_SPLIT_VAL;
    gh_rng rng;
    gh_rng_seed(&rng, o->seed * 1000003u + i);
    return (double)gh_rng_float(&rng) < o->share;
}

/* Room for all pictures of `s`, in its arena. */
static gh_status empty_set(gh_maskset **out, const gh_maskset *s, gh_err *e)
{
    gh_maskset *set = gh_calloc(1, sizeof *set);
    if (!set)
        return no_memory(e);
    *out = set;
    set->pictures = gh_arena_array(s->arena, s->npictures + 1, sizeof *set->pictures);
    set->classes = s->classes; /* by the masks' values; those that mean no class are no model's */
    set->nclasses = s->nclasses;
    return set->pictures ? GH_OK : no_memory(e);
}

static gh_status choose_some(gh_maskdata *d, uint32_t most, gh_err *e)
{
    size_t all = d->judge->npictures, n = most && most < all ? most : all;
    GH_TRY(empty_set(&d->some, d->set, e));
    for (size_t i = 0; i < n; i++)
        d->some->pictures[i] = d->judge->pictures[i * all / n];
    d->some->npictures = n;
    return GH_OK;
}

static gh_status part(gh_maskdata *d, const pair *pairs, const gh_maskdata_options *o, gh_err *e)
{
    const gh_maskset *s = d->set;
    d->learn = gh_calloc(s->npictures + 1, sizeof *d->learn);
    GH_TRY(empty_set(&d->judge, s, e));
    if (!d->learn)
        return no_memory(e);
    for (size_t i = 0; i < s->npictures; i++) {
        if (pairs[i].status != GH_OK) {
            d->left_out++;
        } else if (s->pictures[i].split == GH_SPLIT_TEST) {
            continue;
        } else if (is_judge(d, i, o)) {
            d->judge->pictures[d->judge->npictures++] = s->pictures[i];
        } else {
            d->learn[d->nlearn++] = (uint32_t)i;
            for (uint32_t c = 0; c < d->nclasses; c++)
                d->pixels[c] += pairs[i].pixels[c];
        }
    }
    if (d->nlearn == 0 || d->judge->npictures == 0)
        return gh_fail(e, GH_FORMAT,
                       "%u pictures with masks to learn from and %zu to judge by; both need at least 1",
                       d->nlearn, d->judge->npictures);
    return choose_some(d, o->some, e);
}

gh_status gh_maskdata_open(gh_maskdata **out, const char *dir, const gh_maskdata_options *o, gh_err *e)
{
    gh_maskdata *d = gh_calloc(1, sizeof *d);
    scan s = {.d = d};
    gh_status status = d ? gh_maskset_open(&d->set, dir, e) : no_memory(e);
    if (status == GH_OK)
        status = number_classes(d, e);
    if (status == GH_OK && !(s.pairs = gh_calloc(d->set->npictures, sizeof *s.pairs)))
        status = no_memory(e);
    if (status == GH_OK) {
        gh_pool_for(o->pool, (int)d->set->npictures, look_at_range, &s);
        status = drop_unusable(d, s.pairs, o->strict, e);
    }
    if (status == GH_OK && !d->set->nclasses)
        status = name_classes(d, s.pairs, e);
    if (status == GH_OK)
        status = part(d, s.pairs, o, e);
    if (status == GH_OK)
        status = check_classes(d, e);
    gh_free(s.pairs);
    if (status == GH_OK)
        *out = d;
    else
        gh_maskdata_free(&d);
    return status;
}

void gh_maskdata_free(gh_maskdata **data)
{
    gh_maskdata *d = *data;
    if (!d)
        return;
    gh_maskset_free(&d->set);
    gh_free(d->judge); /* arrays of the two stand in the set's arena */
    gh_free(d->some);
    gh_free(d->learn);
    gh_free(d->pixels);
    gh_free(d);
    *data = NULL;
}

void gh_maskdata_weights(float *weights, const gh_maskdata *d, gh_balance balance)
{
    double total = 0, mean = 0, present = 0;
    for (uint32_t c = 0; c < d->nclasses; c++) {
        total += d->pixels[c];
        present += d->pixels[c] > 0;
    }
    for (uint32_t c = 0; c < d->nclasses; c++) {
        double rarity = d->pixels[c] > 0 ? total / present / d->pixels[c] : 1;
        weights[c] = balance == GH_BALANCE_NONE   ? 1
                     : balance == GH_BALANCE_SQRT ? (float)sqrt(rarity)
                                                  : (float)rarity;
        weights[c] = fminf(weights[c], MOST_WEIGHT);
        mean += (double)weights[c] * d->pixels[c] / total;
    }
    for (uint32_t c = 0; c < d->nclasses; c++)
        weights[c] /= (float)mean;
}
