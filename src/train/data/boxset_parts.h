/* What the readers of labelled boxes share; only boxset*.c, their tests and fuzz targets include this. */
#ifndef GH_TRAIN_DATA_BOXSET_PARTS_H
#define GH_TRAIN_DATA_BOXSET_PARTS_H

#include "train/data/boxset.h"

#define GH_MAX_BOXSET_PICTURES   ((size_t)1 << 20)
#define GH_MAX_BOXSET_TRUTHS     ((size_t)8 << 20)
#define GH_MAX_BOXSET_CATEGORIES ((size_t)65536)
#define GH_MAX_BOXSET_ARENA      ((size_t)2 << 30)
#define GH_BOXSET_MOST_PIXELS    1e7 /* of a coordinate */
/* Of one picture's file. */
#define GH_MAX_BOXES_BYTES ((size_t)4 << 20)
/* Of a class's name, in bytes. */
#define GH_MAX_BOX_NAME 255

/* A set as it grows, file by file. Arrays are on the heap until gh_boxset_finish. */
typedef struct gh_boxset_maker {
    gh_arena *arena;
    gh_boxset_picture *pictures;
    gh_ap_truth *truths;
    const char **categories;
    size_t npictures, ntruths, ncategories;
    size_t cap_pictures, cap_truths, cap_categories;
} gh_boxset_maker;

/* An empty set. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_boxset_begin(gh_boxset_maker *m, gh_err *e);
/* The number of the category `name` (len bytes), added where there is none yet. */
GH_MUST_CHECK gh_status gh_boxset_category(uint32_t *out, gh_boxset_maker *m, const char *name, size_t len,
                                           gh_err *e);
/* Adds a box of the picture that will be added next. */
GH_MUST_CHECK gh_status gh_boxset_truth(gh_boxset_maker *m, const gh_ap_truth *truth, gh_err *e);
/* Adds a picture (path is copied), whose boxes have been added before. */
GH_MUST_CHECK gh_status gh_boxset_picture_add(gh_boxset_maker *m, const gh_boxset_picture *picture,
                                              gh_err *e);
/* The finished set; with `by_name` categories are sorted by name. The maker is empty afterwards. */
GH_MUST_CHECK gh_status gh_boxset_finish(gh_boxset **out, gh_boxset_maker *m, const char *layout,
                                         bool by_name, gh_err *e);
/* Frees what gh_boxset_finish did not take. */
void gh_boxset_drop(gh_boxset_maker *m);
/* The split that a folder of the path names, or GH_SPLIT_NONE. */
gh_split gh_boxset_split(const char *path);

/* What one .xml file says of its picture. */
typedef struct gh_voc_page {
    char picture[GH_MAX_BOX_NAME + 1]; /* <filename> without folders, or "" */
    int width, height;                 /* pixels; 0 = not said */
} gh_voc_page;

/* Pascal VOC: adds the boxes of one file's text; `file` is how it is called in messages. GH_FORMAT, GH_LIMIT.
 */
GH_MUST_CHECK gh_status gh_voc_parse(gh_voc_page *out, gh_boxset_maker *m, const char *file, const char *text,
                                     size_t len, gh_err *e);
/* YOLO: adds the boxes of one label file; width and height are the picture's in pixels. */
GH_MUST_CHECK gh_status gh_yolo_parse(gh_boxset_maker *m, const char *file, const char *text, size_t len,
                                      int width, int height, gh_err *e);
/* YOLO: adds the classes of classes.txt (a name a line), or of data.yaml (its key `names`). */
GH_MUST_CHECK gh_status gh_yolo_names(gh_boxset_maker *m, const char *file, const char *text, size_t len,
                                      bool yaml, gh_err *e);

/* The two layouts, from a folder. `yaml` is the file that names the classes, or NULL: looked for. */
GH_MUST_CHECK gh_status gh_voc_open(gh_boxset **out, const char *dir, gh_err *e);
GH_MUST_CHECK gh_status gh_yolo_open(gh_boxset **out, const char *dir, const char *yaml, gh_err *e);

#endif
