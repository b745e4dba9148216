/* Losses against central differences of their own definitions in double, and against values that PyTorch
 * 2.15.0 and torchvision 0.29.2 gave for the same formulas as inputs. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/learn/loss.h"

#include <math.h>
#include <string.h>

#define MOST 4096

/* x[i] = size * sin((i + 1) * step) + shift, as the recorded inputs were made. */
static void waves(float *x, size_t n, double step, double size, double shift)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(size * sin((double)(i + 1) * step) + shift);
}

static gh_gradient into(float *at)
{
    return (gh_gradient){.at = at, .weight = 1};
}

static void check_values(const char *what, const float *got, const double *wanted, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - wanted[i]) <= tolerance, "%s %zu: %.9g, not %.9g", what, i,
                      (double)got[i], wanted[i]);
}

typedef double (*definition)(const double *x, const void *arg);

/* The definition's slope in each of n directions. */
static void check_slopes(const char *what, const float *got, double loss, const float *at, size_t n,
                         definition f, const void *arg)
{
    static double x[MOST];
    ck_assert(n <= MOST);
    for (size_t i = 0; i < n; i++)
        x[i] = (double)at[i];
    ck_assert_msg(fabs(f(x, arg) - loss) <= 2e-6 * (1 + fabs(loss)), "%s: %.9g, not %.9g", what, loss,
                  f(x, arg));
    for (size_t i = 0; i < n; i++) {
        double keep = x[i], h = 1e-5;
        x[i] = keep + h;
        double high = f(x, arg);
        x[i] = keep - h;
        double slope = (high - f(x, arg)) / (2 * h);
        x[i] = keep;
        ck_assert_msg(fabs(slope - (double)got[i]) <= 1e-6 + 1e-4 * fabs(slope), "%s %zu: %.9g, not %.9g",
                      what, i, (double)got[i], slope);
    }
}

/* ---- softmax ---- */

/* Share of class c that element (n, i) should have, smoothed and weighted; 0 where it does not count. */
static double share(const gh_class_targets *t, size_t n, size_t c, size_t i)
{
    double total = 0, own = 0;
    for (size_t k = 0; k < t->classes; k++) {
        double s = t->labels ? t->labels[n * t->inner + i] == k
                             : (double)t->shares[(n * t->classes + k) * t->inner + i];
        total += s;
        own = k == c ? s : own;
    }
    double s = (double)t->smoothing;
    return (t->class_weight ? (double)t->class_weight[c] : 1) *
           ((1 - s) * own + s * total / (double)t->classes);
}

static double softmax_p(const double *x, const gh_class_targets *t, size_t n, size_t c, size_t i)
{
    double sum = 0;
    for (size_t k = 0; k < t->classes; k++)
        sum += exp(x[(n * t->classes + k) * t->inner + i]);
    return exp(x[(n * t->classes + c) * t->inner + i]) / sum;
}

static double define_softmax(const double *x, const void *arg)
{
    const gh_class_targets *t = arg;
    double loss = 0, mass = 0;
    for (size_t n = 0; n < t->n; n++)
        for (size_t c = 0; c < t->classes; c++)
            for (size_t i = 0; i < t->inner; i++) {
                double s = share(t, n, c, i);
                mass += s;
                loss -= s > 0 ? s * log(softmax_p(x, t, n, c, i)) : 0;
            }
    return mass > 0 ? loss / mass : 0;
}

static const uint8_t small_labels[] = {0, 1, 2, 255, 2, 2, 255, 0};

START_TEST(test_softmax_as_recorded)
{
    static const float weights[] = {1, .5f, 2};
    static const struct {
        float smoothing;
        bool weighted;
        double loss, g[24];
    } cases[] = {
#include "unit/golden_losses.inc"
    };
    float z[24], g[24];
    waves(z, 24, 1, 2, 0);
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_class_targets t = {
            2, 3, 4, small_labels, NULL, cases[i].weighted ? weights : NULL, cases[i].smoothing};
        ck_assert_double_eq_tol(gh_loss_softmax(into(g), z, &t, NULL), cases[i].loss, 1e-6);
        check_values("softmax", g, cases[i].g, 24, 1e-7);
    }
    static const float shares[] = {.2f, .5f, .3f, .9f, .1f, 0};
    static const double soft[] = {0.109055603, -0.0105719049, -0.0984836978,
                                  -0.33278223, 0.0282406963,  0.304541534};
    gh_class_targets t = {2, 3, 1, NULL, shares, NULL, 0};
    waves(z, 6, 1, 2, 0);
    ck_assert_double_eq_tol(gh_loss_softmax(into(g), z, &t, NULL), 1.35769548, 1e-6);
    check_values("soft targets", g, soft, 6, 1e-7);
}
END_TEST

