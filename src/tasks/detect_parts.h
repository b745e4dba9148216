/* The decoders of boxes: a table of them, and what they share. Only detect*.c includes this. */
#ifndef GH_TASKS_DETECT_PARTS_H
#define GH_TASKS_DETECT_PARTS_H

#include "tasks/detect.h"
#include "tasks/nms.h"

/* Candidates that are looked at, the best ones: a face has about ten over the threshold, so hundreds of faces
 * fit, and a request for everything in a large picture stays quick. */
#define GH_MOST_CANDIDATES 4096

/* The best candidates so far; a heap whose root is the worst once it is full. */
typedef struct gh_candidates {
    gh_box *boxes; /* room for GH_MOST_CANDIDATES */
    size_t count;
    float least; /* scores have to be over it */
} gh_candidates;

/* The score is over c->least; `at` says where it came from and is another one for each candidate. */
void gh_candidates_add(gh_candidates *c, float score, int index, int at);

/* What a decoder reads for one picture. */
typedef struct gh_detection {
    const gh_tensor *const *outputs; /* GH_DETECT_OUTPUTS, in the decoder's order; NULL = none */
    const gh_manifest *m;
    const gh_manifest_input *in; /* with the width and height that the network got */
} gh_detection;

/* Elements of an output in plain order; NULL where the network has it not. */
static inline const float *gh_detect_data(const gh_detection *d, int i)
{
    return d->outputs[i] ? d->outputs[i]->data : NULL;
}

typedef struct gh_detector {
    const char *name;
    int required;   /* outputs that the network has to have, the first ones */
    double overlap; /* of non-maximum suppression, where nobody says another */
    int landmarks;  /* which output they are */
    gh_status (*check)(const gh_detection *d, gh_err *e);
    /* Gives every score over c->least to gh_candidates_add. */
    gh_status (*scan)(gh_candidates *c, const gh_detection *d, gh_err *e);
    /* The corners of a candidate, in pixels of the network's input. */
    void (*place)(gh_box *b, const gh_detection *d);
    /* Five points, x and y, of a box that has been placed; called where there is the output. */
    void (*points)(float xy[GH_LANDMARKS][2], const gh_box *b, const gh_detection *d);
} gh_detector;

extern const gh_detector gh_detector_centernet, gh_detector_anchors, gh_detector_box;

#endif
