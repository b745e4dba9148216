/* Random small networks, seeded: convolutions of every kind with batch norms, activations, residuals in both
 * orders, values read several times, pools, views. For tests that compare one way of running with another. */
#ifndef GH_TEST_RANDOM_NET_H
#define GH_TEST_RANDOM_NET_H

#include "base/rng.h"
#include "engine/graph.h"

enum {
    RN_FREE_SIZE = 1,   /* height and width of the input are not fixed */
    RN_ODD_OUTPUTS = 2, /* outputs that other runtimes refuse: an input, a constant, one value twice */
    RN_WIDE = 4,        /* every family of operators, of one opset of 13 to 21, at most RN_WIDE_NODES */
};

#define RN_WIDE_NODES 60
/* What one part may add at most. */
#define RN_LONGEST_PART 8

/* The network of this seed, or NULL when memory is short. Its one input is "x"; opset 17 unless
 * RN_WIDE. */
gh_graph *rn_build(uint64_t seed, unsigned flags);
/* Fills with values in -2 .. 2. */
void rn_fill(gh_rng *rng, float *data, size_t count);

#endif
