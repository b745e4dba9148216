/* All models of a process. A reload exchanges the whole set under the lock; models come and go by their
 * counts. */
#include "tasks/registry.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "tasks/model_parts.h"
#include "tasks/run.h"
#include "tasks/scan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct gh_registry {
    pthread_rwlock_t lock; /* of all below, once it is open */
    gh_model **models;     /* sorted by name; one reference each */
    char **folders;        /* in the order found, before sorting */
    size_t count;
    pthread_mutex_t reload; /* one at a time: it reads the old models without the lock above */
};

/* `text` without the folder's path, because clients see why a model failed. */
static char *without_path(const char *text, const char *folder)
{
    char *copy = gh_strdup(text);
    size_t len = strlen(folder);
    for (char *at = copy; at && len && (at = strstr(at, folder));) {
        size_t cut = len + (at[len] == '/');
        memmove(at, at + cut, strlen(at + cut) + 1);
    }
    return copy;
}

/* The last part of the path, where it can be a model's name. */
static char *folder_name(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    const char *base = slash ? slash + 1 : folder;
    return gh_strdup(gh_model_name_ok(base) ? base : "unnamed");
}

/* A model that only says why it is none; NULL when memory is short. */
static gh_model *failed_model(const char *folder, const gh_err *e)
{
    gh_model *m = gh_calloc(1, sizeof *m);
    gh_err ignored = {0};
    if (!m)
        return NULL;
    m->refs = 1;
    m->state = GH_MODEL_FAILED;
    m->failure = without_path(e->text, folder);
    if (gh_manifest_read(&m->manifest, folder, &ignored) == GH_OK) /* weights broken, manifest sound */
        m->name = gh_strdup(m->manifest->name);
    else
        m->name = folder_name(folder);
    if (!m->failure || !m->name)
        gh_model_put(&m);
    return m;
}

/* Opened in this order: networks, with the cuts that heads ask for; heads on them; pipelines of both. */
enum { NETWORKS, HEADS, PIPELINES, ROUNDS };

/* One opening of all folders. */
typedef struct loading {
    gh_registry *r, *old;       /* old may be NULL */
    char (*hash)[GH_HASH_TEXT]; /* of each network's file, or "" */
    char **name;                /* of each network, or NULL */
    char **body, **cut;         /* of each head: hash or name of what it stands on, and where; else NULL */
    bool *pipeline;
    int round;
    atomic_size_t next; /* folder that nobody has taken yet in this round */
} loading;

/* What the old registry has under the folder's name, ready to serve; NULL when there is none. */
static gh_model *old_model(const loading *l, const char *name)
{
    for (size_t i = 0; l->old && i < l->old->count; i++)
        if (strcmp(l->old->models[i]->name, name) == 0 && l->old->models[i]->state == GH_MODEL_READY)
            return l->old->models[i];
    return NULL;
}

static bool stands_on(const loading *l, size_t head, size_t at)
{
    const char *body = l->body[head];
    return body && *body && !l->cut[at] && !l->pipeline[at] &&
           (strcmp(body, l->hash[at]) == 0 || (l->name[at] && strcmp(body, l->name[at]) == 0));
}

/* The cuts of all heads that stand on this folder's network; each once. */
static size_t taps_for(const char **taps, const loading *l, size_t at)
{
    size_t n = 0;
    for (size_t i = 0; i < l->r->count && n < GH_MAX_TAPS; i++) {
        bool there = false;
        if (!stands_on(l, i, at))
            continue;
        for (size_t k = 0; k < n; k++)
            there |= strcmp(taps[k], l->cut[i]) == 0;
        if (!there)
            taps[n++] = l->cut[i];
    }
    return n;
}

static gh_model *body_for(const loading *l, size_t head)
{
    for (size_t i = 0; i < l->r->count; i++)
        if (stands_on(l, head, i) && l->r->models[i] && l->r->models[i]->state == GH_MODEL_READY)
            return l->r->models[i];
    return NULL;
}

static int round_of(const loading *l, size_t at)
{
    return l->pipeline[at] ? PIPELINES : l->cut[at] ? HEADS : NETWORKS;
}

