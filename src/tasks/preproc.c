/* Preprocessing: one resize of a box straight to the network's size, then one pass that normalises. Pillow's
 * and torchvision's two steps (resize the whole, cut the centre) sample the same points with the same
 * weights, so the box gives the same pixels at a fraction of the work. */
#include "tasks/preproc.h"

#include "engine/pixels.h"

#include <math.h>
#include <string.h>

/* A JPEG is decoded at a DCT scale only when this many decoded pixels are left for each resampled one. So it
 * is for plain filters, too: those networks were trained on photos of about twice their size, and single
 * pixels of a larger one are noise to them. SSDLite on coco28 enlarged to 4000 pixels with noise of 10 grey
 * levels: AP50 .578 decoded in full, .649 at 1/2, .674 at 1/4; without noise, at the photos' own size, .679.
 */
#define DCT_MARGIN 2
/* The same for a model of any size, which finds things of all sizes: as many pixels as it sees are enough. */
#define DCT_MARGIN_ANY_SIZE 1

/* Python's round(): halves go to the even neighbour; torchvision rounds the crop's corner with it. */
static int round_even(double v)
{
    return (int)nearbyint(v);
}

/* Size of the whole picture once resized, before the centre is cut. */
static void resized_size(double *rw, double *rh, const gh_manifest_input *in, int width, int height)
{
    int tw = round_even(in->width / in->crop), th = round_even(in->height / in->crop);
    /* The side that needs the larger factor is met exactly, the other is in proportion and rounded down. */
    if ((int64_t)tw * height >= (int64_t)th * width) {
        *rw = tw;
        *rh = floor((double)tw * height / width);
    } else {
        *rh = th;
        *rw = floor((double)th * width / height);
    }
}

static gh_rect clip_box(gh_rect box, int width, int height)
{
    box.x = fmax(box.x, 0);
    box.y = fmax(box.y, 0);
    box.w = fmin(box.w, width - box.x);
    box.h = fmin(box.h, height - box.y);
    return box;
}

static int round_up(int side, int stride)
{
    return (side + stride - 1) / stride * stride;
}

void gh_preproc_choose(gh_manifest_input *in, int width, int height, int max_side)
{
    if (!in->stride)
        return;
    double most = max_side ? max_side : GH_DEFAULT_MAX_SIDE;
    double scale = fmin(1, most / fmax(width, height));
    in->content.width = (int)fmax(1, nearbyint(width * scale));
    in->content.height = (int)fmax(1, nearbyint(height * scale));
    in->width = round_up(in->content.width, in->stride);
    in->height = round_up(in->content.height, in->stride);
}

gh_placement gh_preproc_place(const gh_manifest_input *in, int width, int height)
{
    gh_placement p = {{0, 0, width, height}, 0, 0, in->width, in->height};
    if (in->fit == GH_FIT_CROP) {
        double rw, rh;
        resized_size(&rw, &rh, in, width, height);
        double sx = width / rw, sy = height / rh; /* source pixels per resized pixel */
        p.box.x = nearbyint((rw - in->width) / 2) * sx;
        p.box.y = nearbyint((rh - in->height) / 2) * sy;
        p.box.w = in->width * sx;
        p.box.h = in->height * sy;
        p.box = clip_box(p.box, width, height);
    } else if (in->fit == GH_FIT_PAD && in->content.width > 0) {
        p.width = in->content.width;
        p.height = in->content.height;
    } else if (in->fit == GH_FIT_LETTERBOX || in->fit == GH_FIT_PAD) {
        double scale = fmin((double)in->width / width, (double)in->height / height);
        p.width = (int)fmax(1, fmin(in->width, round(width * scale)));
        p.height = (int)fmax(1, fmin(in->height, round(height * scale)));
        p.x = in->fit == GH_FIT_PAD ? 0 : (in->width - p.width) / 2;
        p.y = in->fit == GH_FIT_PAD ? 0 : (in->height - p.height) / 2;
    }
    return p;
}

/* Measured with EfficientNet-Lite0 on 200 ImageNet photos enlarged fourfold, with noise of 8 levels (2000 x
 * 1500, JPEG quality 88), against full decoding, which has 180 right: margin 1 gives the same best class for
 * 197 of them (179 right, a probability moves by up to 0.10), margin 2 for 199 (181 right, median 0.003, at
 * most 0.054) and decodes in two thirds of the time. At their own size one of the 200 is large enough, and
 * moves by 0.002. */
void gh_preproc_min_size(int *min_width, int *min_height, const gh_manifest_input *in, int width, int height)
{
    *min_width = *min_height = 0;
    gh_placement p = gh_preproc_place(in, width, height);
    /* Quotients that are whole in truth may come out a hair above. */
    double margin = in->stride ? DCT_MARGIN_ANY_SIZE : DCT_MARGIN;
    double w = ceil(margin * width * (p.width / p.box.w) - 1e-6);
    double h = ceil(margin * height * (p.height / p.box.h) - 1e-6);
    if (w > width || h > height)
        return;
    *min_width = (int)w;
    *min_height = (int)h;
}

