/* Networks built from a table: nodes, padding, folded weights, and the message about a checkpoint that does
 * not fit. The checkpoints here have tensors of full size on storages of one number (stride 0). */
#include "unit/arch_case.h"
#include "unit/suites.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static gh_buf bytes;
static gh_torch *weights;
static gh_graph *g;
static gh_err e;

static void setup(void)
{
    gh_log_setup(GH_LOG_ERROR, false);
    ac_begin(NULL);
    bytes = (gh_buf){0};
    weights = NULL;
    g = NULL;
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_graph_free(&g);
    gh_torch_free(&weights);
    gh_buf_free(&bytes);
    gh_log_setup(GH_LOG_INFO, false);
}

static void add_block(int i, int in, int out, int kernel, int expand)
{
    char conv[40], bn[40];
    int wide = in * expand;
    if (expand > 1) {
        snprintf(conv, sizeof conv, "_blocks.%d._expand_conv", i);
        snprintf(bn, sizeof bn, "_blocks.%d._bn0", i);
        ac_add_conv(conv, bn, wide, in, 1);
    }
    snprintf(conv, sizeof conv, "_blocks.%d._depthwise_conv", i);
    snprintf(bn, sizeof bn, "_blocks.%d._bn1", i);
    ac_add_conv(conv, bn, wide, 1, kernel);
    snprintf(conv, sizeof conv, "_blocks.%d._project_conv", i);
    snprintf(bn, sizeof bn, "_blocks.%d._bn2", i);
    ac_add_conv(conv, bn, out, wide, 1);
}

/* Channels and blocks of the seven stages, written out, not computed. */
typedef struct plan {
    const char *arch;
    int channels[7], blocks[7], size;
} plan;

static const plan plans[] = {
    {"efficientnet-lite0", {16, 24, 40, 80, 112, 192, 320}, {1, 2, 2, 3, 3, 4, 1}, 224},
    {"efficientnet-lite1", {16, 24, 40, 80, 112, 192, 320}, {1, 3, 3, 4, 4, 5, 1}, 240},
    {"efficientnet-lite2", {16, 24, 48, 88, 120, 208, 352}, {1, 3, 3, 4, 4, 5, 1}, 260},
    {"efficientnet-lite3", {24, 32, 48, 96, 136, 232, 384}, {1, 3, 3, 5, 5, 6, 1}, 280},
    {"efficientnet-lite4", {24, 32, 56, 112, 160, 272, 448}, {1, 4, 4, 6, 6, 8, 1}, 300},
};

/* The modules of RetinaFace, written out: a pair of names, channels out and in, side of the kernel. */
static void make_retinaface(void)
{
    static const int body[3][7] = {{8, 16, 32, 32, 64, 64}, {128, 128, 128, 128, 128, 128}, {256, 256}};
    static const int levels[3] = {64, 128, 256};
    char module[40], a[64], b[64];
    int in = 3;
#define ADD(out, inputs, kernel, at, ...)                                                                    \
    (snprintf(module, sizeof module, __VA_ARGS__), snprintf(a, sizeof a, "%s.%d", module, at),               \
     snprintf(b, sizeof b, "%s.%d", module, (at) + 1), ac_add_conv(a, b, out, inputs, kernel))
    for (int s = 0; s < 3; s++)
        for (int k = 0; body[s][k]; in = body[s][k++]) {
            if (in == 3) {
                ADD(8, 3, 3, 0, "body.stage1.0");
                continue;
            }
            ADD(in, 1, 3, 0, "body.stage%d.%d", s + 1, k);
            ADD(body[s][k], in, 1, 3, "body.stage%d.%d", s + 1, k);
        }
    for (int i = 0; i < 3; i++) {
        ADD(64, levels[i], 1, 0, "fpn.output%d", i + 1);
        if (i < 2)
            ADD(64, 64, 3, 0, "fpn.merge%d", i + 1);
        ADD(32, 64, 3, 0, "ssh%d.conv3X3", i + 1);
        ADD(16, 64, 3, 0, "ssh%d.conv5X5_1", i + 1);
        ADD(16, 16, 3, 0, "ssh%d.conv5X5_2", i + 1);
        ADD(16, 16, 3, 0, "ssh%d.conv7X7_2", i + 1);
        ADD(16, 16, 3, 0, "ssh%d.conv7x7_3", i + 1);
        for (int h = 0; h < 3; h++) {
            static const char *const heads[] = {"ClassHead", "BboxHead", "LandmarkHead"};
            static const int numbers[] = {4, 8, 20};
            snprintf(a, sizeof a, "%s.%d.conv1x1", heads[h], i);
            ac_add(a, "weight", &AC_WEIGHT, 4, (int64_t[]){numbers[h], 64, 1, 1});
            ac_add(a, "bias", &AC_BETA, 1, (int64_t[]){numbers[h]});
        }
    }
#undef ADD
}

