/* Pictures in, replies out: the part of a task endpoint that does not depend on the task. One picture and one
 * model give the reply itself; several of either give "results". */
#include "http/task.h"

#include "base/cpu.h"
#include "http/accept.h"
#include "http/mask.h"
#include "tasks/annotate.h"

#include <stdio.h>
#include <string.h>

/* JPEGs within one reply, in bytes of base64: 32 pictures of 50 megapixels may come in one small request. */
#define MOST_DRAWN ((size_t)96 << 20)

/* What annotate=1 makes of a reply. */
typedef enum drawing { DRAW_NOTHING, DRAW_JPEG, DRAW_PNG, DRAW_WITHIN_JSON } drawing;

typedef struct answer {
    const gh_task_spec *spec;
    gh_app *app;
    gh_http_request *req;
    gh_worker *worker;
    gh_input input;
    gh_run_options options;
    gh_model *models[GH_MAX_MODELS]; /* references */
    int nmodels;
    drawing drawing;
    size_t drawn;                                    /* bytes of base64 so far */
    double decode_ms, infer_ms, crops_ms, encode_ms; /* sums over all pictures */
    bool has_crops, truncated;
} answer;

uint64_t gh_task_deadline_ms(const gh_app *app, const gh_http_request *req)
{
    gh_params p = {.timeout_ms = app->options.deadline_ms};
    for (size_t i = 0; i < req->nquery; i++)
        if (gh_params_set(&p, GH_P_TIMEOUT, req->query[i].name, strlen(req->query[i].name),
                          req->query[i].value, strlen(req->query[i].value), NULL) != GH_OK)
            break; /* the worker will refuse the request with a sentence */
    return (uint64_t)(p.timeout_ms < app->options.deadline_ms ? p.timeout_ms : app->options.deadline_ms);
}

static gh_status check_deadline(const answer *a, gh_err *e)
{
    const gh_http_request *req = a->req;
    if (!req->deadline_ns || gh_now_ns() <= req->deadline_ns)
        return GH_OK;
    gh_metrics_reject(a->app->metrics, GH_REJECT_DEADLINE);
    return gh_fail(e, GH_TIMEOUT, "the deadline of %d ms passed",
                   (int)((req->deadline_ns - req->received_ns) / 1000000));
}

/* A form or JSON field names the time limit only now; the clock has been running since the last byte. */
static void lower_deadline(answer *a)
{
    uint64_t asked = a->req->received_ns + (uint64_t)a->input.params.timeout_ms * 1000000;
    if ((a->input.params.given & GH_P_TIMEOUT) && asked < a->req->deadline_ns)
        a->req->deadline_ns = asked;
}

/* Any model that knows its features embeds, so the default of task classify does where there is no own one.
 */
static gh_status default_model(gh_model **out, gh_registry *all, gh_task task, gh_err *e)
{
    gh_status status = gh_registry_default(out, all, task, e);
    return status == GH_NOTFOUND && task == GH_TASK_EMBED ? gh_registry_default(out, all, GH_TASK_CLASSIFY, e)
                                                          : status;
}

static gh_status check_task(const gh_model *m, gh_task task, gh_err *e)
{
    if (task == GH_TASK_EMBED && gh_model_features(m) < 0)
        return gh_fail(e, GH_ARG,
                       "the model %s has no feature vector; models of the task classify may have one",
                       m->name);
    if (task != GH_TASK_EMBED && m->manifest->task != task)
        return gh_fail(e, GH_ARG, "the model %s is for the task %s, not %s", m->name,
                       gh_task_name(m->manifest->task), gh_task_name(task));
    return GH_OK;
}

static gh_status add_model(answer *a, const char *name, gh_err *e)
{
    gh_registry *all = atomic_load(&a->app->models);
    gh_model *m = NULL;
    GH_TRY(name ? gh_registry_find(&m, all, name, e) : default_model(&m, all, a->spec->task, e));
    a->models[a->nmodels++] = m;
    if (m->manifest->internal)
        return gh_fail(e, GH_NOTFOUND, "the model %s is a part of others and takes no requests", m->name);
    return check_task(m, a->spec->task, e);
}

static gh_status find_models(answer *a, gh_err *e)
{
    const gh_params *p = &a->input.params;
    if (p->nmodels == 0)
        return add_model(a, a->spec->model, e);
    for (int i = 0; i < p->nmodels; i++)
        GH_TRY(add_model(a, p->models[i], e));
    return GH_OK;
}

static void count(answer *a, const gh_result *result)
{
    double decode = result->decode_ms + result->preproc_ms;
    a->decode_ms += decode;
    a->infer_ms += result->infer_ms;
    gh_metrics_stage(a->app->metrics, GH_STAGE_DECODE, decode);
    gh_metrics_stage(a->app->metrics, GH_STAGE_INFER, result->infer_ms);
    a->truncated |= result->truncated;
    gh_metrics_pixels(a->app->metrics, (double)result->width * result->height);
    if (result->has_crops) {
        a->has_crops = true;
        a->crops_ms += result->crops_ms;
        gh_metrics_stage(a->app->metrics, GH_STAGE_CROPS, result->crops_ms);
    }
    if (result->encode_ms > 0) {
        a->encode_ms += result->encode_ms;
        gh_metrics_stage(a->app->metrics, GH_STAGE_ENCODE, result->encode_ms);
    }
}

