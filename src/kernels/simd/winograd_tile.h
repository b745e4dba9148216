/* The transforms of Winograd's tiles along one axis, on vectors of channels; the products by zero and what
 * rows of the matrices (kernels/winograd.h) share are left out. Include after a level's vec.h. */
#ifndef GH_KERNELS_SIMD_WINOGRAD_TILE_H
#define GH_KERNELS_SIMD_WINOGRAD_TILE_H

#include "kernels/simd/loops.h"

/* c * x + y */
ALWAYS vf wg_add(float c, vf x, vf y)
{
    return v_fma(v_set(c), x, y);
}

ALWAYS void wg_input_2(vf out[4], const vf d[4])
{
    out[0] = d[0] - d[2];
    out[1] = d[1] + d[2];
    out[2] = d[2] - d[1];
    out[3] = d[1] - d[3];
}

ALWAYS void wg_input_4(vf out[6], const vf d[6])
{
    vf a = wg_add(-4, d[2], d[4]), b = wg_add(-4, d[1], d[3]);
    vf c = d[4] - d[2], e = d[3] - d[1];
    out[0] = wg_add(4, d[0], wg_add(-5, d[2], d[4]));
    out[1] = a + b;
    out[2] = a - b;
    out[3] = wg_add(2, e, c);
    out[4] = wg_add(-2, e, c);
    out[5] = wg_add(4, d[1], wg_add(-5, d[3], d[5]));
}

ALWAYS void wg_input_6(vf out[8], const vf d[8])
{
    vf even = wg_add(-4.25f, d[4], d[2] + d[6]), odd = wg_add(-4.25f, d[3], d[1] + d[5]);
    out[0] = wg_add(5.25f, d[4] - d[2], d[0] - d[6]);
    out[7] = wg_add(5.25f, d[3] - d[5], d[7] - d[1]);
    out[1] = even + odd;
    out[2] = even - odd;
    even = wg_add(0.25f, d[2], wg_add(-1.25f, d[4], d[6]));
    odd = wg_add(0.5f, d[1], wg_add(-2.5f, d[3], d[5] + d[5]));
    out[3] = even + odd;
    out[4] = even - odd;
    even = wg_add(4, d[2], wg_add(-5, d[4], d[6]));
    odd = wg_add(0.5f, d[5], wg_add(-2.5f, d[3], d[1] + d[1]));
    out[5] = even + odd;
    out[6] = even - odd;
}

ALWAYS void wg_output_2(vf out[2], const vf m[4])
{
    out[0] = m[0] + m[1] + m[2];
    out[1] = m[1] - m[2] - m[3];
}

ALWAYS void wg_output_4(vf out[4], const vf m[6])
{
    vf a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    out[0] = m[0] + a + c;
    out[1] = wg_add(2, d, b);
    out[2] = wg_add(4, c, a);
    out[3] = wg_add(8, d, b) + m[5];
}

ALWAYS void wg_output_6(vf out[6], const vf m[8])
{
    vf a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4], e = m[5] + m[6], f = m[5] - m[6];
    out[0] = m[0] + a + (c + e);
    out[1] = wg_add(2, d, wg_add(0.5f, f, b));
    out[2] = wg_add(4, c, wg_add(0.25f, e, a));
    out[3] = wg_add(8, d, wg_add(0.125f, f, b));
    out[4] = wg_add(16, c, wg_add(0.0625f, e, a));
    out[5] = wg_add(32, d, wg_add(0.03125f, f, b)) + m[7];
}

#endif
