/* A data set made ready for training: classes numbered, equal pictures known by their bytes, votes and groups
 * kept, problems listed, folds drawn. */
#ifndef GH_TRAIN_DATA_TRAINSET_H
#define GH_TRAIN_DATA_TRAINSET_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/pool.h"
#include "train/data/dataset.h"

#include <stdbool.h>
#include <stdint.h>

#define GH_MAX_CLASSES  65536
#define GH_MAX_EXAMPLES 10000000u

typedef struct gh_example {
    const char *path;   /* as it can be opened */
    const float *votes; /* class shares that sum to 1, or NULL when only `label` counts */
    uint32_t label;     /* class; of votes the largest, ties to the first column */
    uint32_t group;     /* pictures of one group stay on one side of a split; UINT32_MAX = none */
    uint32_t twin;      /* first sample with the same bytes; itself when it is the first */
    gh_split split;     /* as the data say; GH_SPLIT_NONE where they do not */
    gh_hash hash;       /* of the file's bytes */
} gh_example;

typedef struct gh_trainset {
    gh_arena *arena;      /* holds paths, names and votes */
    const char **classes; /* sorted by name */
    uint32_t nclasses;
    gh_example *examples; /* sorted by path */
    uint32_t nexamples;
    const char **problems; /* a sentence each: unreadable, no picture, label in conflict with its twin's */
    uint32_t nproblems;
    bool parted;  /* the data name their own split */
    gh_hash hash; /* of all content hashes and labels, in order: names the data in a manifest */
} gh_trainset;

typedef struct gh_trainset_options {
    bool strict;   /* a problem is an error */
    gh_split part; /* this part of the data alone, as if they had no parts; GH_SPLIT_NONE = all */
    gh_pool *pool; /* reads files side by side; may be NULL */
} gh_trainset_options;

/* Reads DIR/<class>/..., DIR/{train,val|valid,test}/<class>/..., a CSV path,label[,split][,group], a CSV of
 * votes (name, [split], one numeric column a class; sets the votes), or a labels.tsv (file, index, name).
 * GH_NOTFOUND, GH_FORMAT (says what was found and what is accepted), GH_LIMIT. Unreadable files are left out
 * and listed. */
GH_MUST_CHECK gh_status gh_trainset_open(gh_trainset **out, const char *path,
                                         const gh_trainset_options *options, gh_err *e);
void gh_trainset_free(gh_trainset **d);

/* Assigns fold[i] in 0 .. k-1 to each sample (UINT32_MAX: not used, where `use` is false), stratified by
 * class, seeded, twins and groups kept together. */
GH_MUST_CHECK gh_status gh_trainset_folds(uint32_t *fold, const gh_trainset *d, const bool *use, uint32_t k,
                                          uint64_t seed, gh_err *e);

#endif