/* The box in the pixels that were decoded, which may be fewer than the file's. */
static gh_rect decoded_box(gh_rect box, const gh_image *image)
{
    double sx = (double)image->width / image->full_width, sy = (double)image->height / image->full_height;
    return clip_box((gh_rect){box.x * sx, box.y * sy, box.w * sx, box.h * sy}, image->width, image->height);
}

/* Spreads the p->width * p->height pixels at the start of `pixels` to their place in the whole raster, from
 * the last row to the first because each moves towards the end, and fills the rest. */
static void spread(uint8_t *pixels, const gh_placement *p, int width, int height, const uint8_t fill[3])
{
    size_t row = (size_t)width * 3, part = (size_t)p->width * 3;
    for (int y = height - 1; y >= 0; y--) {
        uint8_t *dst = pixels + (size_t)y * row;
        bool inside = y >= p->y && y < p->y + p->height;
        if (inside)
            memmove(dst + (size_t)p->x * 3, pixels + (size_t)(y - p->y) * part, part);
        for (int x = 0; x < width; x++)
            if (!inside || x < p->x || x >= p->x + p->width)
                memcpy(dst + (size_t)x * 3, fill, 3);
    }
}

/* The mean as an RGB pixel, to the nearest level. */
static void fill_colour(uint8_t fill[3], const gh_manifest_input *in, const int order[3])
{
    for (int c = 0; c < 3; c++)
        fill[order[c]] = (uint8_t)fminf(255, fmaxf(0, roundf(in->mean[c])));
}

static const int orders[2][3] = {[GH_ORDER_RGB] = {0, 1, 2}, [GH_ORDER_BGR] = {2, 1, 0}};

void gh_preproc_spread(uint8_t *pixels, const gh_manifest_input *in, const gh_placement *p)
{
    uint8_t fill[3];
    if (p->width == in->width && p->height == in->height)
        return;
    fill_colour(fill, in, orders[in->order]);
    spread(pixels, p, in->width, in->height, fill);
}

gh_status gh_preproc_pixels(uint8_t *pixels, const gh_image *image, const gh_manifest_input *in,
                            const gh_placement *p, gh_err *e)
{
    GH_TRY(gh_resize(pixels, p->width, p->height, image, decoded_box(p->box, image), in->filter, e));
    gh_preproc_spread(pixels, in, p);
    return GH_OK;
}

/* What 255 stands for: the largest level of the picture. At least 1: what is all black stays so. */
static float largest(const uint8_t *pixels, size_t n)
{
    uint8_t most = 1;
    for (size_t i = 0; i < n; i++)
        most = pixels[i] > most ? pixels[i] : most;
    return most;
}

void gh_preproc_normalise(gh_tensor *dst, const uint8_t *pixels, const gh_manifest_input *in)
{
    float mean[3], scale[3], most = 0;
    if (in->levels == GH_LEVELS_PLAIN) {
        gh_tensor_from_pixels(dst, pixels, orders[in->order], in->mean, in->scale);
        return;
    }
    most = largest(pixels, (size_t)in->width * (size_t)in->height * 3);
    for (int c = 0; c < 3; c++) { /* (v * 255 / most - mean) * scale */
        mean[c] = in->mean[c] * most / 255;
        scale[c] = in->scale[c] * 255 / most;
    }
    gh_tensor_from_pixels(dst, pixels, orders[in->order], mean, scale);
}

/* The plain filter straight to floats; around it lies the mean, which is 0 once normalised. */
static gh_status run_plain(gh_tensor *dst, const gh_image *image, const gh_manifest_input *in,
                           const gh_placement *p, gh_err *e)
{
    size_t width = (size_t)in->width, plane = width * (size_t)in->height;
    gh_planes planes = {.stride = width};
    if (p->width != in->width || p->height != in->height)
        memset(dst->data, 0, 3 * plane * sizeof(float));
    for (int c = 0; c < 3; c++) {
        int to = orders[in->order][c]; /* the colour of the network's channel c */
        planes.plane[to] = (float *)dst->data + (size_t)c * plane + (size_t)p->y * width + p->x;
        planes.mean[to] = in->mean[c];
        planes.scale[to] = in->scale[c];
    }
    return gh_resize_planes(&planes, p->width, p->height, image, decoded_box(p->box, image), e);
}

gh_status gh_preproc_run(gh_tensor *dst, const gh_image *image, const gh_manifest_input *in, uint8_t *scratch,
                         gh_err *e)
{
    gh_placement p = gh_preproc_place(in, image->full_width, image->full_height);
    if (in->filter == GH_FILTER_BILINEAR_PLAIN)
        return run_plain(dst, image, in, &p, e);
    GH_TRY(gh_preproc_pixels(scratch, image, in, &p, e));
    gh_preproc_normalise(dst, scratch, in);
    return GH_OK;
}
