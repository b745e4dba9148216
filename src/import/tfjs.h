/* TensorFlow.js graph models as graphs: pictures as NCHW, weights as float32 whatever the shards hold. */
#ifndef GH_IMPORT_TFJS_H
#define GH_IMPORT_TFJS_H

#include "engine/graph.h"

/* Which part of the network is wanted. Names are those of TensorFlow's nodes, "name:2" for output 2; lists
 * are parted by commas. */
typedef struct gh_tfjs_cut {
    const char *inputs;  /* tensors that become inputs, each as NAME or NAME=1x300x300x3 ("?" = a batch of any
                          * size); NULL: the placeholders that the outputs need */
    const char *outputs; /* tensors that become outputs; NULL: those of the model's signature, or all that no
                          * node reads */
} gh_tfjs_cut;

/* A shard in memory, by the name that the weightsManifest has. */
typedef struct gh_tfjs_blob {
    const char *name;
    const uint8_t *data;
    size_t size;
} gh_tfjs_blob;

/* Reads a model.json and the shards beside it. GH_FORMAT for what lies, GH_UNSUPPORTED names every operator
 * that gharial does not import, GH_NOTFOUND, GH_LIMIT. */
GH_MUST_CHECK gh_status gh_tfjs_read(gh_graph **out, const char *path, const gh_tfjs_cut *cut, gh_err *e);
/* The same from bytes, of which nothing is needed afterwards. */
GH_MUST_CHECK gh_status gh_tfjs_read_bytes(gh_graph **out, const char *json, size_t len,
                                           const gh_tfjs_blob *shards, size_t count, const gh_tfjs_cut *cut,
                                           gh_err *e);

/* A network of the table (import/arch.h) with the weights of a manifest, a list of groups as a
 * weightsManifest is, and the shards beside it: for models that were published without a topology. */
GH_MUST_CHECK gh_status gh_tfjs_read_weights(gh_graph **out, const char *path, const char *arch, gh_err *e);

#endif
