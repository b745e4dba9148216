/* Checkpoints for the networks of the table. What makes them is used outside Check, too, so it does not use
 * Check's assertions. */
#include "unit/arch_case.h"

#include "base/status.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const float AC_WEIGHT = 0.5f, AC_GAMMA = 3, AC_BETA = 0.25f, AC_MEAN = -2, AC_VARIANCE = 4;

ck_tensor ac_tensors[AC_MOST];
char ac_names[AC_MOST][64];
size_t ac_count;
static gh_rng *numbers;

void ac_begin(gh_rng *rng)
{
    ac_end();
    numbers = rng;
}

void ac_end(void)
{
    for (size_t i = 0; i < ac_count; i++)
        if (!ac_tensors[i].strided)
            free((void *)(uintptr_t)ac_tensors[i].data);
    ac_count = 0;
    numbers = NULL;
}

/* A normal number times `scale`, or where variances and gammas need it one about 1. */
static float draw(const float *kind, double scale)
{
    float u = gh_rng_float(numbers);
    if (kind == &AC_GAMMA || kind == &AC_VARIANCE)
        return 0.5f + u;
    return (float)(gh_rng_normal(numbers) * scale);
}

static void fill(ck_tensor *t, const float *kind)
{
    size_t count = 1, fan = 1;
    for (size_t i = 0; i < t->rank; i++)
        count *= (size_t)t->dims[i];
    for (size_t i = 1; i < t->rank; i++)
        fan *= (size_t)t->dims[i];
    float *data = malloc(count * sizeof *data);
    GH_ASSERT(data);
    for (size_t i = 0; i < count; i++)
        data[i] = draw(kind, kind == &AC_WEIGHT ? sqrt(2.0 / (double)fan) : 0.1);
    t->data = data;
    t->bytes = count * sizeof *data;
    t->strided = false;
}

void ac_add(const char *module, const char *name, const float *value, size_t rank, const int64_t *dims)
{
    GH_ASSERT(ac_count < AC_MOST);
    snprintf(ac_names[ac_count], sizeof ac_names[ac_count], "%s.%s", module, name);
    ck_tensor *t = &ac_tensors[ac_count];
    *t = (ck_tensor){.name = ac_names[ac_count], .rank = rank, .strided = true, .data = value, .bytes = 4};
    for (size_t i = 0; i < rank; i++)
        t->dims[i] = dims[i];
    if (numbers && value)
        fill(t, value);
    ac_count++;
}

void ac_add_conv(const char *conv, const char *bn, int out, int in, int kernel)
{
    static const int64_t tracked = 9;
    ac_add(conv, "weight", &AC_WEIGHT, 4, (int64_t[]){out, in, kernel, kernel});
    ac_add(bn, "weight", &AC_GAMMA, 1, (int64_t[]){out});
    ac_add(bn, "bias", &AC_BETA, 1, (int64_t[]){out});
    ac_add(bn, "running_mean", &AC_MEAN, 1, (int64_t[]){out});
    ac_add(bn, "running_var", &AC_VARIANCE, 1, (int64_t[]){out});
    ac_add(bn, "num_batches_tracked", NULL, 0, NULL);
    ck_tensor *t = &ac_tensors[ac_count - 1];
    t->storage = "LongStorage";
    t->data = &tracked;
    t->bytes = t->size = 8;
}

void ac_add_dense(const char *module, int in)
{
    ac_add(module, "weight", &AC_WEIGHT, 2, (int64_t[]){AC_CLASSES, in});
    ac_add(module, "bias", &AC_BETA, 1, (int64_t[]){AC_CLASSES});
}

static void add_pair(const char *at, const char *conv, const char *bn, int out, int in, int kernel)
{
    char a[64], b[64];
    snprintf(a, sizeof a, "%s.%s", at, conv);
    snprintf(b, sizeof b, "%s.%s", at, bn);
    ac_add_conv(a, b, out, in, kernel);
}

void ac_resnet(const int blocks[4], bool bottleneck)
{
    static const int inside[4] = {64, 128, 256, 512}, plain[4] = {64, 128, 256, 512},
                     wide[4] = {256, 512, 1024, 2048};
    const int *out = bottleneck ? wide : plain;
    int in = 64;
    ac_add_conv("conv1", "bn1", 64, 3, 7);
    for (int s = 0; s < 4; s++)
        for (int i = 0; i < blocks[s]; i++, in = out[s]) {
            char at[24];
            snprintf(at, sizeof at, "layer%d.%d", s + 1, i);
            add_pair(at, "conv1", "bn1", inside[s], in, bottleneck ? 1 : 3);
            add_pair(at, "conv2", "bn2", inside[s], inside[s], 3);
            if (bottleneck)
                add_pair(at, "conv3", "bn3", out[s], inside[s], 1);
            if (i == 0 && (s > 0 || bottleneck))
                add_pair(at, "downsample.0", "downsample.1", out[s], in, 1);
        }
    ac_add_dense("fc", in);
}

void ac_mobilenet_v2(void)
{
    /* channels in and out of the blocks "features.1" to "features.17" */
    static const int channels[18] = {32, 16, 24, 24, 32, 32,  32,  64,  64,
                                     64, 64, 96, 96, 96, 160, 160, 160, 320};
    char at[32];
    ac_add_conv("features.0.0", "features.0.1", 32, 3, 3);
    add_pair("features.1.conv", "0.0", "0.1", 32, 1, 3);
    add_pair("features.1.conv", "1", "2", 16, 32, 1);
    for (int i = 2; i < 18; i++) {
        int in = channels[i - 1], wide = 6 * in;
        snprintf(at, sizeof at, "features.%d.conv", i);
        add_pair(at, "0.0", "0.1", wide, in, 1);
        add_pair(at, "1.0", "1.1", wide, 1, 3);
        add_pair(at, "2", "3", channels[i], wide, 1);
    }
    ac_add_conv("features.18.0", "features.18.1", 1280, 320, 1);
    ac_add_dense("classifier.1", 1280);
}

gh_status ac_build(gh_graph **g, const char *arch, gh_err *e)
{
    gh_buf bytes = {0};
    gh_torch *weights = NULL;
    ck_old(&bytes, ac_tensors, ac_count);
    gh_status status = gh_torch_open_bytes(&weights, bytes.data, bytes.len, e);
    if (status == GH_OK)
        status = gh_arch_build_torch(g, arch, weights, e);
    gh_torch_free(&weights);
    gh_buf_free(&bytes);
    return status;
}

const gh_node *ac_node(const gh_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (strcmp(g->nodes[i].name, name) == 0)
            return &g->nodes[i];
    ck_abort_msg("there is no node %s", name);
    return NULL;
}

void ac_assert_window(const gh_graph *g, const char *name, int kernel, int stride, int before, int after,
                      int groups)
{
    const gh_node *n = ac_node(g, name);
    const gh_attr *k = gh_node_attr(n, "kernel_shape"), *s = gh_node_attr(n, "strides"),
                  *p = gh_node_attr(n, "pads");
    ck_assert(k && s && p && k->count == 2 && s->count == 2 && p->count == 4);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(k->ints[i], kernel);
        ck_assert_int_eq(s->ints[i], stride);
        ck_assert_int_eq(p->ints[i], before);
        ck_assert_int_eq(p->ints[2 + i], after);
    }
    ck_assert_int_eq(gh_node_int(n, "group", 1), groups);
}
