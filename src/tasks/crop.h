/* What a step of a pipeline sees of a picture: the part around one box. */
#ifndef GH_TASKS_CROP_H
#define GH_TASKS_CROP_H

#include "engine/tensor.h"
#include "tasks/run.h"

/* A rectangle in pixels of the upright picture, turned about its centre; it may reach beyond the picture,
 * whose edge then repeats. */
typedef struct gh_patch {
    double cx, cy, w, h;
    double angle; /* radians; positive turns x towards y, as a head leans to its left shoulder seen from us */
} gh_patch;

/* The part that a step with `crop` sees of a box: its margin in shares of the side, square and upright by the
 * eyes where it asks for that. */
gh_patch gh_crop_place(const gh_crop *crop, const gh_object *box);
/* Bytes of scratch that gh_crop_run needs for this input. */
size_t gh_crop_scratch(const gh_manifest_input *in);
/* Fills `dst` as gh_preproc_run does for a picture that has just the patch's pixels. */
GH_MUST_CHECK gh_status gh_crop_run(gh_tensor *dst, const gh_image *image, const gh_manifest_input *in,
                                    const gh_patch *patch, uint8_t *scratch, gh_err *e);
/* Its pixels before they are normalised: width * height RGB bytes at the start of `scratch`. */
GH_MUST_CHECK gh_status gh_crop_pixels(uint8_t *scratch, const gh_image *image, const gh_manifest_input *in,
                                       const gh_patch *patch, gh_err *e);

#endif
