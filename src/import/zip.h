/* The directory of a zip archive, for PyTorch's checkpoints: entries that are stored as they are (torch never
 * compresses). Borrowed from the bytes; nothing is unpacked. */
#ifndef GH_IMPORT_ZIP_H
#define GH_IMPORT_ZIP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_ZIP_MAX_ENTRIES 100000u

typedef struct gh_zip_entry {
    const uint8_t *name; /* not terminated */
    size_t name_len;
    const uint8_t *data;
    size_t size;
} gh_zip_entry;

typedef struct gh_zip {
    gh_zip_entry *entries; /* sorted by name */
    size_t count;
} gh_zip;

/* True when the bytes begin as a zip archive does. */
bool gh_zip_sniff(const uint8_t *data, size_t len);
/* Reads the directory (zip64 too) and checks every offset and size; `data` must outlive it. GH_FORMAT,
 * GH_UNSUPPORTED for compressed or encrypted entries, GH_LIMIT. The checksums are not compared. */
GH_MUST_CHECK gh_status gh_zip_open(gh_zip *out, const uint8_t *data, size_t len, gh_err *e);
void gh_zip_close(gh_zip *zip);
/* By name (prefix and name are put together), or NULL. */
const gh_zip_entry *gh_zip_find(const gh_zip *zip, const uint8_t *prefix, size_t prefix_len,
                                const uint8_t *name, size_t name_len);

#endif
