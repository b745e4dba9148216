/* A graph model of TensorFlow.js as tables of nodes and weights, still in TensorFlow's own terms. The format
 * is a JSON text (`modelTopology`: TensorFlow's GraphDef as JSON; `weightsManifest`: names, types and shapes
 * of the weights) and files of weights beside it, the shards, whose bytes are joined group by group. */
#ifndef GH_IMPORT_TFJS_MODEL_H
#define GH_IMPORT_TFJS_MODEL_H

#include "base/arena.h"
#include "engine/symbols.h"
#include "engine/tensor.h"
#include "import/weights.h"

#include <jansson.h>

#define GH_TFJS_MAX_JSON  ((size_t)16 << 20)
#define GH_TFJS_MAX_SHARD ((size_t)2 << 30)
#define GH_TFJS_NONE      UINT32_MAX

typedef struct gh_tfjs_ref {
    uint32_t node, output;
} gh_tfjs_ref;

typedef struct gh_tfjs_node {
    const char *name, *op; /* the JSON's */
    const json_t *attr;    /* object, or NULL */
    gh_tfjs_ref *inputs;   /* without those that only order the execution */
    uint32_t ninputs;
    uint32_t weight; /* of a Const, else GH_TFJS_NONE */
    const struct gh_tfjs_row *row;
} gh_tfjs_node;

/* How an element stands in a shard. */
typedef enum gh_tfjs_stored {
    GH_TFJS_FLOAT32,
    GH_TFJS_FLOAT16,
    GH_TFJS_INT32,
    GH_TFJS_UINT16,
    GH_TFJS_UINT8 /* bool too */
} gh_tfjs_stored;

typedef struct gh_tfjs_weight {
    const char *name;
    gh_tfjs_stored stored;
    bool whole;     /* int32 or bool once unpacked, else float32 */
    bool quantised; /* by scale and min: q * scale + min */
    double scale, min;
    gh_shape shape;
    size_t count, offset; /* elements; bytes from the start of the group */
    uint32_t group;
    const uint8_t *data; /* of any alignment */
} gh_tfjs_weight;

/* A shard. The caller that parsed the topology sets data and size, which are read by gh_tfjs_join only. */
typedef struct gh_tfjs_file {
    const char *name; /* relative to the topology's folder; checked to stay within it */
    uint32_t group;
    const uint8_t *data;
    size_t size;
} gh_tfjs_file;

typedef struct gh_tfjs_model {
    json_t *root;
    gh_arena *arena;
    gh_tfjs_node *nodes;
    gh_tfjs_weight *weights;
    gh_tfjs_file *files; /* group by group */
    size_t *group_bytes;
    uint32_t nnodes, nweights, nfiles, ngroups;
    gh_symbols names; /* of nodes */
} gh_tfjs_model;

/* Reads the topology. GH_FORMAT for what is no graph model or lies, GH_UNSUPPORTED (a Keras model, weights of
 * another type), GH_LIMIT. */
GH_MUST_CHECK gh_status gh_tfjs_parse(gh_tfjs_model **out, const char *text, size_t len, gh_err *e);
/* Reads weights alone: a list of groups, as a weightsManifest is, that stands by itself or in a model whose
 * topology is of another kind. */
GH_MUST_CHECK gh_status gh_tfjs_parse_weights(gh_tfjs_model **out, const char *text, size_t len, gh_err *e);
/* The joined weights by name, which borrow the model; to be closed. */
GH_MUST_CHECK gh_status gh_tfjs_weights(gh_weights *out, const gh_tfjs_model *m, gh_err *e);
void gh_tfjs_free(gh_tfjs_model **model);
/* The weightsManifest, for gh_tfjs_parse. */
GH_MUST_CHECK gh_status gh_tfjs_read_manifest(gh_tfjs_model *m, gh_err *e);
/* Joins the shards, which have to be as long as the weights say, in `arena`. */
GH_MUST_CHECK gh_status gh_tfjs_join(gh_tfjs_model *m, gh_arena *arena, gh_err *e);
/* Number of the node, or GH_TFJS_NONE. "name:2" names output 2. */
gh_tfjs_ref gh_tfjs_find(const gh_tfjs_model *m, const char *name, size_t len);

/* Writes w->count elements: float32, or int64 of one that is `whole`. */
void gh_tfjs_floats(float *dst, const gh_tfjs_weight *w);
void gh_tfjs_ints(int64_t *dst, const gh_tfjs_weight *w);

/* ---- attributes: the value, or `fallback` where it is absent or of another type ---- */
int64_t gh_tfjs_int(const gh_tfjs_node *n, const char *name, int64_t fallback);
double gh_tfjs_real(const gh_tfjs_node *n, const char *name, double fallback);
bool gh_tfjs_bool(const gh_tfjs_node *n, const char *name, bool fallback);
/* The text of an attribute (base64, or a list of bytes in early files), or "" where it is absent or longer
 * than `size`. Gives `text`. */
const char *gh_tfjs_text(const gh_tfjs_node *n, const char *name, char *text, size_t size);
/* Text i of a list; false behind the last. */
bool gh_tfjs_text_at(const gh_tfjs_node *n, const char *name, size_t i, char *text, size_t size);
/* Numbers of a list, at most `max` of them; how many the file has. */
size_t gh_tfjs_list(const gh_tfjs_node *n, const char *name, int64_t *out, size_t max);
/* TensorFlow's type of an attribute in gharial's terms: float32, int64 for all whole numbers, GH_BOOL, or
 * GH_UNKNOWN. */
gh_dtype gh_tfjs_type(const gh_tfjs_node *n, const char *name);
/* False when the attribute is absent or its rank is not known or over GH_MAX_RANK. */
bool gh_tfjs_shape(gh_shape *out, const gh_tfjs_node *n, const char *name);

#endif
