/* IEEE 754 half precision to single, exactly. */
#ifndef GH_BASE_HALF_H
#define GH_BASE_HALF_H

#include <stdint.h>
#include <string.h>

/* IEEE 754 binary16 to float, exactly: subnormal numbers, infinities and NaN too. */
static inline float gh_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 1023u, bits;
    float f;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112u) << 23 | mantissa << 13;
    } else { /* subnormal: mantissa * 2^-24, exact in single precision */
        f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

#endif