/* Rows longer than a tile, labels that do not count, all options at once; and Dice on the same. */
typedef struct big {
    float z[MOST], g[MOST], shares[MOST], weights[5];
    uint8_t labels[MOST];
    gh_class_targets t;
} big;

static void make_big(big *b, size_t n, size_t classes, size_t inner, bool soft)
{
    waves(b->z, n * classes * inner, .7, 3, .2);
    waves(b->weights, 5, 2.2, .4, 1);
    for (size_t i = 0; i < n * inner; i++)
        b->labels[i] = i % 7 == 3 ? 255 : (uint8_t)(i * 5 % 11 % (classes > 1 ? classes : 2));
    for (size_t i = 0; i < n * classes * inner; i++)
        b->shares[i] = .5f + .5f * sinf((float)i);
    b->t = (gh_class_targets){n,          classes, inner, soft ? NULL : b->labels, soft ? b->shares : NULL,
                              b->weights, .15f};
}

START_TEST(test_softmax_against_differences)
{
    static big b;
    for (int soft = 0; soft < 2; soft++) {
        make_big(&b, 2, 5, 131, soft);
        double loss = gh_loss_softmax(into(b.g), b.z, &b.t, NULL);
        check_slopes("softmax", b.g, loss, b.z, 2 * 5 * 131, define_softmax, &b.t);
    }
}
END_TEST

START_TEST(test_nothing_counts)
{
    uint8_t none[4] = {255, 255, 9, 255};
    float z[12], g[12];
    gh_class_targets t = {2, 3, 2, none, NULL, NULL, .1f};
    double dice = 5;
    waves(z, 12, 1, 2, 0);
    memset(g, 1, sizeof g);
    ck_assert_double_eq(gh_loss_softmax(into(g), z, &t, NULL), 0);
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq(g[i], 0);
    ck_assert_int_eq(gh_loss_dice(&dice, into(g), z, &t, NULL, NULL), GH_OK);
    ck_assert_double_eq(dice, 0);
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq(g[i], 0);
}
END_TEST

/* ---- Dice ---- */

static double define_dice(const double *x, const void *arg)
{
    const gh_class_targets *t = arg;
    double loss = 0, weights = 0;
    for (size_t c = 0; c < t->classes; c++) {
        double both = 0, all = 0, w = t->class_weight ? (double)t->class_weight[c] : 1;
        for (size_t n = 0; n < t->n; n++)
            for (size_t i = 0; i < t->inner; i++) {
                double z = x[(n * t->classes + c) * t->inner + i];
                double p = t->classes == 1 ? 1 / (1 + exp(-z)) : softmax_p(x, t, n, c, i);
                uint8_t label = t->labels[n * t->inner + i];
                if (label == 255)
                    continue;
                double s = label == (t->classes == 1 ? 1 : c);
                both += p * s;
                all += p + s;
            }
        loss += w * (1 - (2 * both + 1) / (all + 1));
        weights += w;
    }
    return loss / weights;
}

START_TEST(test_dice_against_differences)
{
    static big b;
    static const size_t sizes[][3] = {{2, 5, 131}, {3, 1, 150}, {1, 2, 3}};
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        double loss;
        make_big(&b, sizes[i][0], sizes[i][1], sizes[i][2], false);
        ck_assert_int_eq(gh_loss_dice(&loss, into(b.g), b.z, &b.t, NULL, NULL), GH_OK);
        check_slopes("dice", b.g, loss, b.z, b.t.n * b.t.classes * b.t.inner, define_dice, &b.t);
    }
}
END_TEST

START_TEST(test_dice_without_memory)
{
    static big b;
    make_big(&b, 1, 2, 3, false);
    for (int i = 0; i < 2; i++) {
        double loss = 7;
        gh_mem_fail_after(i);
        ck_assert_int_eq(gh_loss_dice(&loss, into(b.g), b.z, &b.t, NULL, NULL), GH_NOMEM);
        ck_assert_double_eq(loss, 7);
    }
    gh_mem_fail_after(-1);
}
END_TEST

