/* Text: UTF-8 to glyphs, one after another. */
#include "image/draw_parts.h"

#include "base/utf8.h"

#include <math.h>

/* Sizes that the font is drawn at; beyond, text is as small or large as that. */
#define LEAST_SIZE 4.0
#define MOST_SIZE  2000.0

static double fit_size(double size)
{
    return size > LEAST_SIZE ? fmin(size, MOST_SIZE) : LEAST_SIZE;
}

/* The next character; a byte that is not UTF-8 counts as U+FFFD. */
static uint32_t next_code(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    size_t len = gh_utf8_length(*text);
    *text += len ? len : 1;
    if (len == 0)
        return 0xfffd;
    uint32_t code = len == 1 ? s[0] : s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (s[i] & 0x3fu);
    return code;
}

void gh_draw_text(gh_image *image, double x, double y, const char *text, double size, gh_colour colour)
{
    const double far = 1e6; /* pixels: no picture is as large, and floats are still whole there */
    gh_glyph glyph;
    if (!(fabs(x) < far && fabs(y) < far))
        return;
    size = fit_size(size);
    double at = round(x);
    while (*text && at < image->width) {
        gh_font_glyph(&glyph, next_code(&text), (int)at, (int)round(y), size);
        gh_draw_strokes(image, glyph.strokes, glyph.count, colour);
        at += glyph.advance;
    }
}

double gh_text_width(const char *text, double size)
{
    double width = 0;
    while (*text)
        width += gh_font_advance(next_code(&text), fit_size(size));
    return width;
}
