/* Several models of boxes on one picture, and one list of all that they find. */
#include "tasks/detect.h"

#include "base/mem.h"

#include <string.h>

/* Objects of all parts, the largest first. They go on borrowing from their parts. */
static gh_status gather(gh_result *r, int limit, gh_err *e)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < r->nparts; i++)
        total += r->parts[i]->nobjects;
    r->objects = gh_calloc(total ? total : 1, sizeof *r->objects);
    if (!r->objects)
        return gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    for (size_t i = 0; i < r->nparts; at += r->parts[i++]->nobjects)
        if (r->parts[i]->nobjects)
            memcpy(r->objects + at, r->parts[i]->objects, r->parts[i]->nobjects * sizeof *r->objects);
    gh_detect_sort(r->objects, total, GH_SORT_AREA);
    r->nobjects = limit > 0 && (size_t)limit < total ? (size_t)limit : total;
    return GH_OK;
}

static void add_part(gh_result *r, gh_result *part)
{
    r->parts[r->nparts++] = part;
    r->width = part->width;
    r->height = part->height;
    r->truncated |= part->truncated;
    r->decode_ms += part->decode_ms;
    r->preproc_ms += part->preproc_ms;
    r->infer_ms += part->infer_ms;
    r->crops_ms += part->crops_ms;
    r->has_crops |= part->has_crops;
}

gh_status gh_run_merged(gh_result **out, gh_worker *w, gh_model *const *models, size_t n, const uint8_t *data,
                        size_t len, const gh_image_limits *limits, const gh_run_options *options, gh_err *e)
{
    gh_status status = GH_OK;
    if (n == 1)
        return gh_run(out, w, models[0], data, len, limits, options, e);
    gh_result *r = gh_calloc(1, sizeof *r);
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at a result");
    r->model = gh_model_ref(models[0]);
    r->task = GH_TASK_LOCALIZE;
    r->parts = gh_calloc(n, sizeof(gh_result *));
    if (!r->parts)
        status = gh_fail(e, GH_NOMEM, "memory ran out at a result");
    for (size_t i = 0; i < n && status == GH_OK; i++) {
        gh_result *part = NULL;
        status = gh_run(&part, w, models[i], data, len, limits, options, e);
        if (status == GH_OK)
            add_part(r, part);
    }
    if (status == GH_OK)
        status = gather(r, options ? options->limit : 0, e);
    if (status == GH_OK)
        *out = r;
    else
        gh_result_free(&r);
    return status;
}
