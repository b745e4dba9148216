/* Runs plans. Binding resolves every operand to an address in the session's arena; running only walks the
 * steps. */
#include "base/cpu.h"
#include "base/mem.h"
#include "engine/plan.h"

struct gh_session {
    gh_pool *pool;
    gh_plan *plan; /* bound; held by the caller */
    uint8_t *memory;
    size_t bytes;
    float *scratch;
    size_t scratch_bytes; /* what the threads share, then what each has */
    gh_tensor *tensors;   /* the plan's operands with addresses */
    size_t cap_tensors;
};

gh_status gh_session_new(gh_session **out, gh_pool *pool, gh_err *e)
{
    gh_session *s = gh_calloc(1, sizeof *s);
    if (!s)
        return gh_fail(e, GH_NOMEM, "no memory for a session");
    s->pool = pool;
    *out = s;
    return GH_OK;
}

void gh_session_free(gh_session **session)
{
    gh_session *s = *session;
    if (!s)
        return;
    gh_free(s->memory);
    gh_free(s->scratch);
    gh_free(s->tensors);
    gh_free(s);
    *session = NULL;
}

/* Replaces *block by one of at least `want` bytes; contents are lost. */
static gh_status enlarge(void **block, size_t *have, size_t want, gh_err *e)
{
    if (want <= *have)
        return GH_OK;
    gh_free(*block);
    *have = 0;
    *block = gh_alloc_streamed(want);
    if (!*block)
        return gh_fail(e, GH_NOMEM, "no memory for %zu MB of activations", want >> 20);
    *have = want;
    return GH_OK;
}

gh_status gh_session_bind(gh_session *s, gh_plan *plan, gh_err *e)
{
    size_t threads = (size_t)gh_pool_size(s->pool), scratch;
    s->plan = NULL;
    if (!gh_mul_size(&scratch, plan->scratch * sizeof(float), threads) ||
        !gh_add_size(&scratch, scratch, plan->shared * sizeof(float)))
        return gh_fail(e, GH_LIMIT, "the model needs more scratch memory than there is");
    /* at least something, so that empty tensors have an address */
    GH_TRY(enlarge((void **)&s->memory, &s->bytes, plan->bytes ? plan->bytes : GH_ALIGN, e));
    GH_TRY(enlarge((void **)&s->scratch, &s->scratch_bytes, scratch, e));
    if (plan->noperands > s->cap_tensors) {
        gh_tensor *bigger = gh_realloc(s->tensors, plan->noperands, sizeof *bigger);
        if (!bigger)
            return gh_fail(e, GH_NOMEM, "no memory for a session");
        s->tensors = bigger;
        s->cap_tensors = plan->noperands;
    }
    for (uint32_t i = 0; i < plan->noperands; i++) {
        const gh_operand *o = &plan->operands[i];
        s->tensors[i] = o->t;
        if (o->buffer != GH_NONE)
            s->tensors[i].data = s->memory + plan->buffers[o->buffer].offset;
    }
    s->plan = plan;
    return GH_OK;
}

gh_tensor *gh_session_input(gh_session *s, size_t i)
{
    GH_ASSERT(s->plan && i < gh_net_inputs(s->plan->net));
    return &s->tensors[s->plan->inputs[i]];
}

const gh_tensor *gh_session_output(const gh_session *s, size_t i)
{
    GH_ASSERT(s->plan && i < gh_net_outputs(s->plan->net));
    return &s->tensors[s->plan->outputs[i]];
}

static gh_status run_step(gh_session *s, const gh_step *step, gh_err *e)
{
    gh_exec x = {.node = step->node,
                 .in = s->tensors + step->in,
                 .out = s->tensors + step->out,
                 .nin = step->nin,
                 .nout = step->nout,
                 .act = step->act,
                 .params = step->params,
                 .packed = step->packed,
                 .shared = s->scratch,
                 .scratch = s->scratch + s->plan->shared,
                 .scratch_stride = s->plan->scratch,
                 .pool = s->pool,
                 .k = s->plan->net->k,
                 .e = e};
    return step->run(&x);
}

gh_status gh_session_profile(gh_session *s, uint64_t *ns, gh_err *e)
{
    GH_ASSERT(s->plan);
    for (uint32_t i = 0; i < s->plan->nsteps; i++) {
        uint64_t start = gh_now_ns();
        GH_TRY(run_step(s, &s->plan->steps[i], e));
        ns[i] = gh_now_ns() - start;
    }
    return GH_OK;
}

gh_status gh_session_run(gh_session *s, gh_err *e)
{
    GH_ASSERT(s->plan);
    for (uint32_t i = 0; i < s->plan->nsteps; i++)
        GH_TRY(run_step(s, &s->plan->steps[i], e));
    return GH_OK;
}
