/* Training a network that segments: a decoder on a body, learnt from pictures with masks, to a model folder.
 */
#ifndef GH_TRAIN_SEGMENT_SEGMENT_H
#define GH_TRAIN_SEGMENT_SEGMENT_H

#include "train/augment/augment.h"
#include "train/data/balance.h"
#include "train/learn/learn.h"
#include "train/segment/decoder.h"

typedef struct gh_segment_options {
    const char *data, *out; /* out: the model folder; its last part is the model's name */
    const char *body, *cut; /* model folder or ONNX file; NULL with `scratch`. cut may be NULL */
    const char *scratch;    /* a net of scratch.h, or NULL */
    int scratch_width;
    gh_decoder_options decoder; /* classes are filled in */
    bool frozen;                /* the body's weights stay */
    double body_rate;           /* of the body's weights, as a share of the decoder's */
    gh_size size, window;       /* of the network's input; of what a step sees of it, 0, 0 = all */
    gh_augment augment;
    const char *show_augment; /* a PNG of what the network will see, and nothing is learnt; or NULL */
    gh_balance balance;
    double dice;   /* share of the Dice loss beside the cross entropy, 0..1 */
    double share;  /* judged by, where the data name no part val */
    uint32_t some; /* pictures that an epoch is judged by; 0 = all. The finished model is by all */
    uint32_t batch;
    bool strict, checkpointing;
    gh_learn_options learn; /* what the command line says of the loop, with pool and stop */
} gh_segment_options;

typedef struct gh_segment_summary {
    double miou, pixel_accuracy, edge; /* of the pictures judged by, through the exported model */
    double seconds, cpu_seconds;       /* of this process */
    uint32_t learnt, judged, classes, left_out, epochs, best_epoch;
    size_t parameters, trained;
} gh_segment_summary;

/* GH_ARG, GH_FORMAT (data that cannot be learnt from), GH_UNSUPPORTED (body and decoder do not fit),
 * GH_INTERRUPTED (the run's folder stays; `resume` goes on), GH_IO. */
GH_MUST_CHECK gh_status gh_train_segment(gh_segment_summary *out, const gh_segment_options *o, gh_err *e);

#endif
