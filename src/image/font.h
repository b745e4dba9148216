/* The font: every glyph is a few strokes of a round pen, here as line segments in pixels. Only draw*.c
 * includes this. */
#ifndef GH_IMAGE_FONT_H
#define GH_IMAGE_FONT_H

#include <stdint.h>

/* A stroke of a round pen: from one point to another; both the same = a dot. Pixels, y down. */
typedef struct gh_stroke {
    float x0, y0, x1, y1, radius;
} gh_stroke;

/* Most strokes of a glyph; a test tries all glyphs at the largest size. */
#define GH_GLYPH_STROKES 320

typedef struct gh_glyph {
    gh_stroke strokes[GH_GLYPH_STROKES];
    int count;
    int advance; /* whole pixels to the next glyph */
} gh_glyph;

/* The character `code` at `size` pixels, its origin at (x, y) on the baseline; whole numbers, so that stems
 * and the heights of letters meet the pixel grid. A character that the font lacks is a box. */
void gh_font_glyph(gh_glyph *out, uint32_t code, int x, int y, double size);
/* The advance alone. */
int gh_font_advance(uint32_t code, double size);

/* The data, font_glyphs.c. Units: 100 = the font size; y up from the baseline; coordinates are those of the
 * middle of the pen. `path` is written as in SVG: M x,y moves, L a line, C a cubic curve of two controls and
 * an end, H and V a quarter of a (slightly squared) ellipse that sets out horizontally or vertically, D a
 * dot. Commands end in their last number; a space follows but at the end. */
typedef struct gh_outline {
    uint16_t code;
    uint8_t left, right; /* free space beside the ink */
    const char *path;
} gh_outline;

/* A letter with a mark over or under it. Marks are outlines of their own, drawn around x = 0 for a small
 * letter; over a capital they are raised. */
typedef struct gh_accented {
    uint16_t code;
    char base, mark;
} gh_accented;

extern const gh_outline gh_font_outlines[];
extern const int gh_font_noutlines;
extern const gh_outline gh_font_marks[];
extern const int gh_font_nmarks;
extern const gh_accented gh_font_accented[];
extern const int gh_font_naccented;

#endif
