/* One run: epochs of steps, each epoch judged, saved and told about. */
#include "train/learn/learn.h"

#include "base/mem.h"
#include "train/learn/parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- making and freeing a run ---- */

gh_status gh_learn_optim(gh_optim **out, const gh_learn_run *r, bool average)
{
    const gh_tape_param *params;
    size_t n = gh_tape_params(r->tape, &params);
    gh_optim_options options = r->o->optim;
    gh_optim_part *parts = gh_calloc(n + 1, sizeof *parts);
    if (!parts)
        return gh_fail(r->e, GH_NOMEM, "no memory for an optimiser");
    options.ema = average ? options.ema : 0;
    for (size_t i = 0; i < n; i++)
        parts[i] = (gh_optim_part){.offset = params[i].offset,
                                   .count = params[i].count,
                                   .decays = params[i].decays,
                                   .rate = r->task->rate_of ? r->task->rate_of(r->task->arg, &params[i]) : 1};
    gh_status status = gh_optim_new(out, &options, parts, n, r->count, r->e);
    gh_free(parts);
    return status;
}

static gh_status check_options(const gh_learn_run *r)
{
    const gh_learn_options *o = r->o;
    if (r->task->samples < 1)
        return gh_fail(r->e, GH_ARG, "there is nothing to learn from");
    if (o->epochs < 1 || o->epochs > GH_LEARN_MOST_EPOCHS)
        return gh_fail(r->e, GH_ARG, "%u epochs were asked for; 1 to %d are accepted", o->epochs,
                       GH_LEARN_MOST_EPOCHS);
    if (!(o->rate >= 0) || !isfinite(o->rate))
        return gh_fail(r->e, GH_ARG, "the rate is %g; a positive number is accepted", o->rate);
    if (r->count == 0)
        return gh_fail(r->e, GH_ARG, "nothing of this network is to be learnt");
    return GH_OK;
}

/* Floats of one sample in each input, and the batch. */
static gh_status measure_inputs(gh_learn_run *r)
{
    r->ninputs = r->graph->ninputs;
    r->batch = (uint32_t)r->o->inputs[0].dims[0];
    r->input_floats = gh_calloc(r->ninputs, sizeof *r->input_floats);
    for (uint32_t i = 0; r->input_floats && i < r->ninputs; i++) {
        bool known = gh_shape_count(&r->input_floats[i], &r->o->inputs[i]);
        GH_ASSERT(known && r->o->inputs[i].dims[0] == r->batch);
        r->input_floats[i] /= r->batch;
    }
    r->steps = (r->task->samples - 1) / r->batch + 1;
    return r->input_floats ? GH_OK : gh_fail(r->e, GH_NOMEM, "no memory for a training run");
}

static gh_status make(gh_learn_run *r)
{
    gh_tape_state(r->tape, &r->nstate);
    r->count = gh_tape_count(r->tape);
    GH_TRY(check_options(r));
    GH_TRY(measure_inputs(r));
    size_t floats = r->count + r->nstate;
    r->history = gh_calloc(GH_LEARN_MOST_EPOCHS, sizeof *r->history);
    r->details = gh_calloc(1, GH_LEARN_MOST_DETAILS);
    r->best = gh_calloc(floats, sizeof *r->best);
    r->kept = gh_calloc(floats, sizeof *r->kept);
    r->average = r->o->optim.ema > 0 ? gh_calloc(r->nstate + 1, sizeof *r->average) : NULL;
    r->order = gh_calloc(r->task->samples, sizeof *r->order);
    r->targets = gh_calloc(r->batch, r->task->target_bytes + 1);
    r->statuses = gh_calloc(r->batch, sizeof *r->statuses);
    r->errors = gh_calloc(r->batch, sizeof *r->errors);
    if (!r->history || !r->details || !r->best || !r->kept || (r->o->optim.ema > 0 && !r->average) ||
        !r->order || !r->targets || !r->statuses || !r->errors)
        return gh_fail(r->e, GH_NOMEM, "no memory for a training run");
    return gh_learn_optim(&r->optim, r, true);
}

static void unmake(gh_learn_run *r)
{
    void *const owned[] = {r->history, r->details, r->best,        r->kept,   r->average,
                           r->order,   r->targets, r->statuses,    r->errors, r->path[0],
                           r->path[1], r->path[2], r->input_floats};
    for (size_t i = 0; i < GH_COUNT(owned); i++)
        gh_free(owned[i]);
    gh_buf_free(&r->sheet);
    gh_optim_free(&r->optim);
}

