/* The colours of a result's boxes. */
#ifndef GH_TASKS_ANNOTATE_COLOUR_H
#define GH_TASKS_ANNOTATE_COLOUR_H

#include "image/draw.h"
#include "tasks/run.h"

/* One colour an object: that of its class. *out is the caller's (gh_free). */
GH_MUST_CHECK gh_status gh_class_colours(gh_colour **out, const gh_result *r, gh_err *e);

#endif
