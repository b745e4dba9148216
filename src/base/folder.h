/* Folders that change as a whole. */
#ifndef GH_BASE_FOLDER_H
#define GH_BASE_FOLDER_H

#include "base/status.h"

/* The last part of a path, trailing slashes aside, in a new string; GH_ARG when it names no folder of its own
 * (".", "..", "/", ""). */
GH_MUST_CHECK gh_status gh_folder_name(char **out, const char *path, gh_err *e);
/* GH_OK when a new folder may take this place: there is nothing, or a folder with no other files than those
 * that the shell patterns (ended by NULL) name. GH_ARG names what would be lost; GH_IO when nothing can be
 * written there. */
GH_MUST_CHECK gh_status gh_folder_check(const char *path, const char *const *patterns, gh_err *e);
/* Makes an empty folder beside `path`, on the same file system, named .NAME.new-PID; gives its path in a new
 * string. What a run that was killed left there under such a name is removed. */
GH_MUST_CHECK gh_status gh_folder_stage(char **out, const char *path, gh_err *e);
/* Syncs the files of `staged` and puts it in the place of `path` in one step: at any moment there is either
 * the old folder or the new one. The old one is removed afterwards. */
GH_MUST_CHECK gh_status gh_folder_commit(const char *staged, const char *path, gh_err *e);
/* Both in one: `fill` writes the files of an empty folder, which then takes the place of `path`. Where either
 * fails, `path` is as it was and nothing is left beside it. */
typedef gh_status gh_folder_fill(void *arg, const char *staged, gh_err *e);
GH_MUST_CHECK gh_status gh_folder_replace(const char *path, gh_folder_fill *fill, void *arg, gh_err *e);
/* Removes the files of a folder (no folders in it) and the folder; errors are ignored. */
void gh_folder_remove(const char *path);

#endif