/* Two losses of half and quarter weight, one added to the other. */
START_TEST(test_losses_are_combined)
{
    static big b;
    static float softmax[MOST], dice[MOST];
    make_big(&b, 2, 3, 40, false);
    size_t n = 240;
    double d, both, s = gh_loss_softmax(into(softmax), b.z, &b.t, NULL);
    ck_assert_int_eq(gh_loss_dice(&d, into(dice), b.z, &b.t, NULL, NULL), GH_OK);
    double half = gh_loss_softmax((gh_gradient){b.g, .5, false}, b.z, &b.t, NULL);
    ck_assert_int_eq(gh_loss_dice(&both, (gh_gradient){b.g, .25, true}, b.z, &b.t, NULL, NULL), GH_OK);
    ck_assert_double_eq_tol(half + both, .5 * s + .25 * d, 1e-12);
    for (size_t i = 0; i < n; i++)
        ck_assert_float_eq_tol(b.g[i], .5f * softmax[i] + .25f * dice[i], 1e-8f);
    ck_assert_double_eq(gh_loss_softmax((gh_gradient){NULL, 1, false}, b.z, &b.t, NULL), s);
}
END_TEST

START_TEST(test_threads_change_nothing)
{
    static big b;
    static float one[MOST];
    gh_pool *pool = NULL;
    ck_assert_int_eq(gh_pool_new(&pool, 3, NULL), GH_OK);
    make_big(&b, 4, 5, 200, false);
    size_t bytes = 4000 * sizeof *one;
    double alone = gh_loss_softmax(into(one), b.z, &b.t, NULL), d1, d3;
    ck_assert(gh_loss_softmax(into(b.g), b.z, &b.t, pool) == alone);
    ck_assert_mem_eq(one, b.g, bytes);
    ck_assert_int_eq(gh_loss_dice(&d1, into(one), b.z, &b.t, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_loss_dice(&d3, into(b.g), b.z, &b.t, pool, NULL), GH_OK);
    ck_assert(d1 == d3);
    ck_assert_mem_eq(one, b.g, bytes);
    gh_pool_free(&pool);
}
END_TEST

/* ---- single values ---- */

static double define_sigmoid(const double *x, const void *arg)
{
    const gh_sigmoid_targets *t = arg;
    double total = 0, weights = 0;
    for (size_t i = 0; i < t->count; i++) {
        double p = 1 / (1 + exp(-x[i])), y = (double)t->target[i], w = t->weight ? (double)t->weight[i] : 1;
        double positive = t->positive > 0 ? (double)t->positive : 1;
        double loss = -positive * y * log(p) - (1 - y) * log(1 - p);
        loss *= pow(1 - (y * p + (1 - y) * (1 - p)), (double)t->gamma);
        if (t->alpha > 0)
            loss *= (double)t->alpha * y + (1 - (double)t->alpha) * (1 - y);
        total += w * loss;
        weights += w;
    }
    return total / (t->divisor > 0 ? t->divisor : weights);
}

START_TEST(test_sigmoid)
{
    static const float y[] = {1, 0, 1, 0, .3f, 1}, weight[] = {1, 0, .5f, 2, 1, 3};
    static const double bce[] = {-0.00876941384, 0.137401374,  -0.147880746,
                                 0.01099443,     0.0593273468, -0.00793728074},
                        focal[] = {-1.78834441e-05, 0.121939626,  -0.0452477458,
                                   0.000105226431,  0.0201262681, -1.32835911e-05};
    float z[6], g[6];
    gh_sigmoid_targets t = {.count = 6, .target = y};
    waves(z, 6, 1.3, 3, 0);
    ck_assert_double_eq_tol(gh_loss_sigmoid(into(g), z, &t), 0.827828709, 1e-6);
    check_values("bce", g, bce, 6, 1e-7);
    t.gamma = 2;
    t.alpha = .25f;
    ck_assert_double_eq_tol(gh_loss_sigmoid(into(g), z, &t), 0.247066244, 1e-6);
    check_values("focal", g, focal, 6, 1e-7);
    for (int i = 0; i < 8; i++) {
        t = (gh_sigmoid_targets){.count = 6,
                                 .target = y,
                                 .weight = i & 1 ? weight : NULL,
                                 .positive = i & 2 ? 3 : 0,
                                 .gamma = i & 4 ? 1.5f : 0,
                                 .alpha = i & 4 ? .4f : 0,
                                 .divisor = i & 2 ? 4 : 0};
        double loss = gh_loss_sigmoid(into(g), z, &t);
        check_slopes("sigmoid", g, loss, z, 6, define_sigmoid, &t);
    }
    /* far out: no overflow, and the slope is 1 at most */
    static const float far[] = {-200, 200, 90, -90, 0, 1e30f}, no[] = {1, 0, 0, 1, 0, 1};
    t = (gh_sigmoid_targets){.count = 6, .target = no, .gamma = 2};
    ck_assert(isfinite(gh_loss_sigmoid(into(g), far, &t)));
    ck_assert_float_eq_tol(g[0], -1.0f / 6, 1e-6f);
    ck_assert_float_eq(g[5], 0);
}
END_TEST

static double define_l1(const double *x, const void *arg)
{
    const float *const *y = arg;
    double total = 0, weights = 0;
    for (size_t i = 0; i < 6; i++) {
        double d = fabs(x[i] - (double)y[0][i]), w = (double)y[1][i];
        total += w * (d < .5 ? d * d : d - .25);
        weights += w;
    }
    return total / weights;
}

START_TEST(test_smooth_l1)
{
    static const double slope[] = {0.166666667,   -0.166666667, -0.166666667,
                                   0.00709637492, 0.166666667,  -0.130036792};
    static const float weight[] = {1, 0, .5f, 2, 1, 3};
    float x[6], y[6], g[6];
    waves(x, 6, 1.7, 1, 0);
    waves(y, 6, .6, .7, 0);
    ck_assert_double_eq_tol(gh_loss_smooth_l1(into(g), x, y, NULL, 6, .5f), 0.494039001, 1e-6);
    check_values("smooth l1", g, slope, 6, 1e-7);
    const float *both[] = {y, weight};
    double loss = gh_loss_smooth_l1(into(g), x, y, weight, 6, .5f);
    check_slopes("smooth l1", g, loss, x, 6, define_l1, both);
}
END_TEST

static double define_heatmap(const double *x, const void *arg)
{
    const float *y = arg;
    double total = 0, centres = 0;
    for (size_t i = 0; i < 60; i++) {
        double p = 1 / (1 + exp(-x[i]));
        centres += y[i] >= 1;
        total -= y[i] >= 1 ? pow(1 - p, 2) * log(p) : pow(1 - (double)y[i], 4) * p * p * log(1 - p);
    }
    return total / fmax(centres, 1);
}

START_TEST(test_heatmap)
{
    float z[60], y[60], g[60];
    waves(z, 60, 1.1, 4, -1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 60; i++)
            y[i] = expf(-.05f * (float)((i % 20 - 9) * (i % 20 - 9))) * (round ? .9f : 1);
        double loss = gh_loss_heatmap(into(g), z, y, 60);
        check_slopes("heatmap", g, loss, z, 60, define_heatmap, y);
    }
}
END_TEST

