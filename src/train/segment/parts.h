/* One run of training masks; shared by the files of this folder that train. */
#ifndef GH_TRAIN_SEGMENT_PARTS_H
#define GH_TRAIN_SEGMENT_PARTS_H

#include "train/data/maskdata.h"
#include "train/evaluate/masks.h"
#include "train/nets/body.h"
#include "train/segment/segment.h"

typedef struct gh_segment_run {
    const gh_segment_options *o;
    gh_err *e;
    char *name;             /* of the model */
    char *folder, *current; /* of the run, beside the model's; the model as it is now, within */
    gh_maskdata *data;
    gh_body *body; /* NULL from scratch */
    gh_manifest_input input;
    gh_augment augment;
    gh_size step; /* pixels that a step sees */
    gh_graph *graph;
    int level;  /* scores come out at stride 1 << level */
    bool known; /* the network scores all classes already */
    gh_tape *tape;
    float *weights;  /* one a class */
    gh_model *model; /* the current one, opened; NULL = to be written */
    gh_masks_evaluation *ev;
} gh_segment_run;

/* net.c. Body, input and decoder; and the tape. */
GH_MUST_CHECK gh_status gh_segment_net(gh_segment_run *r);
GH_MUST_CHECK gh_status gh_segment_tape(gh_segment_run *r);
/* own.c. The body's own decoder with other classes: r->graph ends in them, at r->level. */
GH_MUST_CHECK gh_status gh_segment_own(gh_segment_run *r);
/* task.c. What the loop is given. */
gh_learn_task gh_segment_task(gh_segment_run *r);
/* The sheet of --show-augment. */
GH_MUST_CHECK gh_status gh_segment_show(const gh_segment_run *r, const char *path);
/* write.c. A model folder with `graph`'s weights, without a self-test; metrics where r->ev is.
 */
GH_MUST_CHECK gh_status gh_segment_write(const gh_segment_run *r, const gh_graph *graph,
                                         const gh_learn_summary *learnt, const char *folder);
/* Measures the weights of `graph` on these pictures, through a model folder: into r->ev. */
GH_MUST_CHECK gh_status gh_segment_judge(gh_segment_run *r, const gh_graph *graph, const gh_maskset *set);
/* The finished model in the place of o->out. */
GH_MUST_CHECK gh_status gh_segment_finish(gh_segment_run *r, const gh_learn_summary *learnt);

#endif
