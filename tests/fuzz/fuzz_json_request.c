/* A whole task request's body, whatever form it takes: a first byte 'j' makes the rest JSON, 'r' raw,
 * anything else multipart with the boundary "b". Pictures must lie within the body or the store. */
#include "http/input.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(const gh_picture *p, const uint8_t *from, size_t len)
{
    return from && p->data >= from && p->data <= from + len && p->len <= (size_t)(from + len - p->data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_http_request req = {.method = "POST", .path = "/classify"};
    gh_input in;
    gh_err e = {0};
    if (size == 0)
        return 0;
    req.headers[GH_H_CONTENT_TYPE] = *data == 'j'   ? "application/json"
                                     : *data == 'r' ? "image/jpeg"
                                                    : "multipart/form-data; boundary=b";
    req.body_len = size - 1;
    req.body = gh_alloc(size);
    if (!req.body)
        return 0;
    memcpy(req.body, data + 1, size - 1);
    gh_status status =
        gh_input_read(&in, &req, GH_P_MODEL | GH_P_TOP | GH_P_THRESHOLD | GH_P_LIMIT | GH_P_TIMEOUT, &e);
    GH_ASSERT(status == GH_OK || e.text[0]);
    if (status == GH_OK) {
        GH_ASSERT(in.count >= 1 && in.count <= GH_MAX_PICTURES && in.params.nmodels <= GH_MAX_MODELS);
        for (size_t i = 0; i < in.count; i++)
            GH_ASSERT(in.pictures[i].fault.status != GH_OK ||
                      within(&in.pictures[i], req.body, req.body_len) ||
                      within(&in.pictures[i], in.store.data, in.store.len));
    }
    gh_input_free(&in);
    gh_free(req.body);
    return 0;
}
