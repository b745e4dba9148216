/* gharial train classify: a new head on a frozen body, from labelled pictures to a model folder. */
#include "base/mem.h"
#include "cli/cmd_train.h"
#include "train/classify/fit.h"
#include "train/features/cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct values {
    const char *data, *split, *body, *cut, *out, *head, *cache, *augment, *balance, *unfreeze, *scratch, *lr;
    gh_opt_list models;
    int64_t folds, seed, threads, cache_size, hidden, trees, neighbours, epochs;
    int64_t width, depth, size, batch, patience;
    double l2, smoothing, mixup, minutes;
    bool resume, grey, strict, head_only, no_reject, no_cache, no_report, quiet, json;
} values;

static const gh_option options[] = {
    {"data", GH_OPT_STRING, offsetof(values, data), "DIR", "folder, .tsv or .csv with labelled pictures", 0,
     0},
    {"split", GH_OPT_STRING, offsetof(values, split), "NAME",
     "learn from this part alone: train, val or test (all)", 0, 0},
    {"out", GH_OPT_STRING, offsetof(values, out), "DIR",
     "model folder to write; its last part is the model's name", 0, 0},
    {"body", GH_OPT_STRING, offsetof(values, body), "NAME",
     "pretrained model: name, folder or .onnx file (the default model)", 0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"cut", GH_OPT_STRING, offsetof(values, cut), "NAME",
     "where the body ends (the input of its last dense layer)", 0, 0},
    {"head", GH_OPT_STRING, offsetof(values, head), "NAME",
     "softmax, mlp, forest, knn, or auto: the best of them (auto)", 0, 0},
    {"augment", GH_OPT_STRING, offsetof(values, augment), "LIST",
     "more views of a picture: flip,crop,colour (none); by gradients as train segment's", 0, 0},
    {"balance", GH_OPT_STRING, offsetof(values, balance), "HOW",
     "rare classes count more: none, sqrt or weights (none)", 0, 0},
    {"folds", GH_OPT_INT, offsetof(values, folds), "N", "of the cross-validation (5)", 2, 100},
    {"seed", GH_OPT_INT, offsetof(values, seed), "N", "the same seed gives the same model (1)", 0, 0},
    {"l2", GH_OPT_REAL, offsetof(values, l2), "X", "softmax: penalty (chosen by cross-validation)", 0, 1e9},
    {"hidden", GH_OPT_INT, offsetof(values, hidden), "N", "mlp: hidden units", 1, 65536},
    {"trees", GH_OPT_INT, offsetof(values, trees), "N", "forest: trees", 1, 10000},
    {"neighbours", GH_OPT_INT, offsetof(values, neighbours), "N", "knn: neighbours (class prototypes)", 1,
     1000},
    {"epochs", GH_OPT_INT, offsetof(values, epochs), "N",
     "mlp: most epochs; by gradients: 8, or 30 from scratch", 1, 100000},
    {"unfreeze", GH_OPT_STRING, offsetof(values, unfreeze), "N",
     "then train the body's last N blocks too, or all", 0, 0},
    {"from-scratch", GH_OPT_STRING, offsetof(values, scratch), "NET",
     "no body: a small net, mobile or residual, with fresh weights", 0, 0},
    {"size", GH_OPT_INT, offsetof(values, size), "N", NULL, 16, 512},
    {"width", GH_OPT_INT, offsetof(values, width), "N", NULL, 4, 256},
    {"depth", GH_OPT_INT, offsetof(values, depth), "N",
     "its input (64 pixels), first channels (16), blocks a stage", 1, 16},
    {"grey", GH_OPT_FLAG, offsetof(values, grey), .help = "it sees brightness alone, whatever the colours"},
    {"lr", GH_OPT_STRING, offsetof(values, lr), "X", "highest rate, or auto: found by a trial", 0, 0},
    {"batch", GH_OPT_INT, offsetof(values, batch), "N", "pictures a step (32)", 1, 1024},
    {"smoothing", GH_OPT_REAL, offsetof(values, smoothing), "X", NULL, 0, 0.9},
    {"mixup", GH_OPT_REAL, offsetof(values, mixup), "X",
     "of labels (0); pictures mixed in pairs by Beta(X, X) (0 = none)", 0, 1},
    {"patience", GH_OPT_INT, offsetof(values, patience), "N", NULL, 0, 2000},
    {"minutes", GH_OPT_REAL, offsetof(values, minutes), "X",
     "ends after N epochs without gain, or that long (no limit)", 0, 1e6},
    {"resume", GH_OPT_FLAG, offsetof(values, resume), .help = "go on where the run was stopped"},
    {"head-only", GH_OPT_FLAG, offsetof(values, head_only),
     .help = "write the head alone; a server joins it to its body"},
    {"no-reject", GH_OPT_FLAG, offsetof(values, no_reject),
     .help = "no rule for pictures of none of the classes: always the best label"},
    {"cache", GH_OPT_STRING, offsetof(values, cache), "DIR", "where features are kept (~/.cache/gharial)", 0,
     0},
    {"cache-size", GH_OPT_BYTES, offsetof(values, cache_size), "BYTES", "most that the cache may take (2G)",
     1, 0x1p50},
    {"no-cache", GH_OPT_FLAG, offsetof(values, no_cache), .help = "keep no features"},
    {"no-report", GH_OPT_FLAG, offsetof(values, no_report), .help = "write no report.html and report.json"},
    {"strict", GH_OPT_FLAG, offsetof(values, strict), .help = "a picture that cannot be used ends the run"},
    {"threads", GH_OPT_INT, offsetof(values, threads), "N", "(all cores)", 1, 1024},
    {"quiet", GH_OPT_FLAG, offsetof(values, quiet), .help = "no progress"},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "the result as one JSON object"},
    {0},
};

