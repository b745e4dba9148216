/* Rows and exported networks for the tests of training. */
#include "unit/rows.h"

#include "base/mem.h"
#include "base/rng.h"
#include "engine/net.h"
#include "engine/onnx.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

blobs blobs_new(size_t n, size_t width, uint32_t classes, float apart, uint64_t seed)
{
    blobs b = {.x = malloc(n * width * sizeof(float)), .label = malloc(n * sizeof(uint32_t))};
    float *centre = malloc(classes * width * sizeof *centre);
    gh_rng rng;
    ck_assert(b.x && b.label && centre);
    gh_rng_seed(&rng, 77); /* the same centres for every seed: other seeds are unseen rows */
    for (size_t i = 0; i < classes * width; i++)
        centre[i] = apart * gh_rng_normal(&rng);
    gh_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        b.label[i] = (uint32_t)(i % classes);
        for (size_t j = 0; j < width; j++)
            b.x[i * width + j] = centre[b.label[i] * width + j] + gh_rng_normal(&rng);
    }
    free(centre);
    b.rows = (gh_rows){.x = b.x, .n = n, .width = width, .classes = classes, .label = b.label};
    return b;
}

void blobs_free(blobs *b)
{
    free(b->x);
    free(b->label);
    *b = (blobs){0};
}

double accuracy_of(const gh_rows *rows, const float *scores)
{
    size_t right = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const float *s = scores + i * rows->classes;
        uint32_t best = 0;
        for (uint32_t c = 1; c < rows->classes; c++)
            best = s[c] > s[best] ? c : best;
        right += best == rows->label[i];
    }
    return (double)right / (double)rows->n;
}

static gh_graph *graph_of(exporter fn, const void *what, size_t width, uint32_t columns, float temperature,
                          int64_t opset)
{
    gh_graph *g = NULL;
    gh_err e = {0};
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    if (opset)
        g->opsets[0].version = opset;
    uint32_t in = gh_graph_input(g, "features", GH_F32, gh_shape_of(2, (int64_t[]){-1, (int64_t)width}));
    uint32_t out = fn(g, what, in, temperature);
    ck_assert_msg(gh_graph_check(g, &e) == GH_OK, "%s", e.text);
    g->values[out].type = GH_F32;
    g->values[out].shape = gh_shape_of(columns ? 2 : 1, (int64_t[]){-1, columns});
    gh_graph_output(g, out);
    return g;
}

static void run_net(float *out, gh_graph *g, unsigned passes, const float *x, size_t n, size_t width,
                    size_t columns)
{
    gh_err e = {0};
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *session = NULL;
    gh_shape shape = gh_shape_of(2, (int64_t[]){(int64_t)n, (int64_t)width});
    ck_assert_msg(gh_net_from_graph(&net, &g, passes, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_plan_get(&plan, net, &shape, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_session_new(&session, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_session_bind(session, plan, &e), GH_OK);
    memcpy(gh_session_input(session, 0)->data, x, n * width * sizeof *x);
    ck_assert_msg(gh_session_run(session, &e) == GH_OK, "%s", e.text);
    const gh_tensor *t = gh_session_output(session, 0);
    ck_assert_int_eq(t->shape.dims[0], (int64_t)n);
    memcpy(out, t->data, n * columns * sizeof *out);
    gh_session_free(&session);
    gh_plan_put(&plan);
    gh_net_free(&net);
}

float *run_export(exporter fn, const void *what, const float *x, size_t n, size_t width, uint32_t columns,
                  float temperature, int64_t opset)
{
    size_t row = columns ? columns : 1;
    float *all = malloc(n * row * sizeof *all), *none = malloc(n * row * sizeof *none);
    ck_assert(all && none);
    run_net(all, graph_of(fn, what, width, columns, temperature, opset), GH_PASS_ALL, x, n, width, row);
    run_net(none, graph_of(fn, what, width, columns, temperature, opset), 0, x, n, width, row);
    for (size_t i = 0; i < n * row; i++)
        ck_assert_float_eq_tol(all[i], none[i], 1e-4);
    free(none);
    return all;
}

unsigned char *export_bytes(size_t *len, exporter fn, const void *what, size_t width, uint32_t columns)
{
    char path[] = "/tmp/gharial-test-XXXXXX";
    int fd = mkstemp(path);
    gh_graph *g = graph_of(fn, what, width, columns, 1, 0);
    gh_buf buf = {0};
    gh_err e = {0};
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_msg(gh_onnx_write(g, path, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_file_read(&buf, path, (size_t)1 << 30, &e), GH_OK);
    unlink(path);
    gh_graph_free(&g);
    unsigned char *copy = malloc(buf.len + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, buf.data, buf.len);
    *len = buf.len;
    gh_buf_free(&buf);
    return copy;
}

/* ---- heads ---- */

gh_fit_options quick(gh_pool *pool)
{
    return (gh_fit_options){.seed = 5, .pool = pool, .trees = 20, .hidden = 16, .epochs = 40};
}

gh_head *fit(const gh_head_type *t, const gh_rows *rows, const gh_fit_options *o)
{
    gh_head *h = NULL;
    gh_err e = {0};
    ck_assert_msg(t->fit(&h, rows, o, &e) == GH_OK, "%s: %s", t->name, e.text);
    ck_assert_uint_eq(gh_head_classes(h), rows->classes);
    ck_assert_uint_eq(gh_head_width(h), rows->width);
    return h;
}

fitted fit_nth(int i, const gh_rows *rows, gh_pool *pool)
{
    gh_fit_options o = quick(pool);
    o.neighbours = i == HEADS - 1 ? 3 : 0;
    const gh_head_type *t = gh_head_types[i == HEADS - 1 ? HEADS - 2 : i];
    return (fitted){t, fit(t, rows, &o)};
}

float *predict(const gh_head_type *t, const gh_head *h, const float *x, size_t n, gh_pool *pool)
{
    float *scores = malloc(n * gh_head_classes(h) * sizeof *scores + 1);
    ck_assert_ptr_nonnull(scores);
    ck_assert_int_eq(t->predict(scores, h, x, n, pool, NULL), GH_OK);
    return scores;
}

uint32_t export_fitted(gh_graph *g, const void *what, uint32_t features, float temperature)
{
    const fitted *f = what;
    return f->type->export(g, f->head, features, temperature);
}
