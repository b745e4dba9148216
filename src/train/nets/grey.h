/* Brightness in the place of colours where a picture enters a network: what learnt from grey pictures is not
 * misled by colours. Brightness is Y of ITU-R BT.601, as image libraries turn colours into grey. */
#ifndef GH_TRAIN_NETS_GREY_H
#define GH_TRAIN_NETS_GREY_H

#include "tasks/manifest.h"

/* Nx3xHxW pixels that all have the same mean and scale, as the one channel of their brightness (Nx1xHxW). */
uint32_t gh_grey_one(gh_graph *g, uint32_t pixels);
/* The same ahead of a whole network whose one input, N x 3 x H x W, was prepared as `input` says: each
 * channel holds the brightness, prepared as that channel. Grey pictures stay as they are. Puts nodes at the
 * end: gh_graph_sort is the caller's. GH_UNSUPPORTED: the network does not take colours. */
GH_MUST_CHECK gh_status gh_grey_entry(gh_graph *g, const gh_manifest_input *input, gh_err *e);
/* Whether a constant of this name belongs to the above; it is not to be learnt. */
bool gh_grey_is(const char *name);

#endif
