/* gharial predict: a model on pictures, one line each. Written on the public interface alone, but for reading
 * files and walking folders. */
#include "cli/cli.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/conveyor.h"
#include "cli/outdir.h"
#include "cli/predict.h"
#include "cli/todo.h"
#include "image/mask.h"
#include "tasks/preproc.h"
#include "train/data/walk.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAX_PICTURE_BYTES ((size_t)256 << 20)
/* Pictures on their way for each thread: while the oldest takes long, the others have something to do. */
#define ROOM 4

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
    {"threads", GH_OPT_INT, offsetof(values, threads), "N",
     "pictures at a time; a lone one has as many threads (all cores)", 1, 1024},
    {0},
};

static const gh_usage usage = {
    .command = "predict",
    .args = "FILE|DIR...",
    .about =
        "Runs a model on pictures (JPEG, PNG, WebP; - is standard input; of folders all below) and prints a\n"
        "line for each, in order. One that fails is reported and the run goes on; the exit code is then 3.",
    .example = "gharial predict --task segment --output cutout --out cut cat.jpg holiday/",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .quiet = true,
};

typedef struct job {
    gh_predictor **predictors; /* one a thread, of the same models */
    int threads, opened;
    gh_predict_options options;
    gh_todo *todo;
    gh_outdir *out; /* NULL: no pictures are written */
    gh_conveyor *conveyor;
    bool annotate;
    bool json;
    size_t done, failed;
    bool cannot_write; /* some file of --out */
} job;

static atomic_bool stop; /* a signal came */

static void on_signal(int sig)
{
    (void)sig;
    stop = true;
}

static void free_picture(gh_predicted *p)
{
    gh_result_free(&p->result);
    gh_string_free(&p->json);
    gh_bytes_free(&p->drawn);
    gh_free(p->file);
    gh_free(p);
}

/* On a thread of the conveyor: all that takes time. */
static void run_picture(void *arg, void *item, int thread)
{
    const job *j = arg;
    gh_predicted *p = item;
    gh_buf bytes = {0};
    gh_err *e = &p->err;
    p->dropped = stop;
    if (stop || p->status != GH_OK)
        return;
    p->status = gh_file_read(&bytes, p->file, MAX_PICTURE_BYTES, e);
    if (p->status == GH_OK)
        p->status =
            gh_predictor_run(&p->result, j->predictors[thread], bytes.data, bytes.len, &j->options, e);
    if (p->status == GH_OK && j->annotate)
        p->status =
            gh_result_annotate(&p->drawn, &p->drawn_len, p->result, bytes.data, bytes.len, "image/jpeg", e);
    if (p->status == GH_OK && j->json)
        p->status = gh_result_to_json(&p->json, p->result, p->file, e);
    gh_buf_free(&bytes);
}

/* The picture with its boxes, or the mask, into the folder of --out. */
static void write_picture(job *j, gh_predicted *p)
{
    size_t len = p->drawn_len;
    const void *data = p->drawn ? p->drawn : gh_result_png(&len, p->result);
    p->status = gh_outdir_write(j->out, p->file, p->drawn ? "jpg" : "png", data, len, &p->err);
    j->cannot_write |= p->status != GH_OK && p->status != GH_ARG;
}

/* Waits for the oldest picture and tells of it; false: there is none. */
static bool finish_picture(job *j)
{
    gh_predicted *p = gh_conveyor_take(j->conveyor);
    if (!p)
        return false;
    if (!p->dropped) {
        if (p->status == GH_OK && j->out)
            write_picture(j, p);
        gh_predict_print(p, gh_predictor_task(j->predictors[0]), j->json, j->options.limit);
        j->done++;
        j->failed += p->status != GH_OK;
    }
    free_picture(p);
    return true;
}

