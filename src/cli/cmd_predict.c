/* gharial predict: a model on pictures, one line each. Written on the public interface alone, but for reading
 * files and walking folders. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "cli/outdir.h"
#include "cli/todo.h"
#include "image/mask.h"
#include "tasks/preproc.h"
#include "train/walk.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MAX_PICTURE_BYTES ((size_t)256 << 20)

typedef struct values {
    const char *model, *task, *out, *output, *mask, *precision, *shard, *resume;
    gh_opt_list models;
    bool json, no_emotions, annotate;
    int64_t top, limit, threads, max_side;
    double threshold, nms;
} values;

static const gh_option options[] = {
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME",
     "name, folder or .onnx file (the default model); of boxes also a,b", 0, 0},
    {"task", GH_OPT_STRING, offsetof(values, task), "TASK",
     "its default model: classify, localize (as --annotate) or segment", 0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"precision", GH_OPT_STRING, offsetof(values, precision), "KIND", GH_PRECISION_HELP, 0, 0},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "one JSON object a line"},
    {"top", GH_OPT_INT, offsetof(values, top), "N", NULL, 1, 100000},
    {"limit", GH_OPT_INT, offsetof(values, limit), "N",
     "labels (5), or results of other tasks, a picture at most", 1, 100000},
    {"threshold", GH_OPT_REAL, offsetof(values, threshold), "S", "least score, 0 to 1 (the model's)", 0, 1},
    {"nms", GH_OPT_REAL, offsetof(values, nms), "IOU", "boxes: overlap at which the weaker goes", 0, 1},
    {"max-side", GH_OPT_INT, offsetof(values, max_side), "N", "boxes: scale larger pictures to this (1280)",
     GH_LEAST_MAX_SIDE, GH_MOST_MAX_SIDE},
    {"no-emotions", GH_OPT_FLAG, offsetof(values, no_emotions), .help = "faces without their emotions"},
    {"annotate", GH_OPT_FLAG, offsetof(values, annotate), .help = "boxes: draw them, as JPEG files in --out"},
    {"output", GH_OPT_STRING, offsetof(values, output), "KIND",
     "masks: palette, index, soft, cutout or overlay (palette)", 0, 0},
    {"mask", GH_OPT_STRING, offsetof(values, mask), "FORM", "masks in --json: png or rle (png)", 0, 0},
    {"out", GH_OPT_STRING, offsetof(values, out), "DIR",
     "folder for drawn pictures, NAME.jpg; masks, NAME.png", 0, 0},
    {"resume", GH_OPT_STRING, offsetof(values, resume), "F", NULL, 0, 0},
    {"shard", GH_OPT_STRING, offsetof(values, shard), "I/N",
     "go on with the lines of --json in file F; part I, from 0, of N", 0, 0},
    {"threads", GH_OPT_INT, offsetof(values, threads), "N", "threads a picture (all cores)", 1, 1024},
    {0},
};

static const gh_usage usage = {
    .command = "predict",
    .args = "FILE|DIR...",
    .about =
        "Runs a model on pictures (JPEG, PNG, WebP; - is standard input; of folders all below) and prints a\n"
        "line for each. A picture that fails is reported and the run goes on; the exit code is then 3.",
    .example = "gharial predict --task segment --output cutout --out cut cat.jpg holiday/",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .quiet = true,
};

typedef struct job {
    gh_predictor *predictor;
    gh_predict_options options;
    gh_todo *todo;
    gh_outdir *out; /* NULL: no pictures are written */
    bool annotate;
    bool json;
    size_t done, failed;
    bool cannot_write; /* some file of --out */
} job;

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

/* File names may hold anything; a line stays one line. */
static void print_name(FILE *to, const char *name)
{
    for (const char *c = name; *c; c++)
        fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, to);
}

static void print_labels(const gh_result *r)
{
    size_t n = gh_result_label_count(r);
    printf(":%s", gh_result_unknown(r) ? " unknown;" : "");
    for (size_t i = 0; i < n; i++)
        printf("%s %s %.3f", i ? "," : "", gh_result_label(r, i), gh_result_score(r, i));
    puts(n ? "" : " no label reaches the threshold");
}

