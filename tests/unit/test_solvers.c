/* What the heads stand on: products and their check, L-BFGS, gradients against differences, standardising,
 * bins and a single tree. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "train/heads/lbfgs.h"
#include "train/heads/mlp.h"
#include "train/heads/softmax_loss.h"
#include "train/heads/tree.h"
#include "train/products/blas.h"
#include "unit/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float random_floats(float *x, size_t n, uint64_t seed)
{
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = gh_rng_normal(&rng);
    return x[0];
}

/* ---- products ---- */

static void wrong_edge(const gh_product *p)
{
    gh_gemm_own(p);
    if (p->m > 64)
        p->c[(size_t)64 * p->ldc] += 1;
}

static void forgets_to_add(const gh_product *p)
{
    gh_product q = *p;
    q.add = false;
    gh_gemm_own(&q);
}

/* Multiplies what stood in c by 0 where it should be overwritten. */
static void reads_c(const gh_product *p)
{
    for (int i = 0; !p->add && i < p->m; i++)
        for (int j = 0; j < p->n; j++)
            p->c[(size_t)i * p->ldc + j] *= 0;
    gh_product q = *p;
    q.add = true;
    gh_gemm_own(&q);
}

START_TEST(test_wrong_products_are_found)
{
    ck_assert(gh_blas_agrees(gh_gemm_own));
    ck_assert(!gh_blas_agrees(wrong_edge));
    ck_assert(!gh_blas_agrees(forgets_to_add));
    ck_assert(!gh_blas_agrees(reads_c));
}
END_TEST

START_TEST(test_products_against_double)
{
    enum { M = 37, N = 11, K = 65 };
    static float a[M * K], b[K * N], c[M * N];
    random_floats(a, M * K, 1);
    random_floats(b, K * N, 2);
    for (int flags = 0; flags < 8; flags++) {
        bool ta = flags & 1, tb = flags & 2;
        gh_product p = {.ta = ta, .tb = tb, .m = M, .n = N, .k = K, .a = a, .b = b, .c = c, .ldc = N};
        p.lda = ta ? M : K;
        p.ldb = tb ? K : N;
        gh_blas_use_own(flags & 4);
        ck_assert(!(flags & 4) || strcmp(gh_blas_name(), "own") == 0);
        gh_gemm(&p);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += (double)a[ta ? k * M + i : i * K + k] * b[tb ? j * K + k : k * N + j];
                ck_assert_double_eq_tol(c[i * N + j], sum, 1e-4);
            }
    }
    gh_blas_use_own(false);
    float none[2] = {1, 2};
    gh_gemm(&(gh_product){.m = 1, .n = 2, .k = 0, .a = a, .b = b, .c = none, .lda = 1, .ldb = 2, .ldc = 2});
    ck_assert_float_eq(none[0], 0);
    ck_assert_float_eq(none[1], 0);
}
END_TEST

START_TEST(test_dot_and_axpy)
{
    float x[] = {1, 2, 3}, y[] = {4, 5, 6};
    for (int own = 0; own < 2; own++) {
        gh_blas_use_own(own);
        ck_assert_float_eq(gh_dot(3, x, y), own ? 60 : 32);
        gh_axpy(3, 2, x, y); /* y is 6, 9, 12 */
    }
    gh_blas_use_own(false);
    ck_assert_float_eq(y[2], 18);
}
END_TEST

/* ---- L-BFGS ---- */

