/* Drawing on RGB pictures: anti-aliased boxes, lines, discs and text. Coordinates are pixels, (0, 0) the top
 * left corner of the picture, fractions allowed; what lies outside is clipped, however far, and what is not
 * finite draws nothing. Nothing is allocated, and nothing can fail. */
#ifndef GH_IMAGE_DRAW_H
#define GH_IMAGE_DRAW_H

#include "image/resize.h"

typedef struct gh_colour {
    uint8_t r, g, b, a; /* a = 255: opaque */
} gh_colour;

/* A filled rectangle with round corners; `radius` is at most half of the shorter side, 0 = sharp. */
void gh_draw_fill(gh_image *image, gh_rect box, double radius, gh_colour colour);
/* Its border, `thick` pixels wide, inside the rectangle. */
void gh_draw_frame(gh_image *image, gh_rect box, double radius, double thick, gh_colour colour);
/* A line with round ends, `thick` pixels wide. */
void gh_draw_line(gh_image *image, double x0, double y0, double x1, double y1, double thick,
                  gh_colour colour);
void gh_draw_disc(gh_image *image, double x, double y, double radius, gh_colour colour);

/* One line of UTF-8 text, in a font of ours that has Latin letters (ASCII, Latin-1, part of Latin Extended-A)
 * and draws a box for any other character. `size` is what CSS calls the font size: a capital is about 0.75 of
 * it high. x is where the line begins, y the baseline; both are rounded, so that stems are sharp. */
void gh_draw_text(gh_image *image, double x, double y, const char *text, double size, gh_colour colour);
/* Width of the text in pixels: where the next text would begin. */
double gh_text_width(const char *text, double size);
/* What a capital takes above the baseline, in shares of the size; accents reach higher. */
#define GH_TEXT_CAP 0.75

/* A pleasant colour for each number, neighbours far apart, all bright enough for dark text. */
gh_colour gh_colour_of(unsigned number);

#endif
