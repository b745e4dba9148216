/* What draw.c lends to draw_text.c. */
#ifndef GH_IMAGE_DRAW_PARTS_H
#define GH_IMAGE_DRAW_PARTS_H

#include "image/draw.h"
#include "image/font.h"

/* The union of the strokes in one colour: where they cross, a translucent colour is laid once. */
void gh_draw_strokes(gh_image *image, const gh_stroke *strokes, int n, gh_colour colour);

#endif
