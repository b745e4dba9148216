/* The tiny detector. */
#include "unit/red.h"

#include "engine/onnx.h"
#include "unit/tiny.h"

#include <math.h>
#include <stdio.h>

#define CELL RED_CELL
#define TAPS (3 * CELL * CELL)

/* A convolution of `channels` outputs by cells; red counts `red` a cell. */
static uint32_t cells(gh_graph *g, uint32_t x, const char *name, int channels, float red, float bias)
{
    float *weights = NULL, *biases = NULL;
    char text[40];
    snprintf(text, sizeof text, "%s.w", name);
    uint32_t wv = gh_graph_const_f32(g, text, gh_shape_of(4, (int64_t[]){channels, 3, CELL, CELL}), &weights);
    snprintf(text, sizeof text, "%s.b", name);
    uint32_t bv = gh_graph_const_f32(g, text, gh_shape_of(1, (int64_t[]){channels}), &biases);
    for (int i = 0; i < channels * TAPS; i++)
        weights[i] = i % TAPS < CELL * CELL ? red / (CELL * CELL) : 0;
    for (int i = 0; i < channels; i++)
        biases[i] = bias;
    uint32_t y = gh_graph_op(g, "Conv", name, (uint32_t[]){x, wv, bv}, 3);
    gh_graph_set_ints(g, y, "strides", (int64_t[]){CELL, CELL}, 2);
    return y;
}

void red_network(void)
{
    gh_err e = {0};
    gh_graph *g = NULL;
    tiny_text("red/nothing", ""); /* makes the folder */
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (int64_t[]){10, 3, 32, 32}));
    uint32_t red = cells(g, x, "red", 1, 8, -4);
    gh_graph_output(g, gh_graph_op(g, "Sigmoid", "heat", &red, 1));
    gh_graph_output(g, cells(g, x, "size", 2, 0, logf(2)));
    gh_graph_output(g, cells(g, x, "offset", 2, 0, 0));
    ck_assert_msg(gh_onnx_write(g, tiny_path("red/model.onnx"), &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
}

void red_manifest(const char *output, const char *input, const char *more)
{
    char text[900];
    snprintf(text, sizeof text,
             "{\"name\": \"red\", \"version\": \"1\", \"task\": \"localize\", \"labels\": [\"red\"],\n"
             " \"threshold\": 0.5, \"output\": \"%s\", \"input\": {\"width\": 64, \"height\": 32,\n"
             " \"mean\": 0, \"scale\": 0.00392156863, %s}%s}",
             output, input, more);
    tiny_text("red/model.json", text);
}

void red_model(void)
{
    red_manifest("centernet", "\"fit\": \"stretch\", \"stride\": 32", "");
    red_network();
}
