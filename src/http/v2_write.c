/* A reply of the Open Inference Protocol: which outputs, and how they are written. */
#include "http/http.h"
#include "http/v2.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The request's entry for an output, or NULL. */
static const json_t *asked(const gh_v2_request *r, const char *output)
{
    const json_t *list = json_object_get(r->json, "outputs");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(o, "name"));
        if (name && strcmp(name, output) == 0)
            return o;
    }
    return NULL;
}

bool gh_v2_wants(const gh_v2_request *r, const char *output)
{
    return json_array_size(json_object_get(r->json, "outputs")) == 0 || asked(r, output);
}

bool gh_v2_binary(const gh_v2_request *r, const char *output)
{
    const json_t *said = json_object_get(json_object_get(asked(r, output), "parameters"), "binary_data");
    return said ? json_is_true(said) : r->binary;
}

const char *gh_v2_unknown_output(const gh_v2_request *r, const char *const *known, size_t count)
{
    const json_t *list = json_object_get(r->json, "outputs");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));
        bool found = false;
        for (size_t k = 0; name && k < count; k++)
            found = found || strcmp(known[k], name) == 0;
        if (!found)
            return name ? name : "(without a name)";
    }
    return NULL;
}

static void write_numbers(gh_buf *out, const gh_tensor *t, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *comma = i ? "," : "";
        double v;
        if (t->type == GH_BOOL)
            gh_buf_printf(out, "%s%s", comma, gh_raw_integer(t, i) ? "true" : "false");
        else if (t->type == GH_U64)
            gh_buf_printf(out, "%s%" PRIu64, comma, (uint64_t)gh_raw_integer(t, i));
        else if (gh_raw_is_integer(t->type))
            gh_buf_printf(out, "%s%" PRId64, comma, gh_raw_integer(t, i));
        else if (isfinite(v = gh_raw_number(t, i))) /* 9 and 17 digits bring the same number back */
            gh_buf_printf(out, t->type == GH_F32 ? "%s%.9g" : "%s%.17g", comma, v);
        else
            gh_buf_printf(out, "%snull", comma); /* JSON knows neither infinity nor NaN */
    }
}

void gh_v2_write(gh_buf *out, const char *name, const gh_tensor *t, bool binary)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    gh_buf_str(out, "{\"name\":");
    gh_json_string(out, name);
    gh_buf_printf(out, ",\"datatype\":\"%s\",\"shape\":[", gh_v2_type_name(t->type));
    for (int i = 0; i < t->shape.rank; i++)
        gh_buf_printf(out, "%s%" PRId64, i ? "," : "", t->shape.dims[i]);
    if (binary) {
        gh_buf_printf(out, "],\"parameters\":{\"binary_data_size\":%zu}}", count * gh_dtype_size(t->type));
        return;
    }
    gh_buf_str(out, "],\"data\":[");
    write_numbers(out, t, count);
    gh_buf_str(out, "]}");
}
