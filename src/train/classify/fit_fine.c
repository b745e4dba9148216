/* The gradient stage of a classification run: the graph it begins with, and what the trained one scores. */
#include "base/mem.h"
#include "engine/cut.h"
#include "train/classify/fit_parts.h"
#include "train/nets/grey.h"
#include "train/nets/small.h"
#include "train/output/model_folder.h"
#include "train/output/place.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool gh_train_head_tunes(const gh_head_type *type)
{
    return strcmp(type->name, "softmax") == 0 || strcmp(type->name, "mlp") == 0;
}

/* ---- the run's folder ---- */

gh_status gh_train_open_run(gh_train_run *r)
{
    GH_TRY(gh_place_run(&r->folder, r->o->out, r->name, r->e));
    r->fine = r->o->fine;
    r->fine.folder = r->folder;
    return GH_OK;
}

gh_status gh_train_keep_run(const gh_train_run *r, const char *staged)
{
    return gh_place_keep(r->folder, staged, "training.html", r->e);
}

/* ---- a run from scratch ---- */

static const gh_head_type scratch_type = {.name = "dense", .logits = true};

/* Values from about -2 to 2, as fresh weights like them. */
static gh_status make_manifest(gh_body *b, const gh_train_run *r)
{
    const gh_fine_settings *s = &r->fine;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:{s:i, s:i, s:s, s:f, s:f, s:s, s:f, s:s}, s:{s:s}, s:o}",
                          "name", s->scratch, "version", "1", "task", "classify", "license",
                          "that of the pictures it was trained on", "input", "width", s->side, "height",
                          s->side, "colour", "rgb", "mean", 127.5, "scale", 1.0 / 64, "fit", "crop", "crop",
                          1.0, "filter", "bilinear", "output", "decoder", "softmax", "labels",
                          gh_folder_labels(r->set->classes, r->set->nclasses));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    gh_status status = text ? gh_manifest_parse(&b->manifest, "", text, strlen(text), r->e)
                            : gh_fail(r->e, GH_FORMAT, "the name of a class is not UTF-8 text");
    json_decref(o);
    free(text);
    return status;
}

gh_status gh_train_scratch_body(gh_train_run *r)
{
    r->body = gh_calloc(1, sizeof *r->body);
    r->features = gh_calloc(1, sizeof *r->features);
    if (!r->body || !r->features)
        return gh_train_no_memory(r);
    r->features->problems = gh_calloc(1, sizeof *r->features->problems);
    r->body->cut = gh_strdup("body/features");
    if (!r->features->problems || !r->body->cut)
        return gh_train_no_memory(r);
    r->type = &scratch_type;
    r->data.set = r->set;
    r->data.features = r->features;
    return make_manifest(r->body, r);
}

/* ---- the graph ---- */

static gh_status fresh_graph(gh_train_run *r)
{
    const gh_fine_settings *s = &r->fine;
    gh_small_options o = {.name = s->scratch,
                          .side = s->side,
                          .width = s->width,
                          .depth = s->depth,
                          .classes = (int)r->set->nclasses,
                          .grey = s->grey,
                          .seed = r->o->seed};
    return gh_small_net(&r->graph, &o, r->e);
}

/* The body with the head that was fitted on it. */
static gh_status joined_graph(gh_train_run *r)
{
    uint32_t features;
    GH_TRY(gh_body_graph(&r->graph, &features, r->body, r->e));
    r->graph->noutputs = 0;
    uint32_t scores = r->type->export(r->graph, r->head, features, 1);
    gh_graph_output(r->graph, scores);
    if (r->fine.grey)
        GH_TRY(gh_grey_entry(r->graph, &r->body->manifest->input, r->e));
    return gh_graph_unique_names(r->graph, r->e);
}

static gh_status open_graph(gh_train_run *r)
{
    GH_TRY(r->fine.scratch ? fresh_graph(r) : joined_graph(r));
    GH_TRY(gh_graph_check(r->graph, r->e));
    return gh_graph_sort(r->graph, r->e);
}

/* ---- scores ---- */

/* Examples that `part` wants (0 = held out, 1 = of the test part) and that can be used. */
static size_t list_examples(uint32_t *out, const gh_train_run *r, const bool *use, int part)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->set->nexamples; i++) {
        bool test = r->set->examples[i].split == GH_SPLIT_TEST;
        if ((!use || use[i]) && (part ? test : !test && r->fold[i] == 0))
            out[n++] = i;
    }
    return n;
}

