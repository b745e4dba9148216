/* What a head that finds boxes should have said, and how far off it is. */
#ifndef GH_TRAIN_LOCALIZE_BOX_TARGET_H
#define GH_TRAIN_LOCALIZE_BOX_TARGET_H

#include "train/augment/augment.h"
#include "train/localize/box_head.h"

/* Floats of one picture's target. box: centre x, y, width, height in shares of the input, 1 where there is a
 * box, then 1 for its class. detect: heat maps, sizes, offsets, weights, as the head's outputs lie. */
size_t gh_box_target_floats(const gh_box_head_options *o);
/* The radius (cells) within which a centre still gives a box that overlaps one of w x h cells by 0.7: the
 * smallest of CornerNet's three cases (Law and Deng 2018). */
double gh_box_radius(double w, double h);
/* Fills the target, zeroed before, from n boxes in pixels of the input; those not kept are passed over. The
 * head box learns the largest. */
void gh_box_target_make(float *target, const gh_box_head_options *o, const gh_augment_box *boxes,
                        const uint32_t *category, size_t n);
/* The loss of `count` pictures, and its gradients into grads (of the size of outs). GH_NOMEM. */
GH_MUST_CHECK gh_status gh_box_target_loss(double *loss, const gh_box_head_options *o, size_t count,
                                           const float *const outs[GH_BOX_OUTPUTS],
                                           float *const grads[GH_BOX_OUTPUTS], const float *targets,
                                           gh_err *e);

#endif
