/* Pictures with labelled boxes, in the layouts that people have:
 *   COCO        DIR/annotations.json, or a .json file; pictures in DIR/images/ or DIR itself
 *   Pascal VOC  DIR/Annotations/NAME.xml; pictures in DIR/JPEGImages/, DIR/images/ or beside the .xml files
 *   YOLO        DIR/labels/NAME.txt beside DIR/images/NAME.jpg; DIR/classes.txt, or the names of
 * DIR/data.yaml A folder train, val or test on the way to a picture says its split. Files are bounded before
 * they are parsed; what is wrong is told by the number of its entry, or by file and line. */
#ifndef GH_TRAIN_DATA_BOXSET_H
#define GH_TRAIN_DATA_BOXSET_H

#include "base/arena.h"
#include "train/data/dataset.h"
#include "train/metrics/ap.h"

#define GH_MAX_BOXSET_BYTES ((size_t)512 << 20)

typedef struct gh_boxset_picture {
    const char *path; /* to open */
    int64_t id;
    int width, height; /* as the file says; 0 = it does not */
    gh_split split;
    size_t truths; /* boxes, ignored ones too */
} gh_boxset_picture;

typedef struct gh_boxset {
    gh_arena *arena;             /* holds everything below */
    const char *layout;          /* "COCO", "Pascal VOC" or "YOLO" */
    gh_boxset_picture *pictures; /* by id */
    size_t npictures;
    gh_ap_truth *truths; /* pictures and categories by their places in this struct */
    size_t ntruths;
    const char **categories; /* names, by id */
    size_t ncategories;
} gh_boxset;

/* `path` is the folder, the JSON file or the .yaml file. GH_NOTFOUND, GH_IO; GH_LIMIT; GH_FORMAT. */
GH_MUST_CHECK gh_status gh_boxset_open(gh_boxset **out, const char *path, gh_err *e);
/* COCO's, from the file's text; pictures are looked for in `dir`. */
GH_MUST_CHECK gh_status gh_boxset_parse(gh_boxset **out, const char *dir, const char *text, size_t len,
                                        gh_err *e);
void gh_boxset_free(gh_boxset **set);

#endif
