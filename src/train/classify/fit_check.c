/* What would make a run fail in the end is looked at before it begins. */
#include "base/mem.h"
#include "train/classify/fit_parts.h"
#include "train/output/place.h"

#include <string.h>
#include <unistd.h>

/* All that a run writes into a model folder. */
static const char *const written[] = {"model.json",    "model.onnx",  "head.onnx",  "labels.txt",
                                      "report.json",   "report.html", "selftest.*", "history.csv",
                                      "training.html", NULL};

static gh_status check_tuning(const gh_train_run *r)
{
    const gh_train_options *o = r->o;
    const gh_head_type *type = gh_head_type_find(o->head);
    if (o->fine.scratch && o->fine.unfreeze)
        return gh_fail(r->e, GH_ARG,
                       "--from-scratch and --unfreeze exclude each other: the one begins with "
                       "fresh weights, the other with a body's");
    if (o->head_only)
        return gh_fail(r->e, GH_ARG,
                       "--head-only cannot be had with a body that is trained too: the head "
                       "fits no other");
    if (type && !gh_train_head_tunes(type))
        return gh_fail(r->e, GH_ARG,
                       "a body cannot be trained behind the head '%s', which has no gradient; "
                       "softmax and mlp have",
                       type->name);
    return GH_OK;
}

gh_status gh_train_check_options(gh_train_run *r)
{
    const gh_train_options *o = r->o;
    if (strcmp(o->head, "auto") != 0 && !gh_head_type_find(o->head))
        return gh_fail(r->e, GH_ARG, "head '%.40s' is not known; see gharial train --help", o->head);
    if (gh_train_tunes(r))
        GH_TRY(check_tuning(r));
    return gh_place_name(&r->name, o->out, written, r->e);
}

gh_status gh_train_check_body(const gh_train_run *r)
{
    if (r->o->head_only && r->body->rank != 2)
        return gh_fail(
            r->e, GH_UNSUPPORTED,
            "--head-only needs a cut that gives a vector; at \"%.60s\" the body gives %d dimensions, "
            "which only a whole model can pool",
            r->body->cut, r->body->rank);
    return GH_OK;
}

/* ---- memory ---- */

static double mega(double bytes)
{
    return bytes / 1048576;
}

/* Copies of all rows that are held at once while the last head is fitted: the features, those to fit on and
 * their plain views. Then scores (held out, as probabilities, of a test), and what the optimiser of the
 * softmax head keeps of its parameters: 5 + 2 * 10 vectors. */
double gh_train_memory(const gh_train_run *r)
{
    double views = gh_views_count(r->o->augment), classes = r->set->nclasses, n = r->set->nexamples;
    double width = (double)r->body->width, plain = n * width * sizeof(float);
    double votes = r->set->nexamples && r->set->examples[0].votes ? 2 * n * views : 0;
    return plain * (2 * views + 1) + (3 * n + votes + 25 * width) * classes * sizeof(float);
}

gh_status gh_train_check_head(const gh_train_run *r)
{
    const gh_head_type *type = gh_head_type_find(r->o->head);
    const gh_rows rows = {.n = r->set->nexamples, .width = r->body->width, .classes = r->set->nclasses};
    return type && type->check ? type->check(&rows, &r->data.fit, r->e) : GH_OK;
}

gh_status gh_train_check_memory(const gh_train_run *r)
{
    double need = gh_train_memory(r);
    double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (have <= 0 || need <= have)
        return GH_OK;
    return gh_fail(
        r->e, GH_LIMIT,
        "%u pictures of %u classes with %u views and %zu features need about %.0f MB; this machine "
        "has %.0f MB",
        r->set->nexamples, r->set->nclasses, gh_views_count(r->o->augment), r->body->width, mega(need),
        mega(have));
}

/* ---- pictures of each class ---- */

/* Different pictures of each class that are learned from; false in `there` (NULL = none): not usable. Gives
 * how many stand in the validation part. */
static uint32_t count(uint32_t *learned, const gh_trainset *t, const bool *there)
{
    uint32_t checked = 0;
    for (uint32_t i = 0; i < t->nexamples; i++) {
        const gh_example *x = &t->examples[i];
        if ((there && !there[i]) || x->twin != i || x->split == GH_SPLIT_TEST)
            continue;
        checked += x->split == GH_SPLIT_VAL;
        learned[x->label] += x->split != GH_SPLIT_VAL;
    }
    return checked;
}

static gh_status judge(const gh_train_run *r, const uint32_t *learned, uint32_t checked)
{
    const gh_trainset *t = r->set;
    bool parted = false;
    if (t->nclasses < 2)
        return gh_fail(r->e, GH_FORMAT,
                       "the data have one class only (%.60s); a head tells at least two apart",
                       t->nclasses ? t->classes[0] : "none");
    for (uint32_t i = 0; i < t->nexamples; i++)
        parted |= t->examples[i].split == GH_SPLIT_VAL;
    for (uint32_t c = 0; c < t->nclasses; c++) {
        if (learned[c] >= (parted ? 1 : 2))
            continue;
        return gh_fail(r->e, GH_FORMAT, "class %.60s has %u different picture%s%s; at least %s",
                       t->classes[c], learned[c], learned[c] == 1 ? "" : "s", parted ? " to learn from" : "",
                       parted ? "1 is needed" : "2 are needed, one to learn and one to check");
    }
    return parted && !checked
               ? gh_fail(r->e, GH_FORMAT, "the validation part has no picture that can be used")
               : GH_OK;
}

gh_status gh_train_check_set(const gh_train_run *r)
{
    const gh_features *f = r->features;
    uint32_t *learned = gh_calloc(r->set->nclasses + 1u, sizeof *learned);
    bool *there = f ? gh_calloc(r->set->nexamples + 1u, sizeof *there) : NULL;
    gh_status status = GH_OK;
    if (!learned || (f && !there)) {
        status = gh_train_no_memory(r);
    } else {
        for (size_t row = 0; f && row < f->rows; row++)
            there[f->sample[row]] = true;
        status = judge(r, learned, count(learned, r->set, there));
    }
    gh_free(learned);
    gh_free(there);
    return status;
}
