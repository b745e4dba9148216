/* For tests: small TensorFlow.js models, from a notation that shows the graph. */
#ifndef GH_TEST_TFJS_FILE_H
#define GH_TEST_TFJS_FILE_H

#include "base/buf.h"
#include "import/tfjs.h"

#include <stdbool.h>

/* Appends the text with ' turned to ". */
void tj_text(gh_buf *b, const char *text);
/* A topology of JSON nodes and weights (with '), whose one shard is called "w". */
void tj_json(gh_buf *b, const char *nodes, const char *weights);
/* The same from lines. A node: "name operator input... key=value..."; a value is a number, a list (1,2), a
 * word (SAME), words (BiasAdd+Relu), true or false, a shape (1x2x?), a type (DT_FLOAT). A weight: "name type
 * shape", and behind it "uint8:scale:min" or "float16" where it is stored so; each gets its Const. `early`:
 * texts as lists of bytes, whole numbers as numbers, no format, as the first converters wrote them. */
void tj_model(gh_buf *b, const char *nodes, const char *weights, bool early);

/* Reads model and shard from copies that end exactly where the bytes end, for the address sanitizer. */
GH_MUST_CHECK gh_status tj_read(gh_graph **out, const gh_buf *json, const void *shard, size_t size,
                                const gh_tfjs_cut *cut, gh_err *e);

#endif
