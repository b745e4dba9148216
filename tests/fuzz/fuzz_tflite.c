/* The TFLite reader and importer on any bytes: an answer with a sentence, and every constant that the reader
 * shows lies within the input (reading it as floats touches all of it). */
#include "base/mem.h"
#include "import/tflite.h"
#include "import/tflite_model.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16 }; /* elements to convert */

static void read_constant(const gh_tfl_tensor *t)
{
    int64_t ints[8];
    uint32_t count = 0;
    gh_err e = {0};
    float *floats = t->data && t->count <= MOST ? gh_calloc(t->count + 1, sizeof *floats) : NULL;
    if (floats && gh_tfl_floats(floats, t, &e) != GH_OK)
        GH_ASSERT(e.status == GH_UNSUPPORTED);
    if (gh_tfl_ints(ints, &count, 8, t, &e) == GH_OK)
        GH_ASSERT(count == t->count);
    gh_free(floats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_err e = {0};
    gh_tfl_model *m = NULL;
    gh_status status = gh_tfl_open(&m, data, size, &e);
    GH_ASSERT(status == GH_OK ? m != NULL : !m && e.status == status && strlen(e.text) > 10);
    for (uint32_t i = 0; m && i < m->ntensors; i++)
        read_constant(&m->tensors[i]);
    gh_tfl_free(&m);
    gh_graph *g = NULL;
    e = (gh_err){0};
    status = gh_tflite_read_bytes(&g, data, size, &e);
    GH_ASSERT(status == GH_OK ? g != NULL : !g && e.status == status && strlen(e.text) > 10);
    gh_graph_free(&g);
    return 0;
}
