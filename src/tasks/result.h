/* The answer for one picture, of whichever task. */
#ifndef GH_TASKS_RESULT_H
#define GH_TASKS_RESULT_H

#include "image/mask.h"
#include "tasks/registry.h"

typedef struct gh_label {
    const char *label; /* borrowed from the model */
    int index;
    float score; /* 0..1 */
} gh_label;

/* What a further step of a pipeline says of one box: a score for each label of the step's model. */
typedef struct gh_fact {
    const char *key;     /* "emotion"; borrowed from the pipeline */
    char *const *labels; /* borrowed from the step's model */
    size_t nlabels;
    const double *scores; /* 0..1, multiples of 1e-6; where they are of a softmax their sum is 1 */
    int best;             /* the label with the largest; -1: the model's reject rule fired */
} gh_fact;

#define GH_LANDMARKS 5

/* A box in whole pixels of the upright picture, clipped to it; w and h are at least 1. */
typedef struct gh_object {
    const char *label; /* borrowed from the model */
    int index;
    float score; /* 0..1 */
    int x, y, w, h;
    int landmarks[GH_LANDMARKS][2]; /* x, y: eyes, nose, corners of the mouth, the picture's left first */
    int nlandmarks;                 /* 0 or GH_LANDMARKS */
    const gh_fact *facts;           /* one a step of the pipeline; NULL where there is none */
    int nfacts;
} gh_object;

/* A class that a mask shows. */
typedef struct gh_area {
    const char *label; /* borrowed from the model */
    int index;
    int64_t pixels;
    const gh_region *regions; /* the largest first; borrowed from the result's gh_regions */
    size_t nregions;
} gh_area;

/* gharial.h has the same type, opaque. */
struct gh_result {
    gh_model *model;   /* a reference */
    int width, height; /* of the upright picture */
    gh_task task;
    gh_label *labels; /* best first */
    size_t nlabels;
    gh_object *objects; /* the best first, or the largest, as the manifest says */
    size_t nobjects;
    float *features; /* of task embed */
    size_t nfeatures;
    gh_fact *facts;           /* of all objects */
    double *scores;           /* of all facts */
    struct gh_result **parts; /* of an answer of several models: theirs, whose objects are all here */
    size_t nparts;
    gh_mask *mask;  /* segment: soft values on the network's grid; gh_mask_row_* give them at the size of
                       the upright picture */
    gh_buf picture; /* segment: the PNG that the options name */
    gh_area *areas; /* segment, where wanted: classes but the background, that of most pixels first */
    size_t nareas;
    gh_regions *regions; /* what the areas stand on; NULL unless wanted */
    gh_mask_runs *runs;  /* NULL unless wanted */
    bool has_crops;      /* the model is a pipeline whose steps were wanted */
    bool unknown;        /* the manifest's reject rule fired */
    bool truncated;      /* the picture's file ended early: a warning in the reply */
    double decode_ms, preproc_ms, infer_ms;
    double crops_ms;  /* the further steps of a pipeline */
    double encode_ms; /* making a picture: drawing, a mask with its regions; 0 = none was */
};

#endif
