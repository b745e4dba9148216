/* Fuzz target: the bytes are a model.json. Whatever is accepted must be whole, and be served as JSON. */
#include "base/log.h"
#include "tasks/manifest.h"

#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_manifest *m = NULL;
    gh_err e = {0};
    gh_log_setup(GH_LOG_ERROR, false); /* unknown keys are the rule here */
    gh_status status = gh_manifest_parse(&m, "/nonexistent", (const char *)data, size, &e);
    GH_ASSERT((status == GH_OK) == (m != NULL));
    GH_ASSERT(status == GH_OK || (e.status == status && e.text[0]));
    if (m) {
        json_t *served = json_loads(m->json, JSON_REJECT_DUPLICATES, NULL);
        GH_ASSERT(served && gh_model_name_ok(m->name) && *m->version);
        GH_ASSERT(m->nsteps > 0 || (m->input.width >= 1 && m->input.height >= 1));
        json_decref(served);
    }
    gh_manifest_free(&m);
    return 0;
}
