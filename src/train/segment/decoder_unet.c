/* Up by steps of two, with or without the body's values beside. */
#include "train/segment/decoder_parts.h"

#include <stdio.h>

typedef struct label {
    char text[32];
} label;

static label name_at(const char *what, int level)
{
    label l;
    snprintf(l.text, sizeof l.text, "%s%d", what, 1 << level);
    return l;
}

static uint32_t block(gh_decoding *d, const char *what, int level, uint32_t x, int in, int out, int kernel)
{
    return gh_layer_add_block(&d->layers, name_at(what, level).text, x,
                              &(gh_layer_conv){.in = in, .out = out, .kernel = kernel, .stride = 1});
}

/* The pooling's second output: made where it is not there yet. */
static uint32_t indices_of(gh_graph *g, uint32_t pool)
{
    gh_node *n = &g->nodes[pool];
    if (n->noutputs > 1 && n->outputs[1] != GH_NONE)
        return n->outputs[1];
    char name[96];
    snprintf(name, sizeof name, "%.80s/indices", g->values[n->outputs[0]].name);
    uint32_t v = gh_graph_value(g, name, GH_I64, (gh_shape){.rank = -1}),
             *outputs = gh_arena_array(g->arena, 2, sizeof *outputs);
    if (v == GH_NONE || !outputs) {
        g->failed = GH_NOMEM;
        g->failure = "memory ran out at a pooling's indices";
        return GH_NONE;
    }
    outputs[0] = n->outputs[0];
    outputs[1] = v;
    n->outputs = outputs;
    n->noutputs = 2;
    g->values[v].producer = pool;
    return v;
}

/* From `level` + 1 to `level`; *channels is what comes in and what goes out. */
static uint32_t up(gh_decoding *d, int level, uint32_t x, int *channels)
{
    gh_layers *b = &d->layers;
    const gh_tap *tap = &d->taps->at[level];
    label name = name_at("up", level);
    if (d->o->unpool == GH_UNPOOL_NEAREST)
        return gh_layer_add_nearest(b, name.text, x);
    if (d->o->unpool == GH_UNPOOL_LEARNED) {
        int out = gh_decoder_width(d, level);
        x = gh_layer_add_learned(b, name.text, x, *channels, out);
        *channels = out;
        return x;
    }
    if (*channels != tap->pool_channels)
        x = block(d, "fit", level, x, *channels, tap->pool_channels, 1);
    *channels = tap->pool_channels;
    char full[48];
    snprintf(full, sizeof full, "%s/%s", b->prefix, name.text);
    x = gh_graph_op(b->g, "MaxUnpool", full, (uint32_t[]){x, indices_of(b->g, tap->pool)}, 2);
    gh_graph_set_ints(b->g, x, "kernel_shape", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(b->g, x, "strides", (int64_t[]){2, 2}, 2);
    return x;
}

/* The body's value at a level, with at most as many channels as the decoder has there. */
static uint32_t skip(gh_decoding *d, int level, int *channels)
{
    const gh_tap *tap = &d->taps->at[level];
    int width = gh_decoder_width(d, level);
    *channels = tap->channels;
    if (tap->channels <= width)
        return tap->value;
    *channels = width;
    return block(d, "skip", level, tap->value, tap->channels, width, 1);
}

uint32_t gh_decoder_unet(gh_decoding *d)
{
    int deepest = d->taps->deepest, channels;
    uint32_t x = skip(d, deepest, &channels);
    for (int level = deepest - 1; level >= d->level; level--) {
        int width = gh_decoder_width(d, level), beside;
        x = up(d, level, x, &channels);
        if (d->o->kind == GH_DECODER_UNET && d->taps->at[level].value != GH_NONE) {
            uint32_t both[2] = {x, skip(d, level, &beside)};
            char name[48];
            snprintf(name, sizeof name, "%s/join%d", d->layers.prefix, 1 << level);
            x = gh_graph_op(d->layers.g, "Concat", name, both, 2);
            gh_graph_set_int(d->layers.g, x, "axis", 1);
            channels += beside;
        }
        x = block(d, "mix", level, x, channels, width, 3);
        channels = width;
    }
    return gh_layer_add_conv(
        &d->layers, "score", x,
        &(gh_layer_conv){
            .in = channels, .out = d->o->classes, .kernel = 1, .stride = 1, .bias = true, .gain = 0.3f});
}
