/* A frozen network: read, checked, rewritten by the passes, kernels chosen and weights packed once. Plans fix
 * the shapes; sessions run plans. A net may be used by any number of threads; a session by one at a time. */
#ifndef GH_ENGINE_NET_H
#define GH_ENGINE_NET_H

#include "base/pool.h"
#include "engine/graph.h"

typedef struct gh_net gh_net;
typedef struct gh_plan gh_plan;
typedef struct gh_session gh_session;

/* Passes that can be switched off (tests compare the network with each on and off). */
enum { GH_PASS_FOLD = 1, GH_PASS_FUSE = 2, GH_PASS_LAYOUT = 4, GH_PASS_ALL = 7 };

/* Beside the passes: convolutions may multiply bfloat16 numbers (sums stay fp32) where that is faster. */
enum { GH_NET_BF16 = 8 };

/* What a model or a process wants of that; DEFAULT is what the process wants, fp32 unless it was told. */
typedef enum gh_precision {
    GH_PRECISION_DEFAULT,
    GH_PRECISION_FP32,
    GH_PRECISION_BF16, /* or an error where the processor cannot */
    GH_PRECISION_AUTO, /* bf16 where the processor can, fp32 elsewhere */
} gh_precision;
extern const char *const gh_precision_words[]; /* in that order, ended by NULL */
/* For the whole process, before it loads any net. */
void gh_precision_set(gh_precision precision);
/* GH_NET_BF16 or 0 into *flag; GH_UNSUPPORTED where bf16 is wanted and this processor lacks it. */
GH_MUST_CHECK gh_status gh_precision_flag(unsigned *flag, gh_precision precision, gh_err *e);

/* For the whole process, before it loads any net: a convolution's kernel is the one that is measured to be
 * the fastest, at the size of the first plan, instead of the cheapest by what kernels tell of themselves. */
void gh_tune_set(bool on);

/* Loads an ONNX file. Every operator that we lack is named in one message (GH_UNSUPPORTED). */
GH_MUST_CHECK gh_status gh_net_load(gh_net **out, const char *path, unsigned passes, gh_err *e);
/* The same with further outputs: values of the file by name, behind its own. GH_NOTFOUND names one that is
 * missing. */
GH_MUST_CHECK gh_status gh_net_load_tapped(gh_net **out, const char *path, unsigned passes,
                                           const char *const *taps, size_t ntaps, gh_err *e);
/* The same for a file whose fixed sizes are stand-ins: the batch, height and width of its rank 4 inputs are
 * taken as free, so that a plan may have any. */
GH_MUST_CHECK gh_status gh_net_load_any_size(gh_net **out, const char *path, unsigned passes,
                                             const char *const *taps, size_t ntaps, gh_err *e);
/* The same from a graph, which the net takes over (*graph becomes NULL) also on failure. */
GH_MUST_CHECK gh_status gh_net_from_graph(gh_net **out, gh_graph **graph, unsigned passes, gh_err *e);
/* Frees when no plan of it is held any more. */
void gh_net_free(gh_net **net);

/* How many. */
size_t gh_net_inputs(const gh_net *net);
size_t gh_net_outputs(const gh_net *net);
/* Name, type and shape (-1 = not fixed) of the i-th input or output; borrowed. */
const gh_value *gh_net_input(const gh_net *net, size_t i);
const gh_value *gh_net_output(const gh_net *net, size_t i);
/* The number of the output of that name, or -1. */
int gh_net_find_output(const gh_net *net, const char *name);
const gh_graph *gh_net_graph(const gh_net *net);
/* Type and shape that output i has for these input shapes, as a plan finds them; no data. */
GH_MUST_CHECK gh_status gh_net_output_for(gh_tensor *out, gh_net *net, size_t i, const gh_shape *inputs,
                                          gh_err *e);
/* Bytes of packed weights, shared by all plans. */
size_t gh_net_packed_bytes(const gh_net *net);

/* The plan for these input shapes (one a network input), built if none is kept. At most 8 are kept, the least
 * recently used goes. Held until gh_plan_put. */
GH_MUST_CHECK gh_status gh_plan_get(gh_plan **out, gh_net *net, const gh_shape *inputs, gh_err *e);
void gh_plan_put(gh_plan **plan);

typedef struct gh_step_info {
    const char *node, *op, *kernel; /* borrowed from the net */
    const char *why;                /* what the kernel was chosen for, "" where none competes; borrowed */
    gh_shape output;
    double macs; /* multiply-adds */
} gh_step_info;

/* How many, and what the i-th does. */
size_t gh_plan_steps(const gh_plan *plan);
gh_step_info gh_plan_step(const gh_plan *plan, size_t i);
/* Bytes of activations that a session needs. */
size_t gh_plan_arena_bytes(const gh_plan *plan);
double gh_plan_macs(const gh_plan *plan);

/* A session owns one arena for activations and runs the plans of any nets, one after the other. `pool` (may
 * be NULL) is borrowed and spreads its loops. */
GH_MUST_CHECK gh_status gh_session_new(gh_session **out, gh_pool *pool, gh_err *e);
void gh_session_free(gh_session **session);
/* Makes `plan` the one that the calls below mean; grows the arena when needed. The caller keeps holding it.
 */
GH_MUST_CHECK gh_status gh_session_bind(gh_session *s, gh_plan *plan, gh_err *e);
/* The i-th input, to be filled before each run; contents are lost by a run. Borrowed until the next bind. */
gh_tensor *gh_session_input(gh_session *s, size_t i);
/* Runs the plan. Allocates nothing. */
GH_MUST_CHECK gh_status gh_session_run(gh_session *s, gh_err *e);
/* The same; ns[i] receives the time of step i in nanoseconds (gh_plan_steps entries). */
GH_MUST_CHECK gh_status gh_session_profile(gh_session *s, uint64_t *ns, gh_err *e);
/* The i-th output after a run: plain layout. Borrowed until the next run or bind. */
const gh_tensor *gh_session_output(const gh_session *s, size_t i);

#endif
