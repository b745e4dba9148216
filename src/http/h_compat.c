/* POST /v1/vision/detection and /v1/vision/face as DeepStack has them, which software of home cameras calls:
 * part `image`, field `min_confidence`; corners instead of sizes in the reply. */
#include "http/route.h"
#include "http/task.h"

static gh_status options(gh_run_options *out, const gh_params *p, gh_err *e)
{
    (void)e;
    out->threshold = (p->given & GH_P_MIN_CONFIDENCE) && p->threshold <= 0 ? 1e-30 : p->threshold;
    out->no_emotions = true; /* no place in the reply */
    return GH_OK;
}

static gh_status write(gh_buf *out, const gh_result *r, gh_err *e)
{
    gh_buf_str(out, "{\"success\":true,\"predictions\":[");
    for (size_t i = 0; i < r->nobjects; i++) {
        const gh_object *o = &r->objects[i];
        gh_buf_str(out, i ? ",{\"label\":" : "{\"label\":");
        gh_json_string(out, o->label);
        gh_buf_printf(out, ",\"confidence\":%.6f,\"x_min\":%d,\"y_min\":%d,\"x_max\":%d,\"y_max\":%d}",
                      (double)o->score, o->x, o->y, o->x + o->w, o->y + o->h);
    }
    gh_buf_printf(out, "],\"duration\":%.0f}", r->decode_ms + r->preproc_ms + r->infer_ms);
    return out->failed ? gh_fail(e, GH_NOMEM, "memory ran out at a reply") : GH_OK;
}

#define PARAMS (GH_P_MIN_CONFIDENCE | GH_P_TIMEOUT)

void gh_h_compat_detection(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    static const gh_task_spec spec = {.task = GH_TASK_LOCALIZE,
                                      .params = PARAMS,
                                      .merges = true,
                                      .model = "objects",
                                      .write = write,
                                      .options = options};
    gh_task_answer(&spec, app, req, w, reply);
}

void gh_h_compat_face(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    static const gh_task_spec spec = {
        .task = GH_TASK_LOCALIZE, .params = PARAMS, .merges = true, .write = write, .options = options};
    gh_task_answer(&spec, app, req, w, reply);
}
