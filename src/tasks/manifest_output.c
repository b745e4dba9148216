/* The key `output` of model.json: the decoder, and for the decoders of boxes (anchors; centernet: maps of
 * centres, sizes and offsets; box: one box a picture, N x 4 of its centre's x and y, its width and height in
 * shares of the input, and N x labels of scores)
 *
 *   nms         overlap (IoU) at which the weaker of two boxes goes (centernet 0.3, anchors 0.5)
 *   sort        score | area: which box comes first (score)
 *   boxes, scores, landmarks   names of the network's outputs (the first, second and third)
 *   anchors     the name of an output with the anchors' corners in shares of the input, or
 *               {"strides": [8, ...], "sizes": [[16, 32], ...]}: squares of these sides in a grid for each
 *               stride, in pixels of the input
 *   variances   two factors, of the numbers for the centre and for the size ([0.1, 0.2])
 *   order       xy | yx: whether x stands before y, in boxes, landmarks and anchors (xy)
 *   activation  none | sigmoid | softmax: from the network's numbers to scores (none)
 *
 * (activation for anchors and box, the other five of the last six for anchors alone), and for the decoder mask
 *
 *   scores      name of the network's output (the first)
 *   activation  none | sigmoid | softmax | minmax: from the network's numbers to 0..1; softmax is over the
 *               channels, minmax spreads the least to the largest value of a picture (none)
 *   background  true: class 0 is what belongs to no other, and what stays under the threshold; so it is in
 * any case where there is one channel, the confidence of class 1 (false)
 */
#include "tasks/manifest_parts.h"

#include <string.h>

static const char *const decoder_words[] = {"softmax", "probabilities", "sigmoid",  "anchors", "centernet",
                                            "mask",    "box",           "features", NULL};
static const char *const activation_words[] = {"none", "sigmoid", "softmax", "minmax", NULL};
static const char *const axes_words[] = {"xy", "yx", NULL};
static const char *const sort_words[] = {"score", "area", NULL};

/* 1 to `most` numbers above 0, in pixels. */
static gh_status read_sizes(gh_anchor_level *out, const json_t *v, const char *name, gh_keys_reader *r,
                            gh_err *e)
{
    size_t n = json_array_size(v);
    bool ok = n >= 1 && n <= GH_MAX_ANCHOR_SIZES;
    for (size_t i = 0; ok && i < n; i++) {
        double side = json_number_value(json_array_get(v, i));
        ok = side > 0 && side <= GH_MAX_SIDE;
        out->sizes[i] = ok ? (float)side : 0;
    }
    out->nsizes = ok ? (int)n : 0;
    return ok ? GH_OK : gh_key_fail(r, name, v, e, "lists of 1 to 8 sides in pixels, one list a stride");
}

static gh_status read_levels(gh_manifest_boxes *b, const json_t *v, const char *name, gh_keys_reader *r,
                             gh_err *e)
{
    const json_t *strides = json_object_get(v, "strides"), *sizes = json_object_get(v, "sizes");
    size_t n = json_array_size(strides);
    if (n < 1 || n > GH_MAX_LEVELS || json_array_size(sizes) != n)
        return gh_key_fail(r, name, v, e,
                           "the name of an output, or {\"strides\": [1 to 8 numbers], \"sizes\": [a list of "
                           "sides for each]}");
    for (size_t i = 0; i < n; i++) {
        const json_t *stride = json_array_get(strides, i);
        json_int_t pixels = json_integer_value(stride); /* 0 for what is no whole number */
        if (pixels < 1 || pixels > 1024)
            return gh_key_fail(r, name, stride, e, "strides of 1 to 1024 pixels");
        b->levels[i].stride = (int)pixels;
        GH_TRY(read_sizes(&b->levels[i], json_array_get(sizes, i), name, r, e));
    }
    b->nlevels = (int)n;
    return GH_OK;
}

static gh_status read_anchors(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest_boxes *b = &((gh_manifest *)out)->boxes;
    if (json_is_object(v))
        return read_levels(b, v, name, r, e);
    return gh_key_string(&b->names[3], v, 256, name, r, e);
}

static gh_status read_variances(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest_boxes *b = &((gh_manifest *)out)->boxes;
    for (size_t i = 0; i < 2; i++) {
        double d = json_number_value(json_array_get(v, i));
        if (json_array_size(v) != 2 || !(d > 0 && d <= 1e3))
            return gh_key_fail(r, name, v, e, "two numbers above 0, at most 1000");
        b->variances[i] = d;
    }
    return GH_OK;
}

#define BOXES(field) offsetof(gh_manifest, boxes.field)
static const gh_key output_keys[] = {
    {"decoder", GH_KEY_WORD, true, offsetof(gh_manifest, decoder), .words = decoder_words},
    {"nms", GH_KEY_REAL, false, BOXES(overlap), .min = 0.01, .max = 1},
    {"sort", GH_KEY_WORD, false, BOXES(sort), .words = sort_words},
    {"boxes", GH_KEY_STRING, false, .offset = BOXES(names[0])},
    {"scores", GH_KEY_STRING, false, .offset = BOXES(names[1])},
    {"landmarks", GH_KEY_STRING, false, .offset = BOXES(names[2])},
    {"anchors", GH_KEY_CUSTOM, false, .read = read_anchors},
    {"variances", GH_KEY_CUSTOM, false, .read = read_variances},
    {"order", GH_KEY_WORD, false, BOXES(axes), .words = axes_words},
    {"activation", GH_KEY_WORD, false, BOXES(activation), .words = activation_words},
    {"background", GH_KEY_BOOL, false, .offset = offsetof(gh_manifest, background)},
    {0},
};

/* {"decoder": word, ...}, or the word alone. */
gh_status gh_manifest_output(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest_boxes *b = &((gh_manifest *)out)->boxes;
    b->variances[0] = 0.1;
    b->variances[1] = 0.2;
    if (!json_is_string(v))
        return gh_keys_read(out, v, "output.", output_keys, r, e);
    json_t *object = json_object();
    gh_status status = GH_NOMEM;
    if (object && json_object_set(object, "decoder", (json_t *)v) == 0)
        status = gh_keys_read(out, object, "output.", output_keys, r, e);
    else
        status = gh_fail(e, GH_NOMEM, "%s: memory ran out at \"%s\"", r->file, name);
    json_decref(object);
    return status;
}
