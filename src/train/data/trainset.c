/* From a list of labelled pictures to a set for training. Files are read once, side by side, for their
 * content hash: equal pictures must not stand on both sides of a split. */
#include "train/data/trainset.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "engine/symbols.h"
#include "train/data/picture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT     ((size_t)8 << 30)
#define MAX_LABEL_BYTES 256 /* as the manifest reads them */

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the training set");
}

/* ---- content hashes ---- */

typedef struct hasher {
    const gh_dataset *list;
    gh_hash *hash;
    char **problem; /* of each file; NULL = read */
    _Atomic bool no_memory;
} hasher;

static void hash_files(void *arg, int begin, int end, int thread)
{
    hasher *h = arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        gh_map map = {0};
        gh_err e = {0};
        gh_status status = gh_map_open(&map, h->list->samples[i].path, GH_PICTURE_MOST_BYTES, &e);
        if (status == GH_OK && map.size == 0)
            status = gh_fail(&e, GH_FORMAT, "%.300s is empty", h->list->samples[i].path);
        if (status == GH_OK)
            h->hash[i] = gh_hash_bytes(map.data, map.size);
        else if (!(h->problem[i] = gh_strdup(e.text)))
            h->no_memory = true;
        gh_map_close(&map);
    }
}

/* ---- building ---- */

typedef struct builder {
    gh_trainset *t;
    const gh_dataset *list;
    gh_symbols classes, groups, contents;
    uint32_t *column; /* class of each column of votes */
    uint32_t cap_problems;
    bool strict;
    gh_err *e;
} builder;

static gh_status add_problem(builder *b, const char *text)
{
    gh_trainset *t = b->t;
    if (b->strict)
        return gh_fail(b->e, GH_FORMAT, "%s", text);
    if (t->nproblems == b->cap_problems) {
        uint32_t cap = b->cap_problems ? 2 * b->cap_problems : 64;
        const char **more = gh_realloc(t->problems, cap, sizeof *more);
        if (!more)
            return no_memory(b->e);
        t->problems = more;
        b->cap_problems = cap;
    }
    t->problems[t->nproblems] = gh_arena_string(t->arena, text, strlen(text));
    return t->problems[t->nproblems++] ? GH_OK : no_memory(b->e);
}

