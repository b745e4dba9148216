/* A body of the Open Inference Protocol; its first two bytes are the length of the JSON (0 = all of it). What
 * was read is written again, as numbers and as bytes. */
#include "http/v2.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_v2_request q = {0};
    gh_err e = {0};
    if (size < 2)
        return 0;
    size_t header = (size_t)(data[0] | data[1] << 8);
    gh_status status = gh_v2_read(&q, data + 2, size - 2, header, 1 << 20, &e);
    GH_ASSERT(status == GH_OK || e.text[0]);
    for (size_t i = 0; status == GH_OK && i < q.ninputs; i++) {
        gh_buf out = {0};
        size_t count = 0;
        GH_ASSERT(gh_shape_count(&count, &q.inputs[i].tensor.shape) && count >= 1);
        gh_v2_write(&out, q.inputs[i].name, &q.inputs[i].tensor, i % 2);
        GH_ASSERT(out.failed || out.len > 0);
        gh_buf_free(&out);
    }
    gh_v2_free(&q);
    return 0;
}