/* Label, score, top left corner and size of each. */
static void print_boxes(const gh_result *r)
{
    gh_box_result b = {.size = sizeof b};
    gh_fact_result f = {.size = sizeof f};
    size_t i = 0;
    putchar(':');
    for (; gh_result_box(&b, r, i) == GH_OK; i++) {
        printf("%s %s %.3f at %d,%d %dx%d", i ? "," : "", b.label, b.score, b.x, b.y, b.w, b.h);
        for (size_t k = 0; gh_result_fact(&f, r, i, k) == GH_OK; k++)
            printf(" %s %s %.3f", f.key, f.label ? f.label : "unknown", f.score);
    }
    puts(i ? "" : " nothing reaches the threshold");
}

/* What share of the picture each class covers, in how many parts. */
static void print_areas(const job *j, const gh_result *r)
{
    gh_area_result a = {.size = sizeof a};
    double pixels = (double)gh_result_width(r) * gh_result_height(r);
    size_t i = 0, most = j->options.limit ? (size_t)j->options.limit : 100; /* parts that are listed */
    putchar(':');
    for (; gh_result_area(&a, r, i) == GH_OK; i++)
        printf("%s %s %.1f %% in %s%zu part%s", i ? "," : "", a.label, 100 * (double)a.pixels / pixels,
               a.region_count == most ? "at least " : "", a.region_count, a.region_count == 1 ? "" : "s");
    puts(i ? "" : " only background");
}

static void print_text(const job *j, const gh_result *r, const char *file)
{
    print_name(stdout, file);
    if (strcmp(gh_predictor_task(j->predictor), "localize") == 0)
        print_boxes(r);
    else if (strcmp(gh_predictor_task(j->predictor), "embed") == 0)
        puts(": a vector of features; --json shows it");
    else if (strcmp(gh_predictor_task(j->predictor), "segment") == 0)
        print_areas(j, r);
    else
        print_labels(r);
    if (gh_result_truncated(r)) {
        print_name(stderr, file);
        fputs(": warning: the file ends early; the last part of the picture is missing\n", stderr);
    }
}

static gh_status print_result(const job *j, const gh_result *r, const char *file, gh_err *e)
{
    char *text = NULL;
    if (!j->json) {
        print_text(j, r, file);
        return GH_OK;
    }
    GH_TRY(gh_result_to_json(&text, r, file, e));
    puts(text);
    gh_string_free(&text);
    return GH_OK;
}

static void print_failure(const job *j, const char *file, const gh_err *e)
{
    if (j->json) {
        gh_cli_json_error(file, e);
        return;
    }
    print_name(stderr, file);
    fprintf(stderr, ": %s\n", e->text);
}

/* The picture with its boxes, or the mask, into the folder of --out. */
static gh_status write_picture(job *j, gh_result *r, const char *file, const gh_buf *bytes, gh_err *e)
{
    void *drawn = NULL;
    size_t len = 0;
    if (!j->out)
        return GH_OK;
    const void *picture = gh_result_png(&len, r);
    if (j->annotate)
        GH_TRY(gh_result_annotate(&drawn, &len, r, bytes->data, bytes->len, "image/jpeg", e));
    gh_status status = gh_outdir_write(j->out, file, drawn ? "jpg" : "png", drawn ? drawn : picture, len, e);
    j->cannot_write |= status != GH_OK && status != GH_ARG;
    gh_bytes_free(&drawn);
    return status;
}

