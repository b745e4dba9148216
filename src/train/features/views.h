/* The views of a picture that training sees. View 0 is the picture as serving sees it. */
#ifndef GH_TRAIN_FEATURES_VIEWS_H
#define GH_TRAIN_FEATURES_VIEWS_H

#include "tasks/preproc.h"

/* What --augment may name; bits may be combined, and each adds views. */
enum { GH_AUGMENT_FLIP = 1, GH_AUGMENT_CROP = 2, GH_AUGMENT_COLOUR = 4 };

/* Reads "flip,crop,colour" ("none" = 0). GH_ARG names what is accepted. */
GH_MUST_CHECK gh_status gh_augment_parse(unsigned *out, const char *text, gh_err *e);
/* How many views a picture has. */
uint32_t gh_views_count(unsigned augment);
/* Fills `pixels` (width * height * 3 of the input) with view `view`. Random views follow from `seed` alone.
 */
GH_MUST_CHECK gh_status gh_view_make(uint8_t *pixels, const gh_image *image, const gh_manifest_input *in,
                                     unsigned augment, uint32_t view, uint64_t seed, gh_err *e);

#endif
