/* POST /classify: labels with probabilities, best first. */
#include "http/route.h"
#include "http/task.h"

static gh_status options(gh_run_options *out, const gh_params *p, gh_err *e)
{
    (void)e;
    out->top = p->top;
    out->limit = p->limit;
    /* Zero means the model's own threshold there; a request that says 0 wants every label. */
    out->threshold = (p->given & GH_P_THRESHOLD) && p->threshold <= 0 ? 1e-30 : p->threshold;
    return GH_OK;
}

void gh_h_classify(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    static const gh_task_spec spec = {
        .task = GH_TASK_CLASSIFY,
        .params = GH_P_MODEL | GH_P_TOP | GH_P_THRESHOLD | GH_P_LIMIT | GH_P_TIMEOUT | GH_P_ANNOTATE,
        .options = options,
    };
    gh_task_answer(&spec, app, req, w, reply);
}