/* Puts it on the conveyor, or its failure, so that it is told in its turn. */
static void put_picture(job *j, const char *file, gh_status failure, const gh_err *e)
{
    gh_predicted *p = gh_calloc(1, sizeof *p);
    char *name = gh_strdup(file);
    if (gh_conveyor_full(j->conveyor))
        finish_picture(j);
    if (!p || !name) {
        gh_free(p);
        gh_free(name);
        fprintf(stderr, "gharial predict: memory ran out before %s\n", file);
        j->done++;
        j->failed++;
        return;
    }
    p->file = name;
    p->status = failure;
    if (failure != GH_OK)
        p->err = *e;
    gh_conveyor_put(j->conveyor, p);
}

static void predict_file(job *j, const char *file)
{
    if (gh_todo_takes(j->todo, file))
        put_picture(j, file, GH_OK, NULL);
}

/* A signal, or standard output that takes no more (a full disk), ends the run. */
static bool goes_on(void)
{
    return !stop && !ferror(stdout);
}

static void predict_folder(job *j, const char *folder)
{
    gh_paths paths = {0};
    gh_err e = {0};
    size_t ours = 0; /* pictures in the folder of --out, of an earlier run */
    gh_status status = gh_walk_pictures(&paths, folder, &e);
    if (status != GH_OK)
        put_picture(j, folder, status, &e);
    for (size_t i = 0; i < paths.count && status == GH_OK && goes_on(); i++)
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

/* A predictor for each thread, and the threads. */
static gh_status open_predictors(job *j, const values *v, gh_err *e)
{
    j->threads = v->threads ? (int)v->threads : gh_cpu_count();
    j->predictors = gh_calloc((size_t)j->threads, sizeof(gh_predictor *));
    if (!j->predictors)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    GH_TRY(open_predictor(&j->predictors[0], v, e));
    for (j->opened = 1; j->opened < j->threads; j->opened++)
        GH_TRY(gh_predictor_share(&j->predictors[j->opened], j->predictors[0], e));
    return gh_conveyor_new(&j->conveyor, j->threads, (size_t)j->threads * ROOM, run_picture, j, e);
}

static void close_job(job *j)
{
    gh_conveyor_free(&j->conveyor);
    for (int i = 0; i < j->opened; i++)
        gh_predictor_close(&j->predictors[i]);
    gh_free(j->predictors);
    gh_outdir_free(&j->out);
    gh_todo_free(&j->todo);
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

/* After a signal what was begun is finished, so that lines and files are whole; a second one kills. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static gh_status open_outdir(job *j, const values *v, gh_err *e)
{
    const char *task = gh_predictor_task(j->predictors[0]);
    if (!v->out)
        return GH_OK;
    if (!v->annotate && strcmp(task, "segment") != 0)
        return gh_fail(e, GH_ARG,
                       "--out takes pictures, and for the task %s there are none without --annotate", task);
    if (v->annotate && strcmp(task, "localize") != 0)
        return gh_fail(e, GH_ARG, "--annotate draws boxes; the model %s is for the task %s",
                       gh_predictor_name(j->predictors[0]), task);
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

/* Zero means the model's own there; who says 0 means it, as in a request. */
static double said(double v)
{
    return v < 0 ? 0 : fmax(v, 1e-30);
}

int gh_cmd_predict(int argc, char **argv)
{
    values v = {.threshold = -1, .nms = -1};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    job j = {.json = v.json || v.resume, .annotate = v.annotate};
    gh_predict_options_init(&j.options);
    j.options.top = (int)v.top;
    j.options.limit = (int)v.limit;
    j.options.threshold = said(v.threshold);
    j.options.nms = said(v.nms);
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
        status = open_predictors(&j, &v, &e);
    if (status == GH_OK)
        status = open_outdir(&j, &v, &e);
    if (status == GH_OK)
        catch_signals();
    for (int i = 0; i < argc && status == GH_OK && goes_on(); i++)
        if (strcmp(argv[i], "-") != 0 && gh_is_folder(argv[i]))
            predict_folder(&j, argv[i]);
        else
            predict_file(&j, argv[i]);
    while (j.conveyor && finish_picture(&j)) {}
    int exit_code = status == GH_OK ? finish(&j) : gh_cli_fail("predict", status, &e);
    close_job(&j);
    return exit_code;
}
