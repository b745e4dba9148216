/* Making a set of boxes ready: what cannot be used is found here, before any hour is spent. */
#include "train/data/boxdata.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/data/picture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEAST_PICTURES 2   /* of each part */
#define LEAST_SIDE     1.0 /* pixels of a box that are left within its picture */

enum { UNREAD, LEARN, JUDGE }; /* parts */

typedef struct looker {
    gh_boxdata *d;
    const gh_boxdata_options *o;
    gh_err *e;
    uint8_t *part;   /* of each picture */
    char **problems; /* of each picture, owned; NULL = it can be read */
    size_t *counts;  /* boxes to learn from of each category */
    uint32_t *class; /* of each category; UINT32_MAX = left out */
} looker;

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
}

/* ---- pictures ---- */

static void look_at(void *arg, int begin, int end, int thread)
{
    looker *l = arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        gh_boxset_picture *p = &l->d->set->pictures[i];
        gh_image_info info = {0};
        gh_err e = {0};
        gh_status status = gh_picture_look(&info, p->path, &e);
        if (status == GH_OK && p->width && p->height && (p->width != info.width || p->height != info.height))
            status =
                gh_fail(&e, GH_FORMAT,
                        "the picture has %d x %d pixels, but its boxes are said to be of one with %d x %d",
                        info.width, info.height, p->width, p->height);
        if (status == GH_OK) {
            p->width = info.width;
            p->height = info.height;
        } else
            l->problems[i] = gh_strdup(e.text[0] ? e.text : gh_status_name(status));
    }
}

/* A share of 0..1 that only the name of the file decides, wherever it lies. */
static double place_of(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return (double)(gh_hash_bytes(name, strlen(name)).low >> 11) * 0x1p-53;
}

static gh_status choose_parts(looker *l)
{
    const gh_boxset *set = l->d->set;
    size_t n[GH_SPLIT_COUNT] = {0};
    for (size_t i = 0; i < set->npictures; i++)
        n[set->pictures[i].split]++;
    gh_split judge = n[GH_SPLIT_VAL] ? GH_SPLIT_VAL : n[GH_SPLIT_TEST] ? GH_SPLIT_TEST : GH_SPLIT_NONE;
    for (size_t i = 0; i < set->npictures; i++) {
        const gh_boxset_picture *p = &set->pictures[i];
        bool judged = judge ? p->split == judge : place_of(p->path) < l->o->share;
        /* a part test beside a part val is for the end: it is not looked at here */
        bool beyond = judge == GH_SPLIT_VAL && p->split == GH_SPLIT_TEST;
        l->part[i] = l->problems[i] || beyond ? UNREAD : judged ? JUDGE : LEARN;
        if (!l->problems[i])
            continue;
        if (l->o->strict)
            return gh_fail(l->e, GH_FORMAT, "%.200s: %s", p->path, l->problems[i]);
        gh_log(GH_LOG_WARN, "left out: %s: %s", p->path, l->problems[i]);
        l->d->left_out++;
    }
    return GH_OK;
}

/* ---- boxes ---- */

/* The part of a box within its picture; false when there is none to speak of. */
static bool clip(gh_ap_rect *b, const gh_boxset_picture *p)
{
    double x0 = fmax(0, b->x), y0 = fmax(0, b->y);
    double x1 = fmin(p->width, b->x + b->w), y1 = fmin(p->height, b->y + b->h);
    if (!(x1 - x0 >= LEAST_SIDE && y1 - y0 >= LEAST_SIDE))
        return false;
    *b = (gh_ap_rect){x0, y0, x1 - x0, y1 - y0};
    return true;
}

