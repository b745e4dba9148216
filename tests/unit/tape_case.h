/* Small graphs to be trained, for the tests of the tape. */
#ifndef GH_TEST_TAPE_CASE_H
#define GH_TEST_TAPE_CASE_H

#include "train/tape/tape.h"
#include "unit/nets.h"

/* The graph under construction, and where its constants' random numbers come from. */
typedef struct tc_graph {
    gh_graph *g;
    gh_rng rng;
} tc_graph;

tc_graph tc_new(uint64_t seed);
/* A float input "x". */
uint32_t tc_input(tc_graph *t, int rank, const int64_t *dims);
/* A float constant of random numbers in lo .. hi. */
uint32_t tc_random(tc_graph *t, int rank, const int64_t *dims, float lo, float hi);
uint32_t tc_ints(tc_graph *t, int n, const int64_t *values);
uint32_t tc_floats(tc_graph *t, int n, const float *values);
/* A node of up to three inputs; GH_NONE for those that it does not have. */
uint32_t tc_op(tc_graph *t, const char *type, uint32_t a, uint32_t b, uint32_t c);
/* k x k convolution with padding k / 2, weights and bias random. */
uint32_t tc_conv(tc_graph *t, uint32_t x, int64_t ic, int64_t oc, int64_t k, int64_t stride, int64_t groups);
uint32_t tc_norm(tc_graph *t, uint32_t x, int64_t channels);
/* A tape for the shapes that the inputs declare; the graph's outputs are those given to gh_graph_output. */
gh_tape *tc_tape(tc_graph *t, gh_tape_options o);
/* Fills all inputs from the seed, in -1 .. 1. */
void tc_fill(tc_graph *t, gh_tape *tape, uint64_t seed);
/* A forward pass, all output gradients set from the seed, a backward pass; gives the sum over outputs of
 * element times gradient, in double. */
double tc_step(tc_graph *t, gh_tape *tape, uint64_t seed);

#endif
