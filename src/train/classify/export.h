/* From a fitted head to a model folder that a server picks up. */
#ifndef GH_TRAIN_CLASSIFY_EXPORT_H
#define GH_TRAIN_CLASSIFY_EXPORT_H

#include "train/classify/fit.h"
#include "train/heads/reject.h"
#include "train/nets/body.h"

typedef struct gh_export {
    const gh_body *body;
    const gh_trainset *set;
    const gh_head_type *type;
    const gh_head *head;
    const gh_graph *graph; /* the whole network where it was trained; else NULL, and body and head make it */
    const gh_reject *reject; /* or NULL: no reject rule */
    float temperature;
    double reject_threshold;
    bool head_only;
    const char *name, *head_details;  /* of describe(), or NULL */
    const char *selftest_picture;     /* a picture's file that becomes the self-test, or NULL */
    const gh_metrics *metrics, *test; /* test may be NULL */
    uint64_t seed;
    uint32_t folds;
    const char *balance, *augment;
} gh_export;

/* Writes model.onnx (or head.onnx), model.json and the self-test picture into the folder, which is being
 * staged. */
GH_MUST_CHECK gh_status gh_export_write(const gh_export *x, const char *folder, gh_err *e);

#endif