/* A part of a pipeline among the models of this opening. */
static gh_status find_part(gh_model **out, const void *context, const char *name, gh_err *e)
{
    const loading *l = context;
    for (size_t i = 0; i < l->r->count; i++) {
        if (l->pipeline[i]) /* one of this round, which another thread may be loading */
            continue;
        gh_model *m = l->r->models[i];
        if (!m || strcmp(m->name, name) != 0)
            continue;
        if (m->state != GH_MODEL_READY)
            return gh_fail(e, GH_UNAVAILABLE, "it needs the model '%s', which did not load: %s", name,
                           m->failure ? m->failure : "?");
        *out = gh_model_ref(m);
        return GH_OK;
    }
    return gh_fail(e, GH_NOTFOUND,
                   "it needs the model '%s', which is not among the models, or is a pipeline itself", name);
}

/* True when every part of an old pipeline is what this opening has under that name; else says what is new. */
static bool same_parts(const loading *l, const gh_model *m)
{
    bool same = true;
    for (size_t i = 0; i < m->nparts && same; i++) {
        gh_model *now = NULL;
        same = find_part(&now, l, m->parts[i]->name, NULL) == GH_OK && now == m->parts[i];
        if (now && !same)
            gh_log(GH_LOG_INFO, "model '%s' changes over to the new '%s'", m->name, now->name);
        gh_model_put(&now);
    }
    return same;
}

/* A model of the old registry that is still what its files say; NULL when it has to be loaded. */
static gh_model *unchanged(const loading *l, size_t at, const gh_model *body, const char *const *taps,
                           size_t ntaps)
{
    gh_hash stamp = gh_model_stamp(l->r->folders[at]);
    for (size_t i = 0; l->old && i < l->old->count; i++) {
        gh_model *m = l->old->models[i];
        bool same = m->state == GH_MODEL_READY && m->stamp.high == stamp.high && m->stamp.low == stamp.low &&
                    m->body == body;
        for (size_t k = 0; same && k < ntaps; k++)
            same = gh_net_find_output(m->net, taps[k]) >= 0;
        if (same && same_parts(l, m))
            return m;
    }
    return NULL;
}

static gh_status load_one(gh_model **out, const loading *l, size_t at, gh_err *e)
{
    const char *taps[GH_MAX_TAPS];
    const char *folder = l->r->folders[at];
    size_t ntaps = l->round == NETWORKS ? taps_for(taps, l, at) : 0;
    gh_model *body = l->round == HEADS ? body_for(l, at) : NULL;
    if (l->round == HEADS && !body)
        return gh_fail(e, GH_NOTFOUND, "it is a head, and the body that it names is not among the models");
    gh_model *kept = unchanged(l, at, body, taps, ntaps);
    if (kept) {
        *out = gh_model_ref(kept);
        return GH_OK;
    }
    if (l->round == PIPELINES)
        return gh_model_open_pipeline(out, folder, find_part, l, true, e);
    return body ? gh_model_open_head(out, folder, body, true, e)
                : gh_model_open_tapped(out, folder, taps, ntaps, true, e);
}

/* Each thread takes the next folder when it is done with one: they differ much in what they take. */
static void load_some(void *arg, int begin, int end, int thread)
{
    loading *l = arg;
    gh_registry *r = l->r;
    (void)begin, (void)end, (void)thread;
    for (size_t i; (i = atomic_fetch_add(&l->next, 1)) < r->count;) {
        gh_err e = {0};
        uint64_t start = gh_now_ns();
        if (round_of(l, i) != l->round)
            continue;
        if (load_one(&r->models[i], l, i, &e) == GH_OK) {
            gh_log(GH_LOG_INFO, "model '%s' is ready after %.0f ms", r->models[i]->name,
                   (double)(gh_now_ns() - start) / 1e6);
            continue;
        }
        gh_log(GH_LOG_ERROR, "model in %s: %s", r->folders[i], e.text);
        r->models[i] = failed_model(r->folders[i], &e);
        gh_model *before = r->models[i] ? old_model(l, r->models[i]->name) : NULL;
        if (before) {
            gh_log(GH_LOG_WARN, "model '%s' goes on as it was before", before->name);
            gh_model_put(&r->models[i]);
            r->models[i] = gh_model_ref(before);
        }
    }
}

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the models");
}

/* What a head's folder says of its body. */
static gh_status survey_head(loading *l, size_t at, gh_err *e)
{
    gh_manifest *m = NULL;
    bool read = gh_manifest_read(&m, l->r->folders[at], NULL) == GH_OK;
    l->body[at] = gh_strdup(read && m->body ? m->body : "");
    l->cut[at] = gh_strdup(read && m->cut ? m->cut : "");
    gh_manifest_free(&m);
    return l->body[at] && l->cut[at] ? GH_OK : no_memory(e);
}

