/* Masks: soft values of each class on a network's grid, and what is made of them at the picture's own size,
 * row by row: class indices, confidences, pictures, regions, run lengths. No mask of a whole picture is ever
 * held.
 */
#ifndef GH_IMAGE_MASK_H
#define GH_IMAGE_MASK_H

#include "image/image.h"

#define GH_MAX_MASK_CLASSES 256 /* an index is a byte */

typedef enum gh_mask_output {
    GH_MASK_PALETTE, /* indexed PNG with the classes' colours */
    GH_MASK_INDEX,   /* 8-bit grey PNG, value = class */
    GH_MASK_SOFT,    /* 8-bit grey PNG, confidence of the foreground */
    GH_MASK_CUTOUT,  /* RGBA PNG, the background clear */
    GH_MASK_OVERLAY, /* RGB PNG, the picture under the classes' colours */
    GH_MASK_OUTPUTS,
    GH_MASK_NONE = GH_MASK_OUTPUTS, /* no picture */
} gh_mask_output;

/* "palette", "index", ..., then NULL. */
extern const char *const gh_mask_output_words[];
/* True for outputs that show the picture's own pixels. */
bool gh_mask_shows_picture(gh_mask_output output);
/* Bytes a pixel of an output before it is packed. */
int gh_mask_depth(gh_mask_output output);

/* Where the picture lies along one axis of the grid, in cells; cells outside are not looked at. */
typedef struct gh_mask_span {
    double from, extent;
} gh_mask_span;

typedef struct gh_mask {
    float *values; /* owned: `channels` planes of height * width */
    int channels;  /* 1: confidence of the foreground, which is class 1; else one a class */
    int width, height;
    gh_mask_span across, down;
    int classes; /* 2 where there is one channel */
    float threshold;
    bool background; /* class 0 is what belongs to no other, and what stays under the threshold */
} gh_mask;

/* Values are left to be filled; spans are the whole grid. */
GH_MUST_CHECK gh_status gh_mask_new(gh_mask **out, int channels, int width, int height, gh_err *e);
void gh_mask_free(gh_mask **m);

/* Rows of a mask scaled to width * height pixels, in any order. Bilinear with half-pixel centres; the grid's
 * edge repeats. */
typedef struct gh_mask_rows gh_mask_rows;
GH_MUST_CHECK gh_status gh_mask_rows_new(gh_mask_rows **out, const gh_mask *m, int width, int height,
                                         gh_err *e);
void gh_mask_rows_free(gh_mask_rows **s);
/* The class of each pixel of row y. */
void gh_mask_row_classes(uint8_t *row, gh_mask_rows *s, int y);
/* 0..255: the confidence of class 1 of a single channel; 1 - background where there is one; else that of the
 * best class. */
void gh_mask_row_soft(uint8_t *row, gh_mask_rows *s, int y);

/* A connected part of one class, diagonal neighbours included. */
typedef struct gh_region {
    int x, y, w, h; /* its box */
    int64_t pixels;
} gh_region;

/* Finds the regions of every class while rows come in from the top. Memory is bounded by the width and by
 * `limit`, whatever the mask holds. */
typedef struct gh_regions gh_regions;
GH_MUST_CHECK gh_status gh_regions_new(gh_regions **out, int width, int classes, int limit, gh_err *e);
void gh_regions_free(gh_regions **r);
void gh_regions_row(gh_regions *r, const uint8_t *row);
/* After the last row: the largest regions of a class, the largest first (then from the top left), at most
 * `limit`; and the pixels of the class in all. */
size_t gh_regions_of(const gh_region **out, int64_t *pixels, gh_regions *r, int class);

/* Run lengths of each class as COCO has them (column by column, the first run not of the class), while rows
 * come in from the top. */
typedef struct gh_mask_runs gh_mask_runs;
GH_MUST_CHECK gh_status gh_mask_runs_new(gh_mask_runs **out, int width, int height, gh_err *e);
void gh_mask_runs_free(gh_mask_runs **r);
void gh_mask_runs_row(gh_mask_runs *r, const uint8_t *row);
/* After the last row: appends the compressed text of a class, as pycocotools writes it. */
void gh_mask_runs_text(gh_buf *out, gh_mask_runs *r, int class);

/* Colours of cut-outs without what shines through from the background. */
typedef struct gh_mask_clean gh_mask_clean;
GH_MUST_CHECK gh_status gh_mask_clean_new(gh_mask_clean **out, const gh_image *image, const gh_mask *m,
                                          gh_err *e);
void gh_mask_clean_free(gh_mask_clean **c);
/* RGBA of row y from its pixels and their alpha. */
void gh_mask_clean_row(uint8_t *rgba, const gh_mask_clean *c, int y, const uint8_t *rgb,
                       const uint8_t *alpha);

/* Everything that is wanted of a mask, in one pass over its rows. */
typedef struct gh_mask_job {
    gh_mask_output output;
    int width, height;           /* pixels of the upright picture */
    const uint8_t (*palette)[3]; /* RGB, one a class */
    const gh_image *image;       /* of that size, where the output shows it; else NULL */
    gh_regions *regions;         /* these get every row of classes; or NULL */
    gh_mask_runs *runs;
    uint64_t deadline_ns; /* by gh_now_ns: GH_TIMEOUT after it; 0 = none */
} gh_mask_job;

/* Appends the PNG that the job names, if any. */
GH_MUST_CHECK gh_status gh_mask_run(gh_buf *png, const gh_mask *m, const gh_mask_job *job, gh_err *e);

#endif
