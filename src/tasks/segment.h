/* The task segment: what other parts of the program ask of its models and its results. */
#ifndef GH_TASKS_SEGMENT_H
#define GH_TASKS_SEGMENT_H

#include "tasks/run.h"

/* Name of a class; a mask of one channel and one label has the background beside it. */
const char *gh_segment_label(const gh_manifest *m, int class);
/* Number of classes of a model of this task, the background included. */
int gh_segment_classes(const gh_manifest *m);
/* The colour of a class that has none of its own; with a background class 0 is black. */
void gh_segment_colour(uint8_t rgb[3], int class, bool background);

/* The class of each pixel of the upright picture, r->width * r->height bytes, from a result of this task
 * (options.output = GH_MASK_NONE saves the picture); and how sure it is of the foreground, 0..255. */
GH_MUST_CHECK gh_status gh_segment_index(uint8_t *out, const gh_result *r, gh_err *e);
GH_MUST_CHECK gh_status gh_segment_soft(uint8_t *out, const gh_result *r, gh_err *e);

/* A mask from what the network gave for a picture that came to it through `in`; `in` may be NULL: the whole
 * grid is the picture. */
GH_MUST_CHECK gh_status gh_segment_mask(gh_mask **out, const gh_tensor *values, const gh_manifest *m,
                                        const gh_manifest_input *in, int width, int height, gh_err *e);
/* GH_FORMAT: not 1 x channels x height x width with a channel a class. */
GH_MUST_CHECK gh_status gh_segment_check(const gh_tensor *values, const gh_manifest *m, gh_err *e);

#endif