/* What a network may be called by; left empty where that cannot be read. */
static gh_status survey_network(loading *l, size_t at, gh_err *e)
{
    gh_manifest *m = NULL;
    if (!gh_model_file_hash(l->hash[at], l->r->folders[at]))
        l->hash[at][0] = '\0';
    if (gh_manifest_read(&m, l->r->folders[at], NULL) != GH_OK)
        return GH_OK;
    l->name[at] = gh_strdup(m->name);
    gh_manifest_free(&m);
    return l->name[at] ? GH_OK : no_memory(e);
}

/* Which folders are heads and what they stand on; networks are looked at only when there are heads. */
static gh_status survey(loading *l, gh_err *e)
{
    gh_registry *r = l->r;
    bool any = false;
    l->hash = gh_calloc(r->count + 1, sizeof *l->hash);
    l->name = gh_calloc(r->count + 1, sizeof *l->name);
    l->body = gh_calloc(r->count + 1, sizeof *l->body);
    l->cut = gh_calloc(r->count + 1, sizeof *l->cut);
    l->pipeline = gh_calloc(r->count + 1, sizeof *l->pipeline);
    if (!l->hash || !l->name || !l->body || !l->cut || !l->pipeline)
        return no_memory(e);
    for (size_t i = 0; i < r->count; i++) {
        l->pipeline[i] = gh_scan_is_pipeline(r->folders[i]);
        if (!gh_model_is_head(r->folders[i]))
            continue;
        any = true;
        GH_TRY(survey_head(l, i, e));
    }
    for (size_t i = 0; any && i < r->count; i++)
        if (!l->cut[i] && !l->pipeline[i])
            GH_TRY(survey_network(l, i, e));
    return GH_OK;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts && i < count; i++)
        gh_free(texts[i]);
    gh_free(texts);
}

static gh_status load_all(gh_registry *r, gh_registry *old, gh_pool *pool, gh_err *e)
{
    loading l = {.r = r, .old = old};
    gh_status status = survey(&l, e);
    for (l.round = NETWORKS; l.round < ROUNDS && status == GH_OK; l.round++) {
        atomic_store(&l.next, 0);
        gh_pool_for(pool, gh_pool_size(pool), load_some, &l);
    }
    free_texts(l.name, r->count);
    free_texts(l.body, r->count);
    free_texts(l.cut, r->count);
    gh_free(l.hash);
    gh_free(l.pipeline);
    return status;
}

static int by_name(const void *a, const void *b)
{
    const gh_model *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static gh_status check_loaded(gh_registry *r, gh_err *e)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->models[i])
            return gh_fail(e, GH_NOMEM, "memory ran out at the models");
    if (r->count > 0)
        qsort(r->models, r->count, sizeof *r->models, by_name);
    for (size_t i = 1; i < r->count; i++)
        if (strcmp(r->models[i - 1]->name, r->models[i]->name) == 0)
            return gh_fail(e, GH_ARG, "two models are called '%s'; a name may be there once",
                           r->models[i]->name);
    return GH_OK;
}

/* A registry of its own; `old` lends the models that have not changed. */
static gh_status open_all(gh_registry **out, gh_registry *old, const char *const *dirs, size_t ndirs,
                          gh_err *e)
{
    gh_registry *r = gh_calloc(1, sizeof *r);
    gh_pool *pool = NULL;
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at the models");
    pthread_rwlock_init(&r->lock, NULL);
    pthread_mutex_init(&r->reload, NULL);
    gh_status status = gh_scan_models(&r->folders, &r->count, dirs, ndirs, e);
    if (status == GH_OK) {
        r->models = gh_calloc(r->count, sizeof(gh_model *));
        status = r->models ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the models");
    }
    if (status == GH_OK && r->count > 1)
        status = gh_pool_new(&pool, 0, e);
    if (status == GH_OK)
        status = load_all(r, old, pool, e);
    if (status == GH_OK)
        status = check_loaded(r, e);
    gh_pool_free(&pool);
    if (status == GH_OK)
        *out = r;
    else
        gh_registry_free(&r);
    return status;
}

gh_status gh_registry_open(gh_registry **out, const char *const *dirs, size_t ndirs, gh_err *e)
{
    return open_all(out, NULL, dirs, ndirs, e);
}

/* Exchanges all models of both. */
static void swap(gh_registry *r, gh_registry *other)
{
    gh_model **models = r->models;
    char **folders = r->folders;
    size_t count = r->count;
    pthread_rwlock_wrlock(&r->lock);
    r->models = other->models;
    r->folders = other->folders;
    r->count = other->count;
    pthread_rwlock_unlock(&r->lock);
    other->models = models;
    other->folders = folders;
    other->count = count;
}

