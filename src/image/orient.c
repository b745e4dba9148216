/* The two finishing steps of a decoded picture: alpha laid on white, and the EXIF orientation applied. */
#include "image/codec.h"

#include "base/mem.h"

/* Upright pixel (x, y) is stored pixel (x, y), after swapping the axes, then counting from the far end
 * (Exif 2.3, tag 0x0112: which visual edges row 0 and column 0 are). */
static const struct turn {
    bool swap, flip_x, flip_y; /* flips count along the stored axes */
} turns[9] = {
    [2] = {false, true, false}, [3] = {false, true, true}, [4] = {false, false, true},
    [5] = {true, false, false}, [6] = {true, false, true}, [7] = {true, true, true},
    [8] = {true, true, false},
};

/* Tiles keep both sides of a quarter turn in the first-level cache: 64 x 64 x 3 bytes twice. */
enum { TILE = 64 };

typedef struct walk {
    const uint8_t *origin;    /* stored pixel that becomes the top left one */
    ptrdiff_t step_x, step_y; /* bytes in the stored picture for one step in the upright one */
    uint8_t *dst;             /* upright */
    int width, height;        /* upright */
} walk;

static void turn_tile(const walk *w, int x0, int y0)
{
    int x1 = x0 + TILE < w->width ? x0 + TILE : w->width;
    int y1 = y0 + TILE < w->height ? y0 + TILE : w->height;
    for (int y = y0; y < y1; y++) {
        uint8_t *d = w->dst + ((size_t)y * (size_t)w->width + (size_t)x0) * 3;
        const uint8_t *s = w->origin + y * w->step_y + x0 * w->step_x;
        for (int x = x0; x < x1; x++, d += 3, s += w->step_x) {
            d[0] = s[0];
            d[1] = s[1];
            d[2] = s[2];
        }
    }
}

gh_status gh_image_turn(gh_image *image, int orientation, gh_err *e)
{
    GH_ASSERT(orientation >= 1 && orientation <= 8);
    if (orientation == 1)
        return GH_OK;
    const struct turn *t = &turns[orientation];
    ptrdiff_t row = (ptrdiff_t)image->width * 3;
    ptrdiff_t along_x = t->flip_x ? -3 : 3, along_y = t->flip_y ? -row : row;
    walk w = {.width = t->swap ? image->height : image->width,
              .height = t->swap ? image->width : image->height,
              .step_x = t->swap ? along_y : along_x,
              .step_y = t->swap ? along_x : along_y,
              .origin =
                  image->pixels + (t->flip_x ? row - 3 : 0) + (t->flip_y ? row * (image->height - 1) : 0)};
    w.dst = gh_alloc_aligned((size_t)w.width * (size_t)w.height * 3);
    if (w.dst == NULL)
        return gh_fail(e, GH_NOMEM, "memory ran out turning a picture of %d x %d pixels", w.width, w.height);
    for (int y = 0; y < w.height; y += TILE)
        for (int x = 0; x < w.width; x += TILE)
            turn_tile(&w, x, y);
    gh_free(image->pixels);
    image->pixels = w.dst;
    image->width = w.width;
    image->height = w.height;
    if (t->swap) {
        int full_width = image->full_width;
        image->full_width = image->full_height;
        image->full_height = full_width;
    }
    return GH_OK;
}

/* c over white at alpha a, rounded to nearest: (c * a + 255 * (255 - a)) / 255. */
static uint8_t over_white(unsigned c, unsigned a)
{
    unsigned v = c * a + 255 * (255 - a) + 128;
    return (uint8_t)((v + (v >> 8)) >> 8);
}

void gh_image_flatten(gh_image *image)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    const uint8_t *s = image->pixels;
    uint8_t *d = image->pixels; /* never overtakes s, so in place is safe */
    for (size_t i = 0; i < pixels; i++, s += 4, d += 3) {
        unsigned a = s[3];
        uint8_t r = over_white(s[0], a), g = over_white(s[1], a), b = over_white(s[2], a);
        d[0] = r;
        d[1] = g;
        d[2] = b;
    }
}
