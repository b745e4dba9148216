/* What the files body*.c share. */
#ifndef GH_TRAIN_NETS_BODY_PARTS_H
#define GH_TRAIN_NETS_BODY_PARTS_H

#include "train/nets/body.h"

/* Fills b->file and b->manifest from a model folder or an ONNX file. */
GH_MUST_CHECK gh_status gh_body_open_manifest(gh_body *b, const char *path, gh_err *e);
GH_MUST_CHECK gh_status gh_body_hash_file(gh_body *b, gh_err *e);
/* The value of that name; GH_NOTFOUND names the nearest cuts there are. */
GH_MUST_CHECK gh_status gh_body_find_cut(uint32_t *out, const gh_graph *g, const char *cut, gh_err *e);

#endif