/* ---- boxes ---- */

static const float boxes[] = {1, 1, 4, 3, 0, 0, 2, 2, 5, 5, 7, 9},
                   wanted[] = {2, 0, 5, 4, 3, 3, 6, 4, 5.5f, 5.5f, 6.5f, 8};

START_TEST(test_boxes_as_recorded)
{
    static const double giou[] = {-0.0448554419, 0.0616496595,  -0.0476190473, -0.0616496595,
                                  0.0115740739,  0.00347222196, -0.0277777777, -0.0277777777,
                                  -0.052083332,  -0.026041666,  0.052083332,   0.026041666},
                        ciou[] = {-0.0222826859, 0.0421134423,    -0.0571709699, -0.0421134423,
                                  0.00744085424, -0.000290952957, -0.0249457852, -0.0135157532,
                                  -0.0518932322, -0.021449216,    0.0518932322,  0.0297825493};
    float g[12];
    double loss = gh_loss_box(into(g), GH_BOX_GIOU, GH_BOX_CORNERS, boxes, wanted, NULL, 3);
    ck_assert_double_eq_tol(loss, 1.07837302, 1e-6);
    check_values("giou", g, giou, 12, 1e-7);
    loss = gh_loss_box(into(g), GH_BOX_CIOU, GH_BOX_CORNERS, boxes, wanted, NULL, 3);
    ck_assert_double_eq_tol(loss, 0.933928068, 1e-6);
    check_values("ciou", g, ciou, 12, 1e-7);
}
END_TEST

typedef struct box_case {
    float target[12], weight[3];
    double balance[3]; /* of CIoU's aspect term, held fast; negative: GIoU */
} box_case;

