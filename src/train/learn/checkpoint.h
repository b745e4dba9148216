/* A run's state in one file: blocks of memory of known sizes, with a mark of the run and a hash of it
 * all. Written whole or not at all. */
#ifndef GH_TRAIN_LEARN_CHECKPOINT_H
#define GH_TRAIN_LEARN_CHECKPOINT_H

#include "base/hash.h"
#include "base/status.h"

typedef struct gh_checkpoint_block {
    void *data; /* written from, or read into */
    size_t bytes;
} gh_checkpoint_block;

/* GH_IO, GH_NOMEM; an older file stays in its place then. */
GH_MUST_CHECK gh_status gh_checkpoint_write(const char *path, gh_hash mark, const gh_checkpoint_block *blocks,
                                            size_t n, gh_err *e);
/* GH_NOTFOUND: no file; GH_ARG: of another run (another mark, or blocks of other sizes); GH_FORMAT: damaged.
 * Blocks are written only on success. */
GH_MUST_CHECK gh_status gh_checkpoint_read(const char *path, gh_hash mark, const gh_checkpoint_block *blocks,
                                           size_t n, gh_err *e);

#endif
