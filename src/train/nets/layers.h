/* Layers with fresh weights, added to a graph: what decoders and nets from scratch are made of. Weights are
 * drawn as He et al. 2015 do (normal, variance 2 / inputs of a sum). */
#ifndef GH_TRAIN_NETS_LAYERS_H
#define GH_TRAIN_NETS_LAYERS_H

#include "base/rng.h"
#include "engine/graph.h"

typedef struct gh_layers {
    gh_graph *g;
    gh_rng rng;
    const char *prefix; /* of all names */
} gh_layers;

typedef struct gh_layer_conv {
    int in, out, kernel, stride,
        groups; /* kernel odd; padded so that only the stride shrinks; groups 0 = 1 */
    bool bias;
    float gain; /* of the drawn weights; 0 = 1 */
} gh_layer_conv;

/* Each gives the new value, named prefix/name. */
uint32_t gh_layer_add_conv(gh_layers *b, const char *name, uint32_t x, const gh_layer_conv *c);
/* Scale 1, shift 0, mean 0, variance 1. */
uint32_t gh_layer_add_norm(gh_layers *b, const char *name, uint32_t x, int channels);
uint32_t gh_layer_add_relu(gh_layers *b, const char *name, uint32_t x);
/* Convolution without bias, norm, ReLU. */
uint32_t gh_layer_add_block(gh_layers *b, const char *name, uint32_t x, const gh_layer_conv *c);
/* Twice the size: each value four times; or a transposed convolution with kernel 2, or with kernel 4 that
 * begins as the bilinear one of each channel. */
uint32_t gh_layer_add_nearest(gh_layers *b, const char *name, uint32_t x);
uint32_t gh_layer_add_learned(gh_layers *b, const char *name, uint32_t x, int in, int out);
uint32_t gh_layer_add_bilinear(gh_layers *b, const char *name, uint32_t x, int channels);

#endif
