/* Files: mapped for reading; written to a temporary name, synced, then renamed. Messages name the file by the
 * path that the caller gave. */
#ifndef GH_BASE_FILE_H
#define GH_BASE_FILE_H

#include "base/buf.h"
#include "base/status.h"

/* A read-only mapping. Zeroed = nothing mapped. An empty file has size 0 and data that may not be read. */
typedef struct gh_map {
    const uint8_t *data;
    size_t size;
} gh_map;

/* Maps a regular file of at most `limit` bytes. */
GH_MUST_CHECK gh_status gh_map_open(gh_map *out, const char *path, size_t limit, gh_err *e);
/* Gives the pages that were read back to the system; who reads them again gets them from the file. */
void gh_map_give_back(const gh_map *map);
void gh_map_close(gh_map *map);
/* Appends the whole file (at most `limit` bytes; "-" = standard input) to `out`. */
GH_MUST_CHECK gh_status gh_file_read(gh_buf *out, const char *path, size_t limit, gh_err *e);
/* Writes all or nothing: temporary file beside `path`, fsync, rename, fsync of the folder. */
GH_MUST_CHECK gh_status gh_file_write(const char *path, const void *data, size_t len, gh_err *e);

/* The same in pieces: open, append, then commit or discard (which removes the temporary file). */
typedef struct gh_writer gh_writer;
GH_MUST_CHECK gh_status gh_writer_open(gh_writer **out, const char *path, gh_err *e);
GH_MUST_CHECK gh_status gh_writer_add(gh_writer *w, const void *data, size_t len, gh_err *e);
/* Frees *w in every case. */
GH_MUST_CHECK gh_status gh_writer_commit(gh_writer **w, gh_err *e);
void gh_writer_discard(gh_writer **w);

/* "dir/name" in a new string, or NULL when memory is short. */
char *gh_path_join(const char *dir, const char *name);
/* Creates the folder and its parents. */
GH_MUST_CHECK gh_status gh_dir_make(const char *path, gh_err *e);

#endif
