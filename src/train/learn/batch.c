/* Batches: their order, their preparation side by side, and one gradient. */
#include "train/learn/parts.h"

#include <math.h>
#include <string.h>

/* Streams of random numbers of one run. */
enum { SHUFFLE = 1, SAMPLE, MIX };

static void seed(gh_rng *rng, const gh_learn_run *r, uint64_t epoch, uint64_t stream, uint64_t index)
{
    const uint64_t of[] = {r->o->seed, epoch, stream, index};
    gh_rng_seed(rng, gh_hash_bytes(of, sizeof of).low);
}

void gh_learn_shuffle(gh_learn_run *r, uint64_t epoch)
{
    gh_rng rng;
    uint32_t n = r->task->samples;
    seed(&rng, r, epoch, SHUFFLE, 0);
    for (uint32_t i = 0; i < n; i++)
        r->order[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t k = (uint32_t)gh_rng_below(&rng, i + 1u), keep = r->order[i];
        r->order[i] = r->order[k];
        r->order[k] = keep;
    }
}

/* ---- samples ---- */

enum { MOST_INPUTS = 8 };

typedef struct preparation {
    gh_learn_run *r;
    uint64_t epoch;
    uint32_t step;
} preparation;

static void prepare(void *arg, int begin, int end, int thread)
{
    preparation *p = arg;
    gh_learn_run *r = p->r;
    (void)thread;
    for (int i = begin; i < end; i++) {
        uint64_t at = (uint64_t)p->step * r->batch + (uint64_t)i;
        uint32_t index = r->order[at % r->task->samples];
        float *inputs[MOST_INPUTS];
        uint8_t *target = r->targets + (size_t)i * r->task->target_bytes;
        gh_rng rng;
        for (uint32_t k = 0; k < r->ninputs; k++)
            inputs[k] = gh_tape_input(r->tape, k) + (size_t)i * r->input_floats[k];
        memset(target, 0, r->task->target_bytes);
        /* the place in the epoch, so that a sample that fills up the last batch is not the same twice */
        seed(&rng, r, p->epoch, SAMPLE, at);
        r->statuses[i] = r->task->sample(r->task->arg, index, &rng, inputs, target, &r->errors[i]);
    }
}

gh_status gh_learn_batch(gh_learn_run *r, uint64_t epoch, uint32_t step)
{
    preparation p = {r, epoch, step};
    gh_rng rng;
    GH_ASSERT(r->ninputs <= MOST_INPUTS);
    gh_pool_for(r->o->pool, (int)r->batch, prepare, &p);
    for (uint32_t i = 0; i < r->batch; i++)
        if (r->statuses[i])
            return gh_fail(r->e, r->statuses[i], "%s", r->errors[i].text);
    if (!r->task->mix)
        return GH_OK;
    seed(&rng, r, epoch, MIX, step);
    return r->task->mix(r->task->arg, r->tape, r->targets, &rng, r->e);
}

/* ---- a gradient ---- */

gh_status gh_learn_gradient(gh_learn_run *r, double *loss)
{
    GH_TRY(gh_tape_forward(r->tape, true, r->e));
    GH_TRY(r->task->loss(r->task->arg, r->tape, r->targets, loss, r->e));
    return gh_tape_backward(r->tape, r->e);
}

/* Something in a batch's inputs is not finite. */
static bool bad_inputs(const gh_learn_run *r)
{
    for (uint32_t k = 0; k < r->ninputs; k++)
        for (size_t i = 0; i < r->batch * r->input_floats[k]; i++)
            if (!isfinite(gh_tape_input(r->tape, k)[i]))
                return true;
    return false;
}

gh_status gh_learn_ran_away(gh_learn_run *r, uint32_t step, double loss)
{
    const char *layer = gh_tape_not_finite(r->tape);
    double rate = r->state.rate;
    if (bad_inputs(r))
        return gh_fail(r->e, GH_FORMAT,
                       "training stopped in epoch %u, step %u: the network was given numbers that are not "
                       "finite; look at the pictures, and at mean and scale of the model's input",
                       r->state.epoch + 1, step + 1);
    return gh_fail(r->e, GH_FORMAT,
                   "training stopped in epoch %u, step %u: %s ran away, and the numbers of %s are not finite "
                   "any more; try a lower rate (--lr %.2g instead of %.2g) or clip the gradient (--clip 1)",
                   r->state.epoch + 1, step + 1, isfinite(loss) ? "the gradient" : "the loss",
                   layer ? layer : "its output", rate / 10, rate);
}
