/* Decoders: from a body's values back to a class for each place of the picture. A decoder is a part of the
 * graph; the body's weights are not touched.
 *
 * unet goes up from the deepest stride by steps of two, each time joined by concatenation with the body's
 * value of that size (Ronneberger et al. 2015). segnet goes up without joining (Badrinarayanan et al. 2015).
 * fcn scores the classes at stride 32 (16, 8) and adds the scores on the way up (Long et al. 2015). own is
 * none of these: a body that is a network of masks already keeps its decoder, and only its layer of scores is
 * made anew (nets/score_layer.h). */
#ifndef GH_TRAIN_SEGMENT_DECODER_H
#define GH_TRAIN_SEGMENT_DECODER_H

#include "train/nets/layers.h"
#include "train/nets/taps.h"

typedef enum gh_decoder_kind {
    GH_DECODER_UNET,
    GH_DECODER_SEGNET,
    GH_DECODER_FCN8,
    GH_DECODER_FCN16,
    GH_DECODER_FCN32,
    GH_DECODER_OWN
} gh_decoder_kind;

typedef enum gh_unpool {
    GH_UNPOOL_NEAREST, /* each value four times */
    GH_UNPOOL_MAX,     /* to where the maximum was that the body's pooling took, the rest zero */
    GH_UNPOOL_LEARNED  /* a transposed convolution */
} gh_unpool;

typedef struct gh_decoder_options {
    gh_decoder_kind kind;
    gh_unpool unpool;
    int classes;
    int width; /* channels at stride 4; twice that at 8, four times at 16; 0 = 48 */
    int level; /* scores come out at stride 1 << level; -1 = 1, or 0 where the body has a value at stride 1 */
    uint64_t seed;
} gh_decoder_options;

/* "unet", "segnet", "fcn" (= fcn-8), "fcn-16", "fcn-32", "own"; "nearest", "max", "learned". GH_ARG. */
GH_MUST_CHECK gh_status gh_decoder_kind_of(gh_decoder_kind *out, const char *name, gh_err *e);
GH_MUST_CHECK gh_status gh_unpool_of(gh_unpool *out, const char *name, gh_err *e);
const char *gh_decoder_name(gh_decoder_kind kind);
const char *gh_unpool_name(gh_unpool unpool);

/* Adds the decoder's nodes: *logits is N x classes x height >> *level x width >> *level. The graph's output
 * is not changed. GH_UNSUPPORTED: the unpooling does not fit the body or the decoder, and why. */
GH_MUST_CHECK gh_status gh_decoder_add(uint32_t *logits, int *level, gh_graph *g, const gh_taps *taps,
                                       const gh_decoder_options *o, gh_err *e);
/* The same, and the network ends there: output "logits", what only the old head needed is dropped. */
GH_MUST_CHECK gh_status gh_decoder_build(int *level, gh_graph *g, const gh_taps *taps,
                                         const gh_decoder_options *o, gh_err *e);
/* The network ends at these scores, whoever made them. */
GH_MUST_CHECK gh_status gh_decoder_end(gh_graph *g, uint32_t scores, int classes, gh_err *e);

#endif
