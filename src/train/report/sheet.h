/* A sheet of small pictures, with their masks and boxes drawn on them: for people who want to see what a
 * network sees. */
#ifndef GH_TRAIN_REPORT_SHEET_H
#define GH_TRAIN_REPORT_SHEET_H

#include "base/buf.h"
#include "image/draw.h"
#include "train/metrics/ap.h"

#define GH_MAX_SHEET_SIDE 8192 /* pixels */

typedef struct gh_sheet {
    int columns, rows, width, height; /* cells, and pixels of each */
    gh_image *image;
} gh_sheet;

/* An empty sheet; GH_LIMIT: too large a picture; GH_NOMEM. Columns and rows are counted from 0. */
GH_MUST_CHECK gh_status gh_sheet_new(gh_sheet *out, int columns, int rows, int width, int height, gh_err *e);
void gh_sheet_free(gh_sheet *s);
/* Pixels of a cell's size. With a mask (or NULL) each class is tinted with its colour, and what counts
 * nowhere (255) is hatched; class 0 is left plain where `background`. */
void gh_sheet_put(gh_sheet *s, int column, int row, const uint8_t *pixels, const uint8_t *mask,
                  bool background);
/* The mask alone, in its classes' colours. */
void gh_sheet_put_mask(gh_sheet *s, int column, int row, const uint8_t *mask, bool background);
/* A box in pixels of the cell, in its class's colour, with its name (NULL = none); and a line of text over
 * the cell. */
void gh_sheet_box(gh_sheet *s, int column, int row, const gh_ap_rect *box, unsigned class, const char *name);
void gh_sheet_title(gh_sheet *s, int column, int row, const char *text);
/* Written as PNG, all or nothing. */
GH_MUST_CHECK gh_status gh_sheet_write(const gh_sheet *s, const char *path, gh_err *e);
/* Appended to a page as an image of its own; `alt`, of harmless letters, stands for it where it is not shown.
 */
GH_MUST_CHECK gh_status gh_sheet_html(gh_buf *html, const gh_sheet *s, const char *alt, gh_err *e);

#endif
