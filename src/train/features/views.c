/* Views: mirror, random crop, random colour. Their order: plain, mirror, crops, colours. */
#include "train/features/views.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

#define CROPS   4
#define COLOURS 2
/* A crop keeps this share of the picture's shown area, as a range (a mild form of Szegedy et al. 2015). */
#define LEAST_AREA 0.5
/* Brightness, contrast and saturation vary by this share either way (Howard 2013). */
#define COLOUR_RANGE 0.3

gh_status gh_augment_parse(unsigned *out, const char *text, gh_err *e)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {
        {"none", 0}, {"flip", GH_AUGMENT_FLIP}, {"crop", GH_AUGMENT_CROP}, {"colour", GH_AUGMENT_COLOUR}};
    unsigned bits = 0;
    while (*text) {
        size_t len = strcspn(text, ","), i;
        for (i = 0; i < GH_COUNT(names); i++)
            if (strlen(names[i].name) == len && strncmp(names[i].name, text, len) == 0)
                break;
        if (i == GH_COUNT(names))
            return gh_fail(e, GH_ARG, "augmentation \"%.*s\" is not known; flip, crop, colour and none are",
                           (int)len, text);
        bits |= names[i].bit;
        text += len + (text[len] == ',');
    }
    *out = bits;
    return GH_OK;
}

uint32_t gh_views_count(unsigned augment)
{
    return 1u + (augment & GH_AUGMENT_FLIP ? 1 : 0) + (augment & GH_AUGMENT_CROP ? CROPS : 0) +
           (augment & GH_AUGMENT_COLOUR ? COLOURS : 0);
}

static void mirror(uint8_t *pixels, int width, int height)
{
    for (int y = 0; y < height; y++) {
        uint8_t *row = pixels + (size_t)y * width * 3;
        for (int a = 0, b = width - 1; a < b; a++, b--)
            for (int c = 0; c < 3; c++) {
                uint8_t t = row[a * 3 + c];
                row[a * 3 + c] = row[b * 3 + c];
                row[b * 3 + c] = t;
            }
    }
}

static uint8_t level(float v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
}

static float vary(gh_rng *rng)
{
    return 1.0f + (float)COLOUR_RANGE * (2.0f * gh_rng_float(rng) - 1.0f);
}

/* Luma weights of ITU-R BT.601. */
static void recolour(uint8_t *pixels, int count, gh_rng *rng)
{
    float brightness = vary(rng), contrast = vary(rng), saturation = vary(rng);
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += 0.299 * pixels[i * 3] + 0.587 * pixels[i * 3 + 1] + 0.114 * pixels[i * 3 + 2];
    float mean = (float)(sum / count) * brightness;
    for (int i = 0; i < count; i++) {
        uint8_t *p = pixels + i * 3;
        float grey = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
        for (int c = 0; c < 3; c++) {
            float v = (grey + (p[c] - grey) * saturation) * brightness;
            p[c] = level(mean + (v - mean) * contrast);
        }
    }
}

/* A random part of the plain placement's box. */
static void crop(gh_placement *p, gh_rng *rng)
{
    double side = sqrt(LEAST_AREA + (1 - LEAST_AREA) * gh_rng_float(rng));
    double w = p->box.w * side, h = p->box.h * side;
    p->box.x += (p->box.w - w) * gh_rng_float(rng);
    p->box.y += (p->box.h - h) * gh_rng_float(rng);
    p->box.w = w;
    p->box.h = h;
}

gh_status gh_view_make(uint8_t *pixels, const gh_image *image, const gh_manifest_input *in, unsigned augment,
                       uint32_t view, uint64_t seed, gh_err *e)
{
    gh_placement place = gh_preproc_place(in, image->full_width, image->full_height);
    uint32_t flips = augment & GH_AUGMENT_FLIP ? 1 : 0, crops = augment & GH_AUGMENT_CROP ? CROPS : 0;
    bool random = view > flips, cropped = random && view <= flips + crops;
    gh_rng rng;
    gh_rng_seed(&rng, seed * 1000003u + view);
    if (cropped)
        crop(&place, &rng);
    GH_TRY(gh_preproc_pixels(pixels, image, in, &place, e));
    if (random && !cropped)
        recolour(pixels, in->width * in->height, &rng);
    if (flips && (view == 1 || (random && gh_rng_below(&rng, 2))))
        mirror(pixels, in->width, in->height);
    return GH_OK;
}
