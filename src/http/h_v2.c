/* The Open Inference Protocol v2, as KServe, Triton and their clients speak it: models as tensors in, tensors
 * out (https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol). */
#include "base/cpu.h"
#include "http/route.h"
#include "http/v2.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void gh_h_v2(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)app, (void)req, (void)w;
    reply->status = 200;
    reply->type = "application/json";
    gh_buf_str(&reply->body, "{\"name\":\"gharial\",\"version\":");
    gh_json_string(&reply->body, gh_version());
    gh_buf_str(&reply->body, ",\"extensions\":[\"binary_tensor_data\"]}\n");
}

/* The model of the path, or NULL and a problem in the reply. */
static gh_model *find(gh_app *app, const gh_http_request *req, gh_http_reply *reply)
{
    gh_registry *models = atomic_load(&app->models);
    gh_model *m = NULL;
    gh_err e = {0};
    if (!models) {
        gh_reply_problem(reply, req, 503, "the server is still loading its models");
        return NULL;
    }
    gh_status status = gh_registry_find(&m, models, req->param, &e);
    if (status == GH_OK && !m->net)
        status =
            gh_fail(&e, GH_NOTFOUND, "the model %s is a pipeline; it takes pictures, not tensors", m->name);
    if (status == GH_OK)
        return m;
    gh_model_put(&m);
    gh_reply_error(reply, req, &e);
    return NULL;
}

static void describe(gh_buf *out, const char *key, const gh_model *m, size_t count,
                     const gh_value *(*at)(const gh_model *m, size_t i))
{
    gh_buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        const gh_value *v = at(m, i);
        const char *type = gh_v2_type_name(v->type);
        gh_buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        gh_json_string(out, v->name);
        gh_buf_printf(out, ",\"datatype\":\"%s\",\"shape\":[", type ? type : gh_dtype_name(v->type));
        for (int d = 0; d < v->shape.rank; d++)
            gh_buf_printf(out, "%s%" PRId64, d ? "," : "", v->shape.dims[d]);
        gh_buf_str(out, "]}");
    }
    gh_buf_str(out, "]");
}

void gh_h_v2_model(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)w;
    gh_model *m = find(app, req, reply);
    if (!m)
        return;
    reply->status = 200;
    reply->type = "application/json";
    gh_buf *out = &reply->body;
    gh_buf_str(out, "{\"name\":");
    gh_json_string(out, m->name);
    gh_buf_str(out, ",\"versions\":[");
    gh_json_string(out, m->manifest->version);
    gh_buf_str(out, "],\"platform\":\"onnx\"");
    describe(out, "inputs", m, gh_raw_inputs(m), gh_raw_input);
    describe(out, "outputs", m, gh_raw_outputs(m), gh_raw_output);
    gh_buf_str(out, "}\n");
    gh_model_put(&m);
}

void gh_h_v2_model_ready(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)w;
    gh_model *m = find(app, req, reply);
    if (!m)
        return;
    reply->status = 200;
    reply->type = "application/json";
    gh_buf_str(&reply->body, "{\"name\":");
    gh_json_string(&reply->body, m->name);
    gh_buf_str(&reply->body, ",\"ready\":true}\n");
    gh_model_put(&m);
}

/* The request's tensors in the order of the model's inputs. */
static gh_status order_inputs(gh_tensor *ordered, const gh_v2_request *q, const gh_model *m, gh_err *e)
{
    size_t n = gh_raw_inputs(m);
    if (q->ninputs != n)
        return gh_fail(e, GH_ARG, "the request has %zu inputs; the model %s takes %zu", q->ninputs, m->name,
                       n);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < n && strcmp(q->inputs[k].name, gh_raw_input(m, i)->name) != 0)
            k++;
        if (k == n)
            return gh_fail(e, GH_ARG, "the input '%.60s' of the model %s is missing",
                           gh_raw_input(m, i)->name, m->name);
        ordered[i] = q->inputs[k].tensor;
    }
    return GH_OK;
}

