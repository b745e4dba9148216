/* For tests: PyTorch checkpoints written byte by byte, honest ones and lying ones. */
#ifndef GH_TEST_CHECKPOINT_H
#define GH_TEST_CHECKPOINT_H

#include "base/buf.h"

/* Pickle opcodes with their operands. */
void pk_op(gh_buf *b, uint8_t opcode);
void pk_string(gh_buf *b, const char *s);
/* The shortest of BININT1, BININT2, BININT, LONG1 that holds it. */
void pk_int(gh_buf *b, int64_t i);
void pk_global(gh_buf *b, const char *module, const char *name);
/* A tuple of numbers. */
void pk_numbers(gh_buf *b, const int64_t *numbers, size_t count);

/* A tensor with a storage of its own. Zero or NULL = the usual: rank 0, contiguous strides, float32, the
 * truth. */
typedef struct ck_tensor {
    const char *name;
    size_t rank;
    int64_t dims[10], strides[10], offset;
    bool strided;        /* strides[] are meant */
    const char *storage; /* class; NULL = FloatStorage */
    const char *key;     /* NULL = its number; tensors with one key share a storage */
    const void *data;
    size_t bytes;   /* of data */
    int64_t claims; /* elements that the pickle claims for the storage; 0 = bytes / size */
    size_t size;    /* bytes of an element; 0 = 4 */
    bool parameter; /* wrapped by _rebuild_parameter */
} ck_tensor;

/* The pickle of a state dictionary; `old` adds the sixth element that the older container has. */
void ck_state(gh_buf *b, const ck_tensor *tensors, size_t count, bool old);
void ck_old(gh_buf *b, const ck_tensor *tensors, size_t count);
/* Head of the older container: the first three pickles. */
void ck_old_head(gh_buf *b);

typedef enum ck_zip_kind { CK_ZIP_PLAIN, CK_ZIP_64 } ck_zip_kind;
void ck_zip(gh_buf *b, const ck_tensor *tensors, size_t count, ck_zip_kind kind);
/* An archive of named byte strings; method 0 is stored. */
typedef struct ck_file {
    const char *name;
    const void *data;
    size_t size;
} ck_file;
void ck_archive(gh_buf *b, const ck_file *files, size_t count, ck_zip_kind kind, uint16_t method,
                uint16_t flags);

#endif
