/* gharial eval: how good a model is on labelled pictures. */
#include "cli/cli.h"
#include "cli/eval_report.h"

#include "base/mem.h"
#include "base/progress.h"
#include "cli/eval_boxes.h"
#include "cli/eval_masks.h"
#include "tasks/jsontext.h"
#include "tasks/preproc.h"
#include "train/evaluate/evaluate.h"
#include "train/metrics/metrics.h"

#include <stdio.h>
#include <string.h>

typedef struct values {
    const char *model, *data, *split, *precision;
    gh_opt_list models;
    bool json, strict;
    int64_t threads, limit, max_side;
    double threshold, nms;
} values;

static const gh_option options[] = {
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME",
     "name, folder or .onnx file (the default model)", 0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"precision", GH_OPT_STRING, offsetof(values, precision), "KIND", GH_PRECISION_HELP, 0, 0},
    {"data", GH_OPT_STRING, offsetof(values, data), "DIR",
     "folder, .tsv, .csv, .json or .yaml with labelled pictures", 0, 0},
    {"split", GH_OPT_STRING, offsetof(values, split), "NAME",
     "train, val, test or all (test, else val, else all)", 0, 0},
    {"strict", GH_OPT_FLAG, offsetof(values, strict), .help = "a picture that cannot be read is exit code 3"},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "one JSON object"},
    {"threshold", GH_OPT_REAL, offsetof(values, threshold), "S",
     "boxes: score for right and wrong; masks: least confidence (the model's)", 0, 1},
    {"limit", GH_OPT_INT, offsetof(values, limit), "N", "boxes: the best of a picture and class (100)", 1,
     4096},
    {"nms", GH_OPT_REAL, offsetof(values, nms), "IOU", "boxes: overlap at which the weaker goes", 0, 1},
    {"max-side", GH_OPT_INT, offsetof(values, max_side), "N", "boxes: scale larger pictures to this (1280)",
     GH_LEAST_MAX_SIDE, GH_MOST_MAX_SIDE},
    {"threads", GH_OPT_INT, offsetof(values, threads), "N", "pictures at a time (all cores)", 1, 1024},
    {0},
};

static const gh_usage usage = {
    .command = "eval",
    .args = "",
    .about =
        "Measures a model on labelled pictures. Classes: top-1 and top-5 with 95 % intervals (Wilson), "
        "recall;\n"
        "DIR/[train|val|test/]<class>/*.jpg, labels.tsv (file, index, name), labels.csv (path, label\n"
        "[, split]). Boxes, of pipelines too: COCO's average precision; DIR/annotations.json and images/,\n"
        "Annotations/*.xml (Pascal VOC), or images/, labels/*.txt and classes.txt or data.yaml (YOLO).\n"
        "Masks: IoU, pixel accuracy, F1 of edges; DIR/[train|val|test/]images/NAME.jpg, masks/NAME.png "
        "(grey\n"
        "or indexed, value = class, 255 = ignored), classes.txt. Unreadable pictures are listed.",
    .example = "gharial eval --model efficientnet-lite0 --data photos/",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .quiet = true,
};

typedef struct report {
    const values *v;
    const gh_model *model;
    const gh_dataset *data;
    const gh_sample *samples; /* those of the split */
    const gh_evaluation *ev;
    gh_split split;
} report;

/* Which split to take; GH_SPLIT_NONE stands for all. */
static gh_status choose_split(gh_split *out, const size_t *per_split, const char *wanted, gh_err *e)
{
    gh_split split = per_split[GH_SPLIT_TEST]  ? GH_SPLIT_TEST
                     : per_split[GH_SPLIT_VAL] ? GH_SPLIT_VAL
                                               : GH_SPLIT_NONE;
    if (wanted && strcmp(wanted, "all") == 0)
        split = GH_SPLIT_NONE;
    else if (wanted && (split = gh_split_of(wanted)) == GH_SPLIT_NONE)
        return gh_fail(e, GH_ARG, "--split is '%.40s'; it takes train, val, test or all", wanted);
    if (split != GH_SPLIT_NONE && per_split[split] == 0)
        return gh_fail(e, GH_ARG, "the data has no pictures in split %s", gh_split_name(split));
    *out = split;
    return GH_OK;
}

/* The samples of a split, in order. The array is the caller's. */
static gh_sample *select_samples(const gh_dataset *d, gh_split split, size_t *count)
{
    gh_sample *chosen = gh_calloc(d->count, sizeof *chosen);
    *count = 0;
    for (size_t i = 0; chosen && i < d->count; i++)
        if (split == GH_SPLIT_NONE || d->samples[i].split == split)
            chosen[(*count)++] = d->samples[i];
    return chosen;
}