/* A batch is always JSON; else what Accept prefers, of an image and JSON that are as welcome the image. */
static gh_status choose_drawing(answer *a, gh_err *e)
{
    static const char *const types[] = {"image/jpeg", "image/png"};
    const char *accept = a->req->headers[GH_H_ACCEPT];
    if (!a->input.params.annotate)
        return GH_OK;
    if (!a->spec->draws)
        return gh_fail(
            e, GH_ARG,
            "\"annotate\" draws boxes on the picture, which only /localize finds; the task here is "
            "%s",
            gh_task_name(a->spec->task));
    size_t best = gh_accept_choose(accept, types, GH_COUNT(types));
    int json = gh_accept_weight(accept, "application/json");
    int image = best < GH_COUNT(types) ? gh_accept_weight(accept, types[best]) : 0;
    a->drawing = a->input.batch || json > image ? DRAW_WITHIN_JSON : best == 1 ? DRAW_PNG : DRAW_JPEG;
    return GH_OK;
}

static gh_status draw(gh_buf *out, answer *a, gh_result *result, const gh_picture *picture, gh_err *e)
{
    gh_image_format format = a->drawing == DRAW_PNG ? GH_IMAGE_PNG : GH_IMAGE_JPEG;
    return gh_annotate(out, result, picture->data, picture->len, &a->app->options.limits, format, e);
}

/* The JSON, and the picture as its last member. */
static gh_status write_with_picture(gh_buf *out, answer *a, const gh_result *result, const gh_buf *picture,
                                    gh_err *e)
{
    a->drawn += picture->len / 3 * 4;
    if (a->drawn > MOST_DRAWN)
        return gh_fail(e, GH_LIMIT,
                       "the annotated pictures of one reply are over %d MiB; send fewer at a time",
                       (int)(MOST_DRAWN >> 20));
    GH_TRY(gh_result_json(out, result, a->req->queue_ms, NULL, e));
    out->len--; /* its closing brace */
    gh_buf_str(out, ",\"annotated\":\"");
    gh_buf_base64(out, picture->data, picture->len);
    gh_buf_str(out, "\"}");
    return out->failed ? gh_fail(e, GH_NOMEM, "memory ran out at a reply") : GH_OK;
}

/* Draws where it is asked for, then writes the reply. */
static gh_status write_result(gh_buf *out, answer *a, gh_result *result, const gh_picture *picture, gh_err *e)
{
    gh_buf drawn = {0};
    gh_status status = a->drawing == DRAW_NOTHING       ? GH_OK
                       : a->drawing == DRAW_WITHIN_JSON ? draw(&drawn, a, result, picture, e)
                                                        : draw(out, a, result, picture, e);
    count(a, result);
    if (status == GH_OK)
        status = check_deadline(a, e);
    if (status == GH_OK && a->drawing == DRAW_NOTHING)
        status = a->spec->write ? a->spec->write(out, result, e)
                                : gh_result_json(out, result, a->req->queue_ms, NULL, e);
    else if (status == GH_OK && a->drawing == DRAW_WITHIN_JSON)
        status = write_with_picture(out, a, result, &drawn, e);
    gh_buf_free(&drawn);
    return status;
}

/* One picture through one model, or through several that merge, within the deadline. */
static gh_status run(gh_result **out, answer *a, const gh_picture *picture, gh_model *const *models, int n,
                     gh_err *e)
{
    gh_result *result = NULL;
    if (picture->fault.status != GH_OK)
        return gh_fail(e, picture->fault.status, "%s", picture->fault.text);
    GH_TRY(check_deadline(a, e));
    GH_TRY(gh_run_merged(&result, a->worker, models, (size_t)n, picture->data, picture->len,
                         &a->app->options.limits, &a->options, e));
    gh_status status = check_deadline(a, e);
    if (status == GH_OK) {
        *out = result;
        return GH_OK;
    }
    count(a, result);
    gh_result_free(&result);
    return status;
}

/* Appends the reply in JSON. */
static gh_status run_models(gh_buf *out, answer *a, const gh_picture *picture, gh_model *const *models, int n,
                            gh_err *e)
{
    gh_result *result = NULL;
    a->options.held_bytes = out->len;
    gh_status status = run(&result, a, picture, models, n, e);
    if (status == GH_OK)
        status = write_result(out, a, result, picture, e);
    gh_result_free(&result);
    return status;
}

