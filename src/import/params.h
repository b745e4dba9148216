/* The parameters of a network while it is built: named tensors taken from a checkpoint, with a list of all
 * that is missing, misshapen or left over, told in one message. */
#ifndef GH_IMPORT_PARAMS_H
#define GH_IMPORT_PARAMS_H

#include "base/arena.h"
#include "base/buf.h"
#include "import/weights.h"

typedef struct gh_params_list {
    size_t count;
    gh_buf names; /* joined by ", ", as many as a message has room for */
} gh_params_list;

typedef struct gh_params {
    gh_weights *source; /* borrowed; tensors that were taken are marked used */
    gh_arena *arena;    /* the copies */
    gh_params_list missing, misshapen, unused;
    bool no_memory;
} gh_params;

/* `source` is borrowed. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_params_open(gh_params *out, gh_weights *source, gh_err *e);
void gh_params_close(gh_params *p);
/* Contiguous floats of the tensor "prefix.name" ("prefix/name" where the file parts by strokes) with this
 * shape, or NULL after noting why not: the builder goes on, so that the message names everything. Lives until
 * close. */
const float *gh_params_get(gh_params *p, const char *prefix, const char *name, int rank, const int64_t *dims);
/* Says whether everything was there and everything was used; counters that training keeps
 * (num_batches_tracked) may be left over. `what` is the network's name. */
GH_MUST_CHECK gh_status gh_params_check(gh_params *p, const char *what, gh_err *e);

#endif
