/* The checkpoint reader on any bytes: an answer with a sentence, and every tensor that it shows lies within
 * the input (the copy reads all of it). */
#include "base/mem.h"
#include "base/status.h"
#include "import/pickle.h"
#include "import/torch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16 }; /* elements to copy; stride 0 makes large tensors of small files */

static void copy_all(gh_torch *t)
{
    gh_weights weights;
    gh_err e = {0};
    GH_ASSERT(gh_torch_weights(&weights, t, &e) == GH_OK);
    for (size_t i = 0; i < gh_torch_count(t); i++) {
        const gh_torch_tensor *tensor = gh_torch_at(t, i);
        float *floats = tensor->count <= MOST ? gh_calloc(tensor->count, sizeof *floats) : NULL;
        GH_ASSERT(gh_weights_find(&weights, tensor->name)->at == tensor);
        if (floats)
            gh_torch_copy_f32(floats, tensor);
        gh_free(floats);
    }
    gh_weights_close(&weights);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_err e = {0};
    gh_torch *t = NULL;
    gh_pickle *p = NULL;
    gh_status status = gh_torch_open_bytes(&t, data, size, &e);
    GH_ASSERT(status == GH_OK ? t != NULL : !t && e.status == status && strlen(e.text) > 10);
    if (t)
        copy_all(t);
    gh_torch_free(&t);
    if (gh_pickle_read(&p, data, size, &e) == GH_OK)
        GH_ASSERT(p->root < p->nnodes && p->used <= size);
    gh_pickle_free(&p);
    return 0;
}
