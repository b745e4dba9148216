/* Gradients: one const row an operator, in grad_*.c, one file a family. A row says what its backward pass
 * reads, so that the tape keeps, or computes again, nothing else. */
#ifndef GH_TRAIN_TAPE_GRAD_H
#define GH_TRAIN_TAPE_GRAD_H

#include "engine/ops.h"

/* One node of a tape while it runs. Tensors that were not asked for have no data. */
typedef struct gh_grad_exec {
    const gh_node *node;
    int64_t opset;
    const gh_tensor *in, *out; /* forward values; a forward pass fills out[].data */
    uint32_t nin, nout;
    const gh_tensor *dout; /* backward: gradients of the outputs, data NULL where none arrives */
    gh_tensor *din;        /* backward: of the inputs, to be overwritten; data NULL where none is wanted */
    void *saved;           /* what the forward pass left for the backward pass */
    float *scratch;        /* the row's scratch() floats */
    gh_act act;            /* joined behind the node */
    bool batch_statistics; /* of a norm: the batch's own, now */
    bool again;            /* a forward pass for the backward pass: with what is saved, changing nothing */
    gh_pool *pool;
    const gh_kernels *k;
    gh_err *e;
} gh_grad_exec;

enum {
    GH_GRAD_CHEAP = 1,        /* its outputs are computed again rather than kept */
    GH_GRAD_INPLACE = 2,      /* din[0] may overwrite dout[0] */
    GH_GRAD_PASS = 4,         /* an input of the output's shape gets the output's gradient as it is */
    GH_GRAD_JOINS = 8,        /* computes x->act, a clamp, in both directions */
    GH_GRAD_NORM = 16,        /* inputs 3 and 4 are running statistics */
    GH_GRAD_WITH_LEARNT = 32, /* constants are learnt only where another input already leads to something
                                 learnt, and only with more than one element */
    GH_GRAD_OUT_INPLACE = 64, /* forward: out[0] may overwrite in[0] */
    GH_GRAD_ACTIVATION = 128, /* gh_act_of tells a clamp that a GH_GRAD_JOINS row can take over */
};

typedef struct gh_grad {
    const char *type;
    unsigned flags;
    uint32_t learns, decays; /* bit i: constant input i can be learnt; decays */
    /* Bits of inputs and outputs whose values the backward pass reads when the gradients of inputs `wanted`
     * are wanted; NULL: none. */
    void (*needs)(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out);
    gh_status (*forward)(gh_grad_exec *x); /* NULL: the operator's own run */
    gh_status (*backward)(gh_grad_exec *x);
    size_t (*saved)(const gh_io *io);                /* bytes, or NULL */
    size_t (*scratch)(const gh_io *io, int threads); /* floats, or NULL */
} gh_grad;

/* The row of an operator of ai.onnx, or NULL. */
const gh_grad *gh_grad_find(const gh_node *n);

#define GH_GRADS(family)                                                                                     \
    extern const gh_grad gh_grads_##family[];                                                                \
    extern const size_t gh_grads_##family##_count;
#include "train/tape/grads.inc"
#undef GH_GRADS

/* ---- for the rows ---- */

/* The view of a node that infer functions and readers of geometry take. */
gh_io gh_grad_io(const gh_grad_exec *x);
/* Runs fn(job, begin, end) over `units`, spread over the pool. */
void gh_grad_for(const gh_grad_exec *x, int units, gh_range_fn fn, const void *job);
/* Elements of a tensor whose shape is known. */
size_t gh_grad_count(const gh_tensor *t);
/* Elements of a unit of loops over elements. */
enum { GH_GRAD_UNIT = 16384 };

#endif
