/* One run of a classifier on the tape. */
#include "train/classify/fine.h"

#include "base/mem.h"
#include "train/classify/fine_parts.h"
#include "train/learn/loss.h"

#include <string.h>

#define RATE_SCRATCH 2e-3
#define RATE_TUNE    2e-4

static bool trains(void *arg, const gh_graph *g, uint32_t value)
{
    const gh_fine *f = arg;
    (void)g;
    return f->learns[value];
}

static gh_status loss_of(void *arg, gh_tape *t, const void *targets, double *loss, gh_err *e)
{
    const gh_fine *f = arg;
    gh_class_targets c = {.n = f->batch,
                          .classes = f->classes,
                          .inner = 1,
                          .shares = targets,
                          .smoothing = f->o->settings->smoothing};
    (void)e;
    *loss = gh_loss_softmax((gh_gradient){gh_tape_output_gradient(t, 0), 1, false},
                            gh_tape_output(t, 0)->data, &c, NULL);
    return GH_OK;
}

/* ---- what is learnt from and judged on ---- */

static gh_status deal_out(gh_fine *f, gh_err *e)
{
    const gh_trainset *set = f->o->set;
    for (uint32_t i = 0; i < set->nexamples; i++) {
        if (set->examples[i].split == GH_SPLIT_TEST || (f->o->use && !f->o->use[i]))
            continue;
        if (f->o->fold[i] == 0)
            f->judged[f->njudged++] = i;
        else
            f->learnt[f->nlearnt++] = i;
    }
    if (f->nlearnt < 1 || f->njudged < 1)
        return gh_fail(e, GH_FORMAT,
                       "there are %zu pictures to learn from and %zu to judge on; both are needed",
                       f->nlearnt, f->njudged);
    f->images = gh_calloc(f->nlearnt, sizeof *f->images);
    f->scores = gh_calloc(f->njudged, f->classes * sizeof *f->scores);
    return f->images && f->scores ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the pictures of the run");
}

static gh_status make(gh_fine *f, const gh_graph *g, gh_err *e)
{
    const gh_fine_options *o = f->o;
    f->classes = o->set->nclasses;
    f->pixels = 3 * (size_t)o->input->width * (size_t)o->input->height;
    f->learnt = gh_calloc(o->set->nexamples + 1u, sizeof *f->learnt);
    f->judged = gh_calloc(o->set->nexamples + 1u, sizeof *f->judged);
    f->weight = gh_calloc(f->classes, sizeof *f->weight);
    f->learns = gh_calloc(g->nvalues + 1u, sizeof *f->learns);
    if (!f->learnt || !f->judged || !f->weight || !f->learns)
        return gh_fail(e, GH_NOMEM, "no memory for the pictures of the run");
    GH_TRY(deal_out(f, e));
    f->batch = o->settings->batch > 0 ? (uint32_t)o->settings->batch : 32;
    if (f->batch > f->nlearnt)
        f->batch = (uint32_t)f->nlearnt;
    gh_fine_weigh(f);
    GH_TRY(gh_fine_choose(f->learns, g, o->settings->scratch ? -1 : o->settings->unfreeze, e));
    return gh_fine_keep_images(f, e);
}

static void unmake(gh_fine *f)
{
    for (size_t i = 0; f->images && i < f->nlearnt; i++)
        gh_image_free(&f->images[i]);
    gh_free(f->images);
    gh_free(f->learnt);
    gh_free(f->judged);
    gh_free(f->weight);
    gh_free(f->learns);
    gh_free(f->scores);
}

/* Of what changes a sample: a checkpoint of other data or other changes is not gone on with. */
static uint64_t mark_of(const gh_fine *f)
{
    const gh_fine_settings *s = f->o->settings;
    const float numbers[] = {s->smoothing, s->mixup, (float)f->o->balance, (float)f->o->input->width,
                             (float)f->o->input->height};
    char text[200];
    gh_augment_text(&s->augment, text);
    gh_hash hash = gh_hash_more(f->o->set->hash, text, strlen(text));
    return gh_hash_more(hash, numbers, sizeof numbers).low;
}

static gh_learn_options learn_options(const gh_fine *f, const gh_shape *shape)
{
    const gh_fine_settings *s = f->o->settings;
    double suits = s->scratch ? RATE_SCRATCH : RATE_TUNE;
    return (gh_learn_options){
        .inputs = shape,
        .optim = {.kind = GH_OPTIM_ADAMW, .decay = s->scratch ? .05f : .01f, .clip = 5, .ema = .998f},
        .schedule = s->scratch ? GH_SCHEDULE_ONE_CYCLE : GH_SCHEDULE_COSINE,
        .rate = s->rate < 0 ? suits : s->rate,
        .last = 1e-3,
        .warmup = s->scratch ? 0 : .5,
        .epochs = s->epochs > 0 ? (uint32_t)s->epochs
                  : s->scratch  ? 30
                                : 8,
        .patience = (uint32_t)s->patience,
        .seed = f->o->seed,
        .seconds = s->seconds,
        .folder = s->folder,
        .title = f->o->title,
        .resume = s->resume,
        .quiet = f->o->quiet,
        .pool = f->o->pool,
        .stop = f->o->stop};
}

static gh_status run(gh_learn_summary *out, gh_fine *f, gh_graph *g, gh_err *e)
{
    gh_tape *tape = NULL;
    const gh_manifest_input *in = f->o->input;
    const gh_fine_settings *s = f->o->settings;
    gh_shape shape = gh_shape_of(4, (int64_t[]){f->batch, 3, in->height, in->width});
    gh_tape_options options = {
        .inputs = &shape, .trains = trains, .arg = f, .frozen_norms = !s->scratch, .pool = f->o->pool};
    gh_learn_options learn = learn_options(f, &shape);
    gh_learn_task task = {.arg = f,
                          .samples = (uint32_t)f->nlearnt,
                          .target_bytes = f->classes * sizeof(float),
                          .sample = gh_fine_sample,
                          .mix = s->mixup > 0 ? gh_fine_mix : NULL,
                          .loss = loss_of,
                          .validate = gh_fine_validate,
                          .metric_name =
                              f->o->balance == GH_BALANCE_NONE ? "accuracy" : "mean of accuracy and recall",
                          .draw = gh_fine_draw,
                          .mark = mark_of(f)};
    GH_TRY(gh_tape_new(&tape, g, &options, e));
    gh_status status = gh_learn(out, g, tape, &task, &learn, e);
    gh_tape_free(&tape);
    return status;
}

gh_status gh_fine_tune(gh_learn_summary *out, gh_graph *g, const gh_fine_options *o, gh_err *e)
{
    gh_fine f = {.o = o};
    gh_status status = make(&f, g, e);
    if (!status)
        status = run(out, &f, g, e);
    unmake(&f);
    return status;
}
