/* From a picture to the input tensor: crop, resize, normalise, as the manifest's `input` says. */
#ifndef GH_TASKS_PREPROC_H
#define GH_TASKS_PREPROC_H

#include "engine/tensor.h"
#include "tasks/manifest.h"

/* Where the picture's pixels go: `box` of the upright picture in the file (full size, in pixels) is resampled
 * to width * height pixels at (x, y) of the network's input; what lies outside is filled with the mean. */
typedef struct gh_placement {
    gh_rect box;
    int x, y, width, height;
} gh_placement;

/* Longest side of a picture for a model that takes any size, unless the request names one, and its range. */
#define GH_DEFAULT_MAX_SIDE 1280
#define GH_LEAST_MAX_SIDE   32
#define GH_MOST_MAX_SIDE    2048

/* The network's input size for an upright picture, where `in` has a stride: a longest side over max_side
 * (pixels; 0 = default) is scaled to it, the other in proportion, then each is rounded up to the stride. */
void gh_preproc_choose(gh_manifest_input *in, int width, int height, int max_side);
/* The placement of an upright picture of width * height. crop: the box of "short side to round(size / crop),
 * long side in proportion, rounded down, then the centre": torchvision's Resize and CenterCrop, in one step.
 */
gh_placement gh_preproc_place(const gh_manifest_input *in, int width, int height);
/* Smallest size at which a JPEG may be decoded for this input: of the whole upright picture, in pixels; 0, 0
 * = full size only. The reasons and figures stand at the function. */
void gh_preproc_min_size(int *min_width, int *min_height, const gh_manifest_input *in, int width, int height);
/* Fills `dst` (1 x 3 x height x width float32, plain). `scratch` holds width * height * 3 bytes. */
GH_MUST_CHECK gh_status gh_preproc_run(gh_tensor *dst, const gh_image *image, const gh_manifest_input *in,
                                       uint8_t *scratch, gh_err *e);

/* Its two halves, for training, which changes pixels between: `pixels` receives width * height * 3 RGB bytes
 * (rounded with every filter, where gh_preproc_run does not round for bilinear-plain). */
GH_MUST_CHECK gh_status gh_preproc_pixels(uint8_t *pixels, const gh_image *image, const gh_manifest_input *in,
                                          const gh_placement *place, gh_err *e);
/* Moves the p->width * p->height pixels at the start of `pixels` to their place in the whole input and fills
 * the rest with the mean. */
void gh_preproc_spread(uint8_t *pixels, const gh_manifest_input *in, const gh_placement *p);
void gh_preproc_normalise(gh_tensor *dst, const uint8_t *pixels, const gh_manifest_input *in);

#endif
