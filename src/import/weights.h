/* Weights without a network: named tensors of a checkpoint, whatever kind of file they came from. */
#ifndef GH_IMPORT_WEIGHTS_H
#define GH_IMPORT_WEIGHTS_H

#include "engine/tensor.h"

typedef struct gh_weight {
    const char *name;
    gh_shape shape; /* every dimension known, maybe 0 */
    size_t count;   /* elements */
    bool used;      /* for the caller to mark */
    const void *at; /* what copy() takes it from */
} gh_weight;

typedef struct gh_weights {
    gh_weight *items; /* sorted by name */
    size_t count;
    char separator;                           /* between a module and its tensor: '.' or '/' */
    void (*copy)(float *dst, const void *at); /* writes `count` floats, row-major, as the file has them */
} gh_weights;

/* Room for `count` tensors, which the caller fills; gh_weights_sort, unless they come in order. */
GH_MUST_CHECK gh_status gh_weights_open(gh_weights *out, size_t count, gh_err *e);
void gh_weights_sort(gh_weights *w);
void gh_weights_close(gh_weights *w);
/* By name, or NULL. */
gh_weight *gh_weights_find(const gh_weights *w, const char *name);

#endif
