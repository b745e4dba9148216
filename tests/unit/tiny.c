/* Tiny models for tests. */
#include "unit/tiny.h"

#include "engine/onnx.h"
#include "image/image.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];

void tiny_setup(void)
{
    strcpy(folder, "/tmp/gharial-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void tiny_remove(void)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

const char *tiny_path(const char *name)
{
    static char paths[8][PATH_MAX];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

void tiny_file(const char *name, const void *data, size_t len)
{
    char parent[PATH_MAX];
    gh_err e = {0};
    snprintf(parent, sizeof parent, "%s", tiny_path(name));
    *strrchr(parent, '/') = '\0';
    ck_assert_msg(gh_dir_make(parent, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_file_write(tiny_path(name), data, len, &e) == GH_OK, "%s", e.text);
}

void tiny_text(const char *name, const char *text)
{
    tiny_file(name, text, strlen(text));
}

gh_graph *tiny_graph(void)
{
    static const float weights[TINY_CLASSES * 3] = {8, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0};
    static const float bias[TINY_CLASSES] = {-2, -2, -2, 1};
    gh_graph *g = NULL;
    gh_err e = {0};
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    uint32_t in =
        gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, TINY_SIDE, TINY_SIDE}));
    uint32_t pooled = gh_graph_op(g, "GlobalAveragePool", "pool", &in, 1);
    uint32_t flat = gh_graph_op(g, "Flatten", "flat", &pooled, 1);
    uint32_t w = gh_graph_const(g, "w", GH_F32, gh_shape_of(2, (int64_t[]){TINY_CLASSES, 3}), weights, true);
    uint32_t b = gh_graph_const(g, "b", GH_F32, gh_shape_of(1, (int64_t[]){TINY_CLASSES}), bias, true);
    uint32_t logits = gh_graph_op(g, "Gemm", "logits", (uint32_t[]){flat, w, b}, 3);
    gh_graph_set_int(g, logits, "transB", 1);
    gh_graph_output(g, logits);
    ck_assert_msg(gh_graph_check(g, &e) == GH_OK, "%s", e.text);
    return g;
}

void tiny_onnx(const char *name)
{
    gh_graph *g = tiny_graph();
    gh_err e = {0};
    tiny_text(name, ""); /* makes the folder */
    ck_assert_msg(gh_onnx_write(g, tiny_path(name), &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
}

const char *tiny_manifest(const char *name, const char *more)
{
    static char text[8192];
    snprintf(text, sizeof text,
             "{\"name\": \"%s\", \"version\": \"1\", \"task\": \"classify\", \"output\": \"softmax\",\n"
             " \"input\": {\"width\": 8, \"height\": 8, \"mean\": 0, \"scale\": 0.00392156862745098, "
             "\"fit\": \"crop\"},\n"
             " \"labels\": [\"red\", \"green\", \"blue\", \"dark\"]%s}",
             name, more);
    return text;
}

void tiny_model(const char *name, const char *more)
{
    char file[200];
    snprintf(file, sizeof file, "%s/model.json", name);
    tiny_text(file, tiny_manifest(name, more));
    snprintf(file, sizeof file, "%s/model.onnx", name);
    tiny_onnx(file);
}

double tiny_score(int c, int red, int green, int blue)
{
    double logits[TINY_CLASSES] = {8 * red / 255.0 - 2, 8 * green / 255.0 - 2, 8 * blue / 255.0 - 2, 1};
    double sum = 0;
    for (int i = 0; i < TINY_CLASSES; i++)
        sum += exp(logits[i]);
    return exp(logits[c]) / sum;
}

void tiny_png(gh_buf *out, int width, int height, int red, int green, int blue)
{
    size_t count = (size_t)width * (size_t)height;
    uint8_t *pixels = malloc(count * 3);
    gh_err e = {0};
    ck_assert_ptr_nonnull(pixels);
    for (size_t i = 0; i < count; i++) {
        pixels[3 * i] = (uint8_t)red;
        pixels[3 * i + 1] = (uint8_t)green;
        pixels[3 * i + 2] = (uint8_t)blue;
    }
    ck_assert_msg(gh_png_encode_rgb(out, pixels, width, height, &e) == GH_OK, "%s", e.text);
    free(pixels);
}

void tiny_picture(const char *name, int width, int height, int red, int green, int blue)
{
    gh_buf png = {0};
    tiny_png(&png, width, height, red, green, blue);
    tiny_file(name, png.data, png.len);
    gh_buf_free(&png);
}
