/* Models for the tests: the real one, and small ones that are written here with the project's own ONNX
 * writer. Their weights are seeded random numbers: what they answer does not matter, how long they take does.
 */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/onnx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Convolutions of the slow model; instrumented kernels take twenty times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOW = 2 };
#else
enum { SLOW = 14 };
#endif

static char dir[64];
static pid_t owner;

void open_detector(const char *to)
{
    static const char internal[] = "\"internal\": true";
    char path[300];
    gh_buf text = {0};
    gh_err e = {0};
    ck_assert_msg(gh_file_read(&text, "models/faces-detector/model.json", 1 << 20, &e) == GH_OK, "%s",
                  e.text);
    char *at = memmem(text.data, text.len, internal, sizeof internal - 1);
    ck_assert_ptr_nonnull(at);
    memcpy(at, "\"default\": true ", sizeof internal - 1);
    ck_assert_int_eq(gh_dir_make(to, &e), GH_OK);
    snprintf(path, sizeof path, "%s/model.json", to);
    ck_assert_msg(gh_file_write(path, text.data, text.len, &e) == GH_OK, "%s", e.text);
    for (int i = 0; i < 2; i++) {
        char from[64], *real;
        snprintf(from, sizeof from, "models/faces-detector/%s", i ? "selftest.png" : "model.onnx");
        snprintf(path, sizeof path, "%s/%s", to, i ? "selftest.png" : "model.onnx");
        real = realpath(from, NULL);
        ck_assert_msg(real && symlink(real, path) == 0, "%s is missing; `make models` fetches it", from);
        free(real);
    }
    gh_buf_free(&text);
}

static uint32_t weights(gh_graph *g, gh_rng *rng, const char *name, int rank, const int64_t *dims)
{
    float *v = NULL;
    size_t n = 0;
    gh_shape shape = gh_shape_of(rank, dims);
    ck_assert(gh_shape_count(&n, &shape));
    uint32_t id = gh_graph_const_f32(g, name, shape, &v);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++)
        v[i] = 0.05f * gh_rng_normal(rng);
    return id;
}

static uint32_t conv(gh_graph *g, gh_rng *rng, const char *name, uint32_t x, int64_t from, int64_t to,
                     int64_t stride)
{
    char wname[40];
    snprintf(wname, sizeof wname, "%s.w", name);
    uint32_t w = weights(g, rng, wname, 4, (const int64_t[]){to, from, 3, 3});
    uint32_t y = gh_graph_op(g, "Conv", name, (const uint32_t[]){x, w}, 2);
    gh_graph_set_ints(g, y, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
    gh_graph_set_ints(g, y, "strides", (const int64_t[]){stride, stride}, 2);
    gh_graph_set_ints(g, y, "kernel_shape", (const int64_t[]){3, 3}, 2);
    return y;
}

/* `depth` convolutions of `width` channels at side * side, then five classes. */
static void write_network(const char *path, int64_t side, int64_t width, int depth)
{
    gh_graph *g = NULL;
    gh_err e = {0};
    gh_rng rng;
    gh_rng_seed(&rng, 7);
    ck_assert_msg(gh_graph_new(&g, &e) == GH_OK, "%s", e.text);
    uint32_t x = gh_graph_input(g, "input", GH_F32, gh_shape_of(4, (const int64_t[]){1, 3, side, side}));
    for (int i = 0; i < depth; i++) {
        char name[32];
        snprintf(name, sizeof name, "conv%d", i);
        x = conv(g, &rng, name, x, i ? width : 3, width, 1);
        snprintf(name, sizeof name, "relu%d", i);
        x = gh_graph_op(g, "Relu", name, &x, 1);
    }
    x = gh_graph_op(g, "GlobalAveragePool", "pool", &x, 1);
    x = gh_graph_op(g, "Flatten", "flat", &x, 1);
    uint32_t w = weights(g, &rng, "head.w", 2, (const int64_t[]){width, 5});
    uint32_t b = weights(g, &rng, "head.b", 1, (const int64_t[]){5});
    gh_graph_output(g, gh_graph_op(g, "Gemm", "head", (const uint32_t[]){x, w, b}, 3));
    ck_assert_msg(gh_onnx_write(g, path, &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
}

static void write_model(const char *name, int side, int width, int depth)
{
    char path[256], text[1024];
    gh_err e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/model.onnx", dir, name);
    write_network(path, side, width, depth);
    snprintf(path, sizeof path, "%s/%s/model.json", dir, name);
    int n = snprintf(
        text, sizeof text,
        "{\"name\":\"%s\",\"version\":\"1\",\"task\":\"classify\",\"input\":{\"width\":%d,\"height\":%d,"
        "\"mean\":127,\"scale\":0.0078125,\"fit\":\"stretch\"},\"output\":{\"decoder\":\"softmax\"},"
        "\"labels\":[\"ash\",\"birch\",\"cedar\",\"date\",\"elm\"]}",
        name, side, side);
    ck_assert_msg(gh_file_write(path, text, (size_t)n, &e) == GH_OK, "%s", e.text);
}

static void models_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    if (dir[0] && owner == getpid() && system(command) != 0)
        fprintf(stderr, "e2e: %s is left behind\n", dir);
    dir[0] = 0;
}

const char *models_dir(void)
{
    char link[128];
    if (dir[0])
        return dir;
    snprintf(dir, sizeof dir, "/tmp/gharial-e2e-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    owner = getpid();
    atexit(models_remove); /* a fixture that fails ends the process */
    char *real = access("models/" REAL "/model.onnx", R_OK) == 0 ? realpath("models/" REAL, NULL) : NULL;
    if (!real)
        ck_abort_msg("models/" REAL "/model.onnx is missing; `make models` fetches it");
    snprintf(link, sizeof link, "%s/%s", dir, REAL);
    ck_assert_int_eq(symlink(real, link), 0);
    free(real);
    write_model("tiny", 32, 8, 2);
    write_model("slow", 224, 64, SLOW);
    return dir;
}

void models_make(void)
{
    models_dir();
}

void link_model(const char *name, const char *folder)
{
    char from[128], to[256];
    snprintf(from, sizeof from, "models/%s", name);
    snprintf(to, sizeof to, "%s/%s", folder, name);
    char *real = realpath(from, NULL);
    ck_assert_msg(real && access(from, R_OK) == 0, "%s is missing; `make models` fetches it", from);
    ck_assert_int_eq(symlink(real, to), 0);
    free(real);
}

const char *path_in(const char *folder, const char *name)
{
    static char paths[8][300];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void remove_folder(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}
