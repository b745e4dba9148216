/* POST /segment: the mask as a PNG, or JSON with its regions. */
#include "http/route.h"
#include "http/task.h"

static gh_status options(gh_run_options *out, const gh_params *p, gh_err *e)
{
    out->limit = p->limit;
    /* Zero means the model's own threshold there; a request that says 0 wants every pixel. */
    out->threshold = (p->given & GH_P_THRESHOLD) && p->threshold <= 0 ? 1e-30 : p->threshold;
    out->output = (gh_mask_output)p->output;
    out->rle = p->mask == 1;
    if (out->rle && (p->given & GH_P_OUTPUT))
        return gh_fail(
            e, GH_ARG,
            "\"mask\" is rle, run lengths in JSON, and \"output\" names a picture; one of them goes");
    if (out->rle)
        out->output = GH_MASK_NONE;
    return GH_OK;
}

void gh_h_segment(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    static const gh_task_spec spec = {
        .task = GH_TASK_SEGMENT,
        .params =
            GH_P_ANNOTATE | GH_P_MODEL | GH_P_THRESHOLD | GH_P_LIMIT | GH_P_TIMEOUT | GH_P_OUTPUT | GH_P_MASK,
        .options = options,
        .masks = true,
    };
    gh_task_answer(&spec, app, req, w, reply);
}
