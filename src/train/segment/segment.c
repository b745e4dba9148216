/* The order of a run: options, data, network, then either the sheet or the loop, the judgement and the
 * folder. What the loop keeps stands in .NAME.run beside the model folder until the model is whole. */
#include "train/segment/parts.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "train/output/place.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* All that a run writes into a model folder. */
static const char *const written[] = {"model.json",  "model.onnx",  "labels.txt", "history.csv",
                                      "report.html", "report.json", "selftest.*", NULL};

static gh_status no_memory(const gh_segment_run *r)
{
    return gh_fail(r->e, GH_NOMEM, "memory ran out in the training run");
}

static gh_status check_options(gh_segment_run *r)
{
    const gh_segment_options *o = r->o;
    GH_TRY(gh_place_name(&r->name, o->out, written, r->e));
    GH_TRY(gh_place_run(&r->folder, o->out, r->name, r->e));
    if (o->scratch && o->frozen)
        return gh_fail(r->e, GH_ARG,
                       "--frozen keeps the body's weights; those of --from-scratch are not learnt yet");
    if (o->decoder.kind == GH_DECODER_OWN && (o->scratch || o->cut || o->decoder.unpool != GH_UNPOOL_NEAREST))
        return gh_fail(r->e, GH_ARG, "decoder own keeps the body as it is: %s does not go with it",
                       o->scratch ? "--from-scratch"
                       : o->cut   ? "--cut"
                                  : "--unpool");
    r->current = gh_path_join(r->folder, "model");
    return r->current ? GH_OK : no_memory(r);
}

/* What a checkpoint must agree with. */
static uint64_t mark_of(const gh_segment_run *r)
{
    const gh_segment_options *o = r->o;
    const double numbers[] = {o->decoder.kind, o->decoder.unpool, o->decoder.width, o->frozen,
                              o->body_rate,    o->balance,        o->dice,          o->size.width,
                              o->size.height,  o->batch,          r->level};
    const gh_maskdata *d = r->data;
    char text[200];
    gh_hash h = gh_hash_bytes(numbers, sizeof numbers);
    gh_augment_text(&o->augment, text);
    h = gh_hash_more(h, text, strlen(text));
    for (uint32_t i = 0; i < d->nlearn; i++)
        h = gh_hash_more(h, d->set->pictures[d->learn[i]].path, strlen(d->set->pictures[d->learn[i]].path));
    h = gh_hash_more(h, d->pixels, d->nclasses * sizeof *d->pixels);
    if (r->body)
        h = gh_hash_more(h, &r->body->file_hash, sizeof r->body->file_hash);
    return h.low ? h.low : 1;
}

static size_t parameters_of(const gh_graph *g)
{
    size_t sum = 0, count;
    for (uint32_t v = 0; v < g->nvalues; v++)
        if (g->values[v].data && g->values[v].type == GH_F32 && g->values[v].shape.rank >= 1 &&
            gh_shape_count(&count, &g->values[v].shape))
            sum += count;
    return sum;
}

static void tell(const gh_segment_run *r)
{
    const gh_maskdata *d = r->data;
    if (r->o->learn.quiet)
        return;
    fprintf(
        stderr,
        "%u pictures to learn from, %zu to judge by, %u classes; body %s%s, decoder %s, unpooling %s; %.2f "
        "million weights learnt; %.0f MB; report: %s/report.html\n",
        d->nlearn, d->judge->npictures, d->nclasses, r->body ? r->body->manifest->name : r->o->scratch,
        r->o->frozen ? " (frozen)" : "", gh_decoder_name(r->o->decoder.kind),
        r->o->decoder.kind == GH_DECODER_OWN ? "its own" : gh_unpool_name(r->o->decoder.unpool),
        (double)gh_tape_count(r->tape) / 1e6, (double)gh_tape_bytes(r->tape) / 1048576, r->folder);
}

static gh_status prepare(gh_segment_run *r)
{
    const gh_segment_options *o = r->o;
    const gh_maskdata_options data = {.share = o->share,
                                      .some = o->some,
                                      .seed = o->learn.seed,
                                      .strict = o->strict,
                                      .pool = o->learn.pool};
    GH_TRY(check_options(r));
    GH_TRY(gh_maskdata_open(&r->data, o->data, &data, r->e));
    GH_TRY(gh_segment_net(r));
    r->weights = gh_calloc(r->data->nclasses, sizeof *r->weights);
    if (!r->weights)
        return no_memory(r);
    gh_maskdata_weights(r->weights, r->data, o->balance);
    return GH_OK;
}

static gh_status learn(gh_segment_summary *out, gh_segment_run *r)
{
    gh_learn_summary learnt = {0};
    gh_learn_options loop = r->o->learn;
    gh_learn_task task = gh_segment_task(r);
    const gh_shape shape = gh_shape_of(4, (int64_t[]){r->o->batch, 3, r->step.height, r->step.width});
    GH_TRY(gh_segment_tape(r));
    tell(r);
    task.mark = mark_of(r);
    loop.inputs = &shape;
    loop.folder = r->folder;
    loop.title = r->name;
    gh_status status = gh_learn(&learnt, r->graph, r->tape, &task, &loop, r->e);
    if (status == GH_OK)
        status = gh_segment_judge(r, r->graph, r->data->judge);
    if (status == GH_OK)
        status = gh_segment_finish(r, &learnt);
    if (status == GH_OK) {
        const gh_mask_scores *s = &r->ev->scores;
        out->miou = s->miou;
        out->pixel_accuracy = s->counted ? (double)s->right / (double)s->counted : 0;
        out->edge = s->edge;
        out->epochs = learnt.epochs;
        out->best_epoch = learnt.best_epoch;
        out->trained = gh_tape_count(r->tape);
        out->parameters = parameters_of(r->graph);
    }
    gh_buf_free(&learnt.details);
    return status;
}

gh_status gh_train_segment(gh_segment_summary *out, const gh_segment_options *o, gh_err *e)
{
    gh_segment_run r = {.o = o, .e = e};
    uint64_t start = gh_now_ns();
    clock_t cpu = clock();
    gh_segment_summary s = {0};
    gh_status status = prepare(&r);
    if (status == GH_OK)
        status = o->show_augment ? gh_segment_show(&r, o->show_augment) : learn(&s, &r);
    if (status == GH_OK) {
        s.learnt = r.data->nlearn;
        s.judged = (uint32_t)r.data->judge->npictures;
        s.classes = r.data->nclasses;
        s.left_out = r.data->left_out;
        s.seconds = (double)(gh_now_ns() - start) / 1e9;
        s.cpu_seconds = (double)(clock() - cpu) / CLOCKS_PER_SEC;
        *out = s;
    }
    gh_masks_evaluation_free(&r.ev);
    gh_model_put(&r.model);
    gh_tape_free(&r.tape);
    gh_graph_free(&r.graph);
    gh_body_free(&r.body);
    gh_maskdata_free(&r.data);
    gh_free(r.weights);
    gh_free(r.name);
    gh_free(r.folder);
    gh_free(r.current);
    return status;
}