/* 1 - IoU and what each kind adds, of centre boxes. */
static double define_box(const double *x, const void *arg)
{
    const box_case *c = arg;
    double total = 0, weights = 0;
    for (int i = 0; i < 3; i++, x += 4) {
        const float *t = c->target + 4 * i;
        double lo[2], hi[2], in[2], out[2], apart = 0;
        for (int k = 0; k < 2; k++) {
            lo[k] = fmax(x[k] - x[k + 2] / 2, (double)(t[k] - t[k + 2] / 2));
            hi[k] = fmin(x[k] + x[k + 2] / 2, (double)(t[k] + t[k + 2] / 2));
            in[k] = fmax(hi[k] - lo[k], 0);
            out[k] = fmax(x[k] + x[k + 2] / 2, (double)(t[k] + t[k + 2] / 2)) -
                     fmin(x[k] - x[k + 2] / 2, (double)(t[k] - t[k + 2] / 2));
            apart += (x[k] - (double)t[k]) * (x[k] - (double)t[k]);
        }
        double both = x[2] * x[3] + (double)(t[2] * t[3]) - in[0] * in[1], iou = in[0] * in[1] / both;
        double angle = atan((double)(t[2] / t[3])) - atan(x[2] / x[3]), loss = 1 - iou;
        if (c->balance[i] < 0)
            loss += 1 - both / (out[0] * out[1]);
        else
            loss += apart / (out[0] * out[0] + out[1] * out[1]) +
                    c->balance[i] * 4 / (M_PI * M_PI) * angle * angle;
        total += (double)c->weight[i] * loss;
        weights += (double)c->weight[i];
    }
    return total / weights;
}

START_TEST(test_boxes_against_differences)
{
    static const float at[] = {2.5f, 2, 3, 2.2f, 1, 1, 2, 2.5f, 6, 7, 2, 4};
    box_case c = {{3.4f, 2.1f, 3, 4, 4.5f, 3.5f, 3, 1, 6.1f, 6.8f, 1, 2.5f}, {1, .5f, 2}, {-1, -1, -1}};
    float g[12];
    double loss = gh_loss_box(into(g), GH_BOX_GIOU, GH_BOX_CENTRE, at, c.target, c.weight, 3);
    check_slopes("giou", g, loss, at, 12, define_box, &c);
    for (int i = 0; i < 3; i++) { /* the balance where the boxes are: v / (1 - IoU + v) */
        const float *t = c.target + 4 * i, *x = at + 4 * i;
        box_case one = {.weight = {1}};
        double angle = atan((double)(t[2] / t[3])) - atan((double)(x[2] / x[3])),
               v = 4 / (M_PI * M_PI) * angle * angle, area = (double)(x[2] * x[3] + t[2] * t[3]), in = 1;
        memcpy(one.target, t, 4 * sizeof *t);
        for (int k = 0; k < 2; k++)
            in *= fmax(fmin((double)(x[k] + x[k + 2] / 2), (double)(t[k] + t[k + 2] / 2)) -
                           fmax((double)(x[k] - x[k + 2] / 2), (double)(t[k] - t[k + 2] / 2)),
                       0);
        c.balance[i] = v / (1 - in / (area - in) + v);
    }
    loss = gh_loss_box(into(g), GH_BOX_CIOU, GH_BOX_CENTRE, at, c.target, c.weight, 3);
    check_slopes("ciou", g, loss, at, 12, define_box, &c);
}
END_TEST

START_TEST(test_empty_boxes_are_finite)
{
    static const float none[] = {1, 1, 1, 1, 2, 2, 1, 1}, same[] = {1, 1, 1, 1, 0, 0, 3, 3};
    float g[8];
    for (int kind = 0; kind < 2; kind++) {
        ck_assert(isfinite(gh_loss_box(into(g), (gh_box_loss)kind, GH_BOX_CORNERS, none, same, NULL, 2)));
        for (int i = 0; i < 8; i++)
            ck_assert(isfinite(g[i]));
    }
}
END_TEST

Suite *gh_suite_losses(void)
{
    Suite *s = suite_create("losses");
    TCase *c = tcase_create("losses");
    tcase_add_test(c, test_softmax_as_recorded);
    tcase_add_test(c, test_softmax_against_differences);
    tcase_add_test(c, test_nothing_counts);
    tcase_add_test(c, test_dice_against_differences);
    tcase_add_test(c, test_dice_without_memory);
    tcase_add_test(c, test_losses_are_combined);
    tcase_add_test(c, test_threads_change_nothing);
    tcase_add_test(c, test_sigmoid);
    tcase_add_test(c, test_smooth_l1);
    tcase_add_test(c, test_heatmap);
    tcase_add_test(c, test_boxes_as_recorded);
    tcase_add_test(c, test_boxes_against_differences);
    tcase_add_test(c, test_empty_boxes_are_finite);
    suite_add_tcase(s, c);
    return s;
}