static gh_status make_heldout(gh_train_run *r, const gh_fine_options *o)
{
    gh_heldout *h = gh_calloc(1, sizeof *h);
    if (!h)
        return gh_train_no_memory(r);
    gh_heldout_free(&r->heldout);
    r->heldout = h;
    size_t most = r->set->nexamples + 1u;
    h->classes = r->set->nclasses;
    h->example = gh_calloc(most, sizeof *h->example);
    h->label = gh_calloc(most, sizeof *h->label);
    h->fold = gh_calloc(most, sizeof *h->fold);
    if (!h->example || !h->label || !h->fold)
        return gh_train_no_memory(r);
    h->n = list_examples(h->example, r, o->use, 0);
    h->logits = gh_calloc(h->n * h->classes + 1, sizeof *h->logits);
    if (!h->logits)
        return gh_train_no_memory(r);
    for (size_t i = 0; i < h->n; i++)
        h->label[i] = r->set->examples[h->example[i]].label;
    return gh_fine_scores(h->logits, r->graph, o, h->example, h->n, r->e);
}

/* Pictures that the frozen body could be shown; NULL when there was none. */
static gh_status usable(bool **out, const gh_train_run *r)
{
    if (r->fine.scratch)
        return GH_OK;
    *out = gh_calloc(r->set->nexamples + 1u, sizeof **out);
    if (!*out)
        return gh_train_no_memory(r);
    for (size_t row = 0; row < r->features->rows; row++)
        (*out)[r->features->sample[row]] = true;
    return GH_OK;
}

static gh_fine_options fine_options(const gh_train_run *r, const bool *use)
{
    return (gh_fine_options){.settings = &r->fine,
                             .set = r->set,
                             .fold = r->fold,
                             .use = use,
                             .input = &r->body->manifest->input,
                             .balance = r->o->balance,
                             .seed = r->o->seed,
                             .title = r->name,
                             .quiet = r->o->quiet,
                             .pool = r->o->pool,
                             .stop = r->o->stop};
}

/* What the manifest tells of the run. */
static gh_status describe(gh_train_run *r)
{
    const gh_fine_settings *s = &r->fine;
    gh_buf b = {0};
    gh_buf_printf(&b,
                  "{\"epochs\": %u, \"best_epoch\": %u, \"rate\": %.3g, \"unfrozen_blocks\": %d, "
                  "\"smoothing\": %.3g, \"mixup\": %.3g, \"training_seconds\": %.0f",
                  r->learnt.epochs, r->learnt.best_epoch, r->learnt.rate, s->scratch ? -1 : s->unfreeze,
                  (double)s->smoothing, (double)s->mixup, r->learnt.seconds);
    if (s->scratch)
        gh_buf_printf(&b, ", \"net\": \"%s\", \"width\": %d, \"depth\": %d, \"grey\": %s", s->scratch,
                      s->width, s->depth, s->grey ? "true" : "false");
    gh_buf_add(&b, "}", 2); /* with its end */
    gh_free(r->details);
    r->details = b.failed ? NULL : (char *)b.data;
    return b.failed ? gh_train_no_memory(r) : GH_OK;
}

gh_status gh_train_tune(gh_train_run *r)
{
    bool *use = NULL;
    gh_status status = open_graph(r);
    if (!status)
        status = usable(&use, r);
    gh_fine_options o = fine_options(r, use);
    if (!status && !r->o->quiet)
        fprintf(stderr, "trained by gradients; %s/report.html shows how it goes\n", r->folder);
    if (!status)
        status = gh_fine_tune(&r->learnt, r->graph, &o, r->e);
    if (!status)
        status = make_heldout(r, &o);
    if (!status)
        status = describe(r);
    gh_free(use);
    return status;
}

gh_status gh_train_tuned_test(gh_train_run *r)
{
    bool *use = NULL;
    uint32_t *examples = gh_calloc(r->set->nexamples + 1u, sizeof *examples), *labels = NULL;
    float *p = NULL;
    size_t n = 0;
    gh_status status = examples ? usable(&use, r) : gh_train_no_memory(r);
    gh_fine_options o = fine_options(r, use);
    if (!status && (n = list_examples(examples, r, use, 1)) > 0) {
        p = gh_calloc(n, r->set->nclasses * sizeof *p);
        labels = gh_calloc(n, sizeof *labels);
        status = p && labels ? gh_fine_scores(p, r->graph, &o, examples, n, r->e) : gh_train_no_memory(r);
        for (size_t i = 0; !status && i < n; i++)
            labels[i] = r->set->examples[examples[i]].label;
    }
    if (!status && n) {
        gh_softmax_rows(p, n, r->set->nclasses, r->temperature);
        status = gh_metrics_of(&r->test, p, labels, n, r->set->nclasses, r->e);
    }
    gh_free(use);
    gh_free(examples);
    gh_free(labels);
    gh_free(p);
    return status;
}
