/* From the command line's words to what the loop of training takes. */
#include "cli/train_flags.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cmd_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gh_status word(int *out, const char *option, const char *text, const char *const *words, size_t n,
                      gh_err *e)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (int)i;
            return GH_OK;
        }
    return n > 2 ? gh_fail(e, GH_ARG, "--%s is '%.40s'; it takes %s, %s or %s", option, text, words[0],
                           words[1], words[2])
                 : gh_fail(e, GH_ARG, "--%s is '%.40s'; it takes %s or %s", option, text, words[0], words[1]);
}

static gh_status read_rate(double *out, const char *text, gh_err *e)
{
    char *end = NULL;
    double v = strcmp(text, "auto") == 0 ? 0 : strtod(text, &end);
    if (end && (end == text || *end || !isfinite(v) || v <= 0 || v > 10))
        return gh_fail(e, GH_ARG, "--lr is '%.40s'; it takes auto, or a number above 0 and up to 10", text);
    *out = v;
    return GH_OK;
}

gh_status gh_train_flags_read(gh_learn_options *out, const gh_train_flags *f, gh_err *e)
{
    static const char *const optimisers[] = {[GH_OPTIM_ADAMW] = "adamw", [GH_OPTIM_SGD] = "sgd"};
    static const char *const schedules[] = {[GH_SCHEDULE_CONSTANT] = "constant",
                                            [GH_SCHEDULE_COSINE] = "cosine",
                                            [GH_SCHEDULE_ONE_CYCLE] = "one-cycle"};
    int optimiser = 0, schedule = 0;
    gh_learn_options o = {.last = 0.01,
                          .warmup = f->warmup,
                          .epochs = (uint32_t)f->epochs,
                          .patience = (uint32_t)f->patience,
                          .seed = (uint64_t)f->seed,
                          .seconds = f->minutes * 60,
                          .resume = f->resume,
                          .quiet = f->quiet};
    GH_TRY(word(&optimiser, "optimiser", f->optimiser, optimisers, GH_COUNT(optimisers), e));
    GH_TRY(word(&schedule, "schedule", f->schedule, schedules, GH_COUNT(schedules), e));
    GH_TRY(read_rate(&o.rate, f->lr, e));
    o.schedule = (gh_schedule_kind)schedule;
    o.optim = (gh_optim_options){.kind = (gh_optim_kind)optimiser,
                                 .momentum = 0.9f,
                                 .nesterov = true,
                                 .decay = (float)f->decay,
                                 .clip = (float)f->clip,
                                 .ema = (float)f->ema};
    *out = o;
    return GH_OK;
}

gh_status gh_train_means_open(gh_train_means *m, gh_learn_options *learn, const gh_train_flags *f,
                              const char *body, bool scratch, const gh_opt_list *models, gh_err *e)
{
    if (!scratch)
        GH_TRY(gh_cli_model_path(&m->body, body, models, e));
    GH_TRY(gh_pool_new(&m->pool, (int)f->threads, e));
    learn->pool = m->pool;
    learn->stop = gh_train_stop();
    return GH_OK;
}

void gh_train_means_close(gh_train_means *m)
{
    gh_pool_free(&m->pool);
    gh_free(m->body);
}
