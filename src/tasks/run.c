/* The way of one picture through one model. */
#include "tasks/run.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "tasks/kind.h"
#include "tasks/preproc.h"

#include <string.h>

/* What a base network gave for the picture at hand, copied out of the session: heads run on it, and several
 * models of one request share it. */
typedef struct kept {
    const gh_model *base; /* NULL: nothing kept */
    const uint8_t *picture;
    gh_tensor tensors[GH_MAX_TAPS];
    uint8_t *values; /* all of them, one after another */
    size_t cap;
    int width, height;
    bool truncated;
} kept;

struct gh_worker {
    gh_session *session;
    kept kept;
    bool sharing;     /* between gh_worker_share and gh_worker_unshare */
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
    gh_free((*w)->kept.values);
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

/* The model whose network sees the picture. */
static gh_model *base_of(gh_model *m)
{
    return m->body ? m->body : m;
}

/* `in` is the base's input; where the model takes any size, the picture decides its width and height here. */
static gh_status decode_picture(gh_image **image, gh_result *r, gh_manifest_input *in, const uint8_t *data,
                                size_t len, const gh_image_limits *limits, int max_side, gh_err *e)
{
    gh_image_info info;
    int min_width, min_height;
    GH_TRY(gh_image_probe(&info, data, len, limits, e));
    if (r->task == GH_TASK_LOCALIZE)
        gh_preproc_choose(in, info.width, info.height, max_side);
    gh_preproc_min_size(&min_width, &min_height, in, info.width, info.height);
    GH_TRY(gh_image_decode(image, data, len, &info, min_width, min_height, e));
    r->width = info.width;
    r->height = info.height;
    r->truncated = (*image)->truncated;
    return GH_OK;
}

void gh_worker_share(gh_worker *w)
{
    w->sharing = true;
    w->kept.base = NULL;
}

void gh_worker_unshare(gh_worker *w)
{
    w->sharing = false;
    w->kept.base = NULL;
}

static gh_status run_image(gh_result *r, gh_worker *w, const gh_image *image, const gh_manifest_input *in,
                           uint64_t *mark, gh_err *e)
{
    GH_TRY(reserve_scratch(w, in, e));
    GH_TRY(gh_preproc_run(gh_session_input(w->session, 0), image, in, w->scratch, e));
    r->preproc_ms = ms_since(mark);
    return gh_session_run(w->session, e);
}

/* Binds the plan of a net for one input shape; it is held as long as its results are read. */
static gh_status bind(gh_plan **plan, gh_worker *w, gh_net *net, const gh_shape *shape, gh_err *e)
{
    GH_TRY(gh_plan_get(plan, net, shape, e));
    return gh_session_bind(w->session, *plan, e);
}

/* Bytes of an output in the copy, so that each begins aligned. */
static size_t kept_bytes(const gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    return (count * gh_dtype_size(t->type) + GH_ALIGN - 1) / GH_ALIGN * GH_ALIGN;
}

/* Copies the bound network's outputs, because the next network overwrites the arena. A network with more
 * outputs than anybody taps is not kept: it runs again for each model that names it. */
static gh_status keep_outputs(gh_worker *w, const gh_result *r, const uint8_t *picture, gh_err *e)
{
    const gh_model *base = base_of(r->model);
    kept *k = &w->kept;
    size_t n = gh_net_outputs(base->net), total = 0;
    k->base = NULL;
    if (n > GH_MAX_TAPS)
        return GH_OK;
    for (size_t i = 0; i < n; i++)
        total += kept_bytes(gh_session_output(w->session, i));
    if (total > k->cap) {
        gh_free(k->values);
        k->cap = 0;
        k->values = gh_alloc_aligned(total);
        if (!k->values)
            return gh_fail(e, GH_NOMEM, "memory ran out at a body's features");
        k->cap = total;
    }
    for (size_t i = 0, at = 0; i < n; i++) {
        size_t bytes = kept_bytes(gh_session_output(w->session, i)), count = 0;
        k->tensors[i] = *gh_session_output(w->session, i);
        GH_ASSERT(gh_shape_count(&count, &k->tensors[i].shape));
        memcpy(k->values + at, k->tensors[i].data, count * gh_dtype_size(k->tensors[i].type));
        k->tensors[i].data = k->values + at;
        at += bytes;
    }
    k->base = base;
    k->picture = picture;
    k->width = r->width;
    k->height = r->height;
    k->truncated = r->truncated;
    return GH_OK;
}

/* What the bound network gave, as the task reads it; `in` and `image` as in gh_outputs. */
static gh_status read_session(gh_result *r, const gh_worker *w, const gh_manifest_input *in,
                              const gh_image *image, const gh_run_options *options, gh_err *e)
{
    gh_tensor tensors[GH_MAX_TAPS];
    size_t n = gh_net_outputs(r->model->net);
    n = n < GH_MAX_TAPS ? n : GH_MAX_TAPS;
    for (size_t i = 0; i < n; i++)
        tensors[i] = *gh_session_output(w->session, i);
    const gh_outputs outputs = {tensors, n, in, image};
    return gh_kind_of(r->task)->decode(r, &outputs, options, e);
}

/* The head's network on the kept features. */
static gh_status run_head(gh_result *r, gh_worker *w, const gh_run_options *options, gh_err *e)
{
    const gh_tensor *features = &w->kept.tensors[r->model->tap];
    gh_plan *plan = NULL;
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &features->shape));
    gh_status status = bind(&plan, w, r->model->net, &features->shape, e);
    if (status == GH_OK) {
        memcpy(gh_session_input(w->session, 0)->data, features->data, count * sizeof(float));
        status = gh_session_run(w->session, e);
    }
    if (status == GH_OK)
        status = read_session(r, w, NULL, NULL, options, e);
    gh_plan_put(&plan);
    return status;
}