/* ---- vectors in and out of the tape ---- */

static void copy_out(const gh_learn_run *r, float *to)
{
    size_t n;
    memcpy(to, gh_tape_weights(r->tape), r->count * sizeof *to);
    memcpy(to + r->count, gh_tape_state(r->tape, &n), r->nstate * sizeof *to);
}

static void copy_in(const gh_learn_run *r, const float *weights, const float *state)
{
    size_t n;
    memcpy(gh_tape_weights(r->tape), weights, r->count * sizeof *weights);
    memcpy(gh_tape_state(r->tape, &n), state, r->nstate * sizeof *state);
}

/* Statistics of the norms belong to the weights, so they are averaged like them; those that do not move stay
 * as they are to the last bit. */
static void average_state(gh_learn_run *r)
{
    size_t n;
    const float *state = gh_tape_state(r->tape, &n);
    float kept = (float)gh_optim_kept(r->optim);
    for (size_t i = 0; r->average && i < r->nstate; i++)
        r->average[i] =
            r->state.step <= 1 ? state[i] : r->average[i] + (1 - kept) * (state[i] - r->average[i]);
}

/* ---- an epoch ---- */

static double rate_at(const gh_learn_run *r, uint64_t step)
{
    gh_schedule s = {.kind = r->o->schedule,
                     .rate = r->state.rate,
                     .last = r->o->last,
                     .warmup = (uint64_t)(r->o->warmup * r->steps),
                     .total = (uint64_t)r->steps * r->o->epochs};
    return gh_schedule_rate(&s, step);
}

static gh_status interrupted(const gh_learn_run *r)
{
    if (!r->path[0])
        return gh_fail(r->e, GH_INTERRUPTED, "interrupted in epoch %u; nothing was changed",
                       r->state.epoch + 1);
    return gh_fail(r->e, GH_INTERRUPTED,
                   "interrupted in epoch %u; what %u whole epochs learnt is kept in %s (--resume goes on)",
                   r->state.epoch + 1, r->state.epoch, r->o->folder);
}

static gh_status train_epoch(gh_learn_run *r, gh_learn_epoch *h)
{
    gh_learn_shuffle(r, r->state.epoch);
    for (uint32_t step = 0; step < r->steps; step++) {
        double loss = NAN, rate = rate_at(r, r->state.step);
        if (gh_learn_stopped(r))
            return interrupted(r);
        GH_TRY(gh_learn_batch(r, r->state.epoch, step));
        GH_TRY(gh_learn_gradient(r, &loss));
        if (!isfinite(loss))
            return gh_learn_ran_away(r, step, loss);
        double norm =
            gh_optim_step(r->optim, gh_tape_weights(r->tape), gh_tape_gradients(r->tape), rate, r->o->pool);
        if (!isfinite(norm))
            return gh_learn_ran_away(r, step, loss);
        r->state.step++;
        r->steps_here++;
        average_state(r);
        h->loss += loss / r->steps;
        h->norm += norm / r->steps;
        h->rate = fmax(h->rate, rate);
        gh_learn_show_step(r, step, loss, rate);
    }
    return GH_OK;
}

/* Keeps what the tape holds as the best. */
static void keep_best(gh_learn_run *r, const gh_learn_epoch *h, const gh_buf *details, uint32_t epoch)
{
    gh_learn_state *s = &r->state;
    copy_out(r, r->best);
    s->best = h->metric;
    s->best_loss = h->loss;
    s->best_epoch = epoch;
    s->details = details->len < GH_LEARN_MOST_DETAILS ? (uint32_t)details->len : 0;
    memset(r->details, 0, GH_LEARN_MOST_DETAILS);
    if (s->details)
        memcpy(r->details, details->data, s->details);
}

static bool has_best(const gh_learn_run *r)
{
    return r->state.best_epoch || r->state.started;
}

static gh_status judge(gh_learn_run *r, gh_learn_epoch *h, uint32_t epoch)
{
    gh_buf details = {.limit = GH_LEARN_MOST_DETAILS};
    gh_status status = gh_tape_store(r->tape, r->e);
    h->metric = -h->loss;
    if (!status && r->task->validate)
        status = r->task->validate(r->task->arg, r->graph, &h->metric, &details, r->e);
    if (!status && (!has_best(r) || h->metric > r->state.best))
        keep_best(r, h, &details, epoch);
    gh_buf_free(&r->sheet);
    r->sheet = (gh_buf){0};
    if (!status && r->task->draw && r->path[0])
        status = r->task->draw(r->task->arg, r->graph, &r->sheet, r->e);
    gh_buf_free(&details);
    return status;
}

