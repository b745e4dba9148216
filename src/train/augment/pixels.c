/* What changes a picture's pixels and leaves their places. */
#include "train/augment/parts.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Luma weights of ITU-R BT.601. */
static float luma(const uint8_t *p)
{
    return 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
}

static uint8_t level(float v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
}

static float vary(float strength, gh_rng *rng)
{
    return 1 + strength * (2 * gh_rng_float(rng) - 1);
}

void gh_augment_colour(uint8_t *pixels, size_t count, float strength, gh_rng *rng)
{
    float brightness = vary(strength, rng), contrast = vary(strength, rng), saturation = vary(strength, rng);
    float gain[3];
    double sum = 0;
    for (int c = 0; c < 3; c++)
        gain[c] = brightness * vary(strength / 4, rng); /* white balance: cameras differ less in that */
    for (size_t i = 0; i < count; i++)
        sum += (double)luma(pixels + i * 3);
    float mean = (float)(sum / (double)count) * brightness;
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = pixels + i * 3;
        float grey = luma(p);
        for (int c = 0; c < 3; c++) {
            float v = (grey + ((float)p[c] - grey) * saturation) * gain[c];
            p[c] = level(mean + (v - mean) * contrast);
        }
    }
}

void gh_augment_grey(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memset(pixels + i * 3, level(luma(pixels + i * 3)), 3);
}

/* ---- blur ---- */

/* Running mean over 2 r + 1 of n samples that lie `step` bytes apart; the ends repeat. */
static void box_line(uint8_t *line, uint8_t *copy, int n, size_t step, int r)
{
    for (int i = 0; i < n; i++)
        copy[i] = line[(size_t)i * step];
    int sum = 0, over = 2 * r + 1;
    for (int i = -r; i <= r; i++)
        sum += copy[i < 0 ? 0 : i >= n ? n - 1 : i];
    for (int i = 0; i < n; i++) {
        line[(size_t)i * step] = (uint8_t)((sum + r) / over);
        int in = i + r + 1, out = i - r;
        sum += copy[in >= n ? n - 1 : in] - copy[out < 0 ? 0 : out];
    }
}

/* Two passes of a box each way: close to a Gaussian, standard deviation 1.2 pixels for r = 1, 2 for r = 2. */
gh_status gh_augment_blur(uint8_t *pixels, int width, int height, gh_rng *rng, gh_err *e)
{
    int r = 1 + (int)gh_rng_below(rng, width < 96 ? 1 : 2);
    uint8_t *copy = gh_alloc((size_t)(width > height ? width : height));
    if (!copy)
        return gh_fail(e, GH_NOMEM, "memory ran out at a blurred picture");
    for (int pass = 0; pass < 2; pass++) {
        for (int y = 0; y < height; y++)
            for (size_t c = 0; c < 3; c++)
                box_line(pixels + (size_t)y * (size_t)width * 3 + c, copy, width, 3, r);
        for (int x = 0; x < width; x++)
            for (size_t c = 0; c < 3; c++)
                box_line(pixels + (size_t)x * 3 + c, copy, height, (size_t)width * 3, r);
    }
    gh_free(copy);
    return GH_OK;
}

/* ---- few pixels ---- */

/* Down by a factor from 1.5 to 4, then up again. */
gh_status gh_augment_small(uint8_t *pixels, int width, int height, gh_rng *rng, gh_err *e)
{
    double factor = 1.5 + 2.5 * (double)gh_rng_float(rng);
    int w = (int)fmax(4, width / factor), h = (int)fmax(4, height / factor);
    gh_image whole = {width, height, width, height, false, 0, pixels}, *part = NULL;
    GH_TRY(gh_image_new(&part, w, h, e));
    gh_status status =
        gh_resize(part->pixels, w, h, &whole, (gh_rect){0, 0, width, height}, GH_FILTER_BILINEAR, e);
    if (status == GH_OK)
        status = gh_resize(pixels, width, height, part, (gh_rect){0, 0, w, h}, GH_FILTER_BILINEAR, e);
    gh_image_free(&part);
    return status;
}

/* ---- cut-out ---- */

/* A box that is hidden by more than this share is no longer asked for. */
#define MOST_HIDDEN 0.6

static double common(double a0, double a1, double b0, double b1)
{
    return fmax(0, fmin(a1, b1) - fmax(a0, b0));
}

/* Sides from an eighth to a third of the picture's (DeVries and Taylor 2017 hide a square of half the side,
 * of pictures that show one thing). */
void gh_augment_cutout(const gh_augment_to *to, size_t nboxes, int width, int height, const uint8_t fill[3],
                       gh_rng *rng)
{
    int w = (int)fmax(1, width * (0.125 + 0.2 * (double)gh_rng_float(rng)));
    int h = (int)fmax(1, height * (0.125 + 0.2 * (double)gh_rng_float(rng)));
    int x = (int)gh_rng_below(rng, (uint64_t)(width - w + 1)),
        y = (int)gh_rng_below(rng, (uint64_t)(height - h + 1));
    for (int v = y; v < y + h; v++) {
        size_t at = (size_t)v * (size_t)width + (size_t)x;
        for (int u = 0; u < w; u++)
            memcpy(to->pixels + (at + (size_t)u) * 3, fill, 3);
        if (to->mask)
            memset(to->mask + at, GH_AUGMENT_VOID, (size_t)w);
    }
    for (size_t i = 0; i < nboxes; i++) {
        const gh_ap_rect *b = &to->boxes[i].box;
        double hidden = common(b->x, b->x + b->w, x, x + w) * common(b->y, b->y + b->h, y, y + h);
        if (to->boxes[i].kept && hidden > MOST_HIDDEN * b->w * b->h)
            to->boxes[i].kept = false;
    }
}
