/* Speed of every kernel at every level of this machine, on the shapes of real networks: GFLOP/s and share of
 * the peak that a loop of multiply-adds reaches in the same run. Levels, shapes and the peak take turns, and
 * the median over the turns is printed, because the clock is noisy. Usage: bench-kernels [-r ROUNDS] [-l
 * LEVEL] [WORD IN THE NAME OF A SHAPE] */
#include "kernels/kernels.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_LEVELS = 3, MOST_ROUNDS = 1000, COLD_BYTES = 64 << 20 };
static const double least_ns = 300e3; /* of one timing */

/* A convolution of a network: padding is half the window, as SAME has it. */
typedef struct conv_row {
    const char *name;
    int ic, size, oc, window, stride;
    bool depthwise;
} conv_row;

static const conv_row conv_rows[] = {
    {"lite0 first", 3, 224, 32, 3, 2, false},  {"lite0 dw", 32, 112, 32, 3, 1, true},
    {"lite0 pw", 32, 112, 16, 1, 1, false},    {"lite0 pw", 16, 112, 96, 1, 1, false},
    {"lite0 dw", 96, 112, 96, 3, 2, true},     {"lite0 pw", 96, 56, 24, 1, 1, false},
    {"lite0 pw", 24, 56, 144, 1, 1, false},    {"lite0 dw", 144, 56, 144, 3, 1, true},
    {"lite0 pw", 144, 56, 24, 1, 1, false},    {"lite0 dw", 144, 56, 144, 5, 2, true},
    {"lite0 pw", 144, 28, 40, 1, 1, false},    {"lite0 pw", 40, 28, 240, 1, 1, false},
    {"lite0 dw", 240, 28, 240, 5, 1, true},    {"lite0 pw", 240, 28, 40, 1, 1, false},
    {"lite0 dw", 240, 28, 240, 3, 2, true},    {"lite0 pw", 240, 14, 80, 1, 1, false},
    {"lite0 pw", 80, 14, 480, 1, 1, false},    {"lite0 dw", 480, 14, 480, 3, 1, true},
    {"lite0 pw", 480, 14, 80, 1, 1, false},    {"lite0 dw", 480, 14, 480, 5, 1, true},
    {"lite0 pw", 480, 14, 112, 1, 1, false},   {"lite0 pw", 112, 14, 672, 1, 1, false},
    {"lite0 dw", 672, 14, 672, 5, 1, true},    {"lite0 pw", 672, 14, 112, 1, 1, false},
    {"lite0 dw", 672, 14, 672, 5, 2, true},    {"lite0 pw", 672, 7, 192, 1, 1, false},
    {"lite0 pw", 192, 7, 1152, 1, 1, false},   {"lite0 dw", 1152, 7, 1152, 5, 1, true},
    {"lite0 pw", 1152, 7, 192, 1, 1, false},   {"lite0 dw", 1152, 7, 1152, 3, 1, true},
    {"lite0 pw", 1152, 7, 320, 1, 1, false},   {"lite0 pw", 320, 7, 1280, 1, 1, false},
    {"resnet first", 3, 224, 64, 7, 2, false}, {"resnet", 64, 56, 64, 3, 1, false},
    {"resnet", 64, 56, 128, 3, 2, false},      {"resnet", 64, 56, 128, 1, 2, false},
    {"resnet", 128, 28, 128, 3, 1, false},     {"resnet", 256, 14, 256, 3, 1, false},
    {"resnet", 256, 14, 512, 3, 2, false},     {"resnet", 512, 7, 512, 3, 1, false},
    {"unet", 32, 256, 32, 3, 1, false},        {"unet", 64, 256, 32, 3, 1, false},
    {"unet", 64, 128, 64, 3, 1, false},        {"unet", 128, 64, 128, 3, 1, false},
    {"unet", 256, 32, 256, 3, 1, false},       {"unet", 512, 16, 512, 3, 1, false},
};

typedef struct setting {
    gh_kernels k[MOST_LEVELS];
    int levels, rounds;
    bool cold;
    const char *level, *word; /* only these, or NULL */
} setting;

/* One thing to time: `run` does `work` floating point operations, or moves `work` bytes. */
typedef struct job {
    char name[64];
    double work;
    bool bytes;
    void (*run)(struct job *j, const gh_kernels *k);
    gh_conv_job conv;
    const gh_conv_kernel *kernel;
    float *src, *other, *weights, *dst, *scratch, *shared;
    size_t packed; /* floats of one copy of the weights */
    int copies, turn;
    int m, n, kk;
    gh_act act;
} job;

