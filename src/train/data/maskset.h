/* Pictures with a mask of classes each: DIR/images/NAME.jpg beside DIR/masks/NAME.png, or beside COCO's
 * DIR/annotations.json with polygons or run lengths; or the same below DIR/train, DIR/val and DIR/test. Masks
 * are indexed or grey PNGs whose values are classes; classes.txt in DIR names them, a line each from 0 on.
 * 255, and classes with the name void, ignore or unlabelled, count nowhere. */
#ifndef GH_TRAIN_DATA_MASKSET_H
#define GH_TRAIN_DATA_MASKSET_H

#include "base/arena.h"
#include "train/data/dataset.h"
#include "train/metrics/maskscore.h"
#include "train/metrics/maskshape.h"

#include <stdbool.h>

#define GH_MAX_MASKSET_CLASSES GH_MASK_IGNORED

typedef struct gh_maskset_picture {
    const char *path, *mask; /* to open */
    gh_split split;
    const gh_mask_shape
        *shapes; /* COCO's; in the order in which they are drawn on class 0. `mask` is `path` */
    size_t nshapes;
    int width, height; /* of the shapes' picture; 0 where the mask is a file */
} gh_maskset_picture;

typedef struct gh_maskset {
    gh_arena *arena;              /* holds everything below */
    gh_maskset_picture *pictures; /* sorted by split and path */
    size_t npictures;
    size_t per_split[GH_SPLIT_COUNT];
    size_t unlabelled;    /* pictures without a mask: not among the above */
    const char **classes; /* names; NULL without classes.txt */
    size_t nclasses;
} gh_maskset;

/* Pictures and masks are not opened. GH_NOTFOUND, GH_IO, GH_LIMIT; GH_FORMAT for classes.txt; GH_ARG when the
 * layout is another or no picture has a mask. */
GH_MUST_CHECK gh_status gh_maskset_open(gh_maskset **out, const char *dir, gh_err *e);
/* Keeps the pictures of one part alone. */
void gh_maskset_keep_part(gh_maskset *set, gh_split part);
void gh_maskset_free(gh_maskset **set);
/* A class by this name counts nowhere. */
bool gh_maskset_is_void(const char *name);

/* The mask's values through `map` (GH_MASK_IGNORED in it: counts nowhere; -1: no class of the set), a byte a
 * pixel. The array is the caller's. */
GH_MUST_CHECK gh_status gh_mask_read(uint8_t **out, int *width, int *height, const char *path,
                                     const int map[256], gh_err *e);

/* The same of a picture of a set, whichever form its mask has. */
GH_MUST_CHECK gh_status gh_maskset_mask(uint8_t **out, int *width, int *height, const gh_maskset_picture *p,
                                        const int map[256], gh_err *e);

#endif
