/* The way of one picture through one model. */
#include "tasks/run.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "tasks/classify.h"
#include "tasks/preproc.h"

struct gh_worker {
    gh_session *session;
    uint8_t *scratch; /* the resized picture, RGB; grows to the largest input seen */
    size_t scratch_size;
};

gh_status gh_worker_new(gh_worker **out, gh_pool *pool, gh_err *e)
{
    gh_worker *w = gh_calloc(1, sizeof *w);
    if (!w)
        return gh_fail(e, GH_NOMEM, "memory ran out at a worker");
    gh_status status = gh_session_new(&w->session, pool, e);
    if (status == GH_OK)
        *out = w;
    else
        gh_worker_free(&w);
    return status;
}

void gh_worker_free(gh_worker **w)
{
    if (!*w)
        return;
    gh_session_free(&(*w)->session);
    gh_free((*w)->scratch);
    gh_free(*w);
    *w = NULL;
}

static double ms_since(uint64_t *mark)
{
    uint64_t now = gh_now_ns();
    double ms = (double)(now - *mark) / 1e6;
    *mark = now;
    return ms;
}

/* The manifest allows sides up to GH_MAX_SIDE, so the product fits. */
static gh_status reserve_scratch(gh_worker *w, const gh_manifest_input *in, gh_err *e)
{
    size_t need = (size_t)in->width * (size_t)in->height * 3;
    if (need <= w->scratch_size)
        return GH_OK;
    uint8_t *grown = gh_realloc(w->scratch, need, 1);
    if (!grown)
        return gh_fail(e, GH_NOMEM, "memory ran out at a picture of %d x %d", in->width, in->height);
    w->scratch = grown;
    w->scratch_size = need;
    return GH_OK;
}

static gh_status decode_picture(gh_image **image, gh_result *r, const uint8_t *data, size_t len,
                                const gh_image_limits *limits, gh_err *e)
{
    gh_image_info info;
    int min_width, min_height;
    GH_TRY(gh_image_probe(&info, data, len, limits, e));
    gh_preproc_min_size(&min_width, &min_height, &r->model->manifest->input, info.width, info.height);
    GH_TRY(gh_image_decode(image, data, len, &info, min_width, min_height, e));
    r->width = info.width;
    r->height = info.height;
    r->truncated = (*image)->truncated;
    return GH_OK;
}

/* Everything between the bound plan and the labels. */
static gh_status run_image(gh_result *r, gh_worker *w, const gh_image *image, const gh_run_options *options,
                           uint64_t *mark, gh_err *e)
{
    const gh_manifest_input *in = &r->model->manifest->input;
    GH_TRY(reserve_scratch(w, in, e));
    GH_TRY(gh_preproc_run(gh_session_input(w->session, 0), image, in, w->scratch, e));
    r->preproc_ms = ms_since(mark);
    GH_TRY(gh_session_run(w->session, e));
    gh_status status = gh_classify_decode(r, gh_session_output(w->session, 0), options, e);
    r->infer_ms = ms_since(mark);
    return status;
}

static gh_status run_into(gh_result *r, gh_worker *w, const uint8_t *data, size_t len,
                          const gh_image_limits *limits, const gh_run_options *options, gh_err *e)
{
    const gh_manifest_input *in = &r->model->manifest->input;
    gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width});
    gh_image *image = NULL;
    gh_plan *plan = NULL;
    uint64_t mark = gh_now_ns();
    gh_status status = decode_picture(&image, r, data, len, limits, e);
    r->decode_ms = ms_since(&mark);
    if (status == GH_OK)
        status = gh_plan_get(&plan, r->model->net, &shape, e);
    if (status == GH_OK)
        status = gh_session_bind(w->session, plan, e);
    mark = gh_now_ns(); /* a plan is built once; its time belongs to no stage of the picture */
    if (status == GH_OK)
        status = run_image(r, w, image, options, &mark, e);
    gh_plan_put(&plan);
    gh_image_free(&image);
    return status;
}

gh_status gh_run(gh_result **out, gh_worker *w, gh_model *model, const uint8_t *data, size_t len,
                 const gh_image_limits *limits, const gh_run_options *options, gh_err *e)
{
    const gh_image_limits default_limits = gh_image_limits_default();
    const gh_run_options default_options = {0};
    GH_ASSERT(model->net != NULL && model->manifest != NULL);
    gh_result *r = gh_calloc(1, sizeof *r);
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at a result");
    r->model = gh_model_ref(model);
    r->task = model->manifest->task;
    gh_status status =
        run_into(r, w, data, len, limits ? limits : &default_limits, options ? options : &default_options, e);
    if (status == GH_OK)
        *out = r;
    else
        gh_result_free(&r);
    return status;
}

void gh_result_free(gh_result **r)
{
    if (!*r)
        return;
    gh_model_put(&(*r)->model);
    gh_free((*r)->labels);
    gh_free(*r);
    *r = NULL;
}
