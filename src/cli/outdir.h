/* The folder of --out: one file for each picture of a run, named after the picture. */
#ifndef GH_CLI_OUTDIR_H
#define GH_CLI_OUTDIR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct gh_outdir gh_outdir;

/* Makes the folder where it is missing. */
GH_MUST_CHECK gh_status gh_outdir_open(gh_outdir **out, const char *path, gh_err *e);
void gh_outdir_free(gh_outdir **dir);
/* True when the picture lies in this very folder, where a file of ours could take its place. */
bool gh_outdir_holds(const gh_outdir *dir, const char *picture);
/* Writes what is made of `picture` as STEM.EXT, whole or not at all. Where another picture of this run had
 * that name it is STEM-2.EXT and so on, and standard error says so. GH_ARG: the picture lies in the folder.
 */
GH_MUST_CHECK gh_status gh_outdir_write(gh_outdir *dir, const char *picture, const char *ext,
                                        const void *data, size_t len, gh_err *e);

#endif
