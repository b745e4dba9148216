/* Training a network that finds boxes: a head on a body, learnt from pictures with labelled boxes, to a model
 * folder. The head learns first, on what the serving engine makes of each picture; then, where that is
 * wanted, body and head learn together. */
#ifndef GH_TRAIN_LOCALIZE_LOCALIZE_H
#define GH_TRAIN_LOCALIZE_LOCALIZE_H

#include "train/augment/augment.h"
#include "train/learn/learn.h"
#include "train/localize/box_head.h"

typedef struct gh_localize_options {
    const char *data, *out;   /* out: the model folder; its last part is the model's name */
    const char *body, *cut;   /* model folder or ONNX file; cut may be NULL */
    gh_box_head_options head; /* classes and sizes are filled in */
    gh_size size;             /* of the network's input */
    gh_fit fit;               /* letterbox or stretch */
    gh_augment augment;
    const char *show_augment; /* a PNG of what the network will see, and nothing is learnt; or NULL */
    double share;             /* judged by, where the data name no part val */
    uint32_t batch;
    uint32_t unfreeze;    /* epochs in which the body learns too; 0 = none */
    double body_rate;     /* of the body's weights, as a share of the head's */
    double unfreeze_rate; /* highest rate of these epochs, as a share of the rate before */
    bool strict, checkpointing;
    gh_learn_options learn; /* what the command line says of the loop, with pool and stop */
} gh_localize_options;

typedef struct gh_localize_summary {
    double iou, ap50, ap;        /* of the pictures judged by, through the exported model */
    size_t right, truths, wrong; /* at the manifest's threshold */
    double seconds, cpu_seconds; /* of this process */
    uint32_t learnt, judged, classes, left_out, boxes_left_out, epochs, best_epoch;
    size_t boxes, trained; /* weights learnt in the last stage */
} gh_localize_summary;

/* GH_ARG, GH_FORMAT (data that cannot be learnt from), GH_UNSUPPORTED (body and head do not fit),
 * GH_INTERRUPTED (the run's folder stays; `resume` goes on), GH_IO. */
GH_MUST_CHECK gh_status gh_train_localize(gh_localize_summary *out, const gh_localize_options *o, gh_err *e);

#endif
