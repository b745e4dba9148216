/* From a picture to the input tensor: crop, resize, normalise, as the manifest's `input` says. */
#ifndef GH_TASKS_PREPROC_H
#define GH_TASKS_PREPROC_H

#include "engine/tensor.h"
#include "tasks/manifest.h"

/* Smallest size at which a JPEG may be decoded for this input: of the whole upright picture, in pixels. */
void gh_preproc_min_size(int *min_width, int *min_height, const gh_manifest_input *in, int width, int height);
/* Fills `dst` (1 x 3 x height x width float32, plain). `scratch` holds width * height * 3 bytes. */
GH_MUST_CHECK gh_status gh_preproc_run(gh_tensor *dst, const gh_image *image, const gh_manifest_input *in,
                                       uint8_t *scratch, gh_err *e);

#endif
