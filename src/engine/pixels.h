/* From pixels to an input tensor. */
#ifndef GH_ENGINE_PIXELS_H
#define GH_ENGINE_PIXELS_H

#include "engine/tensor.h"

/* Interleaved RGB, width * height * 3 bytes, into a plain 1 x 3 x height x width float32 tensor: plane c
 * holds (v - mean[c]) * scale[c] of channel order[c] of the pixels. */
void gh_tensor_from_pixels(gh_tensor *dst, const uint8_t *pixels, const int order[3], const float mean[3],
                           const float scale[3]);

#endif
