/* What a manifest's `output` says beside the decoder: how the boxes of a localize model, or the values of a
 * segment model, are read. */
#ifndef GH_TASKS_MANIFEST_OUTPUT_H
#define GH_TASKS_MANIFEST_OUTPUT_H

/* Outputs of a network that a decoder of boxes reads. centernet: heat map, size, offset, landmarks; anchors:
 * boxes, scores, landmarks, anchors; box: boxes, scores. */
#define GH_DETECT_OUTPUTS 4

/* Limits of anchors that are generated: grids, and sizes in each. */
#define GH_MAX_LEVELS       8
#define GH_MAX_ANCHOR_SIZES 8

/* From a network's number to a score. */
typedef enum gh_activation {
    GH_ACTIVATION_NONE, /* 0..1 already */
    GH_ACTIVATION_SIGMOID,
    GH_ACTIVATION_SOFTMAX, /* over the columns of an anchor, the channels of a mask */
    GH_ACTIVATION_MINMAX,  /* masks: from the least to the largest value of the picture */
} gh_activation;

/* The order of coordinates: x before y, or y before x as TensorFlow has it. */
typedef enum gh_axes { GH_AXES_XY, GH_AXES_YX } gh_axes;

typedef enum gh_sort { GH_SORT_SCORE, GH_SORT_AREA } gh_sort;

/* A grid of anchors: squares of each size around the middle of each cell, all sizes of a cell together. */
typedef struct gh_anchor_level {
    int stride; /* pixels of the network's input a cell */
    int nsizes;
    float sizes[GH_MAX_ANCHOR_SIZES]; /* sides in pixels of the network's input */
} gh_anchor_level;

typedef struct gh_manifest_boxes {
    char *names[GH_DETECT_OUTPUTS]; /* of the network's outputs, in the decoder's order; NULL = by place */
    gh_activation activation;
    gh_axes axes;
    double variances[2]; /* factors of the numbers for the centre and for the size */
    double overlap;      /* of non-maximum suppression; 0 = the decoder's */
    gh_sort sort;        /* of the answer: the best or the largest first */
    gh_anchor_level levels[GH_MAX_LEVELS];
    int nlevels; /* 0: the network brings the anchors */
} gh_manifest_boxes;

#endif
