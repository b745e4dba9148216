/* L-BFGS with a Wolfe line search (Nocedal and Wright 2006, algorithms 7.4 and 7.5) that asks for values
 * instead of calling a function, so that several problems can share one pass over the data. */
#ifndef GH_TRAIN_HEADS_LBFGS_H
#define GH_TRAIN_HEADS_LBFGS_H

#include "base/status.h"

#include <stdbool.h>

#define GH_LBFGS_MEMORY 10

typedef struct gh_lbfgs gh_lbfgs;

typedef struct gh_lbfgs_options {
    int memory;      /* pairs kept; 0 = GH_LBFGS_MEMORY */
    int iterations;  /* most; 0 = 500 */
    float gradient;  /* ends when no element is larger in size; 0 = 1e-4 */
    double decrease; /* ends when a step gains less than this share of the value; 0 = 1e-7 */
} gh_lbfgs_options;

/* Floats that a problem of n unknowns takes. */
size_t gh_lbfgs_floats(size_t n, int memory);
/* A problem of n unknowns, at x = 0. */
GH_MUST_CHECK gh_status gh_lbfgs_new(gh_lbfgs **out, size_t n, const gh_lbfgs_options *options, gh_err *e);
void gh_lbfgs_free(gh_lbfgs **l);
/* The point where value and gradient are wanted, and where to put the gradient. Before the first tell the
 * caller may set the point: the start. Afterwards it is the answer. */
float *gh_lbfgs_point(gh_lbfgs *l);
float *gh_lbfgs_gradient(gh_lbfgs *l);
/* Takes the value and the gradient at the point. True: there is a new point to look at; false: done, the
 * point is the best one. */
bool gh_lbfgs_tell(gh_lbfgs *l, double value);
/* The value has gained `weight`/2 * |x|^2 over the first `count` unknowns (less, where negative): starts
 * again from where it stands, with the curvature it remembers put right. */
void gh_lbfgs_penalise(gh_lbfgs *l, double weight, size_t count);
int gh_lbfgs_iterations(const gh_lbfgs *l);

#endif
