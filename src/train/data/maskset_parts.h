/* What the files maskset*.c share. */
#ifndef GH_TRAIN_DATA_MASKSET_PARTS_H
#define GH_TRAIN_DATA_MASKSET_PARTS_H

#include "train/data/maskset.h"

/* Room for `more` pictures behind those there are. */
bool gh_maskset_room(gh_maskset *set, size_t more);
/* maskset_coco.c. Adds the pictures of dir/annotations.json, where that is there; *found says so. Classes are
 * the background and the categories, in the order of their ids. */
GH_MUST_CHECK gh_status gh_maskset_coco(gh_maskset *set, bool *found, const char *dir, gh_split split,
                                        gh_err *e);

#endif
