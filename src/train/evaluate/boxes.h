/* A model of task localize over pictures with labelled boxes. */
#ifndef GH_TRAIN_EVALUATE_BOXES_H
#define GH_TRAIN_EVALUATE_BOXES_H

#include "train/data/boxset.h"
#include "train/evaluate/sweep.h"

/* What became of one picture. */
typedef struct gh_boxes_outcome {
    gh_ap_found *found; /* owned; of classes that the set has */
    size_t count;
    bool other_size; /* the set says another size than the picture has: its boxes are of something else */
    char *error;     /* why it failed, or NULL; owned */
} gh_boxes_outcome;

typedef struct gh_boxes_options {
    int threads;
    size_t limit;     /* boxes a picture and class; 0 = COCO's 100 */
    double threshold; /* least score of a box that is looked at; 0 = 0.01 */
    double cut;       /* score at which right and wrong are counted; 0 = the manifest's threshold */
    double nms;       /* 0 = the model's */
    int max_side;     /* 0 = the default */
} gh_boxes_options;

/* Labelled boxes by their area in pixels of the picture: under 32^2, under 96^2, and larger, as COCO has it.
 */
#define GH_BOXES_SIZES 3

typedef struct gh_boxes_size {
    size_t truths, right; /* found: IoU 0.5, at least the score `cut` */
} gh_boxes_size;

typedef struct gh_boxes_evaluation {
    gh_boxes_outcome *outcomes; /* one a picture of the set */
    size_t count, failed;
    size_t other_sizes;
    bool *known;           /* one a category of the set: the model has a label of this name */
    size_t nknown;         /* of them */
    gh_ap_class *classes;  /* one a category, then all together: pictures read and categories known alone */
    size_t truths, crowds; /* boxes that count, and those that are ignored or crowds, among these */
    gh_boxes_size sizes[GH_BOXES_SIZES]; /* small, medium, large; of all classes */
    double iou; /* mean over pictures that have boxes: how well the best found box fits the labelled one that
                   it overlaps most; nothing found = 0 */
    double cut;
    double seconds;
} gh_boxes_evaluation;

/* A picture that fails is counted and the run goes on. GH_ARG when the model and the set have no class of the
 * same name. */
GH_MUST_CHECK gh_status gh_evaluate_boxes(gh_boxes_evaluation **out, gh_model *model, const gh_boxset *set,
                                          const gh_boxes_options *options, gh_sweep_progress progress,
                                          void *arg, gh_err *e);
/* "small", "medium", "large". */
const char *gh_boxes_size_name(int i);
void gh_boxes_evaluation_free(gh_boxes_evaluation **ev);

#endif