/* Judges the averaged weights, where there are. */
static gh_status validate_epoch(gh_learn_run *r, gh_learn_epoch *h)
{
    uint64_t start = gh_now_ns();
    const float *average = gh_optim_average(r->optim);
    copy_out(r, r->kept);
    if (average)
        copy_in(r, average, r->average);
    gh_status status = judge(r, h, r->state.epoch + 1);
    copy_in(r, r->kept, r->kept + r->count);
    h->validation = (double)(gh_now_ns() - start) / 1e9;
    return status;
}

/* What the network can do before the first step. */
static gh_status judge_start(gh_learn_run *r)
{
    char text[120];
    gh_learn_epoch h = {0};
    if (!r->task->trained || !r->task->validate)
        return GH_OK;
    GH_TRY(judge(r, &h, 0));
    if (gh_learn_stopped(r))
        return interrupted(r);
    r->state.started = 1;
    r->state.start = h.metric;
    snprintf(text, sizeof text, "before the first step  %.40s %.4f", r->task->metric_name, h.metric);
    gh_learn_say(r, text);
    return GH_OK;
}

static gh_status run_epoch(gh_learn_run *r)
{
    gh_learn_epoch h = {0};
    uint64_t start = gh_now_ns();
    GH_TRY(train_epoch(r, &h));
    GH_TRY(validate_epoch(r, &h));
    if (gh_learn_stopped(r)) /* its judgement may have been cut short */
        return interrupted(r);
    h.seconds = (double)(gh_now_ns() - start) / 1e9;
    r->history[r->state.epoch++] = h;
    return GH_OK;
}

static bool patience_ended(const gh_learn_run *r)
{
    return r->o->patience && r->state.epoch >= r->state.best_epoch + r->o->patience;
}

static bool goes_on(const gh_learn_run *r)
{
    return r->state.epoch < r->o->epochs && !(r->state.epoch && patience_ended(r)) &&
           (r->o->seconds <= 0 || gh_learn_seconds(r) < r->o->seconds);
}

/* Checkpoint first: what is told about it is then on disk. */
static gh_status tell(gh_learn_run *r)
{
    GH_TRY(gh_learn_save(r));
    GH_TRY(gh_learn_write_history(r));
    return gh_learn_write_report(r);
}

static gh_status begin(gh_learn_run *r)
{
    GH_TRY(gh_learn_open_folder(r));
    gh_status status = r->o->resume ? gh_learn_load(r) : GH_NOTFOUND;
    if (status != GH_NOTFOUND)
        return status;
    r->state.rate = r->o->rate;
    if (r->o->rate <= 0)
        GH_TRY(gh_learn_find_rate(r));
    GH_TRY(judge_start(r));
    return tell(r);
}

static gh_status run_all(gh_learn_run *r)
{
    GH_TRY(make(r));
    GH_TRY(begin(r));
    while (goes_on(r)) {
        GH_TRY(run_epoch(r));
        GH_TRY(tell(r));
        gh_learn_show_epoch(r);
    }
    r->done = true;
    GH_TRY(gh_learn_write_report(r));
    if (has_best(r))
        copy_in(r, r->best, r->best + r->count);
    return gh_tape_store(r->tape, r->e);
}

static gh_status summarise(gh_learn_summary *out, const gh_learn_run *r)
{
    const gh_learn_state *s = &r->state;
    gh_buf details = {0};
    gh_buf_add(&details, r->details, s->details);
    if (details.failed)
        return gh_fail(r->e, GH_NOMEM, "no memory for a training run");
    *out = (gh_learn_summary){.epochs = s->epoch,
                              .best_epoch = s->best_epoch,
                              .metric = s->best,
                              .loss = s->best_loss,
                              .rate = s->rate,
                              .seconds = gh_learn_seconds(r),
                              .early = s->epoch < r->o->epochs && patience_ended(r),
                              .details = details};
    return GH_OK;
}

gh_status gh_learn(gh_learn_summary *out, gh_graph *g, gh_tape *t, const gh_learn_task *task,
                   const gh_learn_options *o, gh_err *e)
{
    gh_learn_run r = {.graph = g,
                      .tape = t,
                      .task = task,
                      .o = o,
                      .e = e,
                      .start_ns = gh_now_ns(),
                      .terminal = isatty(STDERR_FILENO)};
    gh_status status = run_all(&r);
    if (!status)
        status = summarise(out, &r);
    unmake(&r);
    return status;
}
