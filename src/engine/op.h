/* Operators: one const row each. `infer` checks a node and gives its outputs' types and shapes; `run`
 * computes on plain tensors and is the reference; `blocked`, where present, computes on the channel-blocked
 * layout. */
#ifndef GH_ENGINE_OP_H
#define GH_ENGINE_OP_H

#include "base/pool.h"
#include "engine/graph.h"

/* One node's operands while shapes are inferred. An input left out has type GH_UNKNOWN; `data` is set only
 * where the elements are known before a run. */
typedef struct gh_io {
    const gh_node *node;
    int64_t opset;
    const gh_tensor *in;
    uint32_t nin;
    gh_tensor *out; /* infer fills type and shape */
    uint32_t nout;
    gh_err *e;
} gh_io;

/* Packed weights of one node, made once and shared by all plans. */
typedef struct gh_packed {
    const void *kernel;    /* the gh_conv_kernel or gh_dense_kernel that packed them */
    float *weights, *bias; /* bias NULL when there is none */
    size_t bytes;
    char why[112]; /* what the kernel was chosen for, or "" where none competes */
} gh_packed;

/* One node at run time. */
typedef struct gh_exec {
    const gh_node *node;
    const gh_tensor *in;
    gh_tensor *out;
    uint32_t nin, nout;
    gh_act act;              /* to be fused; the node's own, or that of an addition joined to it */
    const void *params;      /* what prepare() left in the plan */
    const gh_packed *packed; /* or NULL */
    float *shared;           /* the step's shared floats */
    float *scratch;          /* scratch_stride floats a thread */
    size_t scratch_stride;
    gh_pool *pool;
    const gh_kernels *k;
    gh_err *e;
} gh_exec;

/* Choosing the blocked implementation of one node, shapes known. */
typedef struct gh_prepare {
    const gh_io *io;
    const gh_kernels *k;
    const bool *in_blocked;    /* which inputs stand in the blocked layout already */
    const gh_tensor *residual; /* shape to be added in the epilogue, or NULL */
    gh_arena *arena;           /* of the plan, for params */
    gh_packed *packed;         /* of the node: filled when still empty; the caller holds the net's lock */
    bool bf16;                 /* products of bfloat16 numbers will do */
    size_t room;               /* bytes that may be packed yet; see gh_prepare_room */
    /* answers */
    bool accepted;         /* false: run the plain way */
    unsigned want_blocked; /* bit i: input i is read blocked */
    bool out_blocked;
    const void *params;
    bool strings;   /* the output is the inputs, all blocked, one after the other */
    size_t scratch; /* floats a thread */
    size_t shared;  /* floats for all threads together */
    double macs;
    const char *kernel;
} gh_prepare;

/* The fast implementation of an operator: on the blocked layout, or on packed weights. */
typedef struct gh_blocked {
    gh_status (*prepare)(gh_prepare *p);
    gh_status (*run)(gh_exec *x);
} gh_blocked;

enum {
    GH_OP_VIEW = 1,        /* output 0 is input 0's memory with another shape: no step at all */
    GH_OP_INPLACE = 2,     /* output 0 may overwrite an input of the same size */
    GH_OP_SHAPE = 4,       /* the result follows from shapes alone */
    GH_OP_FUSES = 8,       /* computes node->act in its epilogue */
    GH_OP_ACTIVATION = 16, /* is one: gh_act_of says which */
    GH_OP_COUNTED = 64,    /* run lowers its output's dims to what it found; infer gives the largest shape.
                              Only where the network ends: no step knows such a shape before a run */
    GH_OP_UNPACKED = 32,   /* prepare packs nothing, so elements that only one plan knows may decide */
};

struct gh_op {
    const char *type, *domain;
    int since, until; /* opsets whose meaning `run` has; until 0 = up to the newest known */
    unsigned flags;
    uint32_t min_in, max_in, max_out;
    gh_status (*infer)(gh_io *io);
    gh_status (*run)(gh_exec *x);
    const gh_blocked *blocked;
    double (*macs)(const gh_io *io); /* multiply-adds, or NULL for none worth counting */
};

/* Newest opset of ai.onnx whose meanings are known here. */
#define GH_NEWEST_OPSET 21

/* Operators that only passes make. */
#define GH_DOMAIN      "gharial"
#define GH_QUANT_ROUND "QuantizeDequantize" /* inputs as QuantizeLinear's; the result is float32 again */

/* The row for a node, or NULL. */
const gh_op *gh_op_find(const char *domain, const char *type, int64_t opset);
/* Gives every node its row; GH_UNSUPPORTED names each node, operator and opset that we lack, in one sentence.
 */
GH_MUST_CHECK gh_status gh_graph_bind(gh_graph *g, gh_err *e);
/* Runs one node on plain tensors whose outputs have memory; used by constant folding and by plans. */
GH_MUST_CHECK gh_status gh_op_eval(const gh_node *n, const gh_tensor *in, gh_tensor *out, gh_err *e);

/* For infer functions: a sentence that names the node. */
gh_status gh_io_fail(const gh_io *io, gh_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Checks that input i is present and of the type (GH_UNKNOWN = any) and rank (-1 = any). */
GH_MUST_CHECK gh_status gh_io_need(const gh_io *io, uint32_t i, gh_dtype type, int rank);
static inline bool gh_has(const gh_io *io, uint32_t i)
{
    return i < io->nin && io->in[i].type != GH_UNKNOWN;
}
/* Axis from a file, negative counts from the end; GH_FORMAT when out of range. */
GH_MUST_CHECK gh_status gh_io_axis(const gh_io *io, int *out, int64_t axis, int rank);
/* Known int64 or int32 elements of input i (at most `max`); GH_UNSUPPORTED when they depend on data. */
GH_MUST_CHECK gh_status gh_io_ints(const gh_io *io, uint32_t i, int64_t *values, size_t *count, size_t max);
/* numpy broadcasting of two shapes. */
GH_MUST_CHECK gh_status gh_io_broadcast(const gh_io *io, gh_shape *out, const gh_shape *a, const gh_shape *b);
/* Product of dimensions [from, to). */
size_t gh_shape_span(const gh_shape *s, int from, int to);
/* Elements of a rank 4 shape in the blocked layout: channels rounded up to whole blocks. */
size_t gh_blocked_count(const gh_shape *s, int block);
/* The activation that a node of ops/unary.c computes; kind GH_ACT_NONE for other nodes. */
GH_MUST_CHECK gh_status gh_act_of(const gh_io *io, gh_act *out);

#endif
