/* The rate finder (Smith 2017): a hundred steps at rates that rise exponentially, on weights that are put
 * back afterwards. Too low a rate learns nothing, too high a one makes the loss explode; between them it
 * falls. */
#include "train/learn/parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOWEST_ADAMW  1e-6
#define HIGHEST_ADAMW 1.0
#define LOWEST_SGD    1e-5
#define HIGHEST_SGD   10.0
#define SMOOTH        .9  /* kept of the running mean of the loss */
#define EXPLODED      4.0 /* times the least loss so far */
#define TRIAL_EPOCH   UINT32_MAX

/* The lower one of a tenth of the rate where the loss was least, and of that where it fell fastest: its mean
 * slope over three steps in log scale. */
double gh_learn_choose_rate(const double *rates, const double *losses, size_t n)
{
    size_t least = 0, steep = 0;
    double most = 0;
    for (size_t i = 0; i < n; i++)
        least = losses[i] < losses[least] ? i : least;
    for (size_t i = 10; i + 3 <= least; i++) { /* the running mean of a few losses says little */
        double fall = losses[i - 3] - losses[i + 3];
        if (fall > most) {
            most = fall;
            steep = i;
        }
    }
    double tenth = rates[least] / 10;
    return steep && rates[steep] < tenth ? rates[steep] : tenth;
}

static gh_status try_rates(gh_learn_run *r, gh_optim *optim)
{
    gh_learn_state *s = &r->state;
    bool sgd = r->o->optim.kind == GH_OPTIM_SGD;
    double low = sgd ? LOWEST_SGD : LOWEST_ADAMW, high = sgd ? HIGHEST_SGD : HIGHEST_ADAMW;
    double mean = 0, least = INFINITY;
    gh_learn_shuffle(r, TRIAL_EPOCH);
    for (s->trials = 0; s->trials < GH_LEARN_TRIALS; s->trials++) {
        double rate = low * pow(high / low, (double)s->trials / (GH_LEARN_TRIALS - 1)), loss;
        if (gh_learn_stopped(r))
            return gh_fail(r->e, GH_INTERRUPTED, "interrupted while a rate was looked for");
        GH_TRY(gh_learn_batch(r, TRIAL_EPOCH, s->trials));
        GH_TRY(gh_learn_gradient(r, &loss));
        mean = SMOOTH * mean + (1 - SMOOTH) * loss;
        double smooth = mean / (1 - pow(SMOOTH, s->trials + 1.0));
        if (!isfinite(loss) || (s->trials > 10 && smooth > EXPLODED * least))
            break;
        least = fmin(least, smooth);
        s->trial_rate[s->trials] = rate;
        s->trial_loss[s->trials] = smooth;
        gh_learn_show_step(r, s->trials, loss, rate);
        double norm =
            gh_optim_step(optim, gh_tape_weights(r->tape), gh_tape_gradients(r->tape), rate, r->o->pool);
        if (!isfinite(norm))
            break;
    }
    return s->trials > 0 ? GH_OK : gh_learn_ran_away(r, 0, NAN);
}

gh_status gh_learn_find_rate(gh_learn_run *r)
{
    gh_optim *optim = NULL;
    char text[80];
    size_t nstate;
    float *weights = gh_tape_weights(r->tape), *state = gh_tape_state(r->tape, &nstate);
    GH_TRY(gh_learn_optim(&optim, r, false));
    memcpy(r->kept, weights, r->count * sizeof *weights);
    memcpy(r->kept + r->count, state, r->nstate * sizeof *state);
    gh_status status = try_rates(r, optim);
    memcpy(weights, r->kept, r->count * sizeof *weights);
    memcpy(state, r->kept + r->count, r->nstate * sizeof *state);
    gh_optim_free(&optim);
    if (status)
        return status;
    r->state.rate = gh_learn_choose_rate(r->state.trial_rate, r->state.trial_loss, r->state.trials);
    snprintf(text, sizeof text, "rate %.2g, found in %u steps", r->state.rate, r->state.trials);
    gh_learn_say(r, text);
    return GH_OK;
}