static gh_status check_outputs(const gh_v2_request *q, const gh_model *m, gh_err *e)
{
    const char *names[GH_V2_MAX_TENSORS];
    size_t n = gh_raw_outputs(m);
    if (n > GH_V2_MAX_TENSORS)
        return gh_fail(e, GH_UNSUPPORTED, "the model %s has %zu outputs; at most %d are given", m->name, n,
                       GH_V2_MAX_TENSORS);
    for (size_t i = 0; i < n; i++) {
        names[i] = gh_raw_output(m, i)->name;
        if (gh_v2_wants(q, names[i]) && !gh_raw_type(gh_raw_output(m, i)->type))
            return gh_fail(e, GH_UNSUPPORTED,
                           "the output '%.60s' is %s, which the protocol cannot carry here", names[i],
                           gh_dtype_name(gh_raw_output(m, i)->type));
    }
    const char *unknown = gh_v2_unknown_output(q, names, n);
    return unknown ? gh_fail(e, GH_ARG, "the model %s has no output '%.60s'", m->name, unknown) : GH_OK;
}

/* JSON, then the bytes of those outputs that come as bytes. */
static void write_reply(gh_http_reply *reply, const gh_v2_request *q, const gh_model *m,
                        const gh_raw_result *r)
{
    gh_buf *out = &reply->body;
    bool first = true, binary = false;
    gh_buf_str(out, "{\"model_name\":");
    gh_json_string(out, m->name);
    gh_buf_str(out, ",\"model_version\":");
    gh_json_string(out, m->manifest->version);
    if (q->id) {
        gh_buf_str(out, ",\"id\":");
        gh_json_string(out, q->id);
    }
    gh_buf_str(out, ",\"outputs\":[");
    for (size_t i = 0; i < r->count; i++) {
        const char *name = gh_raw_output(m, i)->name;
        if (!gh_v2_wants(q, name))
            continue;
        gh_buf_str(out, first ? "" : ",");
        gh_v2_write(out, name, &r->outputs[i], gh_v2_binary(q, name));
        binary |= gh_v2_binary(q, name);
        first = false;
    }
    gh_buf_str(out, "]}");
    if (binary)
        gh_reply_header(reply, "Inference-Header-Content-Length", "%zu", out->len);
    for (size_t i = 0; i < r->count; i++) {
        const char *name = gh_raw_output(m, i)->name;
        size_t count = 0;
        if (gh_v2_wants(q, name) && gh_v2_binary(q, name) && gh_shape_count(&count, &r->outputs[i].shape))
            gh_buf_add(out, r->outputs[i].data, count * gh_dtype_size(r->outputs[i].type));
    }
    reply->status = 200;
    reply->type = binary ? "application/octet-stream" : "application/json";
}

static gh_status header_length(size_t *out, const gh_http_request *req, gh_err *e)
{
    const char *text = req->headers[GH_H_INFERENCE_LENGTH];
    char *end = NULL;
    if (!text)
        return GH_OK;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n == 0 || n > req->body_len)
        return gh_fail(
            e, GH_ARG,
            "Inference-Header-Content-Length must be 1 to %zu, the length of the body; got \"%.20s\"",
            req->body_len, text);
    *out = (size_t)n;
    return GH_OK;
}

static gh_status infer(gh_http_reply *reply, gh_app *app, const gh_http_request *req, gh_worker *w,
                       gh_model *m, gh_v2_request *q, gh_err *e)
{
    gh_tensor ordered[GH_V2_MAX_TENSORS];
    gh_raw_result r = {0};
    size_t json_len = 0, most = app->options.limits.max_work;
    GH_TRY(header_length(&json_len, req, e));
    GH_TRY(gh_v2_read(q, req->body, req->body_len, json_len, most, e));
    GH_TRY(order_inputs(ordered, q, m, e));
    GH_TRY(check_outputs(q, m, e));
    GH_TRY(gh_raw_run(&r, w, m, ordered, most, e));
    gh_metrics_stage(app->metrics, GH_STAGE_INFER, r.infer_ms);
    if (req->deadline_ns && gh_now_ns() > req->deadline_ns) {
        gh_raw_free(&r);
        gh_metrics_reject(app->metrics, GH_REJECT_DEADLINE);
        return gh_fail(e, GH_TIMEOUT, "the deadline of %d ms passed",
                       (int)((req->deadline_ns - req->received_ns) / 1000000));
    }
    write_reply(reply, q, m, &r);
    gh_reply_header(reply, "Server-Timing", "queue;dur=%.3f, infer;dur=%.3f", req->queue_ms, r.infer_ms);
    gh_raw_free(&r);
    return GH_OK;
}

void gh_h_v2_infer(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    gh_v2_request q = {0};
    gh_err e = {0};
    gh_model *m = find(app, req, reply);
    if (!m)
        return;
    if (infer(reply, app, req, w, m, &q, &e) != GH_OK)
        gh_reply_error(reply, req, &e);
    gh_v2_free(&q);
    gh_model_put(&m);
}
