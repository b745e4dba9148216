/* Picture files as training reads them. Where a file is no picture, the sentence says what is wrong with it;
 * the caller knows which one it is. */
#ifndef GH_TRAIN_DATA_PICTURE_H
#define GH_TRAIN_DATA_PICTURE_H

#include "image/image.h"
#include "tasks/manifest.h"

/* Largest file that is read. */
#define GH_PICTURE_MOST_BYTES ((size_t)256 << 20)

/* What the header says; no pixel is decoded. Errors are those of gh_map_open and gh_image_probe. */
GH_MUST_CHECK gh_status gh_picture_look(gh_image_info *out, const char *path, gh_err *e);
/* Decodes the file to upright RGB; a JPEG may come smaller, but at least so large (pixels of the upright
 * picture; either 0 = full size). Errors are those of gh_file_read, gh_image_probe and gh_image_decode. */
GH_MUST_CHECK gh_status gh_picture_read(gh_image **out, const char *path, int min_width, int min_height,
                                        gh_err *e);
/* The same with the size at which serving decodes for `input`, times `spare`: for zooms. */
GH_MUST_CHECK gh_status gh_picture_read_for(gh_image **out, const char *path, const gh_manifest_input *input,
                                            int spare, gh_err *e);

#endif
