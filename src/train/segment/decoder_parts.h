/* What the files decoder*.c share. */
#ifndef GH_TRAIN_SEGMENT_DECODER_PARTS_H
#define GH_TRAIN_SEGMENT_DECODER_PARTS_H

#include "train/segment/decoder.h"

typedef struct gh_decoding {
    gh_layers layers;
    const gh_taps *taps;
    const gh_decoder_options *o;
    int level; /* of the scores */
} gh_decoding;

/* Channels that a decoder has at a level. */
int gh_decoder_width(const gh_decoding *d, int level);
/* Each gives the scores at d->level. */
uint32_t gh_decoder_unet(gh_decoding *d);
uint32_t gh_decoder_fcn(gh_decoding *d);

#endif
