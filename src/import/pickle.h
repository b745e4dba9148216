/* Python pickles, read as data: the few opcodes and globals that a PyTorch checkpoint needs become nodes of a
 * graph, every other one is refused by name, and nothing is ever executed. */
#ifndef GH_IMPORT_PICKLE_H
#define GH_IMPORT_PICKLE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of one pickle. The largest published checkpoints have about 20,000 nodes. */
#define GH_PICKLE_MAX_BYTES ((size_t)64 << 20)
#define GH_PICKLE_MAX_NODES ((size_t)1 << 20)
#define GH_PICKLE_NONE      UINT32_MAX

typedef enum gh_pickle_kind {
    GH_PICKLE_NIL,
    GH_PICKLE_BOOL,
    GH_PICKLE_INT,
    GH_PICKLE_FLOAT,
    GH_PICKLE_LONG,   /* little-endian two's complement of more than 8 bytes, in text/len */
    GH_PICKLE_STRING, /* text/len, not terminated */
    GH_PICKLE_BYTES,
    GH_PICKLE_TUPLE,
    GH_PICKLE_LIST,
    GH_PICKLE_DICT, /* cells alternate key, value */
    GH_PICKLE_GLOBAL,
    GH_PICKLE_STORAGE, /* persistent id: `args` is its tuple */
    GH_PICKLE_TENSOR,  /* torch._utils._rebuild_tensor_v2 called with the tuple `args` */
} gh_pickle_kind;

/* The globals that are known; from FLOAT_STORAGE on they are torch's storage classes. */
typedef enum gh_pickle_global {
    GH_PICKLE_ORDERED_DICT,
    GH_PICKLE_REBUILD_TENSOR,
    GH_PICKLE_REBUILD_PARAMETER,
    GH_PICKLE_FLOAT_STORAGE,
    GH_PICKLE_DOUBLE_STORAGE,
    GH_PICKLE_HALF_STORAGE,
    GH_PICKLE_BFLOAT16_STORAGE,
    GH_PICKLE_LONG_STORAGE,
    GH_PICKLE_INT_STORAGE,
    GH_PICKLE_SHORT_STORAGE,
    GH_PICKLE_CHAR_STORAGE,
    GH_PICKLE_BYTE_STORAGE,
    GH_PICKLE_BOOL_STORAGE,
} gh_pickle_global;

typedef struct gh_pickle_node {
    gh_pickle_kind kind;
    uint32_t count; /* TUPLE, LIST, DICT: cells; a dict has two a member */
    union {
        int64_t i; /* INT, BOOL */
        double f;
        struct {
            const uint8_t *text; /* borrowed from the bytes that were read */
            size_t len;
        };
        struct {
            uint32_t head, tail; /* first and last cell, or GH_PICKLE_NONE */
        };
        gh_pickle_global global;
        uint32_t args; /* node of the argument tuple */
    };
} gh_pickle_node;

/* One element of a container: containers are chains of cells, because lists and dicts grow while read. */
typedef struct gh_pickle_cell {
    uint32_t node, next;
} gh_pickle_cell;

typedef struct gh_pickle {
    gh_pickle_node *nodes;
    gh_pickle_cell *cells;
    uint32_t nnodes, ncells;
    uint32_t root;
    size_t used; /* bytes of the input that this pickle took */
} gh_pickle;

/* Reads one pickle from the start of `data`, which must outlive it. GH_FORMAT when it is broken or not a
 * pickle, GH_UNSUPPORTED when it needs what is not run, GH_LIMIT. Containers may contain themselves. */
GH_MUST_CHECK gh_status gh_pickle_read(gh_pickle **out, const uint8_t *data, size_t len, gh_err *e);
void gh_pickle_free(gh_pickle **p);

/* The i-th element of a tuple, list or dict (there i counts keys and values), or NULL. */
const gh_pickle_node *gh_pickle_item(const gh_pickle *p, const gh_pickle_node *n, size_t i);
bool gh_pickle_is_string(const gh_pickle_node *n, const char *s);
/* Value of a string key in a dict, or NULL. */
const gh_pickle_node *gh_pickle_lookup(const gh_pickle *p, const gh_pickle_node *dict, const char *key);
/* The global of that module and name; false when it is none of ours. */
bool gh_pickle_find_global(gh_pickle_global *out, const uint8_t *module, size_t module_len,
                           const uint8_t *name, size_t name_len);
/* "torch.FloatStorage", ... */
const char *gh_pickle_global_name(gh_pickle_global global);
/* "a tuple", ...: for messages. */
const char *gh_pickle_kind_name(gh_pickle_kind kind);

#endif
