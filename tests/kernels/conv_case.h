/* What the tests of convolution kernels share: shapes that find edges, and a comparison with the reference.
 * Everything asserts on failure. */
#ifndef GH_TEST_KERNELS_CONV_CASE_H
#define GH_TEST_KERNELS_CONV_CASE_H

#include "kernels/support.h"

/* A window and how it moves: kernel, stride, dilation, padding before and after on each axis. */
typedef struct kc_window {
    int kh, kw, sh, sw, dh, dw, pt, pl, pb, pr;
} kc_window;

typedef struct kc_channels {
    int ic, oc;
} kc_channels;

/* Windows as networks have them, such as they have not, and 3x3 of stride 1 with every way of padding;
 * heights and widths; channels round the blocks, and of pictures. */
enum { KC_SQUARE = 9, KC_ODD = 12, KC_THREE_BY_THREE = 6, KC_SIDES = 10, KC_MIXED = 15, KC_PICTURE = 9 };
extern const kc_window kc_square[KC_SQUARE], kc_odd[KC_ODD], kc_three_by_three[KC_THREE_BY_THREE];
extern const int kc_sides[KC_SIDES][2];
extern const kc_channels kc_mixed[KC_MIXED], kc_picture[KC_PICTURE];

/* false when the picture is too small for the window. */
bool kc_shape(gh_conv_shape *s, const kc_window *w, int n, int ic, int oc, int ih, int iw, int groups);
/* One shape through the kernel (NULL = conv_plain), in random ranges of units; `turn` chooses activation,
 * bias, residual and the random numbers. */
void kc_check(const gh_kernels *k, const gh_conv_kernel *kernel, const gh_conv_shape *s, int turn);
/* Every window on every side, channels in turn. */
void kc_sweep(const gh_kernels *k, const gh_conv_kernel *kernel, const kc_window *w, size_t windows,
              const kc_channels *ch, size_t count, bool depthwise);

/* Floats that all threads share in a run, 0 for kernels that share none. */
size_t kc_shared_floats(const gh_conv_kernel *kernel, const gh_conv_shape *s);
/* One past the last unit of the stage that starts with `first`. */
int kc_stage_end(const gh_conv_kernel *kernel, const gh_conv_shape *s, int first);

#endif
