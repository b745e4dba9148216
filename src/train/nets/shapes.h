/* Shapes of all values of a body at one size of the picture, by the operators' own inference. */
#ifndef GH_TRAIN_NETS_SHAPES_H
#define GH_TRAIN_NETS_SHAPES_H

#include "engine/graph.h"

typedef struct gh_shapes {
    gh_tensor *values; /* one a value of the graph; rank -1 where it is not known */
    int width, height;
} gh_shapes;

/* Sorts and binds the graph. GH_UNSUPPORTED: more than one input; else what an operator said of its shapes,
 * unless `lenient`: what cannot be of that size, and what hangs on it, is then not known. */
GH_MUST_CHECK gh_status gh_shapes_read(gh_shapes *out, gh_graph *g, int width, int height, bool lenient,
                                       gh_err *e);
void gh_shapes_free(gh_shapes *s);
/* The power of two by which a value that lies over the picture is smaller than it; -1: it does not lie so. */
int gh_shapes_level(const gh_shapes *s, uint32_t value);

#endif
