/* A frozen body: a pretrained network whose head is cut off, so that its one output is the feature vector. */
#ifndef GH_TRAIN_NETS_BODY_H
#define GH_TRAIN_NETS_BODY_H

#include "base/hash.h"
#include "engine/net.h"
#include "tasks/manifest.h"

typedef struct gh_body {
    gh_net *net;
    gh_manifest *manifest; /* of the model it comes from: input, licence, source */
    char *file;            /* its model.onnx */
    char *cut;             /* name of the value where it is cut */
    int rank;              /* of that value: 4 = its mean over height and width is the feature vector */
    size_t width;          /* features a picture */
    gh_hash file_hash;     /* of model.onnx: what a head stored alone names */
    gh_hash hash;          /* of file, cut, preprocessing and CPU level: what cached features belong to */
} gh_body;

/* Opens a model folder or an ONNX file and cuts it at value `cut` (NULL: the input of its last dense layer).
 * GH_NOTFOUND names the nearest cuts there are; GH_UNSUPPORTED when the body has two inputs or what it gives
 * is no vector. */
GH_MUST_CHECK gh_status gh_body_open(gh_body **out, const char *path, const char *cut, gh_err *e);
/* The same for a decoder or a head that reads the body's values as maps of a picture of width x height, of
 * whatever network: `net`, `rank`, `width` and `hash` stay empty. cut NULL: before the layer that scores
 * pixels, before the last dense layer, or at the widest value of stride 32 on the way of a detector. */
GH_MUST_CHECK gh_status gh_body_open_maps(gh_body **out, const char *path, const char *cut, int width,
                                          int height, gh_err *e);
void gh_body_free(gh_body **b);
/* The body's graph anew, for a head to be put on: *features is the value (N x width), an output until the
 * caller makes others. */
GH_MUST_CHECK gh_status gh_body_graph(gh_graph **out, uint32_t *features, const gh_body *b, gh_err *e);
/* The graph of a body of maps, its input of any size: up to its cut, or `whole`. */
GH_MUST_CHECK gh_status gh_body_maps(gh_graph **out, const gh_body *b, bool whole, gh_err *e);

#endif
