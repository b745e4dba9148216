/* One run of training boxes; shared by the files of this folder that train. */
#ifndef GH_TRAIN_LOCALIZE_PARTS_H
#define GH_TRAIN_LOCALIZE_PARTS_H

#include "train/data/boxdata.h"
#include "train/evaluate/boxes.h"
#include "train/localize/box_target.h"
#include "train/localize/localize.h"
#include "train/nets/body.h"

#include <jansson.h>
#include <pthread.h>

/* Least score of an answer until one has been chosen. */
#define GH_LOCALIZE_THRESHOLD 0.3

/* The frozen body in the serving engine, with a session for each thread that asks. */
typedef struct gh_localize_features {
    gh_net *net; /* the picture in, the values out that the head reads */
    gh_plan *plan;
    gh_session **sessions;
    int free, count;
    pthread_mutex_t lock; /* of `free`: sessions[0 .. free - 1] are */
    bool locks;
} gh_localize_features;

typedef struct gh_localize_run {
    const gh_localize_options *o;
    gh_err *e;
    char *name;   /* of the model */
    char *folder; /* of the run, beside the model's */
    char *first;  /* of the head's own stage, where a second one follows: in `folder` */
    gh_boxdata *data;
    gh_body *body;
    gh_manifest_input input;
    gh_box_head_options head;
    int levels;                     /* that the head reads */
    gh_graph *graph;                /* body and head, with the outputs of training */
    gh_graph *alone;                /* the head: its inputs are the body's values, deepest last */
    gh_shape inputs[GH_TAP_LEVELS]; /* of `alone`, a batch each */
    gh_localize_features features;
    bool whole; /* body and head learn */
    gh_tape *tape;
    double threshold; /* least score of an answer when a request names none; 0 = not chosen yet */
    gh_boxes_evaluation *ev;
    gh_model *model; /* that `ev` is of */
} gh_localize_run;

/* net.c. Body, head, and the head alone. */
GH_MUST_CHECK gh_status gh_localize_net(gh_localize_run *r);
/* A tape of the head alone, or of the whole. */
GH_MUST_CHECK gh_status gh_localize_tape(gh_localize_run *r, const gh_shape *inputs);
/* The weights of `alone` into the whole graph. */
GH_MUST_CHECK gh_status gh_localize_join(gh_localize_run *r);
/* What is served with the weights of `g`, which is the head alone or the whole and outlives it. */
GH_MUST_CHECK gh_status gh_localize_served(gh_graph **out, const gh_localize_run *r, const gh_graph *g);
void gh_localize_net_free(gh_localize_run *r);
/* features.c. The body's values of a picture, plain, to each of `to`; from any thread. */
GH_MUST_CHECK gh_status gh_localize_features_open(gh_localize_features *f, gh_graph **body,
                                                  const gh_manifest_input *in, int threads, gh_err *e);
GH_MUST_CHECK gh_status gh_localize_features_run(gh_localize_features *f, float *const *to,
                                                 const uint8_t *pixels, const gh_manifest_input *in,
                                                 gh_err *e);
void gh_localize_features_close(gh_localize_features *f);
/* task.c. What the loop is given. */
gh_learn_task gh_localize_task(gh_localize_run *r);
/* The sheet of --show-augment. */
GH_MUST_CHECK gh_status gh_localize_show(const gh_localize_run *r, const char *path);
/* write.c. Measures the weights of `g` on the pictures to judge by: into r->ev. */
GH_MUST_CHECK gh_status gh_localize_judge(gh_localize_run *r, const gh_graph *g);
/* What the run is judged by: higher is better. */
double gh_localize_metric(const gh_localize_run *r);
/* Chooses the threshold by r->ev, and measures again with it. */
GH_MUST_CHECK gh_status gh_localize_threshold(gh_localize_run *r, const gh_graph *g);
/* The finished model in the place of o->out. */
GH_MUST_CHECK gh_status gh_localize_finish(gh_localize_run *r, const gh_learn_summary *learnt);

#endif