static void predict_file(job *j, const char *file)
{
    gh_buf bytes = {0};
    gh_result *r = NULL;
    gh_err e = {0};
    if (!gh_todo_takes(j->todo, file))
        return;
    gh_status status = gh_file_read(&bytes, file, MAX_PICTURE_BYTES, &e);
    if (status == GH_OK)
        status = gh_predictor_run(&r, j->predictor, bytes.data, bytes.len, &j->options, &e);
    if (status == GH_OK)
        status = write_picture(j, r, file, &bytes, &e);
    if (status == GH_OK)
        status = print_result(j, r, file, &e);
    if (status != GH_OK)
        print_failure(j, file, &e);
    fflush(stdout);
    gh_result_free(&r);
    gh_buf_free(&bytes);
    j->done++;
    j->failed += status != GH_OK;
}

static void predict_folder(job *j, const char *folder)
{
    gh_paths paths = {0};
    gh_err e = {0};
    size_t ours = 0; /* pictures in the folder of --out, of an earlier run */
    gh_status status = gh_walk_pictures(&paths, folder, &e);
    if (status != GH_OK) {
        print_failure(j, folder, &e);
        j->done++;
        j->failed++;
    }
    for (size_t i = 0; i < paths.count && status == GH_OK && !stop; i++)
        if (j->out && gh_outdir_holds(j->out, paths.items[i]))
            ours++;
        else
            predict_file(j, paths.items[i]);
    if (ours)
        fprintf(stderr, "gharial predict: %zu pictures in the folder of --out were left out\n", ours);
    if (paths.skipped)
        fprintf(stderr, "gharial predict: %zu files in %s have no picture's name\n", paths.skipped, folder);
    gh_paths_free(&paths);
}

/* The part of "a,b,c" before the first comma; *at becomes the rest, or NULL at the end. */
static gh_status next_name(char name[PATH_MAX], const char **at, gh_err *e)
{
    size_t len = *at ? strcspn(*at, ",") : 0;
    if (len >= PATH_MAX)
        return gh_fail(e, GH_ARG, "--model: the name is too long");
    memcpy(name, *at ? *at : "", len);
    name[len] = '\0';
    *at = *at && (*at)[len] ? *at + len + 1 : NULL;
    return GH_OK;
}

/* The task whose default model is meant. */
static gh_status find_task(gh_task *out, const values *v, gh_err *e)
{
    static const gh_task tasks[] = {GH_TASK_CLASSIFY, GH_TASK_LOCALIZE, GH_TASK_SEGMENT};
    if (v->task && v->model)
        return gh_fail(e, GH_ARG,
                       "--task names a task's default model and --model a model; give one of them");
    if (!v->task) {
        *out = v->annotate ? GH_TASK_LOCALIZE : GH_TASK_CLASSIFY;
        return GH_OK;
    }
    for (size_t i = 0; i < GH_COUNT(tasks); i++)
        if (strcmp(v->task, gh_task_name(tasks[i])) == 0) {
            *out = tasks[i];
            return GH_OK;
        }
    return gh_fail(e, GH_ARG, "--task is \"%.40s\"; classify, localize and segment are accepted", v->task);
}

static gh_status open_predictor(gh_predictor **out, const values *v, gh_err *e)
{
    gh_predictor_options o;
    char name[PATH_MAX];
    const char *at = v->model;
    gh_predictor_options_init(&o);
    o.threads = (int)v->threads;
    o.selftest = 0; /* the server's affair; here it would double the time of one picture */
    o.model_dirs = v->models.items;
    o.model_dir_count = v->models.count;
    gh_task task = GH_TASK_CLASSIFY;
    gh_status status = find_task(&task, v, e);
    do {
        char *path = NULL;
        if (status == GH_OK)
            status = next_name(name, &at, e);
        if (status == GH_OK)
            status = gh_cli_task_model_path(&path, v->model ? name : NULL, task, &v->models, e);
        if (status == GH_OK)
            status = *out ? gh_predictor_add(*out, path, e) : gh_predictor_open(out, path, &o, e);
        gh_free(path);
    } while (at && status == GH_OK);
    if (status != GH_OK)
        gh_predictor_close(out);
    return status;
}

