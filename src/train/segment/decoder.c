/* Names, what goes together, and the end of the network. */
#include "train/segment/decoder.h"

#include "engine/cut.h"
#include "engine/op.h"
#include "train/segment/decoder_parts.h"

#include <string.h>

#define USUAL_WIDTH 48
#define LEAST_WIDTH 16

static const char *const kinds[] = {"unet", "segnet", "fcn", "fcn-16", "fcn-32", "own"};
static const char *const unpools[] = {"nearest", "max", "learned"};

gh_status gh_decoder_kind_of(gh_decoder_kind *out, const char *name, gh_err *e)
{
    for (size_t i = 0; i < GH_COUNT(kinds); i++)
        if (strcmp(name, kinds[i]) == 0 || (i == GH_DECODER_FCN8 && strcmp(name, "fcn-8") == 0)) {
            *out = (gh_decoder_kind)i;
            return GH_OK;
        }
    return gh_fail(e, GH_ARG, "decoder '%.40s' is not known; unet, segnet, fcn, fcn-16, fcn-32 and own are",
                   name);
}

gh_status gh_unpool_of(gh_unpool *out, const char *name, gh_err *e)
{
    for (size_t i = 0; i < GH_COUNT(unpools); i++)
        if (strcmp(name, unpools[i]) == 0) {
            *out = (gh_unpool)i;
            return GH_OK;
        }
    return gh_fail(e, GH_ARG, "unpooling '%.40s' is not known; nearest, max and learned are", name);
}

const char *gh_decoder_name(gh_decoder_kind kind)
{
    return kinds[kind];
}

const char *gh_unpool_name(gh_unpool unpool)
{
    return unpools[unpool];
}

int gh_decoder_width(const gh_decoding *d, int level)
{
    int width = d->o->width ? d->o->width : USUAL_WIDTH;
    int w = level >= 2 ? width << (level - 2) : width >> (2 - level);
    int most = width * 4;
    return w < LEAST_WIDTH ? LEAST_WIDTH : w > most ? most : w;
}

static gh_status check_max(const gh_taps *t, const gh_decoder_options *o, int level, gh_err *e)
{
    if (o->kind >= GH_DECODER_FCN8)
        return gh_fail(
            e, GH_UNSUPPORTED,
            "unpooling max puts as many channels back as were pooled, and decoder %s has one for each "
            "class; take unet or segnet, or the unpooling nearest or learned",
            gh_decoder_name(o->kind));
    for (int i = level; i < t->deepest; i++)
        if (t->at[i].pool == GH_NONE)
            return gh_fail(
                e, GH_UNSUPPORTED,
                "unpooling max needs the indices of a max pooling of 2 x 2 at each step, and this body "
                "goes from stride %d to %d without one; take nearest or learned, or --from-scratch "
                "segnet",
                1 << i, 2 << i);
    return GH_OK;
}

gh_status gh_decoder_add(uint32_t *logits, int *level, gh_graph *g, const gh_taps *taps,
                         const gh_decoder_options *o, gh_err *e)
{
    gh_decoding d = {.layers = {.g = g, .prefix = "decoder"}, .taps = taps, .o = o};
    d.level = o->level >= 0 ? o->level : taps->at[0].value != GH_NONE ? 0 : 1;
    gh_rng_seed(&d.layers.rng, o->seed);
    if (d.level >= taps->deepest)
        return gh_fail(e, GH_ARG, "scores at stride %d are asked for; the body's deepest is %d", 1 << d.level,
                       1 << taps->deepest);
    if (o->unpool == GH_UNPOOL_MAX)
        GH_TRY(check_max(taps, o, d.level, e));
    *logits = o->kind >= GH_DECODER_FCN8 ? gh_decoder_fcn(&d) : gh_decoder_unet(&d);
    *level = d.level;
    return gh_graph_check(g, e);
}

gh_status gh_decoder_end(gh_graph *g, uint32_t scores, int classes, gh_err *e)
{
    uint32_t out = gh_graph_value(g, "logits", GH_F32, gh_shape_of(4, (int64_t[]){-1, classes, -1, -1}));
    if (out != GH_NONE)
        gh_graph_node(g, "Identity", "logits", &scores, 1, &out, 1);
    GH_TRY(gh_graph_check(g, e));
    GH_TRY(gh_graph_cut(g, out, e));
    GH_TRY(gh_graph_unique_names(g, e));
    GH_TRY(gh_graph_sort(g, e));
    return gh_graph_bind(g, e);
}

gh_status gh_decoder_build(int *level, gh_graph *g, const gh_taps *taps, const gh_decoder_options *o,
                           gh_err *e)
{
    uint32_t scores;
    GH_TRY(gh_decoder_add(&scores, level, g, taps, o, e));
    return gh_decoder_end(g, scores, o->classes, e);
}
