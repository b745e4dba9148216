/* A set of labelled boxes made ready for training: each picture's header looked at once, boxes held against
 * its size, classes numbered, the parts to learn from and to judge by. */
#ifndef GH_TRAIN_DATA_BOXDATA_H
#define GH_TRAIN_DATA_BOXDATA_H

#include "base/pool.h"
#include "train/data/boxset.h"

typedef struct gh_boxdata_options {
    double share; /* judged by, where the data name no part val: chosen by the name of the file alone */
    bool strict;  /* a picture or box that cannot be used is an error; else it is left out and logged */
    gh_pool *pool;
} gh_boxdata_options;

/* A picture to learn from; its boxes are clipped to it. */
typedef struct gh_boxdata_picture {
    const char *path;
    const gh_ap_rect *boxes; /* pixels of the upright picture */
    const uint32_t *classes;
    size_t nboxes;
} gh_boxdata_picture;

typedef struct gh_boxdata {
    gh_boxset *set;
    const char **classes; /* names; classes without a box to learn from are not among them */
    uint32_t nclasses;
    gh_boxdata_picture *learn;
    uint32_t nlearn;
    gh_boxset *judge;          /* the pictures to judge by, with these classes */
    size_t boxes;              /* to learn from */
    uint32_t left_out;         /* pictures that cannot be read */
    uint32_t boxes_left_out;   /* boxes that lie outside of their picture */
    uint32_t classes_left_out; /* without a box */
} gh_boxdata;

/* GH_FORMAT: no boxes, or none in one of the parts; too few pictures; and what gh_boxset_open says. */
GH_MUST_CHECK gh_status gh_boxdata_open(gh_boxdata **out, const char *path, const gh_boxdata_options *o,
                                        gh_err *e);
void gh_boxdata_free(gh_boxdata **d);

#endif
