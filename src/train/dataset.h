/* A labelled set of pictures on disk: a folder a class, split folders, or a CSV. Nothing is decoded here but
 * the bytes are read once to know equal pictures. */
#ifndef GH_TRAIN_DATASET_H
#define GH_TRAIN_DATASET_H

#include "base/arena.h"
#include "base/pool.h"

#include <stdbool.h>
#include <stdint.h>

#define GH_MAX_CLASSES 65536
#define GH_MAX_SAMPLES 10000000u

typedef enum gh_part { GH_PART_NONE, GH_PART_TRAIN, GH_PART_VAL, GH_PART_TEST } gh_part;

typedef struct gh_sample {
    const char *path;   /* as it can be opened */
    const float *votes; /* class shares that sum to 1, or NULL when only `label` counts */
    uint32_t label;     /* class; of votes the largest, ties to the lower index */
    uint32_t group;     /* pictures of one group stay on one side of a split; UINT32_MAX = none */
    uint32_t twin;      /* first sample with the same bytes; itself when it is the first */
    gh_part part;       /* as the data say; GH_PART_NONE where they do not */
    uint64_t hash[2];   /* XXH3-128 of the file's bytes */
} gh_sample;

typedef struct gh_dataset {
    gh_arena *arena;      /* holds paths, names and votes */
    const char **classes; /* sorted by name (CSV: votes in the order of the columns) */
    uint32_t nclasses;
    gh_sample *samples; /* sorted by path */
    uint32_t nsamples;
    const char **problems; /* a sentence each: unreadable, no picture, label in conflict with its twin's */
    uint32_t nproblems;
    bool parted;      /* the data name their own split */
    uint64_t hash[2]; /* of all content hashes and labels, in order: names the data in a manifest */
} gh_dataset;

typedef struct gh_dataset_options {
    bool strict;      /* a problem is an error */
    gh_pool *pool;    /* reads files side by side; may be NULL */
    const char *base; /* where a CSV's bare names are looked for; NULL = the CSV's folder */
} gh_dataset_options;

/* Reads DIR/<class>/..., DIR/{train,val|valid,test}/<class>/..., a CSV path,label[,split][,group], a CSV of
 * votes (name, [split], one numeric column a class; sets the votes), or a labels.tsv (file, index, name).
 * GH_NOTFOUND, GH_FORMAT (says what was found and what is accepted), GH_LIMIT. Unreadable files are left out
 * and listed. */
GH_MUST_CHECK gh_status gh_dataset_open(gh_dataset **out, const char *path, const gh_dataset_options *options,
                                        gh_err *e);
void gh_dataset_free(gh_dataset **d);

/* Assigns fold[i] in 0 .. k-1 to each sample (UINT32_MAX: not used, where `use` is false), stratified by
 * class, seeded, twins and groups kept together. */
GH_MUST_CHECK gh_status gh_dataset_folds(uint32_t *fold, const gh_dataset *d, const bool *use, uint32_t k,
                                         uint64_t seed, gh_err *e);

#endif
