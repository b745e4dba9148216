/* Crops of boxes. A patch that stands upright is resampled straight to the network's size; what lies beyond
 * the picture repeats its edge, so that a face at the border keeps its shape. A turned patch is first shrunk
 * with the model's filter, as the upright rectangle around it, to the scale of the network's input, then
 * turned with two taps an axis. */
#include "tasks/crop.h"

#include "tasks/preproc.h"

#include <math.h>
#include <string.h>

/* A turned square of side 1 lies in an upright one of side sqrt(2), and its filter looks a pixel further. */
#define TURNED 1.4143
#define RIM    2

gh_patch gh_crop_place(const gh_crop *crop, const gh_object *b)
{
    gh_patch p = {b->x + b->w / 2.0, b->y + b->h / 2.0, b->w, b->h, 0};
    if (crop->square)
        p.w = p.h = fmax(p.w, p.h);
    p.w *= 1 + 2 * crop->margin;
    p.h *= 1 + 2 * crop->margin;
    if (crop->align && b->nlandmarks >= 2) {
        double dx = b->landmarks[1][0] - b->landmarks[0][0], dy = b->landmarks[1][1] - b->landmarks[0][1];
        p.angle = dx == 0 && dy == 0 ? 0 : atan2(dy, dx);
    }
    return p;
}

/* Side of the raster that a turned patch of the input's size needs, in pixels. */
static int turned_side(const gh_manifest_input *in)
{
    return (int)ceil(TURNED * fmax(in->width, in->height)) + 2 * RIM;
}

size_t gh_crop_scratch(const gh_manifest_input *in)
{
    size_t side = (size_t)turned_side(in), whole = (size_t)in->width * (size_t)in->height;
    return (whole + side * side) * 3;
}

/* The part of a patch that the network's fit takes, as gh_preproc_place has it for a picture of that size. */
static gh_placement fit(const gh_manifest_input *in, const gh_patch *p)
{
    double w = fmax(1, nearbyint(p->w)), h = fmax(1, nearbyint(p->h));
    gh_placement place = gh_preproc_place(in, (int)w, (int)h);
    place.box.x *= p->w / w;
    place.box.w *= p->w / w;
    place.box.y *= p->h / h;
    place.box.h *= p->h / h;
    return place;
}

/* Cells [*from, *from + *count) of n that lie within `size` pixels when the first begins at `at` and each is
 * `step` long; at least one. */
static void inside(int *from, int *count, double at, double step, int n, double size)
{
    double first = fmax(0, ceil(-at / step - 1e-9)), end = fmin(n, floor((size - at) / step + 1e-9));
    *from = (int)fmin(first, n - 1);
    *count = (int)fmax(1, end - *from);
}

/* Copies the raster of `count` cells, which stands at the start of the row or of the rows, to `from` and
 * repeats its ends. `unit` is the length of a cell in bytes. */
static void repeat_ends(uint8_t *at, int n, int from, int count, size_t unit)
{
    memmove(at + (size_t)from * unit, at, (size_t)count * unit);
    for (int i = 0; i < from; i++)
        memcpy(at + (size_t)i * unit, at + (size_t)from * unit, unit);
    for (int i = from + count; i < n; i++)
        memcpy(at + (size_t)i * unit, at + (size_t)(from + count - 1) * unit, unit);
}

/* A rectangle of the decoded pixels, maybe beyond them, to width * height pixels. */
static gh_status sample(uint8_t *out, int width, int height, const gh_image *image, gh_rect box,
                        gh_filter filter, gh_err *e)
{
    double sx = box.w / width, sy = box.h / height;
    int x, y, w, h;
    inside(&x, &w, box.x, sx, width, image->width);
    inside(&y, &h, box.y, sy, height, image->height);
    gh_rect part = {box.x + x * sx, box.y + y * sy, w * sx, h * sy};
    part.x = fmin(fmax(part.x, 0), image->width - 1);
    part.y = fmin(fmax(part.y, 0), image->height - 1);
    part.w = fmin(part.w, image->width - part.x);
    part.h = fmin(part.h, image->height - part.y);
    GH_TRY(gh_resize(out, w, h, image, part, filter, e));
    size_t row = (size_t)width * 3;
    for (int i = h - 1; i >= 0 && w < width; i--) {
        memmove(out + (size_t)i * row, out + (size_t)i * (size_t)w * 3, (size_t)w * 3);
        repeat_ends(out + (size_t)i * row, width, x, w, 3);
    }
    repeat_ends(out, height, y, h, row);
    return GH_OK;
}

