/* Normalisation by the kernel of the machine's level. */
#include "engine/pixels.h"

#include "kernels/kernels.h"

void gh_tensor_from_pixels(gh_tensor *dst, const uint8_t *pixels, const int order[3], const float mean[3],
                           const float scale[3])
{
    GH_ASSERT(dst->type == GH_F32 && dst->shape.rank == 4 && dst->shape.dims[0] == 1 &&
              dst->shape.dims[1] == 3);
    int count = (int)(dst->shape.dims[2] * dst->shape.dims[3]);
    gh_kernels_get()->normalise_u8(dst->data, pixels, count, order, mean, scale);
}
