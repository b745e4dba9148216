/* A sample as training sees it: picture, mask and boxes go through one and the same change of place, drawn at
 * random; colours of the picture change beside it. All chance comes from the generator that is given: the
 * same one gives the same bytes. */
#ifndef GH_TRAIN_AUGMENT_AUGMENT_H
#define GH_TRAIN_AUGMENT_AUGMENT_H

#include "base/rng.h"
#include "tasks/preproc.h"
#include "train/metrics/ap.h"

/* How strong each change is; 0 = none. */
typedef struct gh_augment {
    gh_size window; /* of the network's input only so many pixels are made, from a place at random; 0 = all */
    float flip;     /* share of the pictures that are mirrored, 0..1 */
    float scale;    /* zoomed by a factor from 1 / (1 + scale) to 1 + scale */
    float ratio;    /* width against height, by such a factor */
    float crop;     /* shifted by up to this share of what a zoom hides, or else of the side, 0..1 */
    float rotate;   /* degrees either way */
    float colour;   /* brightness, contrast, saturation and white balance vary by this share either way */
    float blur, cutout, grey, small; /* shares of the pictures: blurred; a part hidden; without colour; of few
                                        pixels, scaled up */
} gh_augment;

/* Reads "flip,scale=0.5,rotate=10" ("none" = nothing; "default" = what photos bear well, names after it
 * change it). GH_ARG names what is accepted. */
GH_MUST_CHECK gh_status gh_augment_read(gh_augment *out, const char *text, gh_err *e);
/* The same in words that gh_augment_read takes; gives text. */
char *gh_augment_text(const gh_augment *a, char text[200]);

/* Pixels of a mask, or of none, that count nowhere (as GH_MASK_IGNORED). */
#define GH_AUGMENT_VOID 255

typedef struct gh_augment_from {
    const gh_image *image;   /* may be decoded at a smaller scale */
    const uint8_t *mask;     /* full_width * full_height of the image, or NULL */
    const gh_ap_rect *boxes; /* in pixels of the full picture */
    size_t nboxes;
} gh_augment_from;

typedef struct gh_augment_box {
    gh_ap_rect box; /* pixels of the result, clipped to it */
    bool kept;      /* false: too little of it is to be seen, and `box` means nothing */
} gh_augment_box;

/* Arrays are the caller's: pixels of 3 bytes (RGB) and of 1, as many as the input or the window has, and
 * nboxes boxes. `mask` may be NULL. */
typedef struct gh_augment_to {
    uint8_t *pixels, *mask;
    gh_augment_box *boxes;
} gh_augment_to;

/* What a network with the input `in` sees of it. Where no change of place is drawn the pixels are those that
 * serving sees; else they are sampled once, and what lies outside of the picture has the mean colour and no
 * class. A turned box is that of the ellipse in it. */
GH_MUST_CHECK gh_status gh_augment_make(const gh_augment_to *to, const gh_augment_from *from,
                                        const gh_manifest_input *in, const gh_augment *a, gh_rng *rng,
                                        gh_err *e);

#endif
