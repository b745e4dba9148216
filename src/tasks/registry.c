/* All models of a process. The set is fixed once it is open; models come and go by their counts. */
#include "tasks/registry.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "tasks/scan.h"

#include <stdlib.h>
#include <string.h>

struct gh_registry {
    gh_model **models; /* sorted by name; one reference each */
    char **folders;    /* in the order found, before sorting */
    size_t count;
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

static void load_range(void *arg, int begin, int end, int thread)
{
    gh_registry *r = arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        gh_err e = {0};
        uint64_t start = gh_now_ns();
        if (gh_model_open(&r->models[i], r->folders[i], true, &e) == GH_OK) {
            gh_log(GH_LOG_INFO, "model '%s' is ready after %.0f ms", r->models[i]->name,
                   (double)(gh_now_ns() - start) / 1e6);
            continue;
        }
        gh_log(GH_LOG_ERROR, "model in %s: %s", r->folders[i], e.text);
        r->models[i] = failed_model(r->folders[i], &e);
    }
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

gh_status gh_registry_open(gh_registry **out, const char *const *dirs, size_t ndirs, gh_err *e)
{
    gh_registry *r = gh_calloc(1, sizeof *r);
    gh_pool *pool = NULL;
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at the models");
    gh_status status = gh_scan_models(&r->folders, &r->count, dirs, ndirs, e);
    if (status == GH_OK) {
        r->models = gh_calloc(r->count, sizeof(gh_model *));
        status = r->models ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the models");
    }
    if (status == GH_OK && r->count > 1)
        status = gh_pool_new(&pool, 0, e);
    if (status == GH_OK) {
        gh_pool_for(pool, (int)r->count, load_range, r);
        status = check_loaded(r, e);
    }
    gh_pool_free(&pool);
    if (status == GH_OK)
        *out = r;
    else
        gh_registry_free(&r);
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
    gh_free(*r);
    *r = NULL;
}

size_t gh_registry_count(const gh_registry *r)
{
    return r->count;
}

gh_model *gh_registry_at(gh_registry *r, size_t i)
{
    GH_ASSERT(i < r->count);
    return gh_model_ref(r->models[i]);
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

gh_status gh_registry_find(gh_model **out, gh_registry *r, const char *name, gh_err *e)
{
    char names[300];
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->models[i]->name, name) == 0)
            return take(out, r->models[i], e);
    name_list(names, sizeof names, r, GH_TASK_COUNT);
    return gh_fail(e, GH_NOTFOUND, "there is no model '%.64s'; there are: %s", name, names);
}

gh_status gh_registry_default(gh_model **out, gh_registry *r, gh_task task, gh_err *e)
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

bool gh_registry_ready(gh_registry *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->models[i]->state != GH_MODEL_READY)
            return false;
    return true;
}
