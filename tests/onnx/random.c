/* Writes random networks with what we make of them. The model is what gh_onnx_write makes of the graph, and
 * is read again for our own run: so writer, reader and engine are compared with the other runtime at once. */
#include "onnx/random.h"

#include "base/mem.h"
#include "engine/net.h"
#include "engine/onnx.h"
#include "unit/arch_case.h"
#include "unit/random_net.h"

#include <stdio.h>

static void add_tensor(gh_buf *b, const gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(t->type == GH_F32 && gh_shape_count(&count, &t->shape));
    gh_buf_add(b, t->data, count * sizeof(float));
}

static gh_status run(gh_buf *in, gh_buf *out, gh_session *s, gh_net *net, uint64_t seed, gh_err *e)
{
    gh_rng rng;
    gh_tensor *x = gh_session_input(s, 0);
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &x->shape));
    gh_rng_seed(&rng, seed);
    rn_fill(&rng, x->data, count);
    add_tensor(in, x);
    GH_TRY(gh_session_run(s, e));
    for (size_t i = 0; i < gh_net_outputs(net); i++)
        add_tensor(out, gh_session_output(s, i));
    return in->failed || out->failed ? gh_fail(e, GH_NOMEM, "no memory") : GH_OK;
}

static gh_status run_file(gh_buf *in, gh_buf *out, const char *path, const gh_shape *shape, uint64_t seed,
                          gh_err *e)
{
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    gh_status status = gh_net_load(&net, path, GH_PASS_ALL, e);
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
        status = run_file(&in, &out, path[0], shape, seed, e);
    if (!status)
        status = put_file(path[1], &in, e);
    if (!status)
        status = put_file(path[2], &out, e);
    gh_buf_free(&in);
    gh_buf_free(&out);
    return status;
}

static gh_status write_one(const char *folder, uint64_t seed, gh_err *e)
{
    char name[32];
    gh_graph *g = rn_build(seed, 0);
    snprintf(name, sizeof name, "%llu", (unsigned long long)seed);
    return g ? write_net(folder, name, &g, NULL, seed, e) : gh_fail(e, GH_NOMEM, "no memory");
}

int or_write(const char *folder, uint64_t first, uint64_t count)
{
    gh_err e;
    for (uint64_t seed = first; seed < first + count; seed++)
        if (gh_dir_make(folder, &e) || write_one(folder, seed, &e)) {
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
