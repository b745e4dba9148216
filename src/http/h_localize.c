/* POST /localize: boxes, faces the largest first, other things the best first. */
#include "http/route.h"
#include "http/task.h"

/* Zero means the model's own there; a request that says 0 wants every box, or none to overlap at all. */
static double given(const gh_params *p, unsigned flag, double value)
{
    return (p->given & flag) && value <= 0 ? 1e-30 : value;
}

static gh_status options(gh_run_options *out, const gh_params *p, gh_err *e)
{
    (void)e;
    out->limit = p->limit;
    out->threshold = given(p, GH_P_THRESHOLD, p->threshold);
    out->nms = given(p, GH_P_NMS, p->nms);
    out->max_side = p->max_side;
    out->no_emotions = (p->given & GH_P_EMOTIONS) && !p->emotions;
    return GH_OK;
}

void gh_h_localize(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    static const gh_task_spec spec = {
        .task = GH_TASK_LOCALIZE,
        .params = GH_P_MODEL | GH_P_THRESHOLD | GH_P_LIMIT | GH_P_TIMEOUT | GH_P_NMS | GH_P_MAX_SIDE |
                  GH_P_EMOTIONS | GH_P_ANNOTATE,
        .options = options,
        .merges = true,
        .draws = true,
    };
    gh_task_answer(&spec, app, req, w, reply);
}
