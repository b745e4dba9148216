/* Labelled pictures on disk, in the layouts that people have:
 *   DIR/<class>/picture                       a folder a class
 *   DIR/{train,val,test}/<class>/picture      the same, split ("valid" and "validation" are val)
 *   DIR/labels.tsv, or a .tsv file            file, class index, name; with or without a header line
 *   DIR/labels.csv, or a .csv file            path, label[, split][, group]; with or without a header line
 *   a .csv file with a header                 path[, split][, group] and a column of votes for each class
 * Paths in a table are relative to its folder; bare names are also looked for in split and class folders
 * below it (lookup.h). Pictures are not opened here. */
#ifndef GH_TRAIN_DATA_DATASET_H
#define GH_TRAIN_DATA_DATASET_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>

typedef enum gh_split { GH_SPLIT_NONE, GH_SPLIT_TRAIN, GH_SPLIT_VAL, GH_SPLIT_TEST, GH_SPLIT_COUNT } gh_split;

typedef struct gh_sample {
    const char *path;   /* to open */
    const char *label;  /* name of the class, never NULL; of votes the first with most */
    const char *group;  /* pictures that belong together (a person, a camera), or NULL */
    const float *votes; /* nvoted of them, >= 0, at least one > 0; or NULL */
    int index;          /* class index where a table gives it, else -1 */
    gh_split split;
} gh_sample;

typedef struct gh_dataset {
    gh_arena *arena; /* holds everything below */
    const char *layout;
    gh_sample *samples; /* in the order of the table, or sorted by class and path */
    size_t count, cap;
    size_t per_split[GH_SPLIT_COUNT];
    const char **voted; /* classes that the votes are for, in the order of the columns; NULL without votes */
    size_t nvoted;
} gh_dataset;

/* GH_NOTFOUND, GH_IO; GH_FORMAT with file and line; GH_LIMIT; GH_ARG when no layout fits, saying which there
 * are. */
GH_MUST_CHECK gh_status gh_dataset_open(gh_dataset **out, const char *path, gh_err *e);
void gh_dataset_free(gh_dataset **d);
const char *gh_split_name(gh_split split);
/* "train", "val", "valid", "validation" or "test", in any case; else GH_SPLIT_NONE. */
gh_split gh_split_of(const char *name);

/* Keeps the samples of one part alone, as if the data had no parts; GH_ARG when it has no picture. */
GH_MUST_CHECK gh_status gh_dataset_keep_part(gh_dataset *d, gh_split part, gh_err *e);

/* Adds a sample; texts and votes are copied. Used by the readers of each layout. */
GH_MUST_CHECK gh_status gh_dataset_add(gh_dataset *d, const gh_sample *sample, gh_err *e);
/* Reads a .tsv or .csv table into `d`. */
GH_MUST_CHECK gh_status gh_dataset_table(gh_dataset *d, const char *file, gh_err *e);

#endif
