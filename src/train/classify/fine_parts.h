/* What the files fine*.c share. */
#ifndef GH_TRAIN_CLASSIFY_FINE_PARTS_H
#define GH_TRAIN_CLASSIFY_FINE_PARTS_H

#include "image/image.h"
#include "train/classify/fine.h"

/* Decoded pictures that are kept while they are learnt from, at most; beyond it they are decoded anew. */
#define GH_FINE_KEPT_BYTES ((size_t)768 << 20)

typedef struct gh_fine {
    const gh_fine_options *o;
    uint32_t classes, batch;
    uint32_t *learnt, *judged; /* examples */
    size_t nlearnt, njudged;
    float *weight;     /* of each class's examples in the loss */
    gh_image **images; /* of each learnt one, or NULL where it is not kept */
    bool *learns;      /* of each value of the graph */
    float *scores;     /* of the judged ones */
    size_t pixels;     /* floats of an input */
} gh_fine;

/* fine_samples.c. */
/* A JPEG may be decoded smaller: as serving does with spare 1, else that many times larger. */
GH_MUST_CHECK gh_status gh_fine_decode(gh_image **out, const gh_fine_options *o, const char *path, int spare,
                                       gh_err *e);
/* Decodes what is learnt from once, side by side, as far as it may be kept. */
GH_MUST_CHECK gh_status gh_fine_keep_images(gh_fine *f, gh_err *e);
void gh_fine_weigh(gh_fine *f);
gh_status gh_fine_sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                         gh_err *e);
gh_status gh_fine_mix(void *arg, gh_tape *t, void *targets, gh_rng *rng, gh_err *e);

/* fine_score.c. */
gh_status gh_fine_validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e);
gh_status gh_fine_draw(void *arg, const gh_graph *g, gh_buf *html, gh_err *e);

/* fine_blocks.c. Marks the constants that are learnt when the last `blocks` are (-1 = all). */
GH_MUST_CHECK gh_status gh_fine_choose(bool *learns, const gh_graph *g, int blocks, gh_err *e);

#endif
