/* Planes laid out so that every tap of a convolution's window is one shift: the input with its padding, rows
 * as far apart as those of the output, columns and rows sorted by their place within the stride. Element
 * oy * pitch + ox of the output meets tap t at that index plus offset[t]. */
#ifndef GH_TRAIN_PRODUCTS_PADDED_H
#define GH_TRAIN_PRODUCTS_PADDED_H

#include "kernels/kernels.h"

enum { GH_PADDED_TAPS = 81 }; /* at most */

typedef struct gh_padded {
    gh_conv_shape s;
    int rows, pitch; /* of one place within the stride, with what windows reach beyond the output */
    int places;      /* sh * sw */
    size_t plane;    /* floats of one place: rows * pitch and some zeros, a multiple of 16 */
    size_t reach;    /* largest shift within a place */
    int taps;
    int place[GH_PADDED_TAPS];        /* of a tap */
    ptrdiff_t shift[GH_PADDED_TAPS];  /* within its place */
    ptrdiff_t offset[GH_PADDED_TAPS]; /* with places `step` apart */
} gh_padded;

/* False where the window has too many taps. Places stand `step` planes apart. */
bool gh_padded_make(gh_padded *p, const gh_conv_shape *s, size_t step);
/* Fills the places of one input plane; places `step` floats apart. */
void gh_padded_input(const gh_padded *p, float *dst, const float *src, size_t step);
/* One output plane at the pitch, zeros between rows and behind them up to `plane`. */
void gh_padded_output(const gh_padded *p, float *dst, const float *src);
/* The reverse of both: rows without what stands between them; places back to where they came from, `rest`
 * where no window reaches. */
void gh_padded_take_output(const gh_padded *p, float *dst, const float *src);
void gh_padded_take_input(const gh_padded *p, float *dst, const float *src, size_t step, float rest);

#endif
