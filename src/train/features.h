/* Features: what the frozen body makes of each picture, computed once with all cores and kept in a cache. */
#ifndef GH_TRAIN_FEATURES_H
#define GH_TRAIN_FEATURES_H

#include "engine/net.h"
#include "tasks/manifest.h"
#include "train/trainset.h"

/* A body cut off: a network whose one output is the feature vector. */
typedef struct gh_body {
    gh_net *net;
    gh_manifest_input input;
    char *name, *license, *source; /* of the model it came from; source is its JSON, or NULL */
    char *cut;                     /* the value's name */
    size_t width;                  /* features a picture */
    gh_hash hash;                  /* of model.onnx, cut and preprocessing */
} gh_body;

/* Opens a model folder or ONNX file and cuts it at value `cut` (NULL: the input of its last dense layer).
 * GH_NOTFOUND lists the cuts there are; GH_UNSUPPORTED when the body has two inputs. */
GH_MUST_CHECK gh_status gh_body_open(gh_body **out, const char *path, const char *cut, gh_err *e);
void gh_body_free(gh_body **b);

/* Views of a picture. Bits may be combined; each adds views. */
enum { GH_AUGMENT_FLIP = 1, GH_AUGMENT_CROP = 2, GH_AUGMENT_COLOUR = 4 };

typedef struct gh_features_options {
    unsigned augment;
    const char *cache;    /* folder; NULL = no cache */
    uint64_t cache_bytes; /* the least recently used files go beyond it; 0 = 2 GB */
    gh_pool *pool;        /* pictures side by side */
    uint64_t seed;        /* of random views */
    bool progress;        /* a bar or lines on stderr */
} gh_features_options;

/* Row-major floats. Rows that could not be computed (broken picture, NaN) are left out: row_of says which are
 * there. */
typedef struct gh_features {
    float *x; /* rows * width */
    size_t rows, width;
    uint32_t views;   /* rows a picture: view 0 is the picture as serving sees it */
    uint32_t *sample; /* of each row */
    uint32_t *view;   /* of each row */
    uint32_t failed;  /* pictures without rows */
    uint32_t cached;  /* pictures that the cache had */
    char **problems;  /* a sentence for each failed picture */
} gh_features;

/* Views that `augment` gives for each picture. */
uint32_t gh_features_views(unsigned augment);
GH_MUST_CHECK gh_status gh_features_make(gh_features **out, const gh_body *body, const gh_trainset *data,
                                         const gh_features_options *options, gh_err *e);
void gh_features_free(gh_features **f);

#endif
