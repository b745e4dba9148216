/* The engine on any bytes that may be an ONNX model: read, rewritten, planned for small sizes, and run once
 * where that is cheap. A model that opens must run or say why not; what it gives is not judged here. */
#include "base/mem.h"
#include "base/status.h"
#include "engine/net.h"
#include "engine/onnx.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bounds of what is run: multiply-adds, bytes of activations, bytes times steps times taps of a window. */
#define MOST_MACS  1e7
#define MOST_ARENA ((size_t)64 << 20)
#define MOST_BYTES 1e9

enum { MOST_INPUTS = 16, FREE_SIDE = 5 };

static void fill(gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    memset(t->data, 0, count * gh_dtype_size(t->type));
    if (t->type == GH_F32)
        for (size_t i = 0; i < count; i++)
            ((float *)t->data)[i] = (float)(i % 17) / 8 - 1;
}

static volatile uint8_t sink;

/* Reads every byte of an output, for the sanitizers. */
static void read_all(const gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    for (size_t i = 0; i < count * gh_dtype_size(t->type); i++)
        sink ^= ((const uint8_t *)t->data)[i];
}

/* The largest pooling window: its taps are work that is not counted as multiply-adds. */
static double largest_window(const gh_graph *g)
{
    double most = 1;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_attr *a = gh_node_attr(&g->nodes[i], "kernel_shape");
        double taps = 1;
        for (size_t k = 0; a && a->type == GH_ATTR_INTS && k < a->count; k++)
            taps *= (double)a->ints[k];
        most = taps > most ? taps : most;
    }
    return most;
}

static void run(gh_net *net, gh_plan *plan, unsigned passes)
{
    gh_err e = {0};
    gh_session *s = NULL;
    double bytes = (double)gh_plan_arena_bytes(plan) * (double)(gh_plan_steps(plan) + 1);
    bytes *= largest_window(gh_net_graph(net));
    if (gh_plan_macs(plan) > MOST_MACS || gh_plan_arena_bytes(plan) > MOST_ARENA || bytes > MOST_BYTES)
        return;
    GH_ASSERT(gh_session_new(&s, NULL, &e) == GH_OK && gh_session_bind(s, plan, &e) == GH_OK);
    for (size_t i = 0; i < gh_net_inputs(net); i++)
        fill(gh_session_input(s, i));
    uint64_t allocs = gh_mem_thread_allocs();
    gh_status status = gh_session_run(s, &e);
    /* without passes, tree ensembles are built anew in each run */
    GH_ASSERT(passes != GH_PASS_ALL || gh_mem_thread_allocs() == allocs);
    GH_ASSERT(status == GH_OK || (e.status == status && strlen(e.text) > 10));
    for (size_t i = 0; status == GH_OK && i < gh_net_outputs(net); i++)
        read_all(gh_session_output(s, i));
    gh_session_free(&s);
}

/* Sides that the model leaves free become small. */
static void plan_and_run(gh_net *net, unsigned passes)
{
    gh_err e = {0};
    gh_plan *plan = NULL;
    gh_shape shapes[MOST_INPUTS];
    if (gh_net_inputs(net) > MOST_INPUTS)
        return;
    for (size_t i = 0; i < gh_net_inputs(net); i++) {
        shapes[i] = gh_net_input(net, i)->shape;
        for (int d = 0; d < shapes[i].rank; d++)
            if (shapes[i].dims[d] < 0)
                shapes[i].dims[d] = d ? FREE_SIDE : 1;
    }
    gh_status status = gh_plan_get(&plan, net, shapes, &e);
    GH_ASSERT(status == GH_OK ? plan != NULL : !plan && e.status == status && strlen(e.text) > 10);
    if (plan)
        run(net, plan, passes);
    gh_plan_put(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned passes[] = {GH_PASS_ALL, 0};
    for (size_t i = 0; i < GH_COUNT(passes); i++) {
        gh_err e = {0};
        gh_graph *g = NULL;
        gh_net *net = NULL;
        gh_status status = gh_onnx_read_bytes(&g, data, size, &e);
        GH_ASSERT(status == GH_OK ? g != NULL : !g && e.status == status && strlen(e.text) > 10);
        if (status)
            return 0;
        status = gh_net_from_graph(&net, &g, passes[i], &e);
        GH_ASSERT(!g && (status == GH_OK ? net != NULL : !net && e.status == status && strlen(e.text) > 10));
        if (net)
            plan_and_run(net, passes[i]);
        gh_net_free(&net);
    }
    return 0;
}