gh_status gh_registry_reload(gh_registry *r, const char *const *dirs, size_t ndirs, gh_err *e)
{
    gh_registry *fresh = NULL;
    pthread_mutex_lock(&r->reload);
    gh_status status = open_all(&fresh, r, dirs, ndirs, e);
    if (status == GH_OK)
        swap(r, fresh);
    pthread_mutex_unlock(&r->reload);
    gh_registry_free(&fresh);
    return status;
}
void gh_registry_free(gh_registry **r)
{
    if (!*r)
        return;
    for (size_t i = 0; i < (*r)->count && (*r)->models; i++)
        gh_model_put(&(*r)->models[i]);
    gh_free((*r)->models);
    gh_scan_free(&(*r)->folders, (*r)->count);
    pthread_rwlock_destroy(&(*r)->lock);
    pthread_mutex_destroy(&(*r)->reload);
    gh_free(*r);
    *r = NULL;
}

size_t gh_registry_count(gh_registry *r)
{
    pthread_rwlock_rdlock(&r->lock);
    size_t count = r->count;
    pthread_rwlock_unlock(&r->lock);
    return count;
}

gh_model *gh_registry_at(gh_registry *r, size_t i)
{
    pthread_rwlock_rdlock(&r->lock);
    gh_model *m = i < r->count ? gh_model_ref(r->models[i]) : NULL;
    pthread_rwlock_unlock(&r->lock);
    return m;
}

static gh_status take(gh_model **out, gh_model *m, gh_err *e)
{
    if (m->state != GH_MODEL_READY)
        return gh_fail(e, GH_UNAVAILABLE, "model '%s' did not load: %s", m->name,
                       m->failure ? m->failure : "?");
    *out = gh_model_ref(m);
    return GH_OK;
}

/* "a, b, c": the models that a request may name, of one task or of all (GH_TASK_COUNT). */
static void name_list(char *text, size_t size, const gh_registry *r, gh_task task)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < r->count; i++) {
        const gh_model *m = r->models[i];
        bool other_task = task != GH_TASK_COUNT && (!m->manifest || m->manifest->task != task);
        if (other_task || (m->manifest && m->manifest->internal) || len + strlen(m->name) + 3 > size)
            continue;
        strcpy(text + len, len ? ", " : "");
        strcat(text + len, m->name);
        len = strlen(text);
    }
    if (!len)
        strcpy(text, "none");
}

static gh_status find(gh_model **out, gh_registry *r, const char *name, gh_err *e)
{
    char names[300];
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->models[i]->name, name) == 0)
            return take(out, r->models[i], e);
    name_list(names, sizeof names, r, GH_TASK_COUNT);
    return gh_fail(e, GH_NOTFOUND, "there is no model '%.64s'; there are: %s", name, names);
}

static gh_status find_default(gh_model **out, gh_registry *r, gh_task task, gh_err *e)
{
    gh_model *only = NULL;
    char names[300];
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        gh_model *m = r->models[i];
        if (!m->manifest || m->manifest->task != task || m->manifest->internal)
            continue;
        if (m->manifest->is_default)
            return take(out, m, e);
        only = m;
        count++;
    }
    if (count == 1)
        return take(out, only, e);
    name_list(names, sizeof names, r, task);
    return gh_fail(e, GH_NOTFOUND, "no model is the default of task %s; name one of: %s", gh_task_name(task),
                   names);
}

gh_status gh_registry_find(gh_model **out, gh_registry *r, const char *name, gh_err *e)
{
    pthread_rwlock_rdlock(&r->lock);
    gh_status status = find(out, r, name, e);
    pthread_rwlock_unlock(&r->lock);
    return status;
}

gh_status gh_registry_default(gh_model **out, gh_registry *r, gh_task task, gh_err *e)
{
    pthread_rwlock_rdlock(&r->lock);
    gh_status status = find_default(out, r, task, e);
    pthread_rwlock_unlock(&r->lock);
    return status;
}

bool gh_registry_ready(gh_registry *r)
{
    bool ready = true;
    pthread_rwlock_rdlock(&r->lock);
    for (size_t i = 0; i < r->count; i++)
        ready = ready && r->models[i]->state == GH_MODEL_READY;
    pthread_rwlock_unlock(&r->lock);
    return ready;
}
