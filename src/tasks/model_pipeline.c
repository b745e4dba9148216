/* Pipelines: a manifest that puts loaded models together. */
#include "tasks/model_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "tasks/kind.h"
#include "tasks/pipeline.h"
#include "tasks/scan.h"

#include <string.h>

/* A part is a single network or a head; so no pipeline can stand on itself, however many names lie between.
 */
static gh_status check_part(const gh_model *part, const gh_manifest *m, bool detector, gh_err *e)
{
    gh_task wanted = detector ? GH_TASK_LOCALIZE : GH_TASK_CLASSIFY;
    const char *what = detector ? "detector" : "step";
    if (part->nparts)
        return gh_fail(e, GH_FORMAT,
                       "model '%s': its %s '%s' is a pipeline itself; it takes a single network", m->name,
                       what, part->name);
    if (part->manifest->task != wanted)
        return gh_fail(e, GH_FORMAT, "model '%s': its %s '%s' is for the task %s; it takes one for %s",
                       m->name, what, part->name, gh_task_name(part->manifest->task), gh_task_name(wanted));
    if (!detector && part->manifest->nlabels > GH_MAX_STEP_LABELS)
        return gh_fail(e, GH_LIMIT, "model '%s': its step '%s' has %zu labels; at most %d are accepted",
                       m->name, part->name, part->manifest->nlabels, GH_MAX_STEP_LABELS);
    if (!detector && gh_net_outputs((part->body ? part->body : part)->net) > GH_MAX_TAPS)
        return gh_fail(e, GH_LIMIT, "model '%s': the network of its step '%s' has more than %d outputs",
                       m->name, part->name, GH_MAX_TAPS);
    return GH_OK;
}

static gh_status find_parts(gh_model *p, gh_part_fn find, const void *context, gh_err *e)
{
    const gh_manifest *m = p->manifest;
    p->parts = gh_calloc(m->nsteps + 1, sizeof(gh_model *));
    if (!p->parts)
        return gh_fail(e, GH_NOMEM, "memory ran out at a model");
    for (size_t i = 0; i <= m->nsteps; i++) {
        const char *name = i ? m->steps[i - 1].model : m->detector;
        gh_status status = strcmp(name, m->name) == 0 ? gh_fail(e, GH_FORMAT, "its %s is the pipeline itself",
                                                                i ? "step" : "detector")
                                                      : find(&p->parts[i], context, name, e);
        if (status != GH_OK)
            return gh_err_prefix(e, status, "model '%s'", m->name);
        p->nparts = i + 1;
        GH_TRY(check_part(p->parts[i], m, i == 0, e));
    }
    return GH_OK;
}

static gh_status fill(gh_model *p, const char *folder, gh_part_fn find, const void *context, gh_err *e)
{
    GH_TRY(gh_manifest_read(&p->manifest, folder, e));
    const gh_manifest *m = p->manifest;
    if (!m->detector)
        return gh_fail(e, GH_FORMAT, "model '%s' has neither a network nor a pipeline", m->name);
    if (!(p->name = gh_strdup(m->name)))
        return gh_fail(e, GH_NOMEM, "memory ran out at a model");
    GH_TRY(find_parts(p, find, context, e));
    if (m->selftest.input && (size_t)m->selftest.index >= p->parts[0]->manifest->nlabels)
        return gh_fail(e, GH_FORMAT, "model '%s': \"selftest.index\" is %d; its detector has %zu labels",
                       m->name, m->selftest.index, p->parts[0]->manifest->nlabels);
    p->state = GH_MODEL_READY;
    return GH_OK;
}

gh_status gh_model_open_pipeline(gh_model **out, const char *folder, gh_part_fn find, const void *context,
                                 bool with_selftest, gh_err *e)
{
    gh_model *p = gh_calloc(1, sizeof *p);
    if (!p)
        return gh_fail(e, GH_NOMEM, "memory ran out at a model");
    p->refs = 1;
    p->stamp = gh_model_stamp(folder);
    gh_status status = fill(p, folder, find, context, e);
    if (status == GH_OK && with_selftest)
        status = gh_model_selftest(p, e);
    if (status == GH_OK)
        *out = p;
    else
        gh_model_put(&p);
    return status;
}

/* Where a pipeline that is opened by itself looks for its parts. */
typedef struct places {
    const char *const *dirs;
    size_t ndirs;
} places;

static gh_status find_on_disk(gh_model **out, const void *context, const char *name, gh_err *e)
{
    const places *p = context;
    char **folders = NULL;
    const char *found = NULL;
    size_t count = 0;
    GH_TRY(gh_scan_models(&folders, &count, p->dirs, p->ndirs, e));
    for (size_t i = 0; i < count && !found; i++)
        if (gh_model_is_called(folders[i], name))
            found = folders[i];
    gh_status status = GH_OK;
    if (!found)
        status =
            gh_fail(e, GH_NOTFOUND,
                    "it needs the model '%s', which is not among the models beside it; is it fetched?", name);
    else if (gh_scan_is_pipeline(found))
        status = gh_fail(e, GH_FORMAT, "it needs '%s', which is a pipeline itself; it takes single networks",
                         name);
    else
        status = gh_model_open_among(out, found, p->dirs, p->ndirs, false, e);
    gh_scan_free(&folders, count);
    return status;
}

gh_status gh_model_open_lone_pipeline(gh_model **out, const char *folder, const char *const *dirs,
                                      size_t ndirs, bool with_selftest, gh_err *e)
{
    char *parent = gh_path_join(folder, "..");
    const char **all = gh_calloc(ndirs + 1, sizeof *all);
    gh_status status = parent && all ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at a model");
    if (status == GH_OK) {
        all[0] = parent;
        for (size_t i = 0; i < ndirs; i++)
            all[i + 1] = dirs[i];
        const places p = {all, ndirs + 1};
        status = gh_model_open_pipeline(out, folder, find_on_disk, &p, with_selftest, e);
    }
    gh_free(all);
    gh_free(parent);
    return status;
}
