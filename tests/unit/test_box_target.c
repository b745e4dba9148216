/* Targets of heads that find boxes, and their losses against central differences. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/localize/box_target.h"

#include <math.h>
#include <string.h>

static gh_err e;

static const gh_box_head_options box = {
    .kind = GH_BOX_HEAD_BOX, .classes = 2, .in_width = 128, .in_height = 64};
static const gh_box_head_options detect = {
    .kind = GH_BOX_HEAD_DETECT, .classes = 2, .in_width = 128, .in_height = 64, .level = 3};

enum { COLUMNS = 16, ROWS = 8, CELLS = COLUMNS * ROWS };

static void setup(void)
{
    e = (gh_err){0};
}

/* IoU of a box with one whose corners are moved by these. */
static double moved(double w, double h, double left, double top, double right, double bottom)
{
    double w2 = w - left + right, h2 = h - top + bottom;
    double both = (fmin(w, w + right) - fmax(0, left)) * (fmin(h, h + bottom) - fmax(0, top));
    return both / (w * h + w2 * h2 - both);
}

/* Moved by the radius in the worst of three ways, the overlap is just 0.7. */
START_TEST(test_radius)
{
    static const double sizes[][2] = {{1, 1}, {10, 10}, {3, 40}, {25, 18}, {0.2, 0.5}};
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        double w = sizes[i][0], h = sizes[i][1], r = gh_box_radius(w, h);
        double worst =
            fmin(moved(w, h, r, r, r, r), fmin(moved(w, h, r, r, -r, -r), moved(w, h, -r, -r, r, r)));
        ck_assert_double_gt(r, 0);
        ck_assert_double_eq_tol(worst, 0.7, 1e-9);
    }
}
END_TEST

START_TEST(test_the_largest_box_is_learnt)
{
    const gh_augment_box boxes[] = {{{0, 0, 128, 64}, false}, {{32, 16, 64, 16}, true}, {{0, 0, 8, 8}, true}};
    float t[7] = {0};
    ck_assert_uint_eq(gh_box_target_floats(&box), 7);
    gh_box_target_make(t, &box, boxes, (const uint32_t[]){0, 1, 0}, 3);
    const float want[7] = {0.5f, 0.375f, 0.5f, 0.25f, 1, 0, 1};
    for (int i = 0; i < 7; i++)
        ck_assert_float_eq(t[i], want[i]);
    memset(t, 0, sizeof t);
    gh_box_target_make(t, &box, boxes, (const uint32_t[]){0, 1, 0}, 1);
    ck_assert_float_eq(t[4], 0); /* what is not kept is not there */
}
END_TEST

/* What the centernet decoder would make of the target of a cell is the box. */
static void decodes_to(const float *t, int row, int column, const gh_ap_rect *b)
{
    const float *size = t + 2 * CELLS, *offset = size + 2 * CELLS;
    int at = row * COLUMNS + column;
    double h = 8 * exp((double)size[at]), w = 8 * exp((double)size[CELLS + at]);
    double y = 8 * (row + (double)offset[at] + 0.5), x = 8 * (column + (double)offset[CELLS + at] + 0.5);
    ck_assert_double_eq_tol(h, b->h, 1e-3);
    ck_assert_double_eq_tol(w, b->w, 1e-3);
    ck_assert_double_eq_tol(y, b->y + b->h / 2, 1e-3);
    ck_assert_double_eq_tol(x, b->x + b->w / 2, 1e-3);
}

START_TEST(test_maps)
{
    const gh_augment_box boxes[] = {{{30, 10, 60, 40}, true}, {{100, 50, 5, 5}, true}, {{0, 0, 9, 9}, false}};
    static float t[CELLS * 7];
    const float *heat = t, *weight = t + 6 * CELLS;
    ck_assert_uint_eq(gh_box_target_floats(&detect), CELLS * 7);
    gh_box_target_make(t, &detect, boxes, (const uint32_t[]){0, 1, 0}, 3);
    int centres = 0;
    for (int i = 0; i < 2 * CELLS; i++)
        centres += heat[i] >= 1;
    ck_assert_int_eq(centres, 2);
    ck_assert_float_eq(heat[3 * COLUMNS + 7], 1);          /* 60, 30 */
    ck_assert_float_eq(heat[CELLS + 6 * COLUMNS + 12], 1); /* 102.5, 52.5 */
    ck_assert(heat[3 * COLUMNS + 8] > 0.001f && heat[3 * COLUMNS + 8] < 1);
    ck_assert_float_lt(heat[CELLS + 6 * COLUMNS + 11], heat[3 * COLUMNS + 8]); /* of a small box */
    ck_assert_float_eq(heat[0], 0);
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            decodes_to(t, 3 + dy, 7 + dx, &boxes[0].box);
    decodes_to(t, 6, 12, &boxes[1].box);
    ck_assert_float_eq(weight[3 * COLUMNS + 7], 1);
    ck_assert(weight[3 * COLUMNS + 6] > 0 && weight[3 * COLUMNS + 6] < 1);
    ck_assert_float_eq(weight[0], 0);
}
END_TEST