/* The number of a name, given when it is new: the next one. */
static gh_status number_of(builder *b, uint32_t *out, gh_symbols *names, const char *name)
{
    size_t len = strlen(name);
    *out = gh_symbols_find(names, name, len);
    if (*out != UINT32_MAX)
        return GH_OK;
    *out = (uint32_t)names->count;
    return gh_symbols_add(names, name, len, *out) ? GH_OK : no_memory(b->e);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A class's name becomes a label of the manifest: what that does not take is refused before the work. */
static gh_status check_names(const builder *b)
{
    for (size_t i = 0; i < b->classes.cap; i++) {
        const gh_symbol *s = &b->classes.slots[i];
        if (s->name && (!gh_utf8_ok(s->name) || s->len > MAX_LABEL_BYTES))
            return gh_fail(b->e, GH_FORMAT, "the name of class \"%.60s\" %s", s->name,
                           s->len > MAX_LABEL_BYTES ? "is longer than 256 bytes" : "is not UTF-8 text");
    }
    return GH_OK;
}

/* Class names: the votes' columns, or every label, sorted. */
static gh_status name_classes(builder *b)
{
    gh_trainset *t = b->t;
    uint32_t id;
    for (size_t i = 0; i < b->list->nvoted; i++)
        GH_TRY(number_of(b, &id, &b->classes, b->list->voted[i]));
    for (size_t i = 0; !b->list->nvoted && i < b->list->count; i++)
        GH_TRY(number_of(b, &id, &b->classes, b->list->samples[i].label));
    t->nclasses = (uint32_t)b->classes.count;
    if (t->nclasses > GH_MAX_CLASSES || (b->list->nvoted && t->nclasses != b->list->nvoted))
        return gh_fail(b->e, GH_LIMIT, "%u classes; up to %d with different names are taken", t->nclasses,
                       GH_MAX_CLASSES);
    GH_TRY(check_names(b));
    t->classes = gh_arena_array(t->arena, t->nclasses + 1u, sizeof *t->classes);
    if (!t->classes)
        return no_memory(b->e);
    for (size_t i = 0; i < b->classes.cap; i++) {
        const gh_symbol *s = &b->classes.slots[i];
        if (s->name && !(t->classes[s->id] = gh_arena_string(t->arena, s->name, s->len)))
            return no_memory(b->e);
    }
    qsort(t->classes, t->nclasses, sizeof *t->classes, by_name);
    gh_symbols_free(&b->classes);
    for (uint32_t i = 0; i < t->nclasses; i++)
        if (!gh_symbols_add(&b->classes, t->classes[i], strlen(t->classes[i]), i))
            return no_memory(b->e);
    b->column = gh_arena_array(t->arena, b->list->nvoted + 1, sizeof *b->column);
    for (size_t i = 0; b->column && i < b->list->nvoted; i++)
        GH_TRY(number_of(b, &b->column[i], &b->classes, b->list->voted[i]));
    return b->column ? GH_OK : no_memory(b->e);
}

static gh_status copy_votes(builder *b, gh_example *x, const gh_sample *s)
{
    float *votes = gh_arena_array(b->t->arena, b->t->nclasses, sizeof *votes);
    double sum = 0;
    if (!votes)
        return no_memory(b->e);
    for (uint32_t c = 0; c < b->t->nclasses; c++)
        sum += s->votes[c];
    for (uint32_t c = 0; c < b->t->nclasses; c++)
        votes[b->column[c]] = (float)(s->votes[c] / sum);
    x->votes = votes;
    return GH_OK;
}

/* Finds the first example with the same bytes; a label that differs from its is reported, and the first one
 * counts. */
static gh_status find_twin(builder *b, gh_example *x, uint32_t at)
{
    gh_trainset *t = b->t;
    /* the hash itself is the name: it lives in the examples, whose table does not move */
    uint32_t twin = gh_symbols_find(&b->contents, (const char *)&x->hash, sizeof x->hash);
    char text[600];
    x->twin = at;
    if (twin == UINT32_MAX)
        return gh_symbols_add(&b->contents, (const char *)&x->hash, sizeof x->hash, at) ? GH_OK
                                                                                        : no_memory(b->e);
    x->twin = twin;
    if (t->examples[twin].label == x->label)
        return GH_OK;
    snprintf(text, sizeof text, "%.200s is labelled %.60s, but %.200s with the same content %.60s", x->path,
             t->classes[x->label], t->examples[twin].path, t->classes[t->examples[twin].label]);
    return add_problem(b, text);
}

static gh_status add_example(builder *b, const gh_sample *s, gh_hash hash)
{
    gh_trainset *t = b->t;
    gh_example *x = &t->examples[t->nexamples];
    *x = (gh_example){.split = s->split, .hash = hash, .group = UINT32_MAX};
    x->path = gh_arena_string(t->arena, s->path, strlen(s->path));
    if (!x->path)
        return no_memory(b->e);
    GH_TRY(number_of(b, &x->label, &b->classes, s->label));
    GH_ASSERT(x->label < t->nclasses);
    if (s->group)
        GH_TRY(number_of(b, &x->group, &b->groups, s->group));
    if (s->votes)
        GH_TRY(copy_votes(b, x, s));
    GH_TRY(find_twin(b, x, t->nexamples));
    t->parted |= s->split != GH_SPLIT_NONE;
    uint32_t labels[2] = {x->label, (uint32_t)x->split};
    t->hash = gh_hash_more(gh_hash_more(t->hash, &x->hash, sizeof x->hash), labels, sizeof labels);
    t->nexamples++;
    return GH_OK;
}

static gh_status build(builder *b, const hasher *h)
{
    gh_trainset *t = b->t;
    t->examples = gh_calloc(b->list->count + 1, sizeof *t->examples);
    if (!t->examples)
        return no_memory(b->e);
    for (size_t i = 0; i < b->list->count; i++) {
        if (h->problem[i])
            GH_TRY(add_problem(b, h->problem[i]));
        else
            GH_TRY(add_example(b, &b->list->samples[i], h->hash[i]));
    }
    if (t->nexamples == 0)
        return gh_fail(b->e, GH_FORMAT, "none of the %zu pictures can be read; the first: %s", b->list->count,
                       t->problems[0]);
    return GH_OK;
}

static gh_status read_list(builder *b, const gh_trainset_options *options)
{
    hasher h = {.list = b->list};
    if (b->list->count > GH_MAX_EXAMPLES)
        return gh_fail(b->e, GH_LIMIT, "%zu pictures; up to %u are taken", b->list->count, GH_MAX_EXAMPLES);
    GH_TRY(name_classes(b));
    h.hash = gh_calloc(b->list->count + 1, sizeof *h.hash);
    h.problem = gh_calloc(b->list->count + 1, sizeof *h.problem);
    gh_status status = GH_OK;
    if (!h.hash || !h.problem) {
        status = no_memory(b->e);
    } else {
        gh_pool_for(options->pool, (int)b->list->count, hash_files, &h);
        status = h.no_memory ? no_memory(b->e) : build(b, &h);
    }
    for (size_t i = 0; h.problem && i < b->list->count; i++)
        gh_free(h.problem[i]);
    gh_free(h.hash);
    gh_free(h.problem);
    return status;
}

gh_status gh_trainset_open(gh_trainset **out, const char *path, const gh_trainset_options *options, gh_err *e)
{
    gh_dataset *list = NULL;
    GH_TRY(gh_dataset_open(&list, path, e));
    builder b = {.t = gh_calloc(1, sizeof *b.t), .list = list, .strict = options->strict, .e = e};
    gh_status status = options->part ? gh_dataset_keep_part(list, options->part, e) : GH_OK;
    if (b.t)
        b.t->arena = gh_arena_new(ARENA_LIMIT);
    if (status == GH_OK && (!b.t || !b.t->arena))
        status = no_memory(e);
    if (status == GH_OK)
        status = read_list(&b, options);
    gh_symbols_free(&b.classes);
    gh_symbols_free(&b.groups);
    gh_symbols_free(&b.contents);
    gh_dataset_free(&list);
    if (status)
        gh_trainset_free(&b.t);
    else
        *out = b.t;
    return status;
}

void gh_trainset_free(gh_trainset **trainset)
{
    gh_trainset *t = *trainset;
    if (!t)
        return;
    gh_free(t->examples);
    gh_free(t->problems);
    gh_arena_free(&t->arena);
    gh_free(t);
    *trainset = NULL;
}
