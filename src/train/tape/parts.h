/* What the files of the tape share: the graph as it was read, and the schedule of its passes. */
#ifndef GH_TRAIN_TAPE_PARTS_H
#define GH_TRAIN_TAPE_PARTS_H

#include "base/arena.h"
#include "engine/memplan.h"
#include "train/tape/grad.h"
#include "train/tape/tape.h"

/* What a node does on the tape. */
typedef enum gh_tape_role {
    GH_TAPE_SKIPPED, /* leads to no output, is known before a run, a view, or joined to the node before it */
    GH_TAPE_RUNS,
} gh_tape_role;

typedef struct gh_tape_node {
    gh_tape_role role;
    const gh_grad *row; /* or NULL */
    gh_act act;         /* of the activation joined to it */
    uint32_t out;       /* the value that output 0 stands for: the joined activation's, else its own */
    uint32_t wanted;    /* bit i: the gradient of input i is wanted */
    size_t saved;       /* bytes from the start of the tape's `saved` */
    size_t saved_bytes;
    bool batch_statistics;
} gh_tape_node;

/* A tensor of an action: in a buffer, or (GH_NONE) at an address of its own, or absent. */
typedef struct gh_tape_slot {
    gh_tensor t;
    uint32_t buffer;
} gh_tape_slot;

typedef enum gh_tape_kind { GH_TAPE_FORWARD, GH_TAPE_LOSS, GH_TAPE_BACKWARD, GH_TAPE_ADD } gh_tape_kind;

/* Slots of FORWARD: inputs, outputs. Of BACKWARD: inputs, outputs, gradients of outputs, gradients of inputs.
 * Of ADD: sum, two summands. LOSS stands for the caller. */
typedef struct gh_tape_action {
    gh_tape_kind kind;
    uint32_t node, slots;
    bool again;
} gh_tape_action;

struct gh_tape {
    gh_graph *graph; /* borrowed */
    gh_pool *pool;   /* borrowed */
    const gh_kernels *k;
    gh_arena *arena;
    bool checkpointing;
    /* the graph as read */
    gh_tensor *values;  /* type, shape; elements where known or learnt */
    uint32_t *roots;    /* the value whose memory a value is; itself mostly */
    uint32_t *param_of; /* of a value, or GH_NONE */
    bool *leads;        /* the value depends on something learnt */
    gh_tape_node *nodes;
    /* what is learnt */
    gh_tape_param *params;
    size_t nparams, count, nstate;
    uint32_t *state_values; /* constants of running statistics ... */
    size_t *state_offsets;  /* ... and where they stand in `state` */
    size_t nstates;
    float *weights, *gradients, *state;
    float **stored; /* of a value: its constant in the graph's arena once stored */
    /* the schedule */
    gh_tape_action *actions;
    gh_tape_slot *slots;
    gh_buffer *buffers;
    uint32_t nactions, cap_actions, nslots, cap_slots, nbuffers, cap_buffers;
    uint32_t loss; /* the action between the passes */
    gh_tape_slot *inputs, *outputs, *output_gradients;
    uint8_t *memory;
    char *saved;
    float *scratch;
    size_t bytes, saved_bytes, scratch_floats;
    bool trained; /* a forward pass that trains has run, and no backward pass since */
};

/* Inputs or outputs of a node, at most. */
enum { GH_TAPE_OPERANDS = 32 };

/* Shapes, what is known, what is learnt, what is joined. */
GH_MUST_CHECK gh_status gh_tape_read(gh_tape *t, const gh_tape_options *o, gh_err *e);
/* Memory for the flat vectors, filled from the graph. */
GH_MUST_CHECK gh_status gh_tape_vectors(gh_tape *t, gh_err *e);

/* keep.c. Marks the values (roots) that the backward pass finds kept; `kept` is cleared memory for all of the
 * graph's values. */
GH_MUST_CHECK gh_status gh_tape_keep(bool *kept, const gh_tape *t, gh_err *e);
/* Masks of the inputs and outputs of a node that its backward pass reads. */
void gh_tape_needs(const gh_tape *t, uint32_t node, uint32_t *in, uint32_t *out);
/* True for a value that stands in a buffer: not a constant, nor learnt. */
bool gh_tape_computes(const gh_tape *t, uint32_t v);
/* True for a value that stands there all along: kept, an input, or not computed at all. */
bool gh_tape_is_free(const gh_tape *t, const bool *kept, uint32_t v);
size_t gh_tape_value_bytes(const gh_tape *t, uint32_t v);

/* The actions of both passes, and the memory that they work in. */
GH_MUST_CHECK gh_status gh_tape_schedule(gh_tape *t, gh_err *e);
/* The memory alone, the actions being there. */
GH_MUST_CHECK gh_status gh_tape_memory(gh_tape *t, gh_err *e);

#endif
