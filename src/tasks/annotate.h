/* A localize result as a picture: boxes, labels, landmarks, and what further models said of each box. */
#ifndef GH_TASKS_ANNOTATE_H
#define GH_TASKS_ANNOTATE_H

#include "tasks/run.h"

/* Appends the upright picture at full size with the result drawn on it, as JPEG or PNG. `data` are the bytes
 * that gave `r`; they are decoded again at full scale, within `limits` (NULL = the defaults). The time goes
 * to decode_ms and encode_ms (drawing and encoding) of the result. On failure nothing is appended. */
GH_MUST_CHECK gh_status gh_annotate(gh_buf *out, gh_result *r, const uint8_t *data, size_t len,
                                    const gh_image_limits *limits, gh_image_format format, gh_err *e);
/* Draws on a picture of the result's size. */
GH_MUST_CHECK gh_status gh_annotate_draw(gh_image *image, const gh_result *r, gh_err *e);

#endif
