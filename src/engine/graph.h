/* The network as a graph: values and nodes are numbers into two tables, everything lives in one arena.
 * Readers (ONNX), importers and training build it; passes rewrite it; a plan is made from it.
 *
 * Building has a sticky failure: a builder that runs out of memory or of limits returns GH_NONE and later
 * builders do nothing; gh_graph_check says at the end what went wrong. Ids of failed builders may be passed
 * on. */
#ifndef GH_ENGINE_GRAPH_H
#define GH_ENGINE_GRAPH_H

#include "base/arena.h"
#include "base/file.h"
#include "engine/tensor.h"
#include "kernels/kernels.h"

#define GH_NONE UINT32_MAX

/* Limits of a model: over any of them a file is refused. */
#define GH_MAX_NODES    100000u
#define GH_MAX_VALUES   400000u
#define GH_MAX_OPERANDS 1000000u          /* inputs and outputs of all nodes */
#define GH_MAX_ATTRS    400000u           /* of all nodes */
#define GH_MAX_ELEMENTS ((size_t)1 << 31) /* of one tensor */

typedef struct gh_op gh_op;

typedef enum gh_attr_type {
    GH_ATTR_INT = 2,
    GH_ATTR_FLOAT = 1,
    GH_ATTR_STRING = 3,
    GH_ATTR_TENSOR = 4,
    GH_ATTR_FLOATS = 6,
    GH_ATTR_INTS = 7,
    GH_ATTR_STRINGS = 8
} gh_attr_type;

typedef struct gh_attr {
    const char *name;
    gh_attr_type type;
    int64_t i;
    float f;
    size_t count;  /* of ints, floats, strings; length of a string */
    const char *s; /* STRING, terminated */
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
    gh_tensor tensor; /* TENSOR */
} gh_attr;

typedef struct gh_value {
    const char *name;
    gh_dtype type;
    gh_shape shape;    /* logical NCHW shape, whatever the layout */
    const void *data;  /* a constant's elements: borrowed from the mapped file, or in the arena; else NULL */
    uint32_t producer; /* node, or GH_NONE for inputs and constants */
    uint8_t block;     /* 0 plain, else channels per block in memory */
    bool own;          /* the elements lie in this graph's arena */
    bool gone;         /* they are packed wherever they are read; what `data` points to is given back */
} gh_value;

typedef struct gh_node {
    const gh_op *op;                  /* NULL until gh_graph_bind */
    const char *type, *name, *domain; /* domain "" = ai.onnx */
    uint32_t *inputs, *outputs;       /* GH_NONE = optional one left out */
    uint32_t ninputs, noutputs;
    gh_attr *attrs;
    uint32_t nattrs;
    gh_act act; /* fused by passes; not part of ONNX */
    bool dead;  /* goes at the next gh_graph_sort */
} gh_node;

typedef struct gh_opset {
    const char *domain;
    int64_t version;
} gh_opset;

typedef struct gh_graph {
    gh_arena *arena;
    gh_map map; /* the file that constants borrow from; closed with the graph */
    gh_value *values;
    uint32_t nvalues, cap_values;
    gh_node *nodes; /* in topological order once gh_graph_sort has run */
    uint32_t nnodes, cap_nodes;
    uint32_t *inputs, *outputs;
    uint32_t ninputs, noutputs;
    gh_opset opsets[8];
    uint32_t nopsets;
    int64_t ir_version;
    const char *name, *producer;
    gh_status failed;
    const char *failure; /* static text */
} gh_graph;

/* An empty graph with opset 13 of ai.onnx. */
GH_MUST_CHECK gh_status gh_graph_new(gh_graph **out, gh_err *e);
void gh_graph_free(gh_graph **graph);
/* What made a builder fail, in a sentence; GH_OK when none has. */
GH_MUST_CHECK gh_status gh_graph_check(const gh_graph *g, gh_err *e);

/* A copy that shares texts and constants' elements with `g`, which outlives it; for a net beside a graph that
 * goes on being trained. */
GH_MUST_CHECK gh_status gh_graph_copy(gh_graph **out, const gh_graph *g, gh_err *e);

/* A value that some node or the caller will fill. `name` is copied; "" makes a unique one. */
uint32_t gh_graph_value(gh_graph *g, const char *name, gh_dtype type, gh_shape shape);
/* A constant. With `copy` the elements are copied into the arena, else they must outlive the graph. */
uint32_t gh_graph_const(gh_graph *g, const char *name, gh_dtype type, gh_shape shape, const void *data,
                        bool copy);
/* A float constant in the arena whose elements the caller writes through *data. */
uint32_t gh_graph_const_f32(gh_graph *g, const char *name, gh_shape shape, float **data);
/* A graph input / output. */
uint32_t gh_graph_input(gh_graph *g, const char *name, gh_dtype type, gh_shape shape);
void gh_graph_output(gh_graph *g, uint32_t value);
/* A node with outputs that exist already; gives its number. Inputs may be GH_NONE (left out). */
uint32_t gh_graph_node(gh_graph *g, const char *type, const char *name, const uint32_t *inputs,
                       uint32_t ninputs, const uint32_t *outputs, uint32_t noutputs);
/* The usual case: one new output value named like the node; gives that value's number. */
uint32_t gh_graph_op(gh_graph *g, const char *type, const char *name, const uint32_t *inputs,
                     uint32_t ninputs);
/* Attributes of the node that produces `value`. */
void gh_graph_set_int(gh_graph *g, uint32_t value, const char *name, int64_t i);
void gh_graph_set_float(gh_graph *g, uint32_t value, const char *name, float f);
void gh_graph_set_ints(gh_graph *g, uint32_t value, const char *name, const int64_t *ints, size_t count);
void gh_graph_set_floats(gh_graph *g, uint32_t value, const char *name, const float *floats, size_t count);
void gh_graph_set_string(gh_graph *g, uint32_t value, const char *name, const char *s);
/* The texts themselves are borrowed: they must outlive the graph. */
void gh_graph_set_strings(gh_graph *g, uint32_t value, const char *name, const char *const *s, size_t count);
/* Puts the node that produces `value` into another domain (static text) than ai.onnx, and imports that
 * domain's opset unless the graph does already. */
void gh_graph_set_domain(gh_graph *g, uint32_t value, const char *domain, int64_t version);

/* Reading attributes: the value, or `fallback` when it is absent or of another type. */
const gh_attr *gh_node_attr(const gh_node *n, const char *name);
int64_t gh_node_int(const gh_node *n, const char *name, int64_t fallback);
float gh_node_float(const gh_node *n, const char *name, float fallback);
const char *gh_node_string(const gh_node *n, const char *name, const char *fallback);

/* Orders nodes topologically and drops those marked dead; GH_FORMAT names a node on a cycle. */
GH_MUST_CHECK gh_status gh_graph_sort(gh_graph *g, gh_err *e);
/* Opset of a domain, 0 when the model does not import it. */
int64_t gh_graph_opset(const gh_graph *g, const char *domain);

#endif
