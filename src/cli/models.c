/* From what the user calls a model to its path. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "tasks/manifest.h"
#include "tasks/scan.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gh_cli_fail(const char *command, gh_status status, const gh_err *e)
{
    fprintf(stderr, "gharial %s: %s\n", command, e && e->text[0] ? e->text : gh_status_name(status));
    return gh_status_exit(status);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *gh_cli_models_dir(char *out, size_t size)
{
    static const char *const beside[] = {"../models", "../share/gharial/models"};
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(exe, '/');
    if (is_dir("models") || !slash) {
        snprintf(out, size, "models");
        return out;
    }
    *slash = '\0';
    for (size_t i = 0; i < GH_COUNT(beside); i++) {
        int n = snprintf(out, size, "%s/%s", exe, beside[i]);
        if (n > 0 && (size_t)n < size && is_dir(out))
            return out;
    }
    snprintf(out, size, "models");
    return out;
}

static bool has_manifest(const char *folder)
{
    char *path = gh_path_join(folder, "model.json");
    bool yes = path && access(path, R_OK) == 0;
    gh_free(path);
    return yes;
}

static bool is_path(const char *model)
{
    size_t len = strlen(model);
    return strchr(model, '/') || (len > 5 && strcmp(model + len - 5, ".onnx") == 0);
}

/* The names of all model folders, for a message. */
static gh_status not_found(const char *model, gh_task task, char *const *folders, size_t count, gh_err *e)
{
    char names[300] = "none; 'make models' fetches the default ones";
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *slash = strrchr(folders[i], '/'), *name = slash ? slash + 1 : folders[i];
        if (len + strlen(name) + 3 < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", len ? ", " : "", name);
    }
    if (!model)
        return gh_fail(e, GH_NOTFOUND, "no model is the default of task %s; --model names one of: %s",
                       gh_task_name(task), names);
    return gh_fail(e, GH_NOTFOUND, "there is no model '%.100s'; there are: %s", model, names);
}

/* True when the folder holds the model that is asked for: by its name, or the default one. */
static bool is_wanted(const char *folder, const char *model, gh_task task)
{
    const char *slash = strrchr(folder, '/');
    if (model)
        return strcmp(slash ? slash + 1 : folder, model) == 0;
    gh_manifest *m = NULL;
    gh_err ignored = {0};
    if (gh_manifest_read(&m, folder, &ignored) != GH_OK)
        return false;
    bool wanted = m->is_default && m->task == task && !m->internal;
    gh_manifest_free(&m);
    return wanted;
}

gh_status gh_cli_model_path(char **out, const char *model, const gh_opt_list *dirs, gh_err *e)
{
    return gh_cli_task_model_path(out, model, GH_TASK_CLASSIFY, dirs, e);
}

gh_status gh_cli_task_model_path(char **out, const char *model, gh_task task, const gh_opt_list *dirs,
                                 gh_err *e)
{
    char fallback[PATH_MAX], **folders = NULL, *path = NULL;
    const char *one = gh_cli_models_dir(fallback, sizeof fallback);
    size_t count = 0;
    gh_status status = GH_OK;
    if (!model || !is_path(model))
        status = dirs && dirs->count ? gh_scan_models(&folders, &count, dirs->items, dirs->count, e)
                                     : gh_scan_models(&folders, &count, &one, 1, e);
    if (status != GH_OK)
        return status;
    const char *found = model && is_path(model) ? model : NULL;
    for (size_t i = 0; i < count && !found; i++)
        if (is_wanted(folders[i], model, task))
            found = folders[i];
    if (!found && model && has_manifest(model))
        found = model;
    if (found)
        path = gh_strdup(found);
    if (!found)
        status = not_found(model, task, folders, count, e);
    else if (!path)
        status = gh_fail(e, GH_NOMEM, "memory ran out at a path");
    gh_scan_free(&folders, count);
    if (status == GH_OK)
        *out = path;
    return status;
}
