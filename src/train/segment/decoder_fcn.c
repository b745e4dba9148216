/* Scores of the classes at several strides, added on the way up. */
#include "train/segment/decoder_parts.h"

#include <stdio.h>

/* The first to be joined; scores of further strides begin small, as they only correct. */
static uint32_t score(gh_decoding *d, int level)
{
    char name[24];
    const gh_tap *tap = &d->taps->at[level];
    snprintf(name, sizeof name, "score%d", 1 << level);
    return gh_layer_add_conv(&d->layers, name, tap->value,
                             &(gh_layer_conv){.in = tap->channels,
                                              .out = d->o->classes,
                                              .kernel = 1,
                                              .stride = 1,
                                              .bias = true,
                                              .gain = level == d->taps->deepest ? 0.3f : 0.03f});
}

uint32_t gh_decoder_fcn(gh_decoding *d)
{
    /* the finest level with scores of its own */
    int last = d->o->kind == GH_DECODER_FCN8 ? 3 : d->o->kind == GH_DECODER_FCN16 ? 4 : 5;
    char name[48];
    uint32_t x = score(d, d->taps->deepest);
    for (int level = d->taps->deepest - 1; level >= d->level; level--) {
        snprintf(name, sizeof name, "up%d", 1 << level);
        x = d->o->unpool == GH_UNPOOL_LEARNED ? gh_layer_add_bilinear(&d->layers, name, x, d->o->classes)
                                              : gh_layer_add_nearest(&d->layers, name, x);
        if (level < last)
            continue;
        uint32_t both[2] = {x, score(d, level)};
        snprintf(name, sizeof name, "%s/add%d", d->layers.prefix, 1 << level);
        x = gh_graph_op(d->layers.g, "Add", name, both, 2);
    }
    return x;
}
