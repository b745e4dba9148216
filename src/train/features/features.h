/* Features: what the frozen body makes of each picture, computed once with all cores and kept in a cache. */
#ifndef GH_TRAIN_FEATURES_FEATURES_H
#define GH_TRAIN_FEATURES_FEATURES_H

#include "train/data/trainset.h"
#include "train/features/views.h"
#include "train/nets/body.h"

typedef struct gh_features_options {
    unsigned augment;
    const char *cache;    /* folder; NULL = no cache */
    uint64_t cache_bytes; /* the least recently used files go beyond it; 0 = 2 GB */
    gh_pool *pool;        /* pictures side by side */
    uint64_t seed;        /* of random views */
    volatile const bool
        *stop;     /* set by a signal: GH_INTERRUPTED, what is done stays in the cache; may be NULL */
    bool progress; /* a bar or lines on stderr */
} gh_features_options;

/* Row-major floats, in the order of the examples, all views of one after another. A picture that could not be
 * computed (broken, or features that are not finite) has no rows. */
typedef struct gh_features {
    float *x; /* rows * width */
    size_t rows, width;
    uint32_t views;   /* rows a picture: view 0 is the picture as serving sees it */
    uint32_t *sample; /* of each row */
    uint32_t *view;   /* of each row */
    uint32_t failed;  /* pictures without rows */
    uint32_t cached;  /* pictures that the cache had */
    char **problems;  /* a sentence for each failed picture */
} gh_features;

/* GH_INTERRUPTED keeps what is done in the cache. Pictures that fail are counted and named in `problems`;
 * GH_FORMAT when all of them do. The result does not depend on the number of threads. */
GH_MUST_CHECK gh_status gh_features_make(gh_features **out, const gh_body *body, const gh_trainset *data,
                                         const gh_features_options *options, gh_err *e);
void gh_features_free(gh_features **f);

#endif
