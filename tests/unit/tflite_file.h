/* For tests: small TFLite files, written as a FlatBuffer whose every place is known, so that a test can make
 * it lie. */
#ifndef GH_TEST_TFLITE_FILE_H
#define GH_TEST_TFLITE_FILE_H

#include "base/buf.h"
#include "engine/graph.h"

/* ---- FlatBuffers ---- */
/* One field of a table: `width` bytes of value; 0 = absent; FB_REF = a reference, filled by fb_point. */
enum { FB_REF = -1, FB_FLOAT = -2 };
typedef struct fb_field {
    int width;
    double value;
} fb_field;

/* Appends a vtable and its table; *places (may be NULL) receives where each field is, 0 = absent. */
size_t fb_table(gh_buf *b, const fb_field *fields, size_t count, size_t *places);
/* Makes the reference at `place` lead to `target`, which stands behind it. */
void fb_point(gh_buf *b, size_t place, size_t target);
/* Appends a vector of `count` elements of `width` bytes. */
size_t fb_vector(gh_buf *b, const void *data, size_t count, size_t width);
size_t fb_string(gh_buf *b, const char *s);
void fb_put32(gh_buf *b, size_t place, uint32_t value);

/* ---- TFLite ---- */
/* How a sparse tensor is stored: a level for each dimension, dense or a list (format 1). */
typedef struct tf_level {
    int format, size;
    int type; /* of the lists' numbers: 1 int32, 2 uint16, 3 uint8 */
    int32_t from[8], at[8];
    size_t nfrom, nat;
} tf_level;

typedef struct tf_sparse {
    int32_t order[6], map[4];
    size_t norder, nmap, nlevels;
    tf_level levels[6];
} tf_sparse;

typedef struct tf_tensor {
    const char *name; /* NULL = "t<number>" */
    int type;         /* TensorType; 0 = float32 */
    size_t rank;
    int32_t dims[5];
    const void *data; /* NULL = computed */
    size_t bytes;
    const float *scale; /* quantised by `nscale` of them */
    const int64_t *zero;
    size_t nscale;
    int axis;
    const tf_sparse *sparse;
    bool variable, external;
} tf_tensor;

typedef struct tf_op {
    int code;
    const char *custom; /* of code 32 */
    size_t nin, nout;
    int32_t in[4], out[4];
    int kind; /* of options: BuiltinOptions, which TensorFlow reads and gharial does not */
    fb_field options[9];
    size_t noptions;
    const int32_t *ints; /* option 0 as a vector */
    size_t nints;
    const void *custom_options;
    size_t custom_bytes;
} tf_op;

typedef struct tf_file {
    const tf_tensor *tensors;
    size_t ntensors;
    const tf_op *ops;
    size_t nops;
    int32_t in[2], out[4];
    size_t nin, nout;
    int version;   /* 0 = 3 */
    bool old_code; /* only the field of before 2020 */
} tf_file;

/* Where a test may want to damage the file. */
typedef struct tf_places {
    size_t graph, tensors, ops, codes, buffers; /* tables and vectors */
    size_t tensor[16], op[8];                   /* tables */
    size_t end; /* of the last constant's elements; what follows is not read */
} tf_places;
void tf_write(gh_buf *b, const tf_file *f, tf_places *places);

#endif