static float *make(size_t count)
{
    float *p = gh_alloc_aligned(count * sizeof *p);
    gh_rng rng;
    gh_rng_seed(&rng, count);
    if (!p) {
        fprintf(stderr, "no memory for %zu floats\n", count);
        exit(1);
    }
    for (size_t i = 0; i < count; i++)
        p[i] = gh_rng_float(&rng) - 0.5f;
    return p;
}

static void release(job *j)
{
    gh_free(j->src);
    gh_free(j->other);
    gh_free(j->weights);
    gh_free(j->dst);
    gh_free(j->scratch);
    gh_free(j->shared);
}

/* Processor time of this thread in nanoseconds: other programs on the machine disturb it least. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, compare);
    return v[n / 2];
}

/* Work done a nanosecond = GFLOP/s or GB/s. */
static double rate_of(job *j, const gh_kernels *k)
{
    static int times = 1;
    for (;;) {
        double start = now_ns();
        for (int i = 0; i < times; i++)
            j->run(j, k);
        double ns = now_ns() - start;
        if (ns >= least_ns) {
            double rate = j->work * times / ns;
            times = ns > 4 * least_ns && times > 1 ? times / 2 : times;
            return rate;
        }
        times *= 2;
    }
}

static double peak_of(const gh_kernels *k)
{
    double start = now_ns();
    double flops = k->fma_peak(20000);
    return flops / (now_ns() - start);
}

/* Times the same job at all levels in turn (jobs[i] is for level i) and prints a line. */
static void measure(const setting *s, job *jobs)
{
    static double rates[MOST_LEVELS][MOST_ROUNDS], peaks[MOST_LEVELS][MOST_ROUNDS];
    for (int r = 0; r < s->rounds; r++)
        for (int i = 0; i < s->levels; i++) {
            rate_of(&jobs[i], &s->k[i]);
            peaks[i][r] = peak_of(&s->k[i]);
            rates[i][r] = rate_of(&jobs[i], &s->k[i]);
        }
    printf("%-34s", jobs[0].name);
    for (int i = 0; i < s->levels; i++) {
        double rate = median(rates[i], s->rounds), peak = median(peaks[i], s->rounds);
        if (jobs[i].bytes)
            printf("  %7.1f GB/s     ", rate);
        else
            printf("  %7.1f %5.1f %%   ", rate, 100 * rate / peak);
    }
    printf("\n");
    fflush(stdout);
    for (int i = 0; i < s->levels; i++)
        release(&jobs[i]);
}

/* As many copies of `packed` weights as cold measuring wants. */
static void make_weights(job *j, const setting *s, size_t packed)
{
    j->packed = packed;
    j->copies = s->cold ? 1 + (int)(COLD_BYTES / sizeof(float) / packed) : 1;
    j->weights = make(packed * (size_t)j->copies);
}

static const float *next_weights(job *j)
{
    j->turn = (j->turn + 1) % j->copies;
    return j->weights + (size_t)j->turn * j->packed;
}

static void run_conv(job *j, const gh_kernels *k)
{
    (void)k;
    j->conv.weights = next_weights(j);
    j->kernel->run(&j->conv, 0, j->kernel->units(&j->conv.shape));
}

static size_t blocked(const gh_kernels *k, int c, int hw)
{
    return (size_t)(c + k->block - 1) / k->block * k->block * hw;
}

/* Winograd's F(m x m), or for m = 0 what computes the products as they are. */
static const gh_conv_kernel *kernel_of(const gh_kernels *k, const gh_conv_shape *s, int m)
{
    return m == 6   ? k->conv_winograd6
           : m == 4 ? k->conv_winograd4
           : m == 2 ? k->conv_winograd2
                    : gh_conv_choose(k, s, 0, false);
}

static job conv_job(const setting *set, const gh_kernels *k, const conv_row *r, int m)
{
    int out = (r->size + r->stride - 1) / r->stride,
        pad = r->stride == 1 ? r->window / 2 : (r->window - 1) / 2;
    gh_conv_shape s = {1,         r->ic,     r->size,   r->size, r->oc, out, out, r->window,
                       r->window, r->stride, r->stride, 1,       1,     pad, pad, r->depthwise ? r->ic : 1};
    job j = {.run = run_conv, .kernel = kernel_of(k, &s, m)};
    j.work = 2.0 * out * out * r->window * r->window * r->oc * (r->ic / s.groups);
    j.src = make(blocked(k, r->ic, r->size * r->size));
    make_weights(&j, set, j.kernel->packed(&s));
    j.other = make(blocked(k, r->oc, 1));
    j.dst = make(blocked(k, r->oc, out * out));
    j.scratch = make(j.kernel->scratch(&s));
    j.shared = make(j.kernel->shared ? j.kernel->shared(&s) : 0);
    j.conv = (gh_conv_job){.shape = s,
                           .src = j.src,
                           .bias = j.other,
                           .dst = j.dst,
                           .act = {GH_ACT_CLAMP, 0, 6},
                           .scratch = j.scratch,
                           .shared = j.shared};
    return j;
}