static void make_tensors(const plan *p)
{
    static const int kernels[7] = {3, 3, 5, 3, 5, 5, 3};
    int block = 0, in = 32;
    ac_add_conv("_conv_stem", "_bn0", 32, 3, 3);
    for (int s = 0; s < 7; s++)
        for (int k = 0; k < p->blocks[s]; k++, in = p->channels[s])
            add_block(block++, in, p->channels[s], kernels[s], s ? 6 : 1);
    ac_add_conv("_conv_head", "_bn1", 1280, in, 1);
    ac_add_dense("_fc", 1280);
}

static gh_status build(const char *arch)
{
    bytes.len = 0;
    ck_old(&bytes, ac_tensors, ac_count);
    gh_torch_free(&weights);
    ck_assert_msg(gh_torch_open_bytes(&weights, bytes.data, bytes.len, &e) == GH_OK, "%s", e.text);
    return gh_arch_build_torch(&g, arch, weights, &e);
}

START_TEST(test_lite0)
{
    make_tensors(&plans[0]);
    ck_assert_uint_eq(ac_count, 296); /* as many as the published checkpoint has */
    ck_assert_msg(build("efficientnet-lite0") == GH_OK, "%s", e.text);
    ck_assert_uint_eq(g->nnodes, 94);
    /* SAME at 224: an odd pixel goes to the bottom and right */
    ac_assert_window(g, "stem", 3, 2, 0, 1, 1);
    ac_assert_window(g, "block0/depthwise", 3, 1, 1, 1, 32);
    ac_assert_window(g, "block1/expand", 1, 1, 0, 0, 1);
    ac_assert_window(g, "block1/depthwise", 3, 2, 0, 1, 96);
    ac_assert_window(g, "block3/depthwise", 5, 2, 1, 2, 144);
    ac_assert_window(g, "block15/depthwise", 3, 1, 1, 1, 1152);
    ck_assert_str_eq(ac_node(g, "block2/add")->type, "Add");
    ck_assert_str_eq(ac_node(g, "stem/relu6")->type, "Clip");
    ck_assert_str_eq(ac_node(g, "block4/project")->type, "Conv");
    ck_assert_uint_eq(g->ninputs, 1);
    ck_assert_uint_eq(g->noutputs, 1);
    const gh_value *in = &g->values[g->inputs[0]], *out = &g->values[g->outputs[0]];
    ck_assert_str_eq(in->name, "image");
    ck_assert(gh_shape_equal(&in->shape, &(gh_shape){4, {-1, 3, 224, 224}}));
    ck_assert_str_eq(out->name, "logits");
    ck_assert(gh_shape_equal(&out->shape, &(gh_shape){2, {-1, AC_CLASSES}}));
    ck_assert_int_eq(gh_graph_sort(g, &e), GH_OK);
}
END_TEST

/* y = gamma (w x - mean) / sqrt(variance + 0.001) + beta, as one convolution. */
START_TEST(test_folding)
{
    make_tensors(&plans[0]);
    ck_assert_int_eq(build("efficientnet-lite0"), GH_OK);
    const gh_node *n = ac_node(g, "block7/project");
    const gh_value *w = &g->values[n->inputs[1]], *b = &g->values[n->inputs[2]];
    double factor = AC_GAMMA / sqrt(AC_VARIANCE + 1e-3);
    ck_assert(gh_shape_equal(&w->shape, &(gh_shape){4, {80, 480, 1, 1}}));
    for (int i = 0; i < 80 * 480; i++)
        ck_assert_float_eq(((const float *)w->data)[i], (float)(AC_WEIGHT * factor));
    for (int i = 0; i < 80; i++)
        ck_assert_float_eq(((const float *)b->data)[i], (float)(AC_BETA - AC_MEAN * factor));
}
END_TEST

START_TEST(test_variants)
{
    for (size_t i = 0; i < GH_COUNT(plans); i++) {
        ac_begin(NULL);
        make_tensors(&plans[i]);
        ck_assert_str_eq(gh_arch_name(i), plans[i].arch);
        ck_assert_msg(build(plans[i].arch) == GH_OK, "%s", e.text);
        ck_assert_int_eq(g->values[g->inputs[0]].shape.dims[2], plans[i].size);
        gh_graph_free(&g);
    }
    size_t last = GH_COUNT(plans);
    while (gh_arch_name(last + 1))
        last++;
    ck_assert_str_eq(gh_arch_name(last), "face-expression");
}
END_TEST