static const gh_usage usage = {
    .command = "train",
    .args = "",
    .about =
        "Cuts the head off a pretrained network, keeps its body frozen, and trains a new head for your own\n"
        "classes. Layouts: DIR/<class>/*.jpg; DIR/{train,val,test}/<class>/*.jpg; a .csv of path, label[, "
        "split]\n"
        "[, group], or of path and a column of votes for each class. Masks: gharial train segment --help.",
    .example = "gharial train --data photos/ --out models/mine",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .quiet = true,
};

static int print_summary(const values *v, const gh_train_summary *s)
{
    if (v->json) {
        json_t *o =
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:[f,f], s:f, s:f, s:f, s:f, s:f, s:f}", "out", v->out,
                      "head", s->head, "pictures", (json_int_t)s->pictures, "classes", (json_int_t)s->classes,
                      "left_out", (json_int_t)s->left_out, "accuracy", s->accuracy.value, "interval95",
                      s->accuracy.interval.low, s->accuracy.interval.high, "macro_recall", s->macro_recall,
                      "ece_before", s->ece_before, "ece_after", s->ece_after, "temperature", s->temperature,
                      "seconds_features", s->seconds_features, "seconds", s->seconds_total);
        if (o && s->tested)
            json_object_set_new(o, "test_accuracy", json_real(s->test.value));
        if (o && s->tuned)
            json_object_set_new(o, "gradients",
                                json_pack("{s:f, s:i, s:i, s:f}", "accuracy_before", s->before, "epochs",
                                          (int)s->tuned_epochs, "best_epoch", (int)s->tuned_best, "rate",
                                          s->tuned_rate));
        return gh_cli_print_json("train", o, false);
    }
    printf("head         %s\n", s->head);
    printf("pictures     %u of %u classes, %u left out\n", s->pictures, s->classes, s->left_out);
    printf("accuracy     %.1f %%   95 %% interval %.1f to %.1f %%   macro recall %.3f\n",
           100 * s->accuracy.value, 100 * s->accuracy.interval.low, 100 * s->accuracy.interval.high,
           s->macro_recall);
    if (s->before > 0)
        printf("before       %.1f %%   the head alone, on the body as it was\n", 100 * s->before);
    if (s->tuned)
        printf("gradients    %u epochs, the best %u, rate %.2g\n", s->tuned_epochs, s->tuned_best,
               s->tuned_rate);
    if (s->tested)
        printf("test part    %.1f %%   95 %% interval %.1f to %.1f %%\n", 100 * s->test.value,
               100 * s->test.interval.low, 100 * s->test.interval.high);
    printf("calibration  error %.3f before, %.3f after (temperature %.2f)\n", s->ece_before, s->ece_after,
           s->temperature);
    printf("time         %.1f s, of which features %.1f s\n", s->seconds_total, s->seconds_features);
    printf("written      %s%s\n", v->out, v->no_report ? "" : "   (report.html says what to do next)");
    return gh_cli_flush("train", 0);
}

static gh_status read_number(double *out, const char *option, const char *text, const char *also, gh_err *e)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end || !(v > 0) || v > 1e6)
        return gh_fail(e, GH_ARG, "--%s is '%.40s'; it takes a positive number or %s", option, text, also);
    *out = v;
    return GH_OK;
}

