/* The network of a run: a body, pretrained or fresh, with a decoder on it. */
#include "train/segment/parts.h"

#include "train/nets/scratch.h"

#include <string.h>

/* Mean and spread of photos (ImageNet's, in 0..255), for bodies that were never taught any. */
static const float usual_mean[3] = {123.7f, 116.3f, 103.5f};
#define USUAL_SCALE 0.0171f

/* Both sides go down `levels` steps of two, and up again. */
static gh_status check_size(const gh_segment_run *r, int levels)
{
    const gh_size sizes[2] = {r->o->size, r->step};
    int stride = 1 << levels;
    for (int i = 0; i < 2; i++)
        if (sizes[i].width % stride || sizes[i].height % stride || sizes[i].width < 64 ||
            sizes[i].height < 64)
            return gh_fail(
                r->e, GH_ARG,
                "%s %dx%d: each side has to be a multiple of %d, the stride that the decoder begins at, and "
                "at least 64",
                i ? "--window" : "--size", sizes[i].width, sizes[i].height, stride);
    if (r->step.width > r->o->size.width || r->step.height > r->o->size.height)
        return gh_fail(r->e, GH_ARG, "--window %dx%d is larger than --size %dx%d, of which it is a part",
                       r->step.width, r->step.height, r->o->size.width, r->o->size.height);
    return GH_OK;
}

static gh_status read_body(gh_segment_run *r)
{
    const gh_segment_options *o = r->o;
    GH_TRY(gh_body_open_maps(&r->body, o->body, o->cut, r->step.width, r->step.height, r->e));
    r->input = r->body->manifest->input;
    return gh_body_maps(&r->graph, r->body, o->decoder.kind == GH_DECODER_OWN, r->e);
}

static gh_status fresh_body(gh_segment_run *r)
{
    for (int c = 0; c < 3; c++) {
        r->input.mean[c] = usual_mean[c];
        r->input.scale[c] = USUAL_SCALE;
    }
    return gh_scratch_body(&r->graph,
                           &(gh_scratch_options){r->o->scratch, r->o->scratch_width, r->o->learn.seed}, r->e);
}

/* The picture is stretched to the input, whatever the body was taught: every pixel gets its class. */
static void set_input(gh_segment_run *r)
{
    gh_manifest_input *in = &r->input;
    in->width = r->o->size.width;
    in->height = r->o->size.height;
    in->fit = GH_FIT_STRETCH;
    in->crop = 1;
    in->nsizes = in->stride = 0;
    in->content = (gh_size){0};
    if (in->filter == GH_FILTER_BILINEAR_PLAIN)
        in->filter = GH_FILTER_BILINEAR;
}

static gh_status fresh_decoder(gh_segment_run *r)
{
    gh_taps taps;
    gh_decoder_options decoder = r->o->decoder;
    decoder.classes = (int)r->data->nclasses;
    decoder.seed = r->o->learn.seed + 1;
    GH_TRY(gh_taps_find(&taps, r->graph, r->step.width, r->step.height, r->e));
    GH_TRY(check_size(r, taps.deepest));
    return gh_decoder_build(&r->level, r->graph, &taps, &decoder, r->e);
}

gh_status gh_segment_net(gh_segment_run *r)
{
    r->step = r->o->window.width ? r->o->window : r->o->size;
    GH_TRY(check_size(r, 4));
    GH_TRY(r->o->scratch ? fresh_body(r) : read_body(r));
    set_input(r);
    r->augment = r->o->augment;
    if (r->step.width != r->o->size.width || r->step.height != r->o->size.height)
        r->augment.window = r->step;
    return r->o->decoder.kind == GH_DECODER_OWN ? gh_segment_own(r) : fresh_decoder(r);
}

static bool is_decoder(const gh_graph *g, uint32_t value)
{
    return strncmp(g->values[value].name, "decoder/", 8) == 0;
}

static bool trains(void *arg, const gh_graph *g, uint32_t value)
{
    const gh_segment_run *r = arg;
    return !r->o->frozen || is_decoder(g, value);
}

gh_status gh_segment_tape(gh_segment_run *r)
{
    const gh_shape shape = gh_shape_of(4, (int64_t[]){r->o->batch, 3, r->step.height, r->step.width});
    const gh_tape_options o = {.inputs = &shape,
                               .trains = trains,
                               .arg = r,
                               .checkpointing = r->o->checkpointing,
                               .pool = r->o->learn.pool};
    return gh_tape_new(&r->tape, r->graph, &o, r->e);
}
