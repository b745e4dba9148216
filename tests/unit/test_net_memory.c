/* What a loaded network keeps in memory: its packed weights, once. What they were packed from stays in the
 * mapped file, or is given back where a pass had made it. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Valgrind and the sanitizers keep books of their own beside what is allocated. */
static bool counts_differ(void)
{
#ifdef SANITIZED
    return true;
#else
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
#endif
}

/* A line of /proc/self/status in bytes. */
static double status_bytes(const char *key)
{
    char line[200];
    double kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = atof(line + strlen(key));
    fclose(f);
    ck_assert_double_gt(kilobytes, 0);
    return kilobytes * 1024;
}

enum { LAYERS = 4, CHANNELS = 1024, SIDE = 6 };

typedef enum kind { PLAIN, NORMALISED, CAST, DENSE, KINDS } kind;

static const char *const kind_names[] = {"plain", "batch normalization", "cast", "dense"};

static gh_shape flat(void)
{
    return (gh_shape){1, {CHANNELS}};
}

static uint32_t weights_of(gh_graph *g, kind k, int layer)
{
    gh_shape shape = {4, {CHANNELS, CHANNELS, 1, 1}};
    size_t count = (size_t)CHANNELS * CHANNELS;
    char name[32];
    float *w = NULL;
    snprintf(name, sizeof name, "w%d", layer);
    if (k == DENSE)
        shape.rank = 2;
    if (k == CAST) {
        int64_t *wide = gh_calloc(count, sizeof *wide);
        ck_assert_ptr_nonnull(wide);
        for (size_t i = 0; i < count; i++)
            wide[i] = (int64_t)(i * 7 % 5) - 2;
        uint32_t whole = gh_graph_const(g, name, GH_I64, shape, wide, true);
        gh_free(wide);
        uint32_t cast = gh_graph_op(g, "Cast", "", &whole, 1);
        gh_graph_set_int(g, cast, "to", 1); /* float */
        return cast;
    }
    uint32_t v = gh_graph_const_f32(g, name, shape, &w);
    ck_assert_ptr_nonnull(w);
    for (size_t i = 0; i < count; i++)
        w[i] = (float)(i * 7 % 5) * .01f - .02f;
    return v;
}

static uint32_t normalise(gh_graph *g, uint32_t v, int layer)
{
    uint32_t in[5] = {v};
    for (uint32_t i = 1; i < 5; i++) {
        char name[32];
        float *p = NULL;
        snprintf(name, sizeof name, "n%d.%u", layer, i);
        in[i] = gh_graph_const_f32(g, name, flat(), &p);
        ck_assert_ptr_nonnull(p);
        for (int c = 0; c < CHANNELS; c++)
            p[c] = 1 + (float)(c % 3) * .1f;
    }
    return gh_graph_op(g, "BatchNormalization", "", in, 5);
}

/* A file of LAYERS layers. */
static void write_net(const char *path, kind k)
{
    gh_graph *g = NULL;
    gh_err e;
    NT_OK(gh_graph_new(&g, &e), e);
    gh_shape in = {4, {1, CHANNELS, -1, -1}};
    if (k == DENSE)
        in = (gh_shape){2, {1, CHANNELS}};
    uint32_t v = gh_graph_input(g, "x", GH_F32, in);
    for (int i = 0; i < LAYERS; i++) {
        uint32_t of[2] = {v, weights_of(g, k, i)};
        v = gh_graph_op(g, k == DENSE ? "Gemm" : "Conv", "", of, 2);
        if (k == NORMALISED)
            v = normalise(g, v, i);
    }
    gh_graph_output(g, v);
    NT_OK(gh_graph_check(g, &e), e);
    NT_OK(gh_onnx_write(g, path, &e), e);
    gh_graph_free(&g);
}

static void make_file(char *path, size_t size, kind k)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(path, size, "%s/gharial-memory-XXXXXX", tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    write_net(path, k);
}

START_TEST(test_weights_are_kept_once)
{
    char path[512];
    gh_net *net = NULL;
    gh_err e;
    if (counts_differ())
        return;
    make_file(path, sizeof path, (kind)_i);
    double before = status_bytes("RssAnon:"), mapped = status_bytes("RssFile:");
    NT_OK(gh_net_load(&net, path, GH_PASS_ALL, &e), e);
    double kept = status_bytes("RssAnon:") - before, in_file = status_bytes("RssFile:") - mapped;
    double packed = (double)gh_net_packed_bytes(net), weights = (double)LAYERS * CHANNELS * CHANNELS * 4;
    ck_assert_double_ge(packed, weights);
    ck_assert_msg(kept < 1.3 * packed, "%s: %.1f MB kept for %.1f MB of packed weights", kind_names[_i],
                  kept / 1e6, packed / 1e6);
    ck_assert_msg(in_file < .3 * packed, "%s: %.1f MB of the file stay mapped in", kind_names[_i],
                  in_file / 1e6);
    gh_net_free(&net);
    unlink(path);
}
END_TEST

Suite *gh_suite_net_memory(void)
{
    Suite *s = suite_create("net_memory");
    TCase *t = tcase_create("memory");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_weights_are_kept_once, 0, KINDS);
    suite_add_tcase(s, t);
    return s;
}
