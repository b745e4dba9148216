/* gharial bench: how fast a network runs here, against what the processor can do at best. */
#include "cli/cli.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/network.h"
#include "tasks/jsontext.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP_NS   200000000ull /* caches, page faults, clock frequency */
#define LAYER_RUNS   25
#define PEAK_TRIALS  5
#define PEAK_TRIAL_S 0.02

typedef struct values {
    const char *model, *size, *precision;
    gh_opt_list models;
    bool json, layers, tune;
    int64_t threads, runs;
} values;

static const gh_option options[] = {
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME",
     "name, folder or .onnx file (the default model)", 0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"precision", GH_OPT_STRING, offsetof(values, precision), "KIND", GH_PRECISION_HELP, 0, 0},
    {"tune", GH_OPT_FLAG, offsetof(values, tune), .help = GH_TUNE_HELP},
    {"size", GH_OPT_STRING, offsetof(values, size), "WxH", "input size where the file leaves it open", 0, 0},
    {"threads", GH_OPT_INT, offsetof(values, threads), "N", "threads that share a run (1)", 1, 1024},
    {"runs", GH_OPT_INT, offsetof(values, runs), "N", "timed runs (100)", 1, 100000},
    {"layers", GH_OPT_FLAG, offsetof(values, layers),
     .help = "a line a step: time, GFLOP/s, share of the peak"},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "one JSON object"},
    {0},
};

static const gh_usage usage = {
    .command = "bench",
    .args = "",
    .about = "Times the network alone (no decoding, no preprocessing) after a warm-up. The peak is measured "
             "first:\n"
             "multiply-adds in registers, on as many threads. Fails when a run allocates memory.",
    .example = "gharial bench --model efficientnet-lite0 --threads 2 --layers",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .quiet = true,
};

typedef struct bench {
    const values *v;
    gh_network net;
    gh_pool *pool;
    gh_session *session;
    uint8_t *noise;  /* of all inputs, one after the other */
    uint64_t *ns;    /* one a timed run */
    uint64_t *steps; /* LAYER_RUNS rows of one a step */
    size_t nsteps;
    double peak; /* floating point operations a second, all threads */
    uint64_t allocs;
} bench;

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The value that `share` of the sorted ones do not exceed (nearest rank), in milliseconds. */
static double quantile_ms(const uint64_t *sorted, size_t n, double share)
{
    size_t rank = (size_t)ceil(share * (double)n);
    return (double)sorted[rank ? rank - 1 : 0] / 1e6;
}

typedef struct peak_job {
    uint64_t iterations;
    double *flops; /* one a thread */
} peak_job;

static void run_peak(void *arg, int begin, int end, int thread)
{
    peak_job *j = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        j->flops[i] = gh_kernels_get()->fma_peak(j->iterations);
}

/* Operations and seconds of one trial on all threads at once. */
static double trial(bench *b, peak_job *j, double *seconds)
{
    double flops = 0;
    int n = gh_pool_size(b->pool);
    uint64_t start = gh_now_ns();
    gh_pool_for(b->pool, n, run_peak, j);
    *seconds = (double)(gh_now_ns() - start) / 1e9;
    for (int i = 0; i < n; i++)
        flops += j->flops[i];
    return flops;
}

/* The best of a few trials, each long enough for the clock. */
static gh_status measure_peak(bench *b, gh_err *e)
{
    peak_job j = {.iterations = 1000, .flops = gh_calloc((size_t)gh_pool_size(b->pool), sizeof(double))};
    double seconds = 0;
    if (!j.flops)
        return gh_fail(e, GH_NOMEM, "memory ran out at the peak");
    for (trial(b, &j, &seconds); seconds < PEAK_TRIAL_S && j.iterations < (1ull << 40);
         trial(b, &j, &seconds))
        j.iterations *= 2;
    for (int i = 0; i < PEAK_TRIALS; i++) {
        double flops = trial(b, &j, &seconds);
        b->peak = fmax(b->peak, flops / seconds);
    }
    gh_free(j.flops);
    return GH_OK;
}

