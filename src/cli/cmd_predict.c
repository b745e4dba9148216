/* gharial predict: a model on pictures, one line each. Written on the public interface alone, but for reading
 * files and walking folders. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "tasks/preproc.h"
#include "train/walk.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_PICTURE_BYTES ((size_t)256 << 20)

typedef struct values {
    const char *model;
    gh_opt_list models;
    bool json, no_emotions;
    int64_t top, limit, threads, max_side;
    double threshold, nms;
} values;

static const gh_option options[] = {
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME",
     "name, folder or .onnx file (the default model); of boxes also a,b", 0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "one JSON object a line"},
    {"top", GH_OPT_INT, offsetof(values, top), "N", "labels a picture (5)", 1, 100000},
    {"limit", GH_OPT_INT, offsetof(values, limit), "N", "most results a picture", 1, 100000},
    {"threshold", GH_OPT_REAL, offsetof(values, threshold), "S", "least score, 0 to 1 (the model's)", 0, 1},
    {"nms", GH_OPT_REAL, offsetof(values, nms), "IOU", "boxes: overlap at which the weaker goes", 0, 1},
    {"max-side", GH_OPT_INT, offsetof(values, max_side), "N", "boxes: scale larger pictures to this (1280)",
     GH_LEAST_MAX_SIDE, GH_MOST_MAX_SIDE},
    {"no-emotions", GH_OPT_FLAG, offsetof(values, no_emotions), .help = "faces without their emotions"},
    {"threads", GH_OPT_INT, offsetof(values, threads), "N", "threads a picture (all cores)", 1, 1024},
    {0},
};

static const gh_usage usage = {
    .command = "predict",
    .args = "FILE|DIR...",
    .about =
        "Runs a model on pictures (JPEG, PNG, WebP; - is standard input) and prints one line for each. Of\n"
        "folders every picture below is taken, in order. A picture that fails is reported and the run goes\n"
        "on; the exit code is then 3.",
    .example = "gharial predict --model efficientnet-lite0 --top 3 cat.jpg holiday/",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .quiet = true,
};

typedef struct job {
    gh_predictor *predictor;
    gh_predict_options options;
    bool json;
    size_t done, failed;
} job;

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
static void print_areas(const gh_result *r)
{
    gh_area_result a = {.size = sizeof a};
    double pixels = (double)gh_result_width(r) * gh_result_height(r);
    size_t i = 0;
    putchar(':');
    for (; gh_result_area(&a, r, i) == GH_OK; i++)
        printf("%s %s %.1f %% in %zu part%s", i ? "," : "", a.label, 100 * (double)a.pixels / pixels,
               a.region_count, a.region_count == 1 ? "" : "s");
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
        print_areas(r);
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

static void predict_file(job *j, const char *file)
{
    gh_buf bytes = {0};
    gh_result *r = NULL;
    gh_err e = {0};
    gh_status status = gh_file_read(&bytes, file, MAX_PICTURE_BYTES, &e);
    if (status == GH_OK)
        status = gh_predictor_run(&r, j->predictor, bytes.data, bytes.len, &j->options, &e);
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
    gh_status status = gh_walk_pictures(&paths, folder, &e);
    if (status != GH_OK) {
        print_failure(j, folder, &e);
        j->done++;
        j->failed++;
    }
    for (size_t i = 0; i < paths.count && status == GH_OK; i++)
        predict_file(j, paths.items[i]);
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
    gh_status status = GH_OK;
    do {
        char *path = NULL;
        status = next_name(name, &at, e);
        if (status == GH_OK)
            status = gh_cli_model_path(&path, v->model ? name : NULL, &v->models, e);
        if (status == GH_OK)
            status = *out ? gh_predictor_add(*out, path, e) : gh_predictor_open(out, path, &o, e);
        gh_free(path);
    } while (at && status == GH_OK);
    if (status != GH_OK)
        gh_predictor_close(out);
    return status;
}

int gh_cmd_predict(int argc, char **argv)
{
    values v = {0};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    job j = {.json = v.json};
    gh_predict_options_init(&j.options);
    j.options.top = (int)v.top;
    j.options.limit = (int)v.limit;
    j.options.threshold = v.threshold;
    j.options.nms = v.nms;
    j.options.max_side = (int)v.max_side;
    j.options.no_emotions = v.no_emotions;
    gh_status status = open_predictor(&j.predictor, &v, &e);
    if (status != GH_OK)
        return gh_cli_fail("predict", status, &e);
    for (int i = 0; i < argc; i++)
        if (gh_is_folder(argv[i]))
            predict_folder(&j, argv[i]);
        else
            predict_file(&j, argv[i]);
    gh_predictor_close(&j.predictor);
    if (j.failed)
        fprintf(stderr, "gharial predict: %zu of %zu pictures failed\n", j.failed, j.done);
    return gh_cli_flush("predict", j.failed ? gh_status_exit(GH_FORMAT) : 0);
}
