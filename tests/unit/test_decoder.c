/* Decoders on bodies: where they take hold, what fits and what does not, and that the networks run. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/net.h"
#include "train/nets/scratch.h"
#include "train/segment/decoder.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 64, CLASSES = 5 };

static gh_graph *g;
static gh_taps taps;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_graph_free(&g);
}

static void scratch(const char *name)
{
    gh_graph_free(&g);
    ck_assert_msg(gh_scratch_body(&g, &(gh_scratch_options){.name = name, .seed = 1}, &e) == GH_OK, "%s",
                  e.text);
    ck_assert_msg(gh_taps_find(&taps, g, WIDTH, HEIGHT, &e) == GH_OK, "%s", e.text);
}

/* Strided convolutions to stride 1 << levels, each with 8 channels. */
static void strided(int levels, int stride)
{
    gh_graph_free(&g);
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    gh_layers b = {.g = g, .prefix = "body"};
    gh_rng_seed(&b.rng, 1);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, -1, -1}));
    for (int i = 0; i < levels; i++)
        x = gh_layer_add_block(&b, (const char *[]){"a", "b", "c", "d", "e"}[i], x,
                               &(gh_layer_conv){.in = i ? 8 : 3, .out = 8, .kernel = 3, .stride = stride});
    gh_graph_output(g, x);
}

static gh_status build(gh_decoder_kind kind, gh_unpool unpool, int *level)
{
    const gh_decoder_options o = {
        .kind = kind, .unpool = unpool, .classes = CLASSES, .width = 16, .level = -1, .seed = 2};
    return gh_decoder_build(level, g, &taps, &o, &e);
}

/* What the network gives for a picture of noise; the caller frees it. */
static float *run(unsigned passes, size_t *count, int level)
{
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    gh_rng rng;
    const gh_shape in = gh_shape_of(4, (int64_t[]){1, 3, HEIGHT, WIDTH});
    const gh_shape out = gh_shape_of(4, (int64_t[]){1, CLASSES, HEIGHT >> level, WIDTH >> level});
    ck_assert_msg(gh_net_from_graph(&net, &g, passes, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_plan_get(&plan, net, &in, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_session_new(&s, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_session_bind(s, plan, &e), GH_OK);
    gh_rng_seed(&rng, 5);
    for (int i = 0; i < 3 * HEIGHT * WIDTH; i++)
        ((float *)gh_session_input(s, 0)->data)[i] = gh_rng_normal(&rng);
    ck_assert_msg(gh_session_run(s, &e) == GH_OK, "%s", e.text);
    const gh_tensor *y = gh_session_output(s, 0);
    ck_assert(gh_shape_equal(&y->shape, &out) && gh_shape_count(count, &y->shape));
    float *copy = gh_alloc(*count * sizeof *copy);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, y->data, *count * sizeof *copy);
    gh_session_free(&s);
    gh_plan_put(&plan);
    gh_net_free(&net);
    return copy;
}

START_TEST(test_taps_are_the_last_of_each_stride)
{
    scratch("segnet");
    ck_assert_int_eq(taps.deepest, 5);
    ck_assert_int_eq(taps.at[0].channels, 16);
    ck_assert_int_eq(taps.at[2].channels, 64);
    ck_assert_str_eq(g->values[taps.at[1].value].name, "body/stage2.1/relu");
    ck_assert(taps.at[4].pool != GH_NONE && taps.at[5].pool == GH_NONE);
    strided(3, 2);
    ck_assert_int_eq(gh_taps_find(&taps, g, WIDTH, HEIGHT, &e), GH_OK);
    ck_assert_int_eq(taps.deepest, 3);
    ck_assert(taps.at[0].value == GH_NONE && taps.at[1].pool == GH_NONE);
    strided(2, 1); /* never leaves the picture's size */
    ck_assert_int_eq(gh_taps_find(&taps, g, WIDTH, HEIGHT, &e), GH_UNSUPPORTED);
    strided(2, 4);
    ck_assert_int_eq(gh_taps_find(&taps, g, WIDTH, HEIGHT, &e), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "nothing at stride 8"));
}
END_TEST

/* Every decoder and unpooling that fits runs, and the serving engine's passes change nothing in it. */
START_TEST(test_networks_run)
{
    static const struct {
        const char *body;
        gh_decoder_kind kind;
        gh_unpool unpool;
        int level;
    } rows[] = {
        {"unet", GH_DECODER_UNET, GH_UNPOOL_NEAREST, 0},   {"unet", GH_DECODER_UNET, GH_UNPOOL_LEARNED, 0},
        {"unet", GH_DECODER_UNET, GH_UNPOOL_MAX, 0},       {"segnet", GH_DECODER_SEGNET, GH_UNPOOL_MAX, 0},
        {"segnet", GH_DECODER_FCN8, GH_UNPOOL_NEAREST, 0}, {"segnet", GH_DECODER_FCN32, GH_UNPOOL_LEARNED, 0},
        {NULL, GH_DECODER_UNET, GH_UNPOOL_NEAREST, 1},     {NULL, GH_DECODER_FCN16, GH_UNPOOL_LEARNED, 1},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        float *plain = NULL, *fast = NULL;
        for (int turn = 0; turn < 2; turn++) {
            size_t count;
            int level = -1;
            if (rows[i].body)
                scratch(rows[i].body);
            else
                strided(4, 2);
            ck_assert_int_eq(gh_taps_find(&taps, g, WIDTH, HEIGHT, &e), GH_OK);
            ck_assert_msg(build(rows[i].kind, rows[i].unpool, &level) == GH_OK, "%zu: %s", i, e.text);
            ck_assert_int_eq(level, rows[i].level);
            *(turn ? &fast : &plain) = run(turn ? GH_PASS_ALL : 0, &count, level);
            double most = 0;
            for (size_t k = 0; k < count; k++) {
                most = fmax(most, fabs((double)plain[k]));
                ck_assert_msg(!turn || fabsf(plain[k] - fast[k]) < 1e-3f, "%zu at %zu", i, k);
            }
            ck_assert_double_gt(most, 1e-3);
        }
        gh_free(plain);
        gh_free(fast);
    }
}
END_TEST

START_TEST(test_what_does_not_fit_is_told)
{
    int level;
    gh_decoder_kind kind;
    gh_unpool unpool;
    strided(4, 2);
    ck_assert_int_eq(gh_taps_find(&taps, g, WIDTH, HEIGHT, &e), GH_OK);
    ck_assert_int_eq(build(GH_DECODER_UNET, GH_UNPOOL_MAX, &level), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "from stride 2 to 4"));
    scratch("segnet");
    ck_assert_int_eq(build(GH_DECODER_FCN8, GH_UNPOOL_MAX, &level), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "decoder fcn"));
    ck_assert_int_eq(gh_decoder_kind_of(&kind, "fcn-8", &e), GH_OK);
    ck_assert_int_eq(kind, GH_DECODER_FCN8);
    ck_assert_int_eq(gh_decoder_kind_of(&kind, "vnet", &e), GH_ARG);
    ck_assert_int_eq(gh_unpool_of(&unpool, "mean", &e), GH_ARG);
    ck_assert_int_eq(gh_scratch_body(&g, &(gh_scratch_options){.name = "vgg"}, &e), GH_ARG);
}
END_TEST

Suite *gh_suite_decoder(void)
{
    Suite *suite = suite_create("decoder");
    TCase *c = tcase_create("decoder");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_taps_are_the_last_of_each_stride);
    tcase_add_test(c, test_networks_run);
    tcase_add_test(c, test_what_does_not_fit_is_told);
    suite_add_tcase(suite, c);
    return suite;
}