/* A bound session's inputs have a size: the plan's arena holds them. */
static size_t input_bytes(const bench *b, size_t i)
{
    const gh_tensor *t = gh_session_input(b->session, i);
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    return count * gh_dtype_size(t->type);
}

/* Noise as after preprocessing: standard normal, the same on every machine. */
static gh_status make_noise(bench *b, gh_err *e)
{
    gh_rng rng;
    size_t bytes = 0;
    for (size_t i = 0; i < gh_net_inputs(b->net.net); i++)
        bytes += input_bytes(b, i);
    b->noise = gh_calloc(bytes ? bytes : 1, 1);
    if (!b->noise)
        return gh_fail(e, GH_NOMEM, "memory ran out at the input");
    gh_rng_seed(&rng, 1);
    uint8_t *at = b->noise;
    for (size_t i = 0; i < gh_net_inputs(b->net.net); at += input_bytes(b, i++))
        for (size_t k = 0; gh_session_input(b->session, i)->type == GH_F32 && k < input_bytes(b, i);
             k += sizeof(float)) {
            float x = gh_rng_normal(&rng);
            memcpy(at + k, &x, sizeof x);
        }
    return GH_OK;
}

/* Copies, as other runtimes are fed in tests/bench: the caches and the pool's threads are then as they are
 * behind a preprocessing that writes the input. */
static void fill_inputs(bench *b)
{
    const uint8_t *at = b->noise;
    for (size_t i = 0; i < gh_net_inputs(b->net.net); at += input_bytes(b, i++))
        memcpy(gh_session_input(b->session, i)->data, at, input_bytes(b, i));
}

static gh_status warm_up(bench *b, gh_err *e)
{
    uint64_t start = gh_now_ns();
    do {
        fill_inputs(b);
        GH_TRY(gh_session_run(b->session, e));
    } while (gh_now_ns() - start < WARM_UP_NS);
    return GH_OK;
}

static gh_status measure(bench *b, gh_err *e)
{
    size_t runs = (size_t)b->v->runs;
    b->nsteps = gh_plan_steps(b->net.plan);
    b->ns = gh_calloc(runs, sizeof *b->ns);
    b->steps = gh_calloc(b->nsteps, LAYER_RUNS * sizeof *b->steps);
    if (!b->ns || !b->steps)
        return gh_fail(e, GH_NOMEM, "memory ran out at the times");
    GH_TRY(make_noise(b, e));
    GH_TRY(warm_up(b, e));
    uint64_t allocs = gh_mem_allocs();
    for (size_t i = 0; i < runs; i++) {
        fill_inputs(b);
        uint64_t start = gh_now_ns();
        GH_TRY(gh_session_run(b->session, e));
        b->ns[i] = gh_now_ns() - start;
    }
    b->allocs = gh_mem_allocs() - allocs;
    qsort(b->ns, runs, sizeof *b->ns, by_value);
    for (size_t i = 0; i < LAYER_RUNS && b->v->layers; i++) {
        fill_inputs(b);
        GH_TRY(gh_session_profile(b->session, b->steps + i * b->nsteps, e));
    }
    return GH_OK;
}

/* Median over the profiled runs, in milliseconds. */
static double step_ms(const bench *b, size_t step)
{
    uint64_t column[LAYER_RUNS];
    for (size_t i = 0; i < LAYER_RUNS; i++)
        column[i] = b->steps[i * b->nsteps + step];
    qsort(column, LAYER_RUNS, sizeof *column, by_value);
    return quantile_ms(column, LAYER_RUNS, 0.5);
}

