/* What a run leaves in its folder: the checkpoint and history.csv. */
#include "train/learn/parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/learn/checkpoint.h"

#include <string.h>

enum { CHECKPOINT, HISTORY };

const char *const gh_learn_files[] = {"checkpoint", "history.csv", "report.html", NULL};

gh_status gh_learn_open_folder(gh_learn_run *r)
{
    if (!r->o->folder)
        return GH_OK;
    GH_TRY(gh_dir_make(r->o->folder, r->e));
    for (size_t i = 0; gh_learn_files[i]; i++)
        if (!(r->path[i] = gh_path_join(r->o->folder, gh_learn_files[i])))
            return gh_fail(r->e, GH_NOMEM, "no memory for a training run");
    return GH_OK;
}

/* Of all that changes what a further step does, but for what may change between parts of a run: the number of
 * epochs, patience and the limit of time. */
static gh_hash mark_of(const gh_learn_run *r)
{
    const gh_learn_options *o = r->o;
    const gh_optim_options *p = &o->optim;
    const double numbers[] = {(double)p->kind,
                              (double)p->momentum,
                              (double)p->nesterov,
                              (double)p->beta1,
                              (double)p->beta2,
                              (double)p->small,
                              (double)p->decay,
                              (double)p->clip,
                              (double)p->ema,
                              (double)o->schedule,
                              o->rate,
                              o->last,
                              o->warmup};
    const uint64_t counts[] = {r->task->samples, r->task->target_bytes, r->batch, r->count, r->nstate,
                               o->seed,          r->task->mark};
    const gh_tape_param *params;
    size_t n = gh_tape_params(r->tape, &params);
    gh_hash hash = gh_hash_more(gh_hash_bytes(numbers, sizeof numbers), counts, sizeof counts);
    for (size_t i = 0; i < n; i++) {
        const uint64_t of[] = {params[i].offset, params[i].count, params[i].decays};
        hash = gh_hash_more(hash, of, sizeof of);
        hash = gh_hash_more(hash, params[i].name, strlen(params[i].name));
    }
    return hash;
}

enum { MOST_BLOCKS = 8 };

static size_t blocks_of(gh_checkpoint_block blocks[MOST_BLOCKS], gh_learn_run *r)
{
    size_t n = 0, optim, nstate;
    void *state = gh_optim_state(r->optim, &optim);
    blocks[n++] = (gh_checkpoint_block){&r->state, sizeof r->state};
    blocks[n++] = (gh_checkpoint_block){r->history, GH_LEARN_MOST_EPOCHS * sizeof *r->history};
    blocks[n++] = (gh_checkpoint_block){r->details, GH_LEARN_MOST_DETAILS};
    blocks[n++] = (gh_checkpoint_block){gh_tape_weights(r->tape), r->count * sizeof(float)};
    blocks[n++] = (gh_checkpoint_block){gh_tape_state(r->tape, &nstate), r->nstate * sizeof(float)};
    blocks[n++] = (gh_checkpoint_block){r->best, (r->count + r->nstate) * sizeof(float)};
    blocks[n++] = (gh_checkpoint_block){state, optim};
    blocks[n++] = (gh_checkpoint_block){r->average, r->average ? r->nstate * sizeof(float) : 0};
    return n;
}

gh_status gh_learn_save(gh_learn_run *r)
{
    gh_checkpoint_block blocks[MOST_BLOCKS];
    if (!r->path[CHECKPOINT])
        return GH_OK;
    double seconds = r->state.seconds;
    r->state.seconds = gh_learn_seconds(r);
    gh_status status =
        gh_checkpoint_write(r->path[CHECKPOINT], mark_of(r), blocks, blocks_of(blocks, r), r->e);
    r->state.seconds = seconds;
    return status;
}

gh_status gh_learn_load(gh_learn_run *r)
{
    gh_checkpoint_block blocks[MOST_BLOCKS];
    if (!r->path[CHECKPOINT])
        return GH_NOTFOUND;
    GH_TRY(gh_checkpoint_read(r->path[CHECKPOINT], mark_of(r), blocks, blocks_of(blocks, r), r->e));
    if (r->state.epoch > GH_LEARN_MOST_EPOCHS || r->state.trials > GH_LEARN_TRIALS ||
        r->state.details > GH_LEARN_MOST_DETAILS)
        return gh_fail(r->e, GH_FORMAT, "the checkpoint %s is damaged", r->path[CHECKPOINT]);
    r->start_ns = gh_now_ns();
    return GH_OK;
}

gh_status gh_learn_write_history(gh_learn_run *r)
{
    gh_buf b = {0};
    if (!r->path[HISTORY])
        return GH_OK;
    gh_buf_printf(&b, "epoch,step,loss,%s,rate,gradient_norm,seconds,validation_seconds\n",
                  r->task->validate && r->task->metric_name ? r->task->metric_name : "metric");
    for (uint32_t i = 0; i < r->state.epoch; i++) {
        const gh_learn_epoch *h = &r->history[i];
        gh_buf_printf(&b, "%u,%llu,%.6g,%.6g,%.6g,%.6g,%.1f,%.1f\n", i + 1,
                      (unsigned long long)(i + 1) * r->steps, h->loss, h->metric, h->rate, h->norm,
                      h->seconds, h->validation);
    }
    gh_status status = b.failed ? gh_fail(r->e, GH_NOMEM, "no memory for the history of the run")
                                : gh_file_write(r->path[HISTORY], b.data, b.len, r->e);
    gh_buf_free(&b);
    return status;
}