static gh_status check_out(const values *v, gh_err *e)
{
    if (v->resume && v->out)
        return gh_fail(e, GH_ARG, "--resume adds JSON lines and --out writes pictures; give one of them");
    if (v->annotate && !v->out)
        return gh_fail(e, GH_ARG, "--annotate draws pictures; --out DIR, the folder for them, is missing");
    int i = 0;
    while (v->output && gh_mask_output_words[i] && strcmp(gh_mask_output_words[i], v->output) != 0)
        i++;
    if (v->output && !gh_mask_output_words[i])
        return gh_fail(e, GH_ARG,
                       "--output is \"%.40s\"; palette, index, soft, cutout and overlay are accepted",
                       v->output);
    if (v->mask && strcmp(v->mask, "png") != 0 && strcmp(v->mask, "rle") != 0)
        return gh_fail(e, GH_ARG, "--mask is \"%.40s\"; png and rle are accepted", v->mask);
    if (v->mask && strcmp(v->mask, "rle") == 0 && (v->output || v->out))
        return gh_fail(e, GH_ARG,
                       "--mask rle gives run lengths in --json, and %s a picture; give one of them",
                       v->out ? "--out" : "--output");
    return GH_OK;
}

/* Opens the folder of --out. A picture that is being written is finished when a signal comes. */
static gh_status open_outdir(job *j, const values *v, gh_err *e)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    const char *task = gh_predictor_task(j->predictor);
    if (!v->out)
        return GH_OK;
    if (!v->annotate && strcmp(task, "segment") != 0)
        return gh_fail(e, GH_ARG,
                       "--out takes pictures, and for the task %s there are none without --annotate", task);
    if (v->annotate && strcmp(task, "localize") != 0)
        return gh_fail(e, GH_ARG, "--annotate draws boxes; the model %s is for the task %s",
                       gh_predictor_name(j->predictor), task);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return gh_outdir_open(&j->out, v->out, e);
}

static int finish(const job *j)
{
    int code = 0;
    if (gh_todo_done_before(j->todo))
        fprintf(stderr, "gharial predict: %zu pictures had been done before\n", gh_todo_done_before(j->todo));
    if (stop)
        fprintf(stderr, "gharial predict: interrupted after %zu pictures\n", j->done);
    else if (j->failed)
        fprintf(stderr, "gharial predict: %zu of %zu pictures failed\n", j->failed, j->done);
    if (j->failed)
        code = gh_status_exit(j->cannot_write ? GH_IO : GH_FORMAT);
    return gh_cli_flush("predict", stop ? gh_status_exit(GH_INTERRUPTED) : code);
}

int gh_cmd_predict(int argc, char **argv)
{
    values v = {0};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    job j = {.json = v.json || v.resume, .annotate = v.annotate};
    gh_predict_options_init(&j.options);
    j.options.top = (int)v.top;
    j.options.limit = (int)v.limit;
    j.options.threshold = v.threshold;
    j.options.nms = v.nms;
    j.options.max_side = (int)v.max_side;
    j.options.no_emotions = v.no_emotions;
    j.options.rle = v.mask && strcmp(v.mask, "rle") == 0;
    j.options.output = v.output ? v.output : j.json || v.out ? NULL : "none";
    gh_status status = gh_cli_precision(v.precision, &e);
    if (status == GH_OK)
        status = check_out(&v, &e);
    if (status == GH_OK)
        status = gh_todo_open(&j.todo, v.shard, v.resume, &e);
    if (status == GH_OK)
        status = open_predictor(&j.predictor, &v, &e);
    if (status == GH_OK)
        status = open_outdir(&j, &v, &e);
    for (int i = 0; i < argc && status == GH_OK && !stop; i++)
        if (strcmp(argv[i], "-") != 0 && gh_is_folder(argv[i]))
            predict_folder(&j, argv[i]);
        else
            predict_file(&j, argv[i]);
    gh_predictor_close(&j.predictor);
    gh_outdir_free(&j.out);
    int exit_code = status == GH_OK ? finish(&j) : gh_cli_fail("predict", status, &e);
    gh_todo_free(&j.todo);
    return exit_code;
}
