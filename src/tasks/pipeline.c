/* The second stage of a pipeline: every box's crop through every step. The crops are spread over the pool,
 * each with a thread and a lane of its own. Measured with eight crops of 224 x 224 through EfficientNet-Lite0
 * on two cores: 26.9 ms so, 35.8 ms as one batch of eight and 43.8 ms one after the other, both with the
 * loops of each layer spread; and a network that takes one picture at a time can be a step, too. */
#include "tasks/pipeline.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "tasks/classify.h"
#include "tasks/crop.h"
#include "tasks/lane.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* All crops of one picture. */
typedef struct crops {
    gh_result *r;
    gh_worker *w;
    const gh_image *image;
    const gh_run_options *options;
    int steps[GH_MAX_STEPS]; /* those that run: indices into the pipeline's */
    int nsteps;
    atomic_bool stop;
    gh_status status; /* of the first that failed; written by whoever sets stop */
    gh_err *e;
} crops;

void gh_round_scores(double *scores, size_t n)
{
    double sum = 0, before = 0;
    /* The rounded sums up to each score, not the scores, are what is rounded, so that errors do not add up.
     */
    for (size_t i = 0; i < n; i++) {
        sum += scores[i];
        double upto = nearbyint(sum * 1e6);
        scores[i] = (upto - before) / 1e6;
        before = upto;
    }
}

/* Features of one box's crop, or scores where the step is a whole network: in the lane's copy. */
static gh_status see(gh_lane *lane, const crops *c, const gh_model *base, const gh_patch *patch, gh_err *e)
{
    const gh_manifest_input *in = &base->manifest->input;
    const gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width});
    gh_plan *plan = NULL;
    GH_TRY(gh_lane_scratch(lane, gh_crop_scratch(in), e));
    gh_status status = gh_lane_bind(&plan, lane, base->net, &shape, e);
    if (status == GH_OK)
        status = gh_crop_run(gh_session_input(lane->session, 0), c->image, in, patch, lane->scratch, e);
    if (status == GH_OK)
        status = gh_session_run(lane->session, e);
    if (status == GH_OK)
        status = gh_lane_keep(lane, base, e);
    gh_plan_put(&plan);
    return status;
}

/* The scores of one step, from what the lane keeps of the crop. */
static gh_status judge(gh_fact *fact, double *scores, gh_lane *lane, const gh_model *m, gh_err *e)
{
    gh_tensor tensors[GH_MAX_TAPS];
    gh_plan *plan = NULL;
    gh_status status = GH_OK;
    size_t n = 0;
    if (m->body) {
        status = gh_lane_run_head(&plan, lane, m, e);
        n = status == GH_OK ? gh_lane_outputs(tensors, lane, m->net) : 0;
    } else {
        n = gh_net_outputs(m->net);
        memcpy(tensors, lane->kept.tensors, n * sizeof *tensors);
    }
    if (status == GH_OK)
        status = gh_classify_all(scores, &fact->best, m->manifest, tensors, n, e);
    gh_plan_put(&plan);
    return status;
}

static gh_status run_box(const crops *c, gh_lane *lane, gh_object *box, gh_fact *facts, gh_err *e)
{
    const gh_model *pipeline = c->r->model;
    const gh_crop *seen = NULL; /* what lane->kept is of */
    lane->kept.base = NULL;
    for (int i = 0; i < c->nsteps; i++) {
        const gh_manifest_step *step = &pipeline->manifest->steps[c->steps[i]];
        gh_model *m = pipeline->parts[c->steps[i] + 1];
        bool same = seen && seen->margin == step->crop.margin && seen->square == step->crop.square &&
                    seen->align == step->crop.align;
        if (c->options->deadline_ns && gh_now_ns() > c->options->deadline_ns)
            return gh_fail(e, GH_TIMEOUT, "the deadline passed at the picture's %zu boxes", c->r->nobjects);
        if (!same || lane->kept.base != gh_lane_base(m)) {
            gh_patch patch = gh_crop_place(&step->crop, box);
            GH_TRY(see(lane, c, gh_lane_base(m), &patch, e));
            seen = &step->crop;
        }
        GH_TRY(judge(&facts[i], (double *)(uintptr_t)facts[i].scores, lane, m, e));
    }
    box->facts = facts;
    box->nfacts = c->nsteps;
    return GH_OK;
}

static void run_range(void *arg, int begin, int end, int thread)
{
    crops *c = arg;
    gh_lane *lane = thread ? &c->w->lanes->lanes[thread] : &c->w->own;
    for (int i = begin; i < end && !atomic_load(&c->stop); i++) {
        gh_err e = {0};
        gh_fact *facts = c->r->facts + (size_t)i * (size_t)c->nsteps;
        gh_status status = run_box(c, lane, &c->r->objects[i], facts, &e);
        if (status != GH_OK && !atomic_exchange(&c->stop, true)) {
            c->status = status;
            if (c->e)
                *c->e = e;
        }
    }
}

/* Room for all facts and scores, with what is known beforehand filled in. */
static gh_status make_facts(crops *c, gh_err *e)
{
    gh_result *r = c->r;
    const gh_model *p = r->model;
    size_t a_box = 0, total;
    for (int i = 0; i < c->nsteps; i++)
        a_box += p->parts[c->steps[i] + 1]->manifest->nlabels;
    total = a_box * r->nobjects; /* 8 steps of 1024 labels for each of some thousand boxes */
    if (total > GH_MAX_FACTS)
        return gh_fail(
            e, GH_LIMIT,
            "the picture has %zu boxes with %zu scores each; at most %d scores are given: set limit",
            r->nobjects, a_box, GH_MAX_FACTS);
    r->facts = gh_calloc(r->nobjects * (size_t)c->nsteps, sizeof *r->facts);
    r->scores = gh_calloc(total, sizeof *r->scores);
    if (!r->facts || !r->scores)
        return gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    double *at = r->scores;
    for (size_t i = 0; i < r->nobjects * (size_t)c->nsteps; i++) {
        int step = c->steps[i % (size_t)c->nsteps];
        const gh_manifest *m = p->parts[step + 1]->manifest;
        r->facts[i] = (gh_fact){p->manifest->steps[step].key, m->labels, m->nlabels, at, -1};
        at += m->nlabels;
    }
    return GH_OK;
}

gh_status gh_pipeline_run(gh_result *r, gh_worker *w, const gh_image *image, const gh_run_options *options,
                          gh_err *e)
{
    const gh_manifest *m = r->model->manifest;
    crops c = {.r = r, .w = w, .image = image, .options = options, .e = e};
    for (int i = 0; i < (int)m->nsteps; i++)
        if (!options->no_emotions || strcmp(m->steps[i].key, "emotion") != 0)
            c.steps[c.nsteps++] = i;
    r->has_crops = c.nsteps > 0;
    if (!c.nsteps || !r->nobjects)
        return GH_OK;
    GH_TRY(make_facts(&c, e));
    gh_pool_for(w->lanes->pool, (int)r->nobjects, run_range, &c);
    w->own.kept.base = NULL; /* it was a crop's */
    return c.status;
}
