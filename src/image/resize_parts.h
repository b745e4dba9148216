/* Private to resampling: what its two files share. */
#ifndef GH_IMAGE_RESIZE_PARTS_H
#define GH_IMAGE_RESIZE_PARTS_H

#include "image/resize.h"

/* GH_ARG for a size without pixels or a box that is not within the picture. */
GH_MUST_CHECK gh_status gh_resize_check(int width, int height, const gh_image *src, gh_rect box, gh_err *e);
/* The plain filter, rounded to bytes; size and box have been checked. */
GH_MUST_CHECK gh_status gh_resize_plain(uint8_t *dst, int width, int height, const gh_image *src, gh_rect box,
                                        gh_err *e);

#endif