/* What belongs to training by gradients. */
static gh_status read_gradients(gh_train_options *o, const values *v, gh_err *e)
{
    double blocks = 0;
    o->fine = (gh_fine_settings){.scratch = v->scratch,
                                 .width = (int)v->width,
                                 .depth = (int)v->depth,
                                 .side = (int)v->size,
                                 .grey = v->grey,
                                 .smoothing = (float)v->smoothing,
                                 .mixup = (float)v->mixup,
                                 .rate = -1,
                                 .epochs = (int)v->epochs,
                                 .batch = (int)v->batch,
                                 .patience = (int)v->patience,
                                 .seconds = 60 * v->minutes,
                                 .resume = v->resume};
    if (v->unfreeze && strcmp(v->unfreeze, "all") != 0)
        GH_TRY(read_number(&blocks, "unfreeze", v->unfreeze, "all", e));
    if (v->unfreeze)
        o->fine.unfreeze = blocks > 0 ? (int)ceil(blocks) : -1;
    if (v->lr)
        o->fine.rate = 0;
    if (v->lr && strcmp(v->lr, "auto") != 0)
        GH_TRY(read_number(&o->fine.rate, "lr", v->lr, "auto", e));
    o->epochs = 0;
    return gh_augment_read(&o->fine.augment, v->augment, e);
}

/* What a head alone has no use for. */
static gh_status refuse_gradients(const values *v, gh_err *e)
{
    const struct {
        const char *name;
        bool yes;
    } given[] = {{"lr", v->lr},           {"batch", v->batch},       {"smoothing", v->smoothing > 0},
                 {"mixup", v->mixup > 0}, {"patience", v->patience}, {"minutes", v->minutes > 0},
                 {"grey", v->grey},       {"resume", v->resume}};
    for (size_t i = 0; i < GH_COUNT(given); i++)
        if (given[i].yes)
            return gh_fail(e, GH_ARG, "--%s belongs to --unfreeze and --from-scratch", given[i].name);
    return GH_OK;
}

/* Everything but the options' reading; `cache` and `body` are owned by the caller. */
static gh_status train(gh_train_summary *s, const values *v, char **body, char **cache, gh_pool **pool,
                       gh_err *e)
{
    gh_train_options o = {.data = v->data,
                          .cut = v->cut,
                          .out = v->out,
                          .head = v->head,
                          .folds = (uint32_t)v->folds,
                          .seed = (uint64_t)v->seed,
                          .strict = v->strict,
                          .head_only = v->head_only,
                          .no_reject = v->no_reject,
                          .quiet = v->quiet,
                          .report = !v->no_report,
                          .l2 = (float)v->l2,
                          .hidden = (int)v->hidden,
                          .trees = (int)v->trees,
                          .neighbours = (int)v->neighbours,
                          .epochs = (int)v->epochs,
                          .cache_bytes = (uint64_t)v->cache_size,
                          .stop = gh_train_stop()};
    if (!v->data || !v->out)
        return gh_fail(e, GH_ARG, "%s is needed; see gharial train --help",
                       v->data ? "--out DIR" : "--data DIR");
    if (v->split && strcmp(v->split, "all") != 0 && (o.part = gh_split_of(v->split)) == GH_SPLIT_NONE)
        return gh_fail(e, GH_ARG, "--split is '%.40s'; it takes train, val, test or all", v->split);
    GH_TRY(gh_balance_of(&o.balance, v->balance, e));
    if (v->unfreeze || v->scratch) {
        GH_TRY(read_gradients(&o, v, e));
    } else {
        GH_TRY(refuse_gradients(v, e));
        GH_TRY(gh_augment_parse(&o.augment, v->augment, e));
    }
    if (!v->scratch)
        GH_TRY(gh_cli_model_path(body, v->body, &v->models, e));
    GH_TRY(gh_pool_new(pool, (int)v->threads, e));
    if (!v->no_cache)
        *cache = v->cache ? gh_strdup(v->cache) : gh_cache_folder();
    o.body = *body;
    o.cache = *cache;
    o.pool = *pool;
    return gh_train_classify(s, &o, e);
}

int gh_cmd_train_classify(int argc, char **argv)
{
    values v = {.head = "auto", .augment = "none", .balance = "none", .folds = 5, .seed = 1, .size = 64};
    gh_train_summary summary = {0};
    char *body = NULL, *cache = NULL;
    gh_pool *pool = NULL;
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    gh_status status = train(&summary, &v, &body, &cache, &pool, &e);
    code = status ? gh_cli_fail("train", status, &e) : print_summary(&v, &summary);
    gh_pool_free(&pool);
    gh_free(body);
    gh_free(cache);
    return code;
}