/* The picture through the base network; its outputs are kept where a head or another model needs them. */
static gh_status run_base(gh_result *r, gh_worker *w, const uint8_t *data, size_t len,
                          const gh_image_limits *limits, const gh_run_options *options, uint64_t *mark,
                          gh_err *e)
{
    gh_manifest_input in = base_of(r->model)->manifest->input;
    gh_image *image = NULL;
    gh_plan *plan = NULL;
    gh_status status = decode_picture(&image, r, &in, data, len, limits, options->max_side, e);
    gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, in.height, in.width});
    r->decode_ms = ms_since(mark);
    if (status == GH_OK)
        status = bind(&plan, w, base_of(r->model)->net, &shape, e);
    if (status == GH_OK)
        status = run_image(r, w, image, &in, mark, e);
    if (status == GH_OK && gh_kind_of(r->task)->shares && (w->sharing || r->model->body))
        status = keep_outputs(w, r, data, e);
    if (status == GH_OK && !r->model->body)
        status = read_session(r, w, &in, image, options, e);
    gh_plan_put(&plan);
    gh_image_free(&image);
    return status;
}

static gh_status run_into(gh_result *r, gh_worker *w, const uint8_t *data, size_t len,
                          const gh_image_limits *limits, const gh_run_options *options, gh_err *e)
{
    uint64_t mark = gh_now_ns();
    const kept *k = &w->kept;
    const gh_kind *kind = gh_kind_of(r->task);
    bool shared = kind->shares && w->sharing && k->base == base_of(r->model) && k->picture == data;
    if (shared) {
        r->width = k->width;
        r->height = k->height;
        r->truncated = k->truncated;
    } else {
        GH_TRY(run_base(r, w, data, len, limits, options, &mark, e));
    }
    const gh_outputs outputs = {k->tensors, k->base ? gh_net_outputs(k->base->net) : 0, NULL, NULL};
    gh_status status = GH_OK;
    if (r->model->body)
        status = run_head(r, w, options, e);
    else if (shared)
        status = kind->decode(r, &outputs, options, e);
    r->infer_ms = ms_since(&mark);
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
    gh_free((*r)->objects);
    gh_free(*r);
    *r = NULL;
}
