/* Inside of nets and plans; private to the engine. */
#ifndef GH_ENGINE_PLAN_H
#define GH_ENGINE_PLAN_H

#include "engine/memplan.h"
#include "engine/net.h"
#include "engine/op.h"

#include <pthread.h>

#define GH_MAX_PLANS 8
/* Largest arena of a plan in bytes. */
#define GH_MAX_ARENA ((size_t)4 << 30)

/* One operand of a step: a constant (buffer GH_NONE, t.data set), or a place in the arena. */
typedef struct gh_operand {
    gh_tensor t;
    uint32_t buffer;
} gh_operand;

typedef struct gh_step {
    gh_status (*run)(gh_exec *x);
    const gh_node *node; /* NULL: a change of layout */
    const gh_packed *packed;
    gh_act act;
    uint32_t in, nin, out, nout; /* ranges of operands */
    const void *params;
    size_t scratch; /* floats a thread */
    size_t shared;  /* floats for all threads together */
    double macs;
    const char *kernel;
    bool inplace; /* the output may take the place of an input that ends here */
    bool strings; /* the output is the inputs one after the other: they may be computed in their places */
} gh_step;

struct gh_plan {
    gh_net *net;
    int refs;      /* under the net's lock; one of them is the cache's */
    uint64_t used; /* the net's clock at the last use */
    gh_arena *arena;
    gh_shape *shapes; /* of the inputs: the key */
    gh_step *steps;
    gh_operand *operands;
    gh_buffer *buffers;
    uint32_t nsteps, cap_steps, noperands, cap_operands, nbuffers, cap_buffers;
    uint32_t *inputs, *outputs; /* operands */
    size_t bytes;               /* of the arena */
    size_t scratch, shared;     /* floats a thread, and for all threads together */
    double macs;
};

struct gh_net {
    gh_graph *graph;
    gh_packed *packed; /* one a node */
    const gh_kernels *k;
    unsigned passes;
    pthread_mutex_t lock;             /* of everything below, and held while a plan is built */
    size_t packed_bytes, packed_room; /* of all nodes; more that may be packed */
    int refs;                         /* the owner's and one for each living plan */
    gh_plan *plans[GH_MAX_PLANS];
    uint64_t clock;
};

/* Builds a plan; the net's lock is held. */
GH_MUST_CHECK gh_status gh_plan_build(gh_plan **out, gh_net *net, const gh_shape *inputs, gh_err *e);
void gh_plan_free(gh_plan **plan);
/* Gives every buffer of a plan with steps its offset, and the plan its size. */
GH_MUST_CHECK gh_status gh_plan_memory(gh_plan *p, gh_err *e);

#endif