static void print_share(const char *name, size_t right, size_t count)
{
    gh_interval i = gh_wilson(right, count);
    printf("%-12s %zu of %zu = %.1f %%   95 %% interval %.1f to %.1f %%\n", name, right, count,
           count ? 100.0 * (double)right / (double)count : 0, 100 * i.low, 100 * i.high);
}

/* Recall a class, where classes have more than one picture each. */
static void print_classes(const report *r)
{
    const gh_evaluation *ev = r->ev;
    size_t most = 0;
    for (size_t c = 0; c < ev->nclasses; c++)
        most = ev->class_count[c] > most ? ev->class_count[c] : most;
    if (most < 2)
        return;
    gh_interval mean = gh_mean_interval(ev->class_right, ev->class_count, ev->nclasses);
    printf("\nrecall       mean over classes %.1f %%   95 %% interval %.1f to %.1f %%\n",
           100 * gh_mean_recall(ev), 100 * mean.low, 100 * mean.high);
    for (size_t c = 0; c < ev->nclasses; c++) {
        gh_interval i = gh_wilson(ev->class_right[c], ev->class_count[c]);
        if (ev->class_count[c])
            printf("  %-30s %6zu of %6zu = %5.1f %%   %5.1f to %5.1f %%\n", r->model->manifest->labels[c],
                   ev->class_right[c], ev->class_count[c],
                   100.0 * (double)ev->class_right[c] / (double)ev->class_count[c], 100 * i.low,
                   100 * i.high);
    }
}

static void print_text(const report *r)
{
    const gh_evaluation *ev = r->ev;
    size_t read = ev->count - ev->failed;
    printf("model        %s version %s\n", r->model->manifest->name, r->model->manifest->version);
    printf("data         %s (%s, split %s)\n", r->v->data, r->data->layout, gh_split_name(r->split));
    printf("pictures     %zu, not read %zu\n", ev->count, ev->failed);
    print_share("top-1", ev->top1, read);
    print_share("top-5", ev->top5, read);
    printf("time         %.2f s, %.1f pictures a second\n", ev->seconds, (double)ev->count / ev->seconds);
    print_classes(r);
}

static json_t *share_json(size_t right, size_t count)
{
    gh_interval i = gh_wilson(right, count);
    return json_pack("{s:I, s:I, s:f, s:[ff]}", "right", (json_int_t)right, "count", (json_int_t)count,
                     "accuracy", count ? (double)right / (double)count : 0.0, "interval95", i.low, i.high);
}

static json_t *classes_json(const report *r)
{
    const gh_evaluation *ev = r->ev;
    json_t *list = json_array();
    for (size_t c = 0; c < ev->nclasses; c++)
        if (ev->class_count[c])
            json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I, s:f}", "label",
                                                  gh_json_text(r->model->manifest->labels[c]), "index",
                                                  (json_int_t)c, "count", (json_int_t)ev->class_count[c],
                                                  "right", (json_int_t)ev->class_right[c], "recall",
                                                  (double)ev->class_right[c] / (double)ev->class_count[c]));
    return list;
}

static json_t *failed_json(const report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->ev->count; i++)
        gh_eval_failure_json(list, r->samples[i].path, r->ev->outcomes[i].error);
    return list;
}

static int print_json(const report *r)
{
    const gh_evaluation *ev = r->ev;
    size_t read = ev->count - ev->failed;
    json_t *o = json_pack("{s:s, s:s, s:o, s:s, s:s, s:I}", "model", r->model->manifest->name, "version",
                          r->model->manifest->version, "data", gh_json_text(r->v->data), "layout",
                          r->data->layout, "split", gh_split_name(r->split), "count", (json_int_t)ev->count);
    json_object_set_new(o, "top1", share_json(ev->top1, read));
    json_object_set_new(o, "top5", share_json(ev->top5, read));
    gh_interval mean = gh_mean_interval(ev->class_right, ev->class_count, ev->nclasses);
    json_object_set_new(o, "mean_recall", json_real(gh_mean_recall(ev)));
    json_object_set_new(o, "mean_recall_interval95", json_pack("[ff]", mean.low, mean.high));
    json_object_set_new(o, "classes", classes_json(r));
    json_object_set_new(o, "failed", failed_json(r));
    json_object_set_new(o, "seconds", json_real(ev->seconds));
    return gh_cli_print_json("eval", o, false);
}

