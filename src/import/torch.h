/* PyTorch checkpoints: both containers (zip, and the older one of five pickles) become a table from a name to
 * a view of a tensor in the mapped file. */
#ifndef GH_IMPORT_TORCH_H
#define GH_IMPORT_TORCH_H

#include "import/weights.h"

/* Largest checkpoint in bytes. */
#define GH_TORCH_MAX_BYTES ((size_t)8 << 30)

typedef enum gh_torch_type {
    GH_TORCH_F32,
    GH_TORCH_F64,
    GH_TORCH_F16,
    GH_TORCH_BF16,
    GH_TORCH_I64,
    GH_TORCH_I32,
    GH_TORCH_I16,
    GH_TORCH_I8,
    GH_TORCH_U8,
    GH_TORCH_BOOL,
} gh_torch_type;

typedef struct gh_torch_tensor {
    const char *name;
    gh_torch_type type;
    gh_shape shape;               /* every dimension known, maybe 0 */
    size_t count;                 /* elements */
    int64_t strides[GH_MAX_RANK]; /* elements, not negative; often not those of a contiguous tensor */
    const uint8_t *data;          /* first element, of any alignment, little-endian */
} gh_torch_tensor;

typedef struct gh_torch gh_torch;

/* Maps a file and reads its table. GH_FORMAT, GH_UNSUPPORTED (names what the checkpoint would call),
 * GH_LIMIT; every view has been checked against the bytes that are there. */
GH_MUST_CHECK gh_status gh_torch_open(gh_torch **out, const char *path, gh_err *e);
/* The same from bytes that outlive the table. */
GH_MUST_CHECK gh_status gh_torch_open_bytes(gh_torch **out, const uint8_t *data, size_t len, gh_err *e);
void gh_torch_free(gh_torch **t);
size_t gh_torch_count(const gh_torch *t);
/* The i-th tensor, sorted by name. */
gh_torch_tensor *gh_torch_at(gh_torch *t, size_t i);
/* "float32", "bfloat16", ... */
const char *gh_torch_type_name(gh_torch_type type);
/* Writes tensor->count floats, row-major, at dst; half, bfloat16, double and integers are converted. */
void gh_torch_copy_f32(float *dst, const gh_torch_tensor *tensor);

/* The table as weights, which borrow it; to be closed. */
GH_MUST_CHECK gh_status gh_torch_weights(gh_weights *out, const gh_torch *t, gh_err *e);

#endif