static bool is_wanted(const setting *s, const char *name)
{
    return !s->word || strstr(name, s->word);
}

/* GFLOP/s of Winograd's kernels count the products of the definition. */
static void bench_convs(const setting *s)
{
    for (size_t i = 0; i < 4 * (sizeof conv_rows / sizeof *conv_rows); i++) {
        const conv_row *r = &conv_rows[i / 4];
        int m = (int)(i % 4) * 2;
        job jobs[MOST_LEVELS];
        char name[64], how[16] = "";
        if (m && (r->window != 3 || r->stride != 1 || r->depthwise))
            continue;
        if (m)
            snprintf(how, sizeof how, " F(%d)", m);
        snprintf(name, sizeof name, "%s %dx%d %d->%d k%d s%d%s", r->name, r->size, r->size, r->ic, r->oc,
                 r->window, r->stride, how);
        if (!is_wanted(s, name))
            continue;
        for (int level = 0; level < s->levels; level++) {
            jobs[level] = conv_job(s, &s->k[level], r, m);
            memcpy(jobs[level].name, name, sizeof name);
        }
        measure(s, jobs);
    }
}

static void run_dense(job *j, const gh_kernels *k)
{
    k->dense->run(j->dst, j->src, next_weights(j), j->other, j->act, j->m, j->n, j->kk, 0,
                  k->dense->units(j->m, j->n, j->kk));
}

static void run_matmul(job *j, const gh_kernels *k)
{
    k->matmul(j->dst, j->src, next_weights(j), j->m, j->n, j->kk);
}

static void bench_products(const setting *s)
{
    static const int sizes[][3] = {{1, 1000, 1280}, {1, 1000, 512},   {4, 1000, 1280},
                                   {32, 512, 512},  {64, 1000, 1280}, {197, 64, 197}};
    for (size_t r = 0; r < 2 * sizeof sizes / sizeof *sizes; r++) {
        const int *size = sizes[r / 2];
        job jobs[MOST_LEVELS];
        char name[64];
        snprintf(name, sizeof name, "%s %d x %d -> %d", r % 2 ? "matmul" : "dense", size[0], size[2],
                 size[1]);
        if (!is_wanted(s, name))
            continue;
        for (int i = 0; i < s->levels; i++) {
            job *j = &jobs[i];
            *j = (job){.run = r % 2 ? run_matmul : run_dense, .m = size[0], .n = size[1], .kk = size[2]};
            memcpy(j->name, name, sizeof name);
            j->work = 2.0 * j->m * j->n * j->kk;
            j->src = make((size_t)j->m * j->kk);
            make_weights(j, s, s->k[i].dense->packed(j->n, j->kk));
            j->other = make((size_t)j->n);
            j->dst = make((size_t)j->m * j->n);
            j->scratch = NULL;
        }
        measure(s, jobs);
    }
}

/* What moves bytes: 56 x 56 pixels of 64 channels, 0.8 MB. */
enum { CHANNELS = 64, SIDE = 56, AREA = SIDE * SIDE, COUNT = CHANNELS * AREA };

static void run_activate(job *j, const gh_kernels *k)
{
    k->activate(j->dst, j->src, COUNT, j->act);
}

static void run_add(job *j, const gh_kernels *k)
{
    k->binary(j->dst, j->src, j->other, COUNT, GH_ADD, j->act);
}

static void run_to_blocked(job *j, const gh_kernels *k)
{
    k->to_blocked(j->dst, j->src, CHANNELS, AREA, 0, gh_layout_units(k, 1, AREA));
}

static void run_to_plain(job *j, const gh_kernels *k)
{
    k->to_plain(j->dst, j->src, CHANNELS, AREA, 0, gh_layout_units(k, 1, AREA));
}

static void run_softmax(job *j, const gh_kernels *k)
{
    k->softmax(j->dst, j->src, 1, CHANNELS, AREA);
}

static void run_softmax_rows(job *j, const gh_kernels *k)
{
    k->softmax(j->dst, j->src, CHANNELS, AREA, 1);
}

static void run_global(job *j, const gh_kernels *k)
{
    k->pool_global_avg(j->dst, j->src, 1, CHANNELS, AREA);
}