static json_t *layers_json(const bench *b)
{
    json_t *list = json_array();
    for (size_t i = 0; i < b->nsteps; i++) {
        gh_step_info s = gh_plan_step(b->net.plan, i);
        char shape[80];
        double ms = step_ms(b, i), flops = ms > 0 ? 2 * s.macs / (ms / 1e3) : 0;
        json_t *row =
            json_pack("{s:o, s:o, s:s, s:s, s:f, s:f, s:f, s:f}", "node", gh_json_text(s.node ? s.node : ""),
                      "op", gh_json_text(s.op), "kernel", s.kernel ? s.kernel : "", "output",
                      gh_shape_text(&s.output, shape, sizeof shape), "ms", ms, "macs", s.macs, "gflops",
                      flops / 1e9, "peak_share", flops / b->peak);
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *report(const bench *b)
{
    size_t runs = (size_t)b->v->runs;
    double median = quantile_ms(b->ns, runs, 0.5), flops = 2 * gh_plan_macs(b->net.plan) / (median / 1e3);
    json_t *o =
        json_pack("{s:o, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "model",
                  gh_json_text(b->net.manifest ? b->net.manifest->name : b->net.file), "cpu", gh_cpu_level(),
                  "threads", (json_int_t)gh_pool_size(b->pool), "runs", (json_int_t)runs, "median_ms", median,
                  "p90_ms", quantile_ms(b->ns, runs, 0.9), "min_ms", (double)b->ns[0] / 1e6, "macs",
                  gh_plan_macs(b->net.plan), "gflops", flops / 1e9, "peak_gflops", b->peak / 1e9,
                  "peak_share", flops / b->peak, "allocations", (json_int_t)b->allocs);
    if (b->v->layers)
        json_object_set_new(o, "layers", layers_json(b));
    return o;
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void print_text(const json_t *o)
{
    size_t i;
    json_t *row, *layers = json_object_get(o, "layers");
    double sum = 0;
    json_array_foreach(layers, i, row) sum += number(row, "ms");
    if (layers)
        printf("%9s %6s %8s %6s  %-16s %-18s %-18s %s\n", "ms", "share", "GFLOP/s", "peak", "operator",
               "kernel", "output", "node");
    json_array_foreach(layers, i, row)
        printf("%9.4f %5.1f%% %8.1f %5.1f%%  %-16s %-18s %-18s %s\n", number(row, "ms"),
               100 * number(row, "ms") / sum, number(row, "gflops"), 100 * number(row, "peak_share"),
               text(row, "op"), text(row, "kernel"), text(row, "output"), text(row, "node"));
    printf("%s%s: median %.3f ms, p90 %.3f ms, least %.3f ms (%.0f runs, %.0f threads, %s)\n",
           layers ? "\n" : "", text(o, "model"), number(o, "median_ms"), number(o, "p90_ms"),
           number(o, "min_ms"), number(o, "runs"), number(o, "threads"), text(o, "cpu"));
    printf(
        "%.1f million multiply-adds, %.1f GFLOP/s = %.1f %% of the measured peak of %.1f; %.0f allocations\n",
        number(o, "macs") / 1e6, number(o, "gflops"), 100 * number(o, "peak_share"), number(o, "peak_gflops"),
        number(o, "allocations"));
}

static gh_status run(bench *b, gh_err *e)
{
    GH_TRY(gh_network_find(&b->net, b->v->model, &b->v->models, e));
    GH_TRY(gh_network_load(&b->net, b->v->size, e));
    GH_TRY(gh_pool_new(&b->pool, (int)b->v->threads, e));
    GH_TRY(gh_session_new(&b->session, b->pool, e));
    GH_TRY(gh_session_bind(b->session, b->net.plan, e));
    GH_TRY(measure_peak(b, e));
    GH_TRY(measure(b, e));
    json_t *o = report(b);
    if (b->v->json) {
        gh_cli_print_json("bench", o, false);
    } else {
        print_text(o);
        json_decref(o);
    }
    if (b->allocs)
        return gh_fail(e, GH_INTERNAL, "the runs allocated memory %llu times; they must not",
                       (unsigned long long)b->allocs);
    return GH_OK;
}

int gh_cmd_bench(int argc, char **argv)
{
    values v = {.threads = 1, .runs = 100};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    bench b = {.v = &v};
    gh_status status = gh_cli_precision(v.precision, &e);
    gh_tune_set(v.tune);
    if (status == GH_OK)
        status = run(&b, &e);
    gh_free(b.noise);
    gh_free(b.ns);
    gh_free(b.steps);
    gh_session_free(&b.session);
    gh_pool_free(&b.pool);
    gh_network_free(&b.net);
    return gh_cli_flush("bench", status == GH_OK ? 0 : gh_cli_fail("bench", status, &e));
}