/* {"results":[...]} of one picture through all models, or the one reply. */
static gh_status run_picture(gh_buf *out, answer *a, const gh_picture *picture, gh_err *e)
{
    if (a->nmodels == 1 || a->spec->merges)
        return run_models(out, a, picture, a->models, a->nmodels, e);
    gh_status status = GH_OK;
    gh_worker_share(a->worker);
    gh_buf_str(out, "{\"results\":[");
    for (int i = 0; i < a->nmodels && status == GH_OK; i++) {
        gh_buf_str(out, i ? "," : "");
        status = run_models(out, a, picture, &a->models[i], 1, e);
    }
    gh_buf_str(out, "]}");
    gh_worker_unshare(a->worker);
    return status;
}

/* Every picture in its place; one that fails gives its error there, and what it had written is taken back.
 * What nobody waits for any more is not begun. */
static gh_status run_batch(gh_buf *out, answer *a, gh_err *e)
{
    gh_buf_str(out, "{\"results\":[");
    for (size_t i = 0; i < a->input.count; i++) {
        gh_err fault = {0};
        if (i > 0 && atomic_load(&a->req->gone)) {
            gh_metrics_reject(a->app->metrics, GH_REJECT_CLIENT_GONE);
            return gh_fail(e, GH_UNAVAILABLE, "the client hung up after %zu of %zu pictures", i,
                           a->input.count);
        }
        gh_buf_str(out, i ? "," : "");
        size_t before = out->len;
        if (run_picture(out, a, &a->input.pictures[i], &fault) == GH_OK)
            continue;
        out->len = before;
        gh_buf_str(out, "{\"error\":");
        gh_json_string(out, fault.text);
        gh_buf_printf(out, ",\"status\":%d}", gh_status_http(fault.status));
    }
    gh_buf_str(out, "]}");
    return GH_OK;
}

/* The mask as the reply's body, and what its numbers mean. */
static gh_status reply_picture(gh_http_reply *reply, answer *a, gh_err *e)
{
    gh_result *result = NULL;
    GH_TRY(run(&result, a, &a->input.pictures[0], a->models, 1, e));
    count(a, result);
    gh_mask_headers(reply, result);
    gh_buf_free(&reply->body);
    reply->body = result->picture;
    result->picture = (gh_buf){0};
    reply->status = 200;
    reply->type = "image/png";
    gh_result_free(&result);
    return GH_OK;
}

static gh_status fill_reply(gh_http_reply *reply, answer *a, gh_err *e)
{
    GH_TRY(check_deadline(a, e));
    GH_TRY(gh_input_read(&a->input, a->req, a->spec->params, e));
    lower_deadline(a);
    GH_TRY(choose_drawing(a, e));
    GH_TRY(find_models(a, e));
    GH_TRY(a->spec->options(&a->options, &a->input.params, e));
    a->options.no_emotions |= a->app->options.no_emotions;
    a->options.deadline_ns = a->req->deadline_ns;
    if (a->spec->masks && !a->input.batch && a->nmodels == 1 && !a->options.rle &&
        gh_accepts_picture(a->req->headers[GH_H_ACCEPT]))
        return reply_picture(reply, a, e);
    a->options.as_json = a->options.regions = true;
    if (a->input.batch)
        GH_TRY(run_batch(&reply->body, a, e));
    else
        GH_TRY(run_picture(&reply->body, a, &a->input.pictures[0], e));
    bool image = a->drawing == DRAW_JPEG || a->drawing == DRAW_PNG;
    gh_buf_str(&reply->body, image ? "" : "\n");
    if (image && a->truncated)
        gh_reply_warn_truncated(reply);
    reply->status = 200;
    reply->type = !image ? "application/json" : a->drawing == DRAW_PNG ? "image/png" : "image/jpeg";
    return GH_OK;
}

/* "infer" is the network, of a pipeline its detector; "crops" all further steps; "encode" draws, too. */
static void add_timing(gh_http_reply *reply, const answer *a)
{
    char crops[40] = "", encode[40] = "";
    if (a->has_crops)
        snprintf(crops, sizeof crops, ", crops;dur=%.3f", a->crops_ms);
    if (a->encode_ms > 0)
        snprintf(encode, sizeof encode, ", encode;dur=%.3f", a->encode_ms);
    gh_reply_header(reply, "Server-Timing", "decode;dur=%.3f, queue;dur=%.3f, infer;dur=%.3f%s%s",
                    a->decode_ms, a->req->queue_ms, a->infer_ms, crops, encode);
}

void gh_task_answer(const gh_task_spec *spec, gh_app *app, gh_http_request *req, gh_worker *w,
                    gh_http_reply *reply)
{
    answer a = {.spec = spec, .app = app, .req = req, .worker = w};
    gh_err e = {0};
    if (fill_reply(reply, &a, &e) == GH_OK)
        add_timing(reply, &a);
    else
        gh_reply_error(reply, req, &e);
    for (int i = 0; i < a.nmodels; i++)
        gh_model_put(&a.models[i]);
    gh_input_free(&a.input);
}