static int print_report(const report *r)
{
    const gh_evaluation *ev = r->ev;
    for (size_t i = 0; i < ev->count; i++)
        gh_eval_failure(r->samples[i].path, ev->outcomes[i].error);
    int code = 0;
    if (r->v->json)
        code = print_json(r);
    else
        print_text(r);
    return gh_eval_exit(code, ev->failed, ev->count, r->v->strict);
}

static gh_status measure_classes(const values *v, gh_model *model, int *code, gh_err *e)
{
    report r = {.v = v, .model = model};
    gh_dataset *data = NULL;
    gh_evaluation *ev = NULL;
    gh_sample *samples = NULL;
    gh_progress progress;
    size_t count = 0;
    gh_status status = gh_dataset_open(&data, v->data, e);
    if (status == GH_OK)
        status = choose_split(&r.split, data->per_split, v->split, e);
    if (status == GH_OK && !(samples = select_samples(data, r.split, &count)))
        status = gh_fail(e, GH_NOMEM, "memory ran out at the list of pictures");
    gh_progress_start(&progress, "eval", count);
    if (status == GH_OK)
        status = gh_evaluate(&ev, model, samples, count, (int)v->threads, gh_eval_progress, &progress, e);
    gh_progress_end(&progress);
    if (status == GH_OK) {
        r.data = data;
        r.samples = samples;
        r.ev = ev;
        *code = print_report(&r);
    }
    gh_evaluation_free(&ev);
    gh_free(samples);
    gh_dataset_free(&data);
    return status;
}

static gh_status measure_boxes(const values *v, gh_model *model, int *code, gh_err *e)
{
    gh_eval_boxes boxes = {.data = v->data, .json = v->json, .strict = v->strict};
    boxes.options = (gh_boxes_options){.threads = (int)v->threads,
                                       .limit = (size_t)v->limit,
                                       .cut = v->threshold,
                                       .nms = v->nms,
                                       .max_side = (int)v->max_side};
    if (v->split)
        return gh_fail(e, GH_ARG, "--split is for classes; name the annotations of the part by --data");
    return gh_cli_eval_boxes(code, model, &boxes, e);
}

static gh_status measure_masks(const values *v, gh_model *model, int *code, gh_err *e)
{
    gh_maskset *set = NULL;
    gh_split split = GH_SPLIT_NONE;
    gh_status status = gh_maskset_open(&set, v->data, e);
    if (status == GH_OK)
        status = choose_split(&split, set->per_split, v->split, e);
    if (status == GH_OK && split != GH_SPLIT_NONE)
        gh_maskset_keep_part(set, split);
    if (status == GH_OK) {
        const gh_eval_masks masks = {.data = v->data,
                                     .split = gh_split_name(split),
                                     .set = set,
                                     .json = v->json,
                                     .strict = v->strict,
                                     .threshold = v->threshold,
                                     .threads = (int)v->threads};
        status = gh_cli_eval_masks(code, model, &masks, e);
    }
    gh_maskset_free(&set);
    return status;
}

typedef gh_status measure(const values *v, gh_model *model, int *code, gh_err *e);

static measure *measure_of(gh_task task)
{
    return task == GH_TASK_LOCALIZE  ? measure_boxes
           : task == GH_TASK_SEGMENT ? measure_masks
                                     : measure_classes;
}

/* Everything after the options; *code is the exit code when it ran. */
static gh_status run(const values *v, int *code, gh_err *e)
{
    gh_model *model = NULL;
    char *path = NULL;
    gh_status status = gh_cli_model_path(&path, v->model, &v->models, e);
    if (status == GH_OK)
        status = gh_model_open_among(&model, path, v->models.items, v->models.count, false, e);
    if (status == GH_OK)
        status = measure_of(model->manifest->task)(v, model, code, e);
    gh_model_put(&model);
    gh_free(path);
    return status;
}

int gh_cmd_eval(int argc, char **argv)
{
    values v = {0};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    if (!v.data) {
        gh_fail(&e, GH_ARG, "--data is missing; 'gharial eval --help' shows the layouts");
        return gh_cli_fail("eval", GH_ARG, &e);
    }
    gh_status status = gh_cli_precision(v.precision, &e);
    if (status == GH_OK)
        status = run(&v, &code, &e);
    return status == GH_OK ? code : gh_cli_fail("eval", status, &e);
}
