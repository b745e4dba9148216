/* A set of masks made ready for training: each picture and mask looked at once, classes numbered and counted,
 * the parts to learn from and to judge by. */
#ifndef GH_TRAIN_DATA_MASKDATA_H
#define GH_TRAIN_DATA_MASKDATA_H

#include "base/pool.h"
#include "train/data/balance.h"
#include "train/data/maskset.h"

typedef struct gh_maskdata_options {
    double share;  /* judged by, where the data name no part val */
    uint32_t some; /* pictures that an epoch is judged by; 0 = all */
    uint64_t seed;
    bool strict; /* a pair that cannot be used is an error; else it is left out and logged */
    gh_pool *pool;
} gh_maskdata_options;

typedef struct gh_maskdata {
    gh_maskset *set;
    const char **classes; /* names, those that mean no class left out; the classes' numbers from here on */
    uint32_t nclasses;
    bool background; /* class 0 is the background by its name */
    int map[256];    /* from a mask's value to a class, GH_MASK_IGNORED, or -1: not in the set */
    uint32_t *learn; /* pictures of the set to learn from */
    uint32_t nlearn, left_out;
    gh_maskset *judge; /* the pictures to judge by */
    gh_maskset *some;  /* so many of them as an epoch is judged by, evenly from all */
    double *pixels;    /* of each class, in the part to learn from */
} gh_maskdata;

/* GH_FORMAT: a mask of another size than its picture, a value that is no class, one class only, too few
 * pictures; and what gh_maskset_open says. */
GH_MUST_CHECK gh_status gh_maskdata_open(gh_maskdata **out, const char *dir, const gh_maskdata_options *o,
                                         gh_err *e);
void gh_maskdata_free(gh_maskdata **d);
/* One weight a class, by how many pixels it has; their mean over pixels is 1. */
void gh_maskdata_weights(float *weights, const gh_maskdata *d, gh_balance balance);

#endif