/* Rosenbrock's valley; its one minimum is (1, 1). */
START_TEST(test_lbfgs_walks_the_valley)
{
    gh_lbfgs *l = NULL;
    gh_lbfgs_options o = {.iterations = 200, .gradient = 1e-3f, .decrease = 1e-30};
    ck_assert_int_eq(gh_lbfgs_new(&l, 2, &o, NULL), GH_OK);
    float *x = gh_lbfgs_point(l), *g = gh_lbfgs_gradient(l);
    x[0] = -1.2f;
    x[1] = 1;
    int looks = 0;
    bool more = true;
    while (more) {
        double a = x[0], b = x[1], f = 100 * (b - a * a) * (b - a * a) + (1 - a) * (1 - a);
        g[0] = (float)(-400 * a * (b - a * a) - 2 * (1 - a));
        g[1] = (float)(200 * (b - a * a));
        more = gh_lbfgs_tell(l, f);
        ck_assert_int_lt(++looks, 200);
    }
    ck_assert_float_eq_tol(x[0], 1, 1e-2);
    ck_assert_float_eq_tol(x[1], 1, 2e-2);
    gh_lbfgs_free(&l);
    gh_lbfgs_free(&l);
}
END_TEST

/* Values that are no numbers beyond a wall: the search must stay before it. */
START_TEST(test_lbfgs_keeps_away_from_nan)
{
    gh_lbfgs *l = NULL;
    ck_assert_int_eq(gh_lbfgs_new(&l, 1, &(gh_lbfgs_options){.gradient = 1e-3f}, NULL), GH_OK);
    float *x = gh_lbfgs_point(l), *g = gh_lbfgs_gradient(l);
    x[0] = 0.01f;
    for (bool more = true; more;) { /* x - log x, minimum at 1, undefined below 0 */
        double f = x[0] > 0 ? x[0] - log(x[0]) : NAN;
        g[0] = x[0] > 0 ? 1 - 1 / x[0] : NAN;
        more = gh_lbfgs_tell(l, f);
    }
    ck_assert_float_eq_tol(x[0], 1, 1e-2);
    gh_lbfgs_free(&l);
}
END_TEST

/* A quadratic of 50 unknowns, then the same with a penalty more: both minima are known. */
START_TEST(test_lbfgs_goes_on_after_a_penalty)
{
    enum { N = 50 };
    gh_lbfgs *l = NULL;
    ck_assert_int_eq(gh_lbfgs_new(&l, N, &(gh_lbfgs_options){.gradient = 1e-4f, .decrease = 1e-12}, NULL),
                     GH_OK);
    float *x = gh_lbfgs_point(l), *g = gh_lbfgs_gradient(l);
    for (int penalty = 0; penalty < 2; penalty++) {
        int looks = 0;
        if (penalty)
            gh_lbfgs_penalise(l, 2, N / 2);
        for (bool more = true; more; looks++) {
            double f = 0;
            for (int i = 0; i < N; i++) { /* (1 + i) / 2 (x - 1)^2, and x^2 on the first half */
                double more_ = penalty && i < N / 2 ? 2 : 0;
                f += (1 + i) / 2.0 * (x[i] - 1) * (x[i] - 1) + more_ / 2 * x[i] * x[i];
                g[i] = (float)((1 + i) * (x[i] - 1) + more_ * x[i]);
            }
            more = gh_lbfgs_tell(l, f);
        }
        ck_assert_int_lt(looks, 80);
        for (int i = 0; i < N; i++)
            ck_assert_float_eq_tol(x[i], penalty && i < N / 2 ? (1.0f + i) / (3.0f + i) : 1, 1e-3);
    }
    gh_lbfgs_free(&l);
}
END_TEST

START_TEST(test_lbfgs_at_the_minimum_does_nothing)
{
    gh_lbfgs *l = NULL;
    ck_assert_int_eq(gh_lbfgs_new(&l, 3, NULL, NULL), GH_OK);
    memset(gh_lbfgs_gradient(l), 0, 3 * sizeof(float));
    ck_assert(!gh_lbfgs_tell(l, 5));
    ck_assert_int_eq(gh_lbfgs_iterations(l), 0);
    gh_lbfgs_free(&l);
}
END_TEST

/* ---- gradients ---- */

typedef struct problem {
    gh_softmax_loss *loss;
    gh_softmax_fit fits[3], *pointers[3];
    float *at;
} problem;