/* Strides 8, 16 and 32 of any size: 2 anchors a cell. */
START_TEST(test_retinaface)
{
    static const char *const names_out[] = {"boxes", "scores", "landmarks"};
    static const int64_t numbers[] = {4, 2, 10};
    gh_net *net = NULL;
    make_retinaface();
    ck_assert_uint_eq(ac_count, 300); /* as many as the published checkpoint has */
    ck_assert_msg(build("retinaface-mobilenet0.25") == GH_OK, "%s", e.text);
    ac_assert_window(g, "body.stage1.0", 3, 2, 1, 1, 1);
    ac_assert_window(g, "body.stage1.1", 3, 1, 1, 1, 8);
    ac_assert_window(g, "body.stage1.2", 3, 2, 1, 1, 16);
    ac_assert_window(g, "body.stage1.3", 3, 1, 1, 1, 32);
    ac_assert_window(g, "body.stage2.0", 3, 2, 1, 1, 64);
    ac_assert_window(g, "body.stage3.1.3", 1, 1, 0, 0, 1);
    const gh_node *w = ac_node(g, "ssh2.conv5X5_1");
    ck_assert_float_eq(gh_node_float(ac_node(g, "ssh2.conv5X5_1/leaky"), "alpha", 0), 0.1f);
    ck_assert_float_eq(((const float *)g->values[w->inputs[1]].data)[0],
                       (float)(AC_WEIGHT * (AC_GAMMA / sqrt(AC_VARIANCE + 1e-5))));
    ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_OK);
    const gh_shape in = {4, {1, 3, 96, 160}};
    for (size_t i = 0; i < 3; i++) {
        gh_tensor out;
        ck_assert_str_eq(gh_net_output(net, i)->name, names_out[i]);
        ck_assert_msg(gh_net_output_for(&out, net, i, &in, &e) == GH_OK, "%s", e.text);
        ck_assert(
            gh_shape_equal(&out.shape, &(gh_shape){3, {1, 2 * (12 * 20 + 6 * 10 + 3 * 5), numbers[i]}}));
    }
    gh_net_free(&net);
    ac_names[0][0] = 'B';
    ck_assert_int_eq(build("retinaface-mobilenet0.25"), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "1 missing: body.stage1.0.0.weight (8x3x3x3)"));
}
END_TEST

START_TEST(test_what_does_not_fit)
{
    make_tensors(&plans[0]);
    ac_names[0][1] = 'C'; /* _Conv_stem.weight: one missing, one left over */
    ac_tensors[3].dims[0] = 33;
    ck_assert_int_eq(build("efficientnet-lite0"), GH_FORMAT);
    ck_assert_ptr_null(g);
    ck_assert_str_eq(e.text,
                     "the checkpoint is not one of efficientnet-lite0; of its tensors 1 missing: "
                     "_conv_stem.weight (32x3x3x3); 1 of another shape: _bn0.running_mean (33 for 32); 1 not "
                     "used: _Conv_stem.weight");
    ac_count = 1;
    ck_assert_int_eq(build("efficientnet-lite0"), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "247 missing: _conv_stem.weight (32x3x3x3), _bn0.weight (32), "));
    ck_assert_ptr_nonnull(strstr(e.text, "... (all in the log); 1 not used: _Conv_stem.weight"));
}
END_TEST

START_TEST(test_unknown_network)
{
    make_tensors(&plans[0]);
    ck_assert_int_eq(build("vgg16"), GH_NOTFOUND);
    ck_assert_str_eq(e.text,
                     "no network is called \"vgg16\"; there are efficientnet-lite0, efficientnet-lite1, "
                     "efficientnet-lite2, efficientnet-lite3, efficientnet-lite4, mobilenet-v2, resnet18, "
                     "resnet34, resnet50, retinaface-mobilenet0.25, face-expression");
}
END_TEST

START_TEST(test_memory_runs_out)
{
    make_tensors(&plans[0]);
    ck_assert_int_eq(build("efficientnet-lite0"), GH_OK);
    gh_graph_free(&g);
    gh_status status = GH_NOMEM;
    int64_t fails = 0;
    for (; status == GH_NOMEM; fails += fails < 30 ? 1 : 7) { /* each build takes its time */
        gh_mem_fail_after(fails);
        status = gh_arch_build_torch(&g, "efficientnet-lite0", weights, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || (status == GH_NOMEM && !g));
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_ge(fails, 30);
}
END_TEST

Suite *gh_suite_arch(void)
{
    Suite *s = suite_create("arch");
    TCase *t = tcase_create("arch");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_lite0);
    tcase_add_test(t, test_folding);
    tcase_add_test(t, test_variants);
    tcase_add_test(t, test_retinaface);
    tcase_add_test(t, test_what_does_not_fit);
    tcase_add_test(t, test_unknown_network);
    tcase_add_test(t, test_memory_runs_out);
    suite_add_tcase(s, t);
    return s;
}
