/* The way of one picture through one model. */
#include "tasks/run.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "tasks/lane.h"
#include "tasks/pipeline.h"
#include "tasks/preproc.h"

#include <string.h>

static gh_status new_worker(gh_worker **out, gh_lanes *lanes, gh_pool *pool, gh_err *e)
{
    gh_worker *w = gh_calloc(1, sizeof *w);
    if (!w)
        return gh_fail(e, GH_NOMEM, "memory ran out at a worker");
    gh_status status = lanes ? GH_OK : gh_lanes_new(&w->own_lanes, pool, e);
    w->lanes = lanes ? lanes : w->own_lanes;
    if (status == GH_OK)
        status = gh_lane_open(&w->own, w->lanes->pool, e);
    if (status == GH_OK)
        *out = w;
    else
        gh_worker_free(&w);
    return status;
}

gh_status gh_worker_new(gh_worker **out, gh_pool *pool, gh_err *e)
{
    return new_worker(out, NULL, pool, e);
}

gh_status gh_worker_new_beside(gh_worker **out, gh_lanes *lanes, gh_err *e)
{
    return new_worker(out, lanes, NULL, e);
}

void gh_worker_free(gh_worker **w)
{
    if (!*w)
        return;
    gh_lane_close(&(*w)->own);
    gh_lanes_free(&(*w)->own_lanes);
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

void gh_worker_share(gh_worker *w)
{
    w->sharing = true;
    w->own.kept.base = NULL;
}

void gh_worker_unshare(gh_worker *w)
{
    w->sharing = false;
    w->own.kept.base = NULL;
}

/* One picture on its way. */
typedef struct job {
    gh_result *r;
    gh_worker *w;
    const uint8_t *data;
    size_t len;
    const gh_image_limits *limits;
    const gh_run_options *options;
    gh_image *image;      /* once decoded */
    gh_manifest_input in; /* of the base network, with the size chosen for the picture */
    uint64_t mark;        /* when the last stage ended */
} job;

/* What the request's other replies hold counts, too, so that no batch takes more than one picture may. */
static gh_status check_held(const job *j, const gh_image_info *info, gh_err *e)
{
    const uint64_t held = j->options->held_bytes;
    if (info->work_bytes + held <= j->limits->max_work)
        return GH_OK;
    return gh_fail(e, GH_LIMIT,
                   "%d x %d pixels may take %llu MB of memory, and the request's other replies hold %llu MB; "
                   "at most %llu MB are accepted together",
                   info->width, info->height, (unsigned long long)(info->work_bytes / 1000000),
                   (unsigned long long)(held / 1000000), (unsigned long long)(j->limits->max_work / 1000000));
}

static gh_status decode_picture(job *j, gh_err *e)
{
    gh_image_info info;
    const gh_kind *kind = gh_kind_of(j->r->task);
    int min_width = 0, min_height = 0;
    bool whole = false;
    GH_TRY(gh_image_probe(&info, j->data, j->len, j->limits, e));
    GH_TRY(check_held(j, &info, e));
    if (kind->admit)
        GH_TRY(kind->admit(&whole, &info, j->options, e));
    if (j->r->task == GH_TASK_LOCALIZE || j->r->task == GH_TASK_SEGMENT)
        gh_preproc_choose(&j->in, info.width, info.height, j->options->max_side);
    if (!whole)
        gh_preproc_min_size(&min_width, &min_height, &j->in, info.width, info.height);
    GH_TRY(gh_image_decode(&j->image, j->data, j->len, &info, min_width, min_height, e));
    j->r->width = info.width;
    j->r->height = info.height;
    j->r->truncated = j->image->truncated;
    return GH_OK;
}

/* The manifest allows sides up to GH_MAX_SIDE, so the product fits. */
static gh_status run_image(job *j, gh_err *e)
{
    gh_lane *lane = &j->w->own;
    GH_TRY(gh_lane_scratch(lane, (size_t)j->in.width * (size_t)j->in.height * 3, e));
    GH_TRY(gh_preproc_run(gh_session_input(lane->session, 0), j->image, &j->in, lane->scratch, e));
    j->r->preproc_ms = ms_since(&j->mark);
    return gh_session_run(lane->session, e);
}

/* What the bound network gave, as the task reads it. */
static gh_status read_session(job *j, const gh_model *m, gh_err *e)
{
    gh_tensor tensors[GH_MAX_TAPS];
    size_t n = gh_lane_outputs(tensors, &j->w->own, m->net);
    size_t first = j->options->embed ? (size_t)gh_model_features(m) : 0;
    const gh_outputs outputs = {tensors + first, n - first, j->image ? &j->in : NULL, j->image};
    return gh_kind_of(j->r->task)->decode(j->r, &outputs, j->options, e);
}

static gh_status run_head(job *j, const gh_model *m, gh_err *e)
{
    gh_plan *plan = NULL;
    gh_status status = gh_lane_run_head(&plan, &j->w->own, m, e);
    if (status == GH_OK)
        status = read_session(j, m, e);
    gh_plan_put(&plan);
    return status;
}

static gh_status keep(job *j, const gh_model *base, gh_err *e)
{
    gh_worker *w = j->w;
    GH_TRY(gh_lane_keep(&w->own, base, e));
    w->picture = j->data;
    w->width = j->r->width;
    w->height = j->r->height;
    w->truncated = j->r->truncated;
    return GH_OK;
}

/* The picture through the base network; its outputs are kept where a head or another model needs them. */
static gh_status run_base(job *j, gh_model *m, gh_err *e)
{
    gh_model *base = gh_lane_base(m);
    gh_plan *plan = NULL;
    j->in = base->manifest->input;
    GH_TRY(decode_picture(j, e));
    j->r->decode_ms = ms_since(&j->mark);
    gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, j->in.height, j->in.width});
    gh_status status = gh_lane_bind(&plan, &j->w->own, base->net, &shape, e);
    if (status == GH_OK)
        status = run_image(j, e);
    if (status == GH_OK && gh_kind_of(j->r->task)->shares && (j->w->sharing || m->body))
        status = keep(j, base, e);
    if (status == GH_OK && !m->body)
        status = read_session(j, m, e);
    gh_plan_put(&plan);
    return status;
}