static double loss_at(problem *p, int f, size_t i, double by)
{
    float kept = p->at[i];
    p->at[i] = (float)(kept + by);
    gh_softmax_gradient(p->loss, p->pointers, 3, NULL);
    p->at[i] = kept;
    return p->fits[f].loss;
}

/* Three fits side by side: two leave a fold out, one none; labels or votes, weights or none. */
START_TEST(test_softmax_gradient)
{
    enum { N = 60, D = 6, C = 4, P = (D + 1) * C };
    blobs b = blobs_new(N, D, C, 1, 3);
    static float votes[N * C], weight[N], gradient[3][P], check[P];
    uint32_t fold[N];
    problem p = {.at = calloc(P, sizeof(float))};
    gh_standard s = {0};
    random_floats(p.at, P, 9);
    for (int i = 0; i < N; i++) {
        fold[i] = i % 3 == 2 ? UINT32_MAX : (uint32_t)(i % 3);
        weight[i] = 0.5f + (float)(i % 5);
        for (int c = 0; c < C; c++)
            votes[i * C + c] = c == i % C ? 0.7f : 0.1f;
        b.x[i * D + 2] = 4; /* a feature that does not vary */
        b.x[i * D + 1] = 100 + 30 * b.x[i * D + 1];
    }
    b.rows.votes = _i & 1 ? votes : NULL;
    b.rows.weight = _i & 2 ? weight : NULL;
    ck_assert_int_eq(gh_standard_of(&s, &b.rows, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_softmax_loss_new(&p.loss, &b.rows, fold, &s, 3, NULL), GH_OK);
    for (uint32_t f = 0; f < 3; f++) {
        p.fits[f] = (gh_softmax_fit){p.at, gradient[f], f < 2 ? f : UINT32_MAX, f == 1 ? 0 : 0.3f, 0};
        p.pointers[f] = &p.fits[f];
    }
    gh_softmax_gradient(p.loss, p.pointers, 3, NULL);
    for (int f = 0; f < 3; f++) {
        memcpy(check, gradient[f], sizeof check);
        for (size_t i = 0; i < P; i++) {
            double slope = (loss_at(&p, f, i, 1e-2) - loss_at(&p, f, i, -1e-2)) / 2e-2;
            ck_assert_double_eq_tol(check[i], slope, 2e-4 + 2e-3 * fabs(slope));
        }
        gh_softmax_gradient(p.loss, p.pointers, 3, NULL);
        for (size_t i = 2 * C; i < 3 * C; i++) /* of the feature that does not vary: only the penalty */
            ck_assert_float_eq_tol(check[i], p.fits[f].l2 * p.at[i], 1e-6);
    }
    gh_softmax_loss_free(&p.loss);
    gh_standard_free(&s);
    free(p.at);
    blobs_free(&b);
}
END_TEST

/* What a fit leaves out is scored by that fit alone. */
START_TEST(test_softmax_held_out)
{
    enum { N = 12, D = 2, C = 2 };
    blobs b = blobs_new(N, D, C, 1, 3);
    uint32_t fold[N];
    float at[2][(D + 1) * C] = {{0}, {0}}, gradient[(D + 1) * C], logits[N * C];
    gh_softmax_fit fits[2], *pointers[2] = {&fits[0], &fits[1]};
    gh_softmax_loss *loss = NULL;
    gh_standard s = {0};
    double weight = 0;
    for (int i = 0; i < N; i++)
        fold[i] = i < 3 ? 0 : i < 7 ? 1 : UINT32_MAX;
    for (uint32_t f = 0; f < 2; f++) { /* biases alone: log 3 for one of the classes */
        at[f][D * C + f] = logf(3);
        fits[f] = (gh_softmax_fit){at[f], gradient, f, 0, 0};
    }
    for (int i = 0; i < N * C; i++)
        logits[i] = NAN;
    ck_assert_int_eq(gh_standard_of(&s, &b.rows, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_softmax_loss_new(&loss, &b.rows, fold, &s, 2, NULL), GH_OK);
    double sum = gh_softmax_held_out(loss, pointers, 2, logits, &weight, NULL), want = 0;
    ck_assert_double_eq(weight, 7);
    for (int i = 0; i < 7; i++) {
        want -= log(b.label[i] == fold[i] ? 0.75 : 0.25);
        ck_assert_float_eq_tol(logits[i * C + (int)fold[i]], logf(3), 1e-5);
        ck_assert_float_eq_tol(logits[i * C + 1 - (int)fold[i]], 0, 1e-5);
    }
    ck_assert_double_eq_tol(sum, want, 1e-5);
    ck_assert(isnan(logits[7 * C]) && isnan(logits[N * C - 1]));
    gh_softmax_loss_free(&loss);
    gh_standard_free(&s);
    blobs_free(&b);
}
END_TEST

START_TEST(test_mlp_gradient)
{
    enum { N = 40, D = 20, H = 7, C = 3 };
    static float x[N * D], target[N * C], weight[N], gradient[(D + 1) * H + (H + 1) * C],
        check[(D + 1) * H + (H + 1) * C];
    gh_mlp m = {0};
    gh_mlp_space *space = NULL;
    random_floats(x, N * D, 4);
    for (int i = 0; i < N; i++) {
        weight[i] = (float)(i % 3);
        for (int c = 0; c < C; c++)
            target[i * C + c] = c == i % C ? 0.8f : 0.1f;
    }
    gh_batch batch = {x, target, weight, N};
    ck_assert_int_eq(gh_mlp_new(&m, D, H, C, 3, NULL), GH_OK);
    ck_assert_int_eq(gh_mlp_space_new(&space, &m, NULL), GH_OK);
    size_t n = gh_mlp_parameters(&m);
    ck_assert_uint_eq(n, sizeof gradient / sizeof *gradient);
    for (size_t i = 0; i < n; i++)
        m.p[i] += m.p[i] == 0 ? 0.1f : 0; /* biases off the kink of the hidden units */
    gh_mlp_step(&m, check, NULL, &batch, space, NULL);
    for (size_t i = 0; i < n; i++) {
        float kept = m.p[i];
        m.p[i] = kept + 2e-3f;
        double high = gh_mlp_step(&m, gradient, NULL, &batch, space, NULL);
        m.p[i] = kept - 2e-3f;
        double low = gh_mlp_step(&m, gradient, NULL, &batch, space, NULL);
        m.p[i] = kept;
        ck_assert_double_eq_tol(check[i], (high - low) / 4e-3, 3e-3);
    }
    gh_mlp_space_free(&space);
    gh_mlp_free(&m);
}
END_TEST

/* A first step of Adam moves every parameter by the rate, against the sign of its gradient. */
START_TEST(test_adam_moves_by_its_rate)
{
    enum { D = 3, H = 2, C = 2 };
    float x[D] = {1, -2, 0.5f}, target[C] = {1, 0}, one = 1, gradient[14], before[14];
    gh_batch batch = {x, target, &one, 1};
    gh_mlp m = {0};
    gh_adam a = {0};
    gh_mlp_space *space = NULL;
    ck_assert_int_eq(gh_mlp_new(&m, D, H, C, 1, NULL), GH_OK);
    ck_assert_int_eq(gh_adam_new(&a, &m, 0.01f, 0, NULL), GH_OK);
    ck_assert_int_eq(gh_mlp_space_new(&space, &m, NULL), GH_OK);
    ck_assert_uint_eq(gh_mlp_parameters(&m), 14);
    for (size_t i = 0; i < 14; i++)
        before[i] = m.p[i] = 0.3f; /* every hidden unit sees a negative sum: move its bias up */
    m.p[D * H] = m.p[D * H + 1] = before[D * H] = before[D * H + 1] = 2;
    gh_mlp_step(&m, gradient, &a, &batch, space, NULL);
    for (size_t i = 0; i < 14; i++) {
        float way = gradient[i] > 1e-6f ? -0.01f : gradient[i] < -1e-6f ? 0.01f : 0;
        ck_assert_float_eq_tol(m.p[i] - before[i], way, 1e-4);
    }
    gh_mlp_space_free(&space);
    gh_adam_free(&a);
    gh_mlp_free(&m);
}
END_TEST

/* ---- standardising ---- */

START_TEST(test_standard_of_weighted_rows)
{
    float x[] = {1, 7, 1e6f, 3, 7, 1e6f, 100, 7, 1e6f}, weight[] = {1, 3, 0};
    uint32_t label[] = {0, 1, 0};
    gh_rows rows = {.x = x, .n = 3, .width = 3, .classes = 2, .label = label, .weight = weight};
    gh_standard s = {0};
    ck_assert_int_eq(gh_standard_of(&s, &rows, NULL, NULL), GH_OK);
    ck_assert_float_eq_tol(s.mean[0], 2.5, 1e-6);
    ck_assert_float_eq_tol(s.inverse[0], 1 / sqrt(0.75), 1e-6);
    ck_assert_float_eq(s.inverse[1], 0);
    ck_assert_float_eq(s.inverse[2], 0);
    gh_standard_free(&s);
}
END_TEST

/* ---- bins and trees ---- */

START_TEST(test_bins_keep_the_order)
{
    enum { N = 1000, D = 18 };
    float *x = malloc(N * D * sizeof *x);
    uint32_t label[N] = {0};
    random_floats(x, N * D, 6);
    for (int i = 0; i < N; i++) {
        x[i * D + 1] = (float)(i % 7) - 3;      /* few values: a bin each */
        x[i * D + 2] = i < 900 ? 0 : (float)i;  /* most are equal */
        x[i * D + 3] = i % 2 ? -0.0f : 0.0f;    /* one value */
        x[i * D + 4] = i == 5 ? -1e30f : 1e30f; /* far apart */
    }
    gh_rows rows = {.x = x, .n = N, .width = D, .classes = 2, .label = label};
    gh_bins b = {0};
    ck_assert_int_eq(gh_bins_of(&b, &rows, NULL, NULL), GH_OK);
    for (int f = 0; f < D; f++) {
        const uint8_t *bin = b.bin + f * N;
        int count[256] = {0};
        for (int i = 0; i < N; i++)
            count[bin[i]]++;
        for (int i = 1; i < N; i++) {
            float v = x[i * D + f], w = x[(i - 1) * D + f];
            ck_assert(v == w ? bin[i] == bin[i - 1] : v > w ? bin[i] >= bin[i - 1] : bin[i] <= bin[i - 1]);
        }
        for (int k = 0; k < 256 && f > 4; k++) /* about N / 256 = 3.9 each */
            ck_assert_int_le(count[k], 6);
    }
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(b.bin[N + i], i % 7);
        ck_assert_int_eq(b.bin[3 * N + i], 0);
        ck_assert_int_eq(b.bin[4 * N + i], i != 5);
    }
    gh_bins_free(&b);
    free(x);
}
END_TEST

/* A tree by hand: the first cut of {0, 1, 2 | 10, 11, 12} lies half way, at 6, and parts the classes; its
 * gain is the whole impurity, 0.5. */
START_TEST(test_a_tree_by_hand)
{
    float x[] = {0, 1, 2, 10, 11, 12};
    uint32_t label[] = {1, 1, 1, 0, 0, 0};
    gh_rows rows = {.x = x, .n = 6, .width = 1, .classes = 2, .label = label};
    gh_bins b = {0};
    gh_tree_space *s = NULL;
    gh_tree t = {0};
    gh_rng rng;
    gh_rng_seed(&rng, 1);
    ck_assert_int_eq(gh_bins_of(&b, &rows, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_tree_space_new(&s, &rows, &b, 6, NULL), GH_OK);
    for (uint32_t i = 0; i < 6; i++)
        gh_tree_items(s)[i] = (gh_tree_item){i, label[i], 1};
    ck_assert_int_eq(gh_tree_grow(&t, s, 6, 1, 1, &rng, NULL), GH_OK);
    ck_assert_uint_eq(t.nnodes, 3);
    ck_assert_float_eq(t.nodes[0].threshold, 6);
    ck_assert_float_eq_tol(t.nodes[0].gain, 0.5, 1e-6);
    for (int i = 0; i < 6; i++) {
        const gh_tree_node *leaf = gh_tree_leaf(&t, &x[i]);
        ck_assert_uint_eq(leaf->count, 1);
        ck_assert_uint_eq(t.shares[leaf->next].class_, label[i]);
        ck_assert_float_eq(t.shares[leaf->next].share, 1);
    }
    ck_assert_ptr_eq(gh_tree_leaf(&t, &(float){6}), gh_tree_leaf(&t, x));
    ck_assert_ptr_ne(gh_tree_leaf(&t, &(float){nextafterf(6, 7)}), gh_tree_leaf(&t, x));
    gh_tree_free(&t);
    gh_tree_space_free(&s);
    gh_bins_free(&b);
}
END_TEST

/* Leaves of at least four items, though finer cuts would be purer. */
START_TEST(test_leaves_keep_their_least)
{
    blobs d = blobs_new(200, 3, 3, 0.3f, 5);
    gh_bins b = {0};
    gh_tree_space *s = NULL;
    gh_tree t = {0};
    gh_rng rng;
    uint32_t items[1000] = {0};
    gh_rng_seed(&rng, 1);
    ck_assert_int_eq(gh_bins_of(&b, &d.rows, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_tree_space_new(&s, &d.rows, &b, 200, NULL), GH_OK);
    for (uint32_t i = 0; i < 200; i++)
        gh_tree_items(s)[i] = (gh_tree_item){i, d.label[i], 1};
    ck_assert_int_eq(gh_tree_grow(&t, s, 200, 2, 4, &rng, NULL), GH_OK);
    ck_assert_uint_lt(t.nnodes, 1000);
    for (int i = 0; i < 200; i++)
        items[gh_tree_leaf(&t, d.x + 3 * i) - t.nodes]++;
    for (uint32_t i = 0; i < t.nnodes; i++)
        ck_assert(t.nodes[i].feature != GH_LEAF || items[i] >= 4);
    gh_tree_free(&t);
    gh_tree_space_free(&s);
    gh_bins_free(&b);
    blobs_free(&d);
}
END_TEST

Suite *gh_suite_solvers(void)
{
    Suite *s = suite_create("solvers");
    TCase *t = tcase_create("solvers");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_wrong_products_are_found);
    tcase_add_test(t, test_products_against_double);
    tcase_add_test(t, test_dot_and_axpy);
    tcase_add_test(t, test_lbfgs_walks_the_valley);
    tcase_add_test(t, test_lbfgs_keeps_away_from_nan);
    tcase_add_test(t, test_lbfgs_goes_on_after_a_penalty);
    tcase_add_test(t, test_lbfgs_at_the_minimum_does_nothing);
    tcase_add_loop_test(t, test_softmax_gradient, 0, 4);
    tcase_add_test(t, test_softmax_held_out);
    tcase_add_test(t, test_mlp_gradient);
    tcase_add_test(t, test_adam_moves_by_its_rate);
    tcase_add_test(t, test_standard_of_weighted_rows);
    tcase_add_test(t, test_bins_keep_the_order);
    tcase_add_test(t, test_a_tree_by_hand);
    tcase_add_test(t, test_leaves_keep_their_least);
    suite_add_tcase(s, t);
    return s;
}