static void run_pool(job *j, const gh_kernels *k)
{
    gh_pool_job p = {
        .shape = {1, CHANNELS, SIDE, SIDE, CHANNELS, SIDE / 2, SIDE / 2, 3, 3, 2, 2, 1, 1, 1, 1, 1},
        .src = j->src,
        .dst = j->dst};
    (j->m ? k->pool_max : k->pool_avg)(&p, 0, CHANNELS / k->block * (SIDE / 2));
}

static void run_normalise(job *j, const gh_kernels *k)
{
    static const int order[3] = {0, 1, 2};
    static const float mean[3] = {127, 127, 127}, scale[3] = {1 / 128.f, 1 / 128.f, 1 / 128.f};
    k->normalise_u8(j->dst, (const uint8_t *)j->src, COUNT / 3, order, mean, scale);
}

static void bench_movers(const setting *s)
{
    static const struct {
        const char *name;
        void (*run)(job *j, const gh_kernels *k);
        double bytes; /* moved a float of the tensor */
        gh_act act;
        int m;
    } rows[] = {
        {"activate clamp", run_activate, 8, {GH_ACT_CLAMP, 0, 6}, 0},
        {"activate sigmoid", run_activate, 8, {GH_ACT_SIGMOID, 0, 0}, 0},
        {"activate hswish", run_activate, 8, {GH_ACT_HSWISH, 0, 0}, 0},
        {"activate silu", run_activate, 8, {GH_ACT_SILU, 0, 0}, 0},
        {"activate tanh", run_activate, 8, {GH_ACT_TANH, 0, 0}, 0},
        {"binary add", run_add, 12, {GH_ACT_CLAMP, 0, 6}, 0},
        {"binary add, sigmoid", run_add, 12, {GH_ACT_SIGMOID, 0, 0}, 0},
        {"to_blocked", run_to_blocked, 8, {GH_ACT_NONE, 0, 0}, 0},
        {"to_plain", run_to_plain, 8, {GH_ACT_NONE, 0, 0}, 0},
        {"softmax over channels", run_softmax, 8, {GH_ACT_NONE, 0, 0}, 0},
        {"softmax over rows", run_softmax_rows, 8, {GH_ACT_NONE, 0, 0}, 0},
        {"pool_max 3x3 s2", run_pool, 5, {GH_ACT_NONE, 0, 0}, 1},
        {"pool_avg 3x3 s2", run_pool, 5, {GH_ACT_NONE, 0, 0}, 0},
        {"pool_global_avg", run_global, 4, {GH_ACT_NONE, 0, 0}, 0},
        {"normalise_u8", run_normalise, 5, {GH_ACT_NONE, 0, 0}, 0},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        if (!is_wanted(s, rows[r].name))
            continue;
        job jobs[MOST_LEVELS];
        for (int i = 0; i < s->levels; i++) {
            jobs[i] =
                (job){.run = rows[r].run, .work = rows[r].bytes * COUNT, .bytes = true, .act = rows[r].act};
            snprintf(jobs[i].name, sizeof jobs[i].name, "%s", rows[r].name);
            jobs[i].m = rows[r].m;
            jobs[i].src = make(COUNT);
            jobs[i].other = make(COUNT);
            jobs[i].dst = make(COUNT);
        }
        measure(s, jobs);
    }
}

static void add_levels(setting *s)
{
    static const uint32_t masks[MOST_LEVELS] = {0, GH_CPU_AVX2, GH_CPU_AVX2 | GH_CPU_AVX512};
    for (int i = 0; i < MOST_LEVELS; i++) {
        if ((gh_cpu_flags() & masks[i]) != masks[i])
            continue;
        gh_kernels_init(&s->k[s->levels], masks[i]);
        if (!s->level || strcmp(s->level, s->k[s->levels].level) == 0)
            s->levels++;
    }
}

int main(int argc, char **argv)
{
    setting s = {.rounds = 15};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-r") == 0 && i + 1 < argc)
            s.rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "-l") == 0 && i + 1 < argc)
            s.level = argv[++i];
        else if (strcmp(argv[i], "-c") == 0)
            s.cold = true;
        else
            s.word = argv[i];
    add_levels(&s);
    if (s.levels == 0 || s.rounds < 1 || s.rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench-kernels [-r 1..%d] [-l ref|avx2|avx512] [-c] [word]\n", MOST_ROUNDS);
        return 2;
    }
    printf("%-34s", "peak of multiply-adds, GFLOP/s");
    for (int i = 0; i < s.levels; i++) {
        double peaks[15];
        for (int r = 0; r < 15; r++)
            peaks[r] = peak_of(&s.k[i]);
        printf("  %7.1f %-10s", median(peaks, 15), s.k[i].level);
    }
    printf("\n");
    bench_convs(&s);
    bench_products(&s);
    bench_movers(&s);
    return 0;
}