/* True when this picture went through the model's base network just before. */
static bool is_kept(const job *j, gh_model *m)
{
    const gh_worker *w = j->w;
    return gh_kind_of(j->r->task)->shares && w->sharing && w->own.kept.base == gh_lane_base(m) &&
           w->picture == j->data;
}

static gh_status read_kept(job *j, gh_model *m, gh_err *e)
{
    const gh_tensor *tensors = j->w->own.kept.tensors;
    size_t n = gh_net_outputs(gh_lane_base(m)->net),
           first = j->options->embed ? (size_t)gh_model_features(m) : 0;
    const gh_outputs outputs = {tensors + first, n - first, NULL, NULL};
    return gh_kind_of(j->r->task)->decode(j->r, &outputs, j->options, e);
}

/* A single network, or a head on its body. */
static gh_status run_network(job *j, gh_model *m, gh_err *e)
{
    bool kept = is_kept(j, m);
    if (kept) {
        j->r->width = j->w->width;
        j->r->height = j->w->height;
        j->r->truncated = j->w->truncated;
    } else {
        GH_TRY(run_base(j, m, e));
    }
    gh_status status = GH_OK;
    if (m->body && !j->options->embed)
        status = run_head(j, m, e);
    else if (m->body || kept)
        status = read_kept(j, m, e);
    j->r->infer_ms = ms_since(&j->mark);
    return status;
}

/* The detector as if it had been asked for, under the pipeline's own threshold, then what is to be known of
 * each box. */
static gh_status run_pipeline(job *j, gh_model *m, gh_err *e)
{
    gh_run_options options = *j->options;
    if (options.threshold <= 0)
        options.threshold = m->manifest->threshold;
    j->options = &options;
    j->r->model = m->parts[0];
    gh_status status = run_network(j, m->parts[0], e);
    j->r->model = m;
    if (status == GH_OK)
        status = gh_pipeline_run(j->r, j->w, j->image, &options, e);
    j->r->crops_ms = ms_since(&j->mark);
    return status;
}

gh_status gh_run(gh_result **out, gh_worker *w, gh_model *model, const uint8_t *data, size_t len,
                 const gh_image_limits *limits, const gh_run_options *options, gh_err *e)
{
    const gh_image_limits default_limits = gh_image_limits_default();
    const gh_run_options default_options = {0};
    GH_ASSERT((model->net || model->nparts) && model->manifest);
    GH_ASSERT(!options || !options->embed || gh_model_features(model) >= 0);
    gh_result *r = gh_calloc(1, sizeof *r);
    if (!r)
        return gh_fail(e, GH_NOMEM, "memory ran out at a result");
    r->model = gh_model_ref(model);
    r->task = options && options->embed ? GH_TASK_EMBED : model->manifest->task;
    job j = {r,
             w,
             data,
             len,
             limits ? limits : &default_limits,
             options ? options : &default_options,
             .mark = gh_now_ns()};
    gh_status status = model->nparts ? run_pipeline(&j, model, e) : run_network(&j, model, e);
    if (status == GH_OK && gh_kind_of(r->task)->finish) {
        status = gh_kind_of(r->task)->finish(r, j.image, j.options, e);
        r->encode_ms = ms_since(&j.mark);
    }
    gh_image_free(&j.image);
    if (status == GH_OK)
        *out = r;
    else
        gh_result_free(&r);
    return status;
}

void gh_result_free(gh_result **result)
{
    gh_result *r = *result;
    if (!r)
        return;
    for (size_t i = 0; i < r->nparts; i++)
        gh_result_free(&r->parts[i]);
    gh_free(r->parts);
    gh_model_put(&r->model);
    gh_free(r->labels);
    gh_free(r->features);
    gh_free(r->objects);
    gh_free(r->facts);
    gh_free(r->scores);
    gh_mask_free(&r->mask);
    gh_buf_free(&r->picture);
    gh_free(r->areas);
    gh_regions_free(&r->regions);
    gh_mask_runs_free(&r->runs);
    gh_free(r);
    *result = NULL;
}