/* Clips all boxes; crowds are no objects to learn, and what lies outside is marked as a crowd too. */
static gh_status clip_all(looker *l)
{
    gh_boxset *set = l->d->set;
    for (size_t i = 0; i < set->ntruths; i++) {
        gh_ap_truth *t = &set->truths[i];
        const gh_boxset_picture *p = &set->pictures[t->picture];
        if (l->part[t->picture] == UNREAD || t->crowd)
            continue;
        if (clip(&t->box, p)) {
            l->counts[t->category] += l->part[t->picture] == LEARN;
            l->d->boxes += l->part[t->picture] == LEARN;
            continue;
        }
        gh_err e = {0};
        gh_fail(&e, GH_FORMAT,
                "%.200s: the box %g, %g of %g x %g pixels lies outside of the picture, %d x %d", p->path,
                t->box.x, t->box.y, t->box.w, t->box.h, p->width, p->height);
        if (l->o->strict)
            return gh_fail(l->e, GH_FORMAT, "%s", e.text);
        gh_log(GH_LOG_WARN, "left out: %s", e.text);
        l->d->boxes_left_out++;
        t->crowd = t->ignored = true;
    }
    return GH_OK;
}

static gh_status number_classes(looker *l)
{
    gh_boxdata *d = l->d;
    gh_boxset *set = d->set;
    d->classes = gh_arena_array(set->arena, set->ncategories + 1, sizeof *d->classes);
    if (!d->classes)
        return no_memory(l->e);
    for (size_t c = 0; c < set->ncategories; c++) {
        l->class[c] = l->counts[c] ? d->nclasses : UINT32_MAX;
        if (l->counts[c]) {
            d->classes[d->nclasses++] = set->categories[c];
            continue;
        }
        d->classes_left_out++;
        if (l->o->strict)
            return gh_fail(l->e, GH_FORMAT, "the class '%.60s' has no box to learn from", set->categories[c]);
        gh_log(GH_LOG_WARN, "left out: the class '%s' has no box to learn from", set->categories[c]);
    }
    return d->nclasses ? GH_OK
                       : gh_fail(l->e, GH_FORMAT,
                                 "the data have no box to learn from: %zu pictures, %zu boxes in all, %u "
                                 "pictures that cannot be read",
                                 set->npictures, set->ntruths, d->left_out);
}

/* ---- the parts ---- */

static bool counts(const looker *l, const gh_ap_truth *t)
{
    return !t->crowd && l->class[t->category] != UINT32_MAX;
}

/* Boxes of all pictures to learn from, each picture's together. */
static gh_status make_learn(looker *l)
{
    gh_boxdata *d = l->d;
    const gh_boxset *set = d->set;
    size_t *at = gh_calloc(set->npictures + 1, sizeof *at), sum = 0;
    gh_ap_rect *boxes = gh_arena_array(set->arena, set->ntruths + 1, sizeof *boxes);
    uint32_t *classes = gh_arena_array(set->arena, set->ntruths + 1, sizeof *classes);
    d->learn = gh_arena_array(set->arena, set->npictures + 1, sizeof *d->learn);
    gh_status status = at && boxes && classes && d->learn ? GH_OK : no_memory(l->e);
    for (size_t i = 0; status == GH_OK && i < set->ntruths; i++)
        at[set->truths[i].picture] += counts(l, &set->truths[i]);
    for (size_t i = 0; status == GH_OK && i < set->npictures; i++) {
        size_t n = at[i];
        at[i] = sum;
        if (l->part[i] == LEARN)
            d->learn[d->nlearn++] =
                (gh_boxdata_picture){set->pictures[i].path, boxes + sum, classes + sum, n};
        sum += n;
    }
    for (size_t i = 0; status == GH_OK && i < set->ntruths; i++) {
        const gh_ap_truth *t = &set->truths[i];
        if (!counts(l, t))
            continue;
        boxes[at[t->picture]] = t->box;
        classes[at[t->picture]++] = l->class[t->category];
    }
    gh_free(at);
    return status;
}