static double clamp(double v, double most)
{
    return v < 0 ? 0 : v > most ? most : v;
}

/* One pixel between the four around (x, y), whose centres are whole numbers. */
static void between(uint8_t *out, const uint8_t *raster, int side, double x, double y)
{
    x = clamp(x, side - 1.001);
    y = clamp(y, side - 1.001);
    int left = (int)x, top = (int)y;
    double fx = x - left, fy = y - top;
    const uint8_t *p = raster + ((size_t)top * (size_t)side + (size_t)left) * 3, *q = p + (size_t)side * 3;
    for (int c = 0; c < 3; c++) {
        double upper = p[c] + fx * (p[3 + c] - p[c]), lower = q[c] + fx * (q[3 + c] - q[c]);
        out[c] = (uint8_t)(upper + fy * (lower - upper) + 0.5);
    }
}

/* The patch `box` (its corner as seen from the centre (cx, cy), before it is turned) to width * height
 * pixels. */
static gh_status sample_turned(uint8_t *out, int width, int height, uint8_t *raster, int side,
                               const gh_image *image, double cx, double cy, gh_rect box, double angle,
                               gh_filter filter, gh_err *e)
{
    double sx = box.w / width, sy = box.h / height, step = fmax(sx, sy), half = side / 2.0 * step;
    double mx = box.x + box.w / 2, my = box.y + box.h / 2, c = cos(angle), s = sin(angle);
    double ox = cx + c * mx - s * my, oy = cy + s * mx + c * my; /* the part's own centre in the picture */
    GH_TRY(sample(raster, side, side, image, (gh_rect){ox - half, oy - half, 2 * half, 2 * half}, filter, e));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double u = (x + 0.5 - width / 2.0) * sx / step, v = (y + 0.5 - height / 2.0) * sy / step;
            between(out + ((size_t)y * (size_t)width + (size_t)x) * 3, raster, side,
                    c * u - s * v + side / 2.0 - 0.5, s * u + c * v + side / 2.0 - 0.5);
        }
    return GH_OK;
}

gh_status gh_crop_pixels(uint8_t *scratch, const gh_image *image, const gh_manifest_input *in,
                         const gh_patch *p, gh_err *e)
{
    gh_placement place = fit(in, p);
    double kx = (double)image->width / image->full_width, ky = (double)image->height / image->full_height;
    gh_rect box = {place.box.x - p->w / 2, place.box.y - p->h / 2, place.box.w, place.box.h};
    if (p->angle == 0) {
        gh_rect at = {(p->cx + box.x) * kx, (p->cy + box.y) * ky, box.w * kx, box.h * ky};
        GH_TRY(sample(scratch, place.width, place.height, image, at, in->filter, e));
    } else {
        /* decoded at one scale in both directions, to within rounding */
        gh_rect part = {box.x * kx, box.y * kx, box.w * kx, box.h * kx};
        uint8_t *raster = scratch + (size_t)in->width * (size_t)in->height * 3;
        GH_TRY(sample_turned(scratch, place.width, place.height, raster, turned_side(in), image, p->cx * kx,
                             p->cy * ky, part, p->angle, in->filter, e));
    }
    gh_preproc_spread(scratch, in, &place);
    return GH_OK;
}

gh_status gh_crop_run(gh_tensor *dst, const gh_image *image, const gh_manifest_input *in,
                      const gh_patch *patch, uint8_t *scratch, gh_err *e)
{
    GH_TRY(gh_crop_pixels(scratch, image, in, patch, e));
    gh_preproc_normalise(dst, scratch, in);
    return GH_OK;
}
