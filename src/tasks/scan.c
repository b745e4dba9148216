/* Finding model folders. */
#include "tasks/scan.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "tasks/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FOLDERS 4096

typedef struct list {
    char **items;
    size_t count;
    bool failed; /* memory ran out */
} list;

static bool is_file(list *l, const char *folder, const char *name)
{
    struct stat st;
    char *path = gh_path_join(folder, name);
    bool yes = path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    l->failed = l->failed || !path;
    gh_free(path);
    return yes;
}

bool gh_scan_is_pipeline(const char *folder)
{
    list ignored = {0};
    gh_buf text = {0};
    char *path = gh_path_join(folder, "model.json");
    bool yes = path && !is_file(&ignored, folder, "model.onnx") && !is_file(&ignored, folder, "head.onnx") &&
               gh_file_read(&text, path, GH_MAX_MANIFEST_BYTES, NULL) == GH_OK &&
               memmem(text.data, text.len, "\"pipeline\"", 10);
    gh_buf_free(&text);
    gh_free(path);
    return yes;
}

/* True when the model `name` has a folder beside this one whose weights were never fetched. */
static bool is_unfetched(list *l, const char *folder, const char *name)
{
    char relative[80];
    if (!gh_model_name_ok(name))
        return false;
    snprintf(relative, sizeof relative, "../%s", name);
    char *path = gh_path_join(folder, relative);
    bool yes = path && is_file(l, path, "model.json") && !is_file(l, path, "model.onnx") &&
               !is_file(l, path, "head.onnx") && !gh_scan_is_pipeline(path);
    l->failed = l->failed || !path;
    gh_free(path);
    return yes;
}

/* Of the models that a manifest in this folder names, one that was not fetched; or NULL. */
static const char *unfetched_of(list *l, const char *folder, const gh_manifest *m)
{
    if (m->body && is_unfetched(l, folder, m->body))
        return m->body;
    if (m->detector && is_unfetched(l, folder, m->detector))
        return m->detector;
    for (size_t i = 0; i < m->nsteps; i++)
        if (is_unfetched(l, folder, m->steps[i].model))
            return m->steps[i].model;
    return NULL;
}

/* The manifest of the model `name` beside this folder; NULL when it cannot be read. */
static gh_manifest *beside(list *l, const char *folder, const char *name)
{
    gh_manifest *m = NULL;
    char relative[80];
    snprintf(relative, sizeof relative, "../%s", name);
    char *path = gh_path_join(folder, relative);
    l->failed = l->failed || !path;
    if (path && gh_manifest_read(&m, path, NULL) != GH_OK)
        m = NULL;
    gh_free(path);
    return m;
}

/* True, and says so, when a head's body, or a part of a pipeline or that part's body, was never fetched: the
 * model is then no failure, it is not there either. */
static bool lacks_a_part(list *l, const char *folder)
{
    gh_manifest *m = NULL, *step = NULL;
    if (gh_manifest_read(&m, folder, NULL) != GH_OK)
        return false; /* opening it will say why */
    const char *part = unfetched_of(l, folder, m);
    for (size_t i = 0; i < m->nsteps && !part; i++) {
        gh_manifest_free(&step);
        step = beside(l, folder, m->steps[i].model);
        part = step ? unfetched_of(l, folder, step) : NULL;
    }
    if (part)
        gh_log(GH_LOG_INFO, "%s is skipped: the weights of '%s', which it stands on, were not fetched",
               folder, part);
    gh_manifest_free(&m);
    gh_manifest_free(&step);
    return part != NULL;
}

/* Takes `path` over. */
static void append(list *l, char *path)
{
    char **grown = path ? gh_realloc(l->items, l->count + 1, sizeof *grown) : NULL;
    if (!grown) {
        gh_free(path);
        l->failed = true;
        return;
    }
    grown[l->count++] = path;
    l->items = grown;
}

static void consider(list *l, char *folder)
{
    if (!folder) {
        l->failed = true;
    } else if (!is_file(l, folder, "model.json")) {
        gh_free(folder);
    } else if (!is_file(l, folder, "model.onnx") && !is_file(l, folder, "head.onnx") &&
               !gh_scan_is_pipeline(folder)) {
        gh_log(GH_LOG_INFO, "%s is skipped: its weights (model.onnx) were not fetched", folder);
        gh_free(folder);
    } else if (!is_file(l, folder, "model.onnx") && lacks_a_part(l, folder)) {
        gh_free(folder);
    } else {
        append(l, folder);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static gh_status scan_dir(list *l, const char *dir, gh_err *e)
{
    size_t first = l->count;
    if (is_file(l, dir, "model.json")) {
        consider(l, gh_strdup(dir));
        return GH_OK;
    }
    DIR *d = opendir(dir);
    if (!d)
        return gh_fail(e, GH_NOTFOUND, "the models folder '%.200s' cannot be read: %s", dir, strerror(errno));
    for (struct dirent *entry; (entry = readdir(d)) && l->count < MAX_FOLDERS;)
        if (entry->d_name[0] != '.')
            consider(l, gh_path_join(dir, entry->d_name));
    closedir(d);
    if (l->count > first)
        qsort(l->items + first, l->count - first, sizeof *l->items, by_text);
    return GH_OK;
}

gh_status gh_scan_models(char ***out, size_t *count, const char *const *dirs, size_t ndirs, gh_err *e)
{
    list l = {0};
    gh_status status = GH_OK;
    for (size_t i = 0; i < ndirs && status == GH_OK; i++)
        status = scan_dir(&l, dirs[i], e);
    if (status == GH_OK && l.failed)
        status = gh_fail(e, GH_NOMEM, "memory ran out at the models");
    if (status != GH_OK) {
        gh_scan_free(&l.items, l.count);
        return status;
    }
    *out = l.items;
    *count = l.count;
    return GH_OK;
}

void gh_scan_free(char ***folders, size_t count)
{
    for (size_t i = 0; *folders && i < count; i++)
        gh_free((*folders)[i]);
    gh_free(*folders);
    *folders = NULL;
}
