/* Pictures and folders on disk, in sorted order. */
#ifndef GH_TRAIN_DATA_WALK_H
#define GH_TRAIN_DATA_WALK_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct gh_paths {
    char **items; /* owned, as is each of them */
    size_t count;
    size_t skipped; /* files that are no pictures by their name */
} gh_paths;

/* Appends every picture below `dir` (its own folders too; linked folders are not entered) whose name ends in
 * .jpg, .jpeg, .jpe, .jfif, .png or .webp, sorted by path; names that begin with a dot are left out.
 * GH_NOTFOUND, GH_IO, GH_LIMIT, GH_NOMEM. */
GH_MUST_CHECK gh_status gh_walk_pictures(gh_paths *out, const char *dir, gh_err *e);
/* The same for files whose name ends in `ending`, whatever its case. */
GH_MUST_CHECK gh_status gh_walk_files(gh_paths *out, const char *dir, const char *ending, gh_err *e);
/* Appends the names of the folders directly in `dir`, sorted. */
GH_MUST_CHECK gh_status gh_walk_folders(gh_paths *out, const char *dir, gh_err *e);
void gh_paths_free(gh_paths *paths);
bool gh_is_folder(const char *path);
bool gh_is_file(const char *path);

#endif
