/* Private to the torch reader: storages (the raw arrays that tensors are views of) and where the containers
 * keep them. */
#ifndef GH_IMPORT_TORCH_STORAGE_H
#define GH_IMPORT_TORCH_STORAGE_H

#include "import/pickle.h"
#include "import/torch.h"

typedef struct gh_storage {
    const uint8_t *key; /* borrowed from the file, not terminated */
    size_t key_len;
    gh_torch_type type;
    size_t count;        /* elements */
    const uint8_t *data; /* NULL until the container has shown where it is */
} gh_storage;

typedef struct gh_storages {
    gh_storage *items; /* sorted by key */
    size_t count;
} gh_storages;

/* Bytes of one element. */
size_t gh_torch_type_size(gh_torch_type type);
/* A key for messages: printable, cut to fit; gives `text`. */
const char *gh_torch_printable(char *text, size_t size, const uint8_t *s, size_t len);

/* All storages that a pickle names. */
GH_MUST_CHECK gh_status gh_storages_collect(gh_storages *out, const gh_pickle *p, gh_err *e);
void gh_storages_free(gh_storages *s);
gh_storage *gh_storages_find(const gh_storages *s, const uint8_t *key, size_t len);
/* The storage that a GH_PICKLE_STORAGE node names; it is there when `s` was collected from the same pickle.
 */
gh_storage *gh_storages_of(const gh_storages *s, const gh_pickle *p, const gh_pickle_node *n);

/* A container: the pickle of the state dictionary, and the storages with their data in place. */
typedef struct gh_container {
    gh_pickle *state;
    gh_storages storages;
} gh_container;
GH_MUST_CHECK gh_status gh_container_zip(gh_container *out, const uint8_t *data, size_t len, gh_err *e);
GH_MUST_CHECK gh_status gh_container_old(gh_container *out, const uint8_t *data, size_t len, gh_err *e);
void gh_container_free(gh_container *c);

#endif