/* A set of its own, in an arena of its own; texts are the first set's. */
static gh_status make_judge(looker *l)
{
    const gh_boxset *set = l->d->set;
    gh_boxset *j = gh_calloc(1, sizeof *j);
    uint32_t *to = gh_calloc(set->npictures + 1, sizeof *to);
    l->d->judge = j;
    gh_status status = j && to && (j->arena = gh_arena_new((size_t)2 << 30)) ? GH_OK : no_memory(l->e);
    if (status == GH_OK) {
        j->pictures = gh_arena_array(j->arena, set->npictures + 1, sizeof *j->pictures);
        j->truths = gh_arena_array(j->arena, set->ntruths + 1, sizeof *j->truths);
        status = j->pictures && j->truths ? GH_OK : no_memory(l->e);
    }
    for (size_t i = 0; status == GH_OK && i < set->npictures; i++) {
        to[i] = (uint32_t)j->npictures;
        if (l->part[i] == JUDGE)
            j->pictures[j->npictures++] = set->pictures[i];
    }
    for (size_t i = 0; status == GH_OK && i < set->ntruths; i++) {
        const gh_ap_truth *t = &set->truths[i];
        if (l->part[t->picture] != JUDGE || l->class[t->category] == UINT32_MAX)
            continue;
        j->truths[j->ntruths] = *t;
        j->truths[j->ntruths].category = l->class[t->category];
        j->truths[j->ntruths++].picture = to[t->picture];
    }
    if (status == GH_OK) {
        j->layout = set->layout;
        j->categories = l->d->classes;
        j->ncategories = l->d->nclasses;
    }
    gh_free(to);
    return status;
}

static gh_status check_parts(const looker *l)
{
    const gh_boxdata *d = l->d;
    size_t judged = 0;
    for (size_t i = 0; i < d->judge->ntruths; i++)
        judged += !d->judge->truths[i].crowd && !d->judge->truths[i].ignored;
    if (d->nlearn < LEAST_PICTURES || d->judge->npictures < LEAST_PICTURES)
        return gh_fail(l->e, GH_FORMAT,
                       "there are %u pictures to learn from and %zu to judge by; %d of each are the least",
                       d->nlearn, d->judge->npictures, LEAST_PICTURES);
    if (!judged)
        return gh_fail(l->e, GH_FORMAT, "the %zu pictures to judge by have no boxes", d->judge->npictures);
    return GH_OK;
}

static gh_status prepare(looker *l)
{
    gh_pool_for(l->o->pool, (int)l->d->set->npictures, look_at, l);
    GH_TRY(choose_parts(l));
    GH_TRY(clip_all(l));
    GH_TRY(number_classes(l));
    GH_TRY(make_learn(l));
    GH_TRY(make_judge(l));
    return check_parts(l);
}

gh_status gh_boxdata_open(gh_boxdata **out, const char *path, const gh_boxdata_options *o, gh_err *e)
{
    gh_boxdata *d = gh_calloc(1, sizeof *d);
    looker l = {.d = d, .o = o, .e = e};
    gh_status status = d ? gh_boxset_open(&d->set, path, e) : no_memory(e);
    size_t pictures = status == GH_OK ? d->set->npictures : 0,
           categories = pictures ? d->set->ncategories : 0;
    l.part = gh_calloc(pictures + 1, sizeof *l.part);
    l.problems = gh_calloc(pictures + 1, sizeof *l.problems);
    l.counts = gh_calloc(categories + 1, sizeof *l.counts);
    l.class = gh_calloc(categories + 1, sizeof *l.class);
    if (status == GH_OK)
        status = l.part && l.problems && l.counts && l.class ? prepare(&l) : no_memory(e);
    for (size_t i = 0; l.problems && i < pictures; i++)
        gh_free(l.problems[i]);
    gh_free(l.part);
    gh_free(l.problems);
    gh_free(l.counts);
    gh_free(l.class);
    if (status == GH_OK)
        *out = d;
    else
        gh_boxdata_free(&d);
    return status;
}

void gh_boxdata_free(gh_boxdata **data)
{
    gh_boxdata *d = *data;
    if (!d)
        return;
    gh_boxset_free(&d->judge);
    gh_boxset_free(&d->set);
    gh_free(d);
    *data = NULL;
}
