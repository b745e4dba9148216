/* From a network's output to a mask: its numbers to 0..1, and where on the grid the picture lies. */
#include "tasks/segment.h"

#include "tasks/preproc.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Cells at a time, so that their largest values and sums stay in the first-level cache. */
enum { BLOCK = 512 };

gh_status gh_segment_check(const gh_tensor *t, const gh_manifest *m, gh_err *e)
{
    char text[80];
    const int64_t *d = t->shape.dims;
    int classes = gh_segment_classes(m);
    bool grid = t->type == GH_F32 && t->shape.rank == 4 && d[0] == 1 && d[1] >= 1 && d[2] >= 1 && d[3] >= 1 &&
                d[2] <= GH_MAX_SIDE && d[3] <= GH_MAX_SIDE;
    if (!grid)
        return gh_fail(e, GH_FORMAT,
                       "the network's mask is %s %s; it has to be float32 of 1 x channels x height x width, "
                       "at most %d a side",
                       gh_dtype_name(t->type), gh_shape_text(&t->shape, text, sizeof text), GH_MAX_SIDE);
    if (d[1] == 1 ? m->nlabels > 2 : d[1] != classes || m->nlabels == 1)
        return gh_fail(e, GH_FORMAT,
                       "the network's mask has %lld channels for %zu labels; it takes one a label, or one "
                       "channel for one label or two",
                       (long long)d[1], m->nlabels);
    if (m->boxes.activation == GH_ACTIVATION_SOFTMAX
            ? d[1] == 1
            : m->boxes.activation == GH_ACTIVATION_MINMAX && d[1] > 1)
        return gh_fail(e, GH_FORMAT,
                       "the network's mask has %lld channels; the activation softmax takes two or more, "
                       "minmax one",
                       (long long)d[1]);
    return GH_OK;
}

static void sigmoid(float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = 1 / (1 + expf(-v[i]));
}

/* Over the channels of `count` cells from `v` on; planes lie `plane` apart. */
static void softmax_block(float *v, size_t plane, int channels, int count)
{
    float most[BLOCK], sum[BLOCK] = {0};
    memcpy(most, v, (size_t)count * sizeof *most);
    for (int c = 1; c < channels; c++)
        for (int i = 0; i < count; i++)
            most[i] = fmaxf(most[i], v[(size_t)c * plane + (size_t)i]);
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++) {
            float *at = &v[(size_t)c * plane + (size_t)i];
            *at = expf(*at - most[i]);
            sum[i] += *at;
        }
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++)
            v[(size_t)c * plane + (size_t)i] /= sum[i];
}

static void softmax(float *v, size_t plane, int channels)
{
    for (size_t at = 0; at < plane; at += BLOCK)
        softmax_block(v + at, plane, channels, plane - at < BLOCK ? (int)(plane - at) : BLOCK);
}

/* The least becomes 0, the largest 1; what is all the same, and so tells nothing, becomes 0. */
static void minmax(float *v, size_t n)
{
    float least = FLT_MAX, most = -FLT_MAX;
    for (size_t i = 0; i < n; i++) {
        least = fminf(least, v[i]);
        most = fmaxf(most, v[i]);
    }
    float scale = most > least ? 1 / (most - least) : 0;
    for (size_t i = 0; i < n; i++)
        v[i] = (v[i] - least) * scale;
}

/* The part of the grid that the picture covers; the rest is the filling of a letterbox. */
static void place(gh_mask *m, const gh_manifest_input *in, int width, int height)
{
    gh_placement p = gh_preproc_place(in, width, height);
    double across = (double)m->width / in->width, down = (double)m->height / in->height;
    m->across = (gh_mask_span){p.x * across, p.width * across};
    m->down = (gh_mask_span){p.y * down, p.height * down};
}

gh_status gh_segment_mask(gh_mask **out, const gh_tensor *t, const gh_manifest *mf,
                          const gh_manifest_input *in, int width, int height, gh_err *e)
{
    gh_mask *m = NULL;
    GH_TRY(gh_segment_check(t, mf, e));
    const int64_t *d = t->shape.dims;
    GH_TRY(gh_mask_new(&m, (int)d[1], (int)d[3], (int)d[2], e));
    size_t plane = (size_t)d[2] * (size_t)d[3], n = plane * (size_t)d[1];
    memcpy(m->values, t->data, n * sizeof *m->values);
    if (mf->boxes.activation == GH_ACTIVATION_SIGMOID)
        sigmoid(m->values, n);
    else if (mf->boxes.activation == GH_ACTIVATION_SOFTMAX)
        softmax(m->values, plane, m->channels);
    else if (mf->boxes.activation == GH_ACTIVATION_MINMAX)
        minmax(m->values, n);
    m->background |= mf->background;
    m->threshold = (float)mf->threshold;
    if (in)
        place(m, in, width, height);
    *out = m;
    return GH_OK;
}
