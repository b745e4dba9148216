/* A network's maps to boxes. */
#ifndef GH_TASKS_DETECT_H
#define GH_TASKS_DETECT_H

#include "tasks/run.h"

/* The outputs of a decoder centernet, in the order of the network: heat map (one channel a label, 0..1),
 * size, offset and, where there is a fourth, five landmarks. */
#define GH_DETECT_MAPS 4

/* Checks number, types and shapes of the maps for an input of width * height; GH_FORMAT says what is wrong.
 */
GH_MUST_CHECK gh_status gh_detect_check(const gh_tensor *maps, size_t nmaps, size_t nlabels, int width,
                                        int height, gh_err *e);
/* Fills r->objects, in pixels of the picture r->width * r->height that was stretched to width * height for
 * the network, largest first. */
GH_MUST_CHECK gh_status gh_detect_decode(gh_result *r, const gh_tensor *maps, size_t nmaps, int width,
                                         int height, const gh_run_options *options, gh_err *e);

#endif
