/* Heads that find boxes, on any body's graph: box, one box a picture from pooled features by dense layers;
 * and detect, any number of boxes, without anchors: maps of centres, sizes and offsets (Zhou et al. 2019)
 * from a neck that goes up from the deepest stride and adds the body's values on the way (Lin et al. 2017).
 */
#ifndef GH_TRAIN_LOCALIZE_BOX_HEAD_H
#define GH_TRAIN_LOCALIZE_BOX_HEAD_H

#include "train/nets/taps.h"

typedef enum gh_box_head_kind { GH_BOX_HEAD_BOX, GH_BOX_HEAD_DETECT } gh_box_head_kind;

/* Outputs while it is trained. box: 0 = four numbers, N x 4 x 1 x 1, whose sigmoids are centre x and y, width
 * and height in shares of the input, 1 = a logit a class, N x classes x 1 x 1. detect: 0 = logits of centres,
 * a map a class; 1 = logarithms of height and width in cells; 2 = offsets of the centre from the middle of
 * its cell, row before column. */
#define GH_BOX_OUTPUTS 3
/* Names of a head's values begin with it. */
#define GH_BOX_HEAD "localize/"

typedef struct gh_box_head_options {
    gh_box_head_kind kind;
    int classes;
    int in_width, in_height; /* pixels of the input, multiples of 32 */
    int width;               /* channels of the neck; 0 = 64 */
    int hidden;              /* box: units of the dense layer; 0 = 256 */
    int level;               /* detect: a cell is 1 << level pixels; 0 = 3 */
    uint64_t seed;
} gh_box_head_options;

/* "box", "detect". GH_ARG. */
GH_MUST_CHECK gh_status gh_box_head_kind_of(gh_box_head_kind *out, const char *name, gh_err *e);
size_t gh_box_head_outputs(gh_box_head_kind kind);
/* Which levels of the taps it reads: from *first to the deepest. GH_UNSUPPORTED when the body ends before. */
GH_MUST_CHECK gh_status gh_box_head_levels(int *first, const gh_taps *taps, const gh_box_head_options *o,
                                           gh_err *e);
/* Puts the head on the body's values: its outputs become the graph's, and what only the old ones needed is
 * dropped. */
GH_MUST_CHECK gh_status gh_box_head_add(gh_graph *g, const gh_taps *taps, const gh_box_head_options *o,
                                        gh_err *e);
/* From the outputs of training to those that are served: boxes and scores for the decoder box; heat, size and
 * offset for the decoder centernet, where only a cell that is the largest of 3 x 3 keeps its score. */
GH_MUST_CHECK gh_status gh_box_head_finish(gh_graph *g, const gh_box_head_options *o, gh_err *e);
/* Makes `values` the graph's outputs and drops what they do not need. */
GH_MUST_CHECK gh_status gh_box_head_keep(gh_graph *g, const uint32_t *values, size_t n, gh_err *e);

#endif