/* ---- losses ---- */

enum { BATCH = 3, MOST = BATCH * 2 * CELLS };

static float outs[GH_BOX_OUTPUTS][MOST], grads[GH_BOX_OUTPUTS][MOST];

static double loss_of(const gh_box_head_options *o, const float *targets, bool gradients)
{
    double loss = 0;
    const float *const from[] = {outs[0], outs[1], outs[2]};
    float *const to[] = {gradients ? grads[0] : NULL, gradients ? grads[1] : NULL,
                         gradients ? grads[2] : NULL};
    ck_assert_int_eq(gh_box_target_loss(&loss, o, BATCH, from, to, targets, &e), GH_OK);
    return loss;
}

/* Some elements of each output: the loss's difference over a step of the output is its gradient. */
static void check_gradients(const gh_box_head_options *o, const float *targets, const size_t counts[3],
                            double step)
{
    gh_rng rng;
    gh_rng_seed(&rng, 4);
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < counts[k]; i++)
            outs[k][i] = gh_rng_normal(&rng);
    double loss = loss_of(o, targets, true);
    ck_assert_double_gt(loss, 0);
    ck_assert_double_eq(loss_of(o, targets, false), loss);
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i<counts[k]; i += counts[k]> 100 ? 13 : 1) {
            float before = outs[k][i];
            outs[k][i] = before + (float)step;
            double up = loss_of(o, targets, false), at = (double)outs[k][i];
            outs[k][i] = before - (float)step;
            double down = loss_of(o, targets, false);
            double slope = (up - down) / (at - (double)outs[k][i]);
            outs[k][i] = before;
            ck_assert_msg(fabs(slope - (double)grads[k][i]) < 2e-3 * (1 + fabs(slope)),
                          "output %d element %zu: %g instead of %g", k, i, (double)grads[k][i], slope);
        }
}

START_TEST(test_loss_of_maps)
{
    static float t[BATCH * CELLS * 7];
    const gh_augment_box boxes[] = {{{30, 10, 60, 40}, true}, {{100, 50, 5, 5}, true}};
    gh_box_target_make(t, &detect, boxes, (const uint32_t[]){0, 1}, 2);
    gh_box_target_make(t + CELLS * 7, &detect, boxes + 1, (const uint32_t[]){1}, 1); /* the third has none */
    check_gradients(&detect, t, (const size_t[]){BATCH * 2 * CELLS, BATCH * 2 * CELLS, BATCH * 2 * CELLS},
                    1e-2);
}
END_TEST

/* The score's target is the overlap itself, through which no gradient runs: so boxes alone, then scores. */
START_TEST(test_loss_of_a_box)
{
    static float t[BATCH * 7];
    const gh_augment_box boxes[] = {{{32, 16, 64, 16}, true}, {{0, 0, 8, 8}, true}};
    gh_box_target_make(t, &box, boxes, (const uint32_t[]){1, 0}, 2);
    gh_box_target_make(t + 7, &box, boxes + 1, (const uint32_t[]){0}, 1);
    check_gradients(&box, t, (const size_t[]){0, BATCH * 2, 0}, 1e-2);
    /* a step along the gradient of the boxes makes them fit better */
    double before = loss_of(&box, t, true);
    for (int i = 0; i < BATCH * 4; i++)
        outs[0][i] -= 0.05f * grads[0][i];
    ck_assert_double_lt(loss_of(&box, t, true), before);
    for (int i = 8; i < 12; i++)
        ck_assert_float_eq(grads[0][i], 0); /* no box, nothing to fit */
    for (int step = 0; step < 3000; step++) {
        loss_of(&box, t, true);
        for (int i = 0; i < BATCH * 4; i++)
            outs[0][i] -=
                (step < 2000 ? 0.5f : 0.01f) * grads[0][i]; /* overlap has a kink where it is best */
        for (int i = 0; i < BATCH * 2; i++)
            outs[1][i] -= 0.5f * grads[1][i];
    }
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq_tol(1 / (1 + expf(-outs[0][i])), t[i], 0.02f);
    ck_assert_float_gt(outs[1][1], 2); /* its class, and that it fits */
    ck_assert_float_lt(outs[1][0], -2);
    ck_assert_float_lt(outs[1][4], -2); /* nothing there */
}
END_TEST

Suite *gh_suite_box_target(void)
{
    Suite *s = suite_create("box_target");
    TCase *t = tcase_create("box_target");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_radius);
    tcase_add_test(t, test_the_largest_box_is_learnt);
    tcase_add_test(t, test_maps);
    tcase_add_test(t, test_loss_of_maps);
    tcase_add_test(t, test_loss_of_a_box);
    suite_add_tcase(s, t);
    return s;
}
