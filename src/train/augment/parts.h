/* What the files of this folder share. */
#ifndef GH_TRAIN_AUGMENT_PARTS_H
#define GH_TRAIN_AUGMENT_PARTS_H

#include "train/augment/augment.h"

/* From pixels of the result to pixels of the full picture: x = a[0] * u + a[1] * v + a[2], y = a[3] * u +
 * a[4] * v + a[5]. */
typedef struct gh_affine {
    double a[6];
} gh_affine;

/* warp.c */
void gh_warp_pixels(uint8_t *dst, int width, int height, const gh_image *image, const gh_affine *t,
                    const uint8_t fill[3]);
void gh_warp_mask(uint8_t *dst, int width, int height, const uint8_t *mask, int mask_width, int mask_height,
                  const gh_affine *t);
void gh_warp_box(gh_augment_box *out, const gh_ap_rect *box, int width, int height, const gh_affine *t);

/* pixels.c. Each draws its own strength. */
void gh_augment_colour(uint8_t *pixels, size_t count, float strength, gh_rng *rng);
void gh_augment_grey(uint8_t *pixels, size_t count);
GH_MUST_CHECK gh_status gh_augment_blur(uint8_t *pixels, int width, int height, gh_rng *rng, gh_err *e);
GH_MUST_CHECK gh_status gh_augment_small(uint8_t *pixels, int width, int height, gh_rng *rng, gh_err *e);
/* Hides a rectangle of the result; boxes that lose most of what is to be seen are dropped. */
void gh_augment_cutout(const gh_augment_to *to, size_t nboxes, int width, int height, const uint8_t fill[3],
                       gh_rng *rng);

#endif
