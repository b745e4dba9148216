/* MobileNetV2 and the ResNets: as many tensors as torchvision's state dictionaries have, windows, and shapes
 * of free sizes. That they compute the same is compared with ONNX Runtime (tests/onnx/ort.py), and was with
 * torchvision 0.29.2 (largest difference 1e-6 of the largest output). */
#include "unit/arch_case.h"
#include "unit/suites.h"

#include "base/log.h"
#include "engine/net.h"

#include <math.h>
#include <string.h>

static gh_graph *g;
static gh_err e;

static void setup(void)
{
    gh_log_setup(GH_LOG_ERROR, false);
    ac_begin(NULL);
    g = NULL;
    e = (gh_err){0};
}

static void teardown(void)
{
    ac_end();
    gh_graph_free(&g);
    gh_log_setup(GH_LOG_INFO, false);
}

/* Parameters of the graph: weights and biases, batch normalisations folded. */
static int64_t parameters(void)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < g->nvalues; i++) {
        size_t count = 0;
        if (g->values[i].data && gh_shape_count(&count, &g->values[i].shape) && g->values[i].shape.rank > 0)
            sum += (int64_t)count;
    }
    return sum;
}

static void assert_output(int height, int width)
{
    gh_net *net = NULL;
    gh_tensor out;
    const gh_shape in = {4, {1, 3, height, width}};
    ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_OK);
    ck_assert_msg(gh_net_output_for(&out, net, 0, &in, &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(gh_net_output(net, 0)->name, "logits");
    ck_assert(gh_shape_equal(&out.shape, &(gh_shape){2, {1, AC_CLASSES}}));
    gh_net_free(&net);
}

/* Tensors of the state dictionary; parameters with 1,000 classes as He et al. and torchvision count them. */
static const struct {
    const char *arch;
    int blocks[4];
    bool bottleneck;
    size_t tensors;
    int64_t published;
    int features, channels; /* of the last layer; of all normalised ones together */
} resnets[] = {
    {"resnet18", {2, 2, 2, 2}, false, 122, 11689512, 512, 4800},
    {"resnet34", {3, 4, 6, 3}, false, 218, 21797672, 512, 8512},
    {"resnet50", {3, 4, 6, 3}, true, 320, 25557032, 2048, 26560},
};

START_TEST(test_resnet)
{
    ac_resnet(resnets[_i].blocks, resnets[_i].bottleneck);
    ck_assert_uint_eq(ac_count, resnets[_i].tensors);
    ck_assert_msg(ac_build(&g, resnets[_i].arch, &e) == GH_OK, "%s", e.text);
    /* folding leaves one bias where gamma and beta were; the classes are fewer here */
    int64_t classifier = (int64_t)(1000 - AC_CLASSES) * (resnets[_i].features + 1);
    ck_assert_int_eq(parameters(), resnets[_i].published - resnets[_i].channels - classifier);
    ac_assert_window(g, "conv1", 7, 2, 3, 3, 1);
    ac_assert_window(g, "layer2.0.downsample.0", 1, 2, 0, 0, 1);
    if (resnets[_i].bottleneck) {
        ac_assert_window(g, "layer2.0.conv1", 1, 1, 0, 0, 1);
        ac_assert_window(g, "layer2.0.conv2", 3, 2, 1, 1, 1);
        ac_assert_window(g, "layer1.0.downsample.0", 1, 1, 0, 0, 1);
    } else {
        ac_assert_window(g, "layer2.0.conv1", 3, 2, 1, 1, 1);
        ac_assert_window(g, "layer2.1.conv1", 3, 1, 1, 1, 1);
    }
    assert_output(64, 96);
}
END_TEST

START_TEST(test_mobilenet_v2)
{
    ac_mobilenet_v2();
    ck_assert_uint_eq(ac_count, 314);
    ck_assert_msg(ac_build(&g, "mobilenet-v2", &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(parameters(), 3504872 - 17056 - (int64_t)(1000 - AC_CLASSES) * 1281);
    ac_assert_window(g, "features.0", 3, 2, 1, 1, 1);
    ac_assert_window(g, "features.1.conv.0", 3, 1, 1, 1, 32);
    ac_assert_window(g, "features.2.conv.1", 3, 2, 1, 1, 96);
    ac_assert_window(g, "features.17.conv.2", 1, 1, 0, 0, 1);
    ck_assert_str_eq(ac_node(g, "features.3/add")->type, "Add");
    ck_assert_str_eq(ac_node(g, "features.18/relu6")->type, "Clip");
    assert_output(96, 64);
}
END_TEST

START_TEST(test_folding)
{
    ac_mobilenet_v2();
    ck_assert_int_eq(ac_build(&g, "mobilenet-v2", &e), GH_OK);
    const gh_value *w = &g->values[ac_node(g, "features.9.conv.2")->inputs[1]];
    const gh_value *b = &g->values[ac_node(g, "features.9.conv.2")->inputs[2]];
    double factor = AC_GAMMA / sqrt(AC_VARIANCE + 1e-5);
    ck_assert_float_eq(((const float *)w->data)[0], (float)(AC_WEIGHT * factor));
    ck_assert_float_eq(((const float *)b->data)[0], (float)(AC_BETA - AC_MEAN * factor));
}
END_TEST

START_TEST(test_one_for_another)
{
    ac_resnet(resnets[0].blocks, false);
    ck_assert_int_eq(ac_build(&g, "resnet34", &e), GH_FORMAT);
    ck_assert_ptr_null(g);
    ck_assert_ptr_nonnull(strstr(e.text, "missing: layer1.2.conv1.weight (64x64x3x3)"));
}
END_TEST

Suite *gh_suite_arch_torchvision(void)
{
    Suite *s = suite_create("arch_torchvision");
    TCase *t = tcase_create("arch_torchvision");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_resnet, 0, (int)GH_COUNT(resnets));
    tcase_add_test(t, test_mobilenet_v2);
    tcase_add_test(t, test_folding);
    tcase_add_test(t, test_one_for_another);
    suite_add_tcase(s, t);
    return s;
}
