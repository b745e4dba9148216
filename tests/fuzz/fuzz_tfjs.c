/* The TensorFlow.js importer on any bytes: an answer with a sentence, and every constant that the reader
 * shows lies within the joined shard (unpacking it touches all of it). An input is the topology, the tensors
 * that become inputs, those that become outputs, and the shard "w", with zero bytes between; an empty list
 * means none. */
#include "base/mem.h"
#include "import/tfjs.h"
#include "import/tfjs_model.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16 }; /* elements to unpack */

/* The bytes up to the next zero byte, as a text of its own, so that a byte read beyond is seen. */
static char *take(const uint8_t **data, size_t *size)
{
    size_t len = *size ? strnlen((const char *)*data, *size) : 0;
    char *text = gh_alloc(len + 1);
    GH_ASSERT(text);
    if (len)
        memcpy(text, *data, len);
    text[len] = '\0';
    len += len < *size;
    *data += len;
    *size -= len;
    return text;
}

static void unpack(const gh_tfjs_weight *w)
{
    double *any = w->count <= MOST ? gh_calloc(w->count + 1, sizeof *any) : NULL;
    if (any && w->whole)
        gh_tfjs_ints((int64_t *)(void *)any, w);
    else if (any)
        gh_tfjs_floats((float *)(void *)any, w);
    gh_free(any);
}

typedef gh_status (*parser)(gh_tfjs_model **out, const char *text, size_t len, gh_err *e);

static void read_weights(parser parse, const char *json, const uint8_t *shard, size_t size)
{
    gh_err e = {0};
    gh_tfjs_model *m = NULL;
    gh_status status = parse(&m, json, strlen(json), &e);
    GH_ASSERT(status == GH_OK ? m != NULL : !m && e.status == status && strlen(e.text) > 10);
    gh_arena *arena = m ? gh_arena_new((size_t)64 << 20) : NULL;
    for (uint32_t i = 0; m && i < m->nfiles; i++) {
        m->files[i].data = shard;
        m->files[i].size = size;
    }
    if (arena && gh_tfjs_join(m, arena, &e) == GH_OK)
        for (uint32_t i = 0; i < m->nweights; i++)
            unpack(&m->weights[i]);
    gh_arena_free(&arena);
    gh_tfjs_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_err e = {0};
    gh_graph *g = NULL;
    char *json = take(&data, &size), *inputs = take(&data, &size), *outputs = take(&data, &size);
    uint8_t *shard = gh_alloc(size);
    GH_ASSERT(shard);
    if (size)
        memcpy(shard, data, size);
    const gh_tfjs_cut cut = {*inputs ? inputs : NULL, *outputs ? outputs : NULL};
    const gh_tfjs_blob blob = {"w", shard, size};
    read_weights(gh_tfjs_parse, json, shard, size);
    read_weights(gh_tfjs_parse_weights, json, shard, size);
    gh_status status = gh_tfjs_read_bytes(&g, json, strlen(json), &blob, 1, &cut, &e);
    GH_ASSERT(status == GH_OK ? g != NULL : !g && e.status == status && strlen(e.text) > 10);
    gh_graph_free(&g);
    gh_free(shard);
    gh_free(json);
    gh_free(inputs);
    gh_free(outputs);
    return 0;
}
