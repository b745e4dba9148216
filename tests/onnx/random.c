/* Writes random networks with what we make of them. The model is what gh_onnx_write makes of the graph, and
 * is read again for our own run: so writer, reader and engine are compared with the other runtime at once. */
#include "onnx/random.h"

#include "base/mem.h"
#include "engine/net.h"
#include "engine/onnx.h"
#include "engine/ops/number.h"
#include "unit/arch_case.h"
#include "unit/random_net.h"

#include <math.h>
#include <stdio.h>

/* Of the largest value: what a network run with other passes may differ by. */
#define MOST_DIFFERENCE 1e-4

/* An output as numbers: its rank, its sides, its elements, all float64. */
static void add_output(gh_buf *b, const gh_tensor *t)
{
    size_t count = 0;
    double number = t->shape.rank;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    gh_buf_add(b, &number, sizeof number);
    for (int d = 0; d < t->shape.rank; d++) {
        number = (double)t->shape.dims[d];
        gh_buf_add(b, &number, sizeof number);
    }
    for (size_t i = 0; i < count; i++) {
        number = gh_number_at(t, i);
        gh_buf_add(b, &number, sizeof number);
    }
}

static gh_status run(gh_buf *in, gh_buf *out, gh_session *s, gh_net *net, uint64_t seed, gh_err *e)
{
    gh_rng rng;
    gh_tensor *x = gh_session_input(s, 0);
    size_t count = 0;
    GH_ASSERT(x->type == GH_F32 && gh_shape_count(&count, &x->shape));
    gh_rng_seed(&rng, seed);
    rn_fill(&rng, x->data, count);
    if (in)
        gh_buf_add(in, x->data, count * sizeof(float));
    GH_TRY(gh_session_run(s, e));
    for (size_t i = 0; i < gh_net_outputs(net); i++)
        add_output(out, gh_session_output(s, i));
    return (in && in->failed) || out->failed ? gh_fail(e, GH_NOMEM, "no memory") : GH_OK;
}

/* `in` NULL: the input is of no interest. */
static gh_status run_file(gh_buf *in, gh_buf *out, const char *path, const gh_shape *shape, uint64_t seed,
                          unsigned passes, gh_err *e)
{
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    gh_status status = gh_net_load(&net, path, passes, e);
    if (!status)
        status = gh_plan_get(&plan, net, shape ? shape : &gh_net_input(net, 0)->shape, e);
    if (!status)
        status = gh_session_new(&s, NULL, e);
    if (!status)
        status = gh_session_bind(s, plan, e);
    if (!status)
        status = run(in, out, s, net, seed, e);
    gh_session_free(&s);
    gh_plan_put(&plan);
    gh_net_free(&net);
    return status;
}

/* Both hold outputs of the same network. */
static gh_status compare(const gh_buf *a, const gh_buf *b, unsigned passes, gh_err *e)
{
    const double *x = (const double *)(const void *)a->data, *y = (const double *)(const void *)b->data;
    double largest = 1, worst = 0;
    if (a->len != b->len)
        return gh_fail(e, GH_INTERNAL, "passes %u change the outputs' sizes", passes);
    for (size_t i = 0; i < a->len / sizeof *x; i++) {
        bool same = x[i] == y[i] || (isnan(x[i]) && isnan(y[i]));
        largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
        worst = same || fabs(x[i] - y[i]) <= worst ? worst : fabs(x[i] - y[i]);
        worst = isnan(x[i]) == isnan(y[i]) ? worst : INFINITY;
    }
    return worst <= MOST_DIFFERENCE * largest
               ? GH_OK
               : gh_fail(e, GH_INTERNAL, "passes %u change the outputs by %g of %g", passes, worst, largest);
}

/* Every choice of passes gives what all of them give. */
static gh_status run_passes(const gh_buf *want, const char *path, const gh_shape *shape, uint64_t seed,
                            gh_err *e)
{
    gh_status status = GH_OK;
    for (unsigned passes = 0; passes < GH_PASS_ALL && !status; passes++) {
        gh_buf out = {0};
        status = run_file(NULL, &out, path, shape, seed, passes, e);
        if (!status)
            status = compare(want, &out, passes, e);
        gh_buf_free(&out);
    }
    return status;
}

/* Without the syncing of gh_file_write: three files a network would take their time. */
static gh_status put_file(const char *path, const gh_buf *b, gh_err *e)
{
    FILE *f = fopen(path, "wb");
    size_t wrote = f ? fwrite(b->data, 1, b->len, f) : 0;
    bool closed = f && fclose(f) == 0;
    return closed && wrote == b->len ? GH_OK : gh_fail(e, GH_IO, "cannot write %s", path);
}

/* Takes the graph. `shape` is the input's; NULL = as the graph has it. */
static gh_status write_net(const char *folder, const char *name, gh_graph **g, const gh_shape *shape,
                           uint64_t seed, gh_err *e)
{
    char path[3][512];
    static const char *const ends[] = {"onnx", "in", "out"};
    gh_buf in = {0}, out = {0};
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/%s.%s", folder, name, ends[i]);
    gh_status status = gh_onnx_write(*g, path[0], e);
    gh_graph_free(g);
    if (!status)
        status = run_file(&in, &out, path[0], shape, seed, GH_PASS_ALL, e);
    if (!status)
        status = run_passes(&out, path[0], shape, seed, e);
    if (!status)
        status = put_file(path[1], &in, e);
    if (!status)
        status = put_file(path[2], &out, e);
    gh_buf_free(&in);
    gh_buf_free(&out);
    return status;
}

static gh_status write_one(const char *folder, uint64_t seed, unsigned flags, gh_err *e)
{
    char name[32];
    gh_graph *g = rn_build(seed, flags);
    snprintf(name, sizeof name, "%llu", (unsigned long long)seed);
    return g ? write_net(folder, name, &g, NULL, seed, e) : gh_fail(e, GH_NOMEM, "no memory");
}

int or_write(const char *folder, uint64_t first, uint64_t count, unsigned flags)
{
    gh_err e;
    for (uint64_t seed = first; seed < first + count; seed++)
        if (gh_dir_make(folder, &e) || write_one(folder, seed, flags, &e)) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, e.text);
            return 0;
        }
    return 1;
}

static gh_status write_arch(const char *folder, const char *arch, gh_err *e)
{
    const gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, 96, 64});
    gh_graph *g = NULL;
    gh_status status = ac_build(&g, arch, e);
    ac_end();
    return status ? status : write_net(folder, arch, &g, &shape, 1, e);
}

int or_write_archs(const char *folder)
{
    static const struct {
        const char *arch;
        int blocks[4];
        bool bottleneck;
    } resnets[] = {{"resnet18", {2, 2, 2, 2}, false},
                   {"resnet34", {3, 4, 6, 3}, false},
                   {"resnet50", {3, 4, 6, 3}, true}};
    gh_rng rng;
    gh_err e = {0};
    gh_rng_seed(&rng, 1);
    gh_status status = gh_dir_make(folder, &e);
    for (size_t i = 0; i < GH_COUNT(resnets) && !status; i++) {
        ac_begin(&rng);
        ac_resnet(resnets[i].blocks, resnets[i].bottleneck);
        status = write_arch(folder, resnets[i].arch, &e);
    }
    ac_begin(&rng);
    ac_mobilenet_v2();
    if (!status)
        status = write_arch(folder, "mobilenet-v2", &e);
    if (status)
        fprintf(stderr, "%s\n", e.text);
    return !status;
}
