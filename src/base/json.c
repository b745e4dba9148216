/* Reading a bounded JSON text. */
#include "base/json.h"

#include <stdbool.h>

/* Brackets nest deeper than `most`. */
static bool deeper(const char *text, size_t len, int most)
{
    int depth = 0;
    bool string = false;
    for (size_t i = 0; i < len && depth <= most; i++) {
        if (string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            string = !string;
        else if (!string && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!string && (text[i] == '}' || text[i] == ']'))
            depth--;
    }
    return depth > most;
}

gh_status gh_json_load(json_t **out, const char *what, const char *text, size_t len,
                       const gh_json_limits *limits, gh_err *e)
{
    json_error_t error;
    if (len > limits->bytes)
        return gh_fail(e, GH_LIMIT, "%s: %zu bytes; at most %zu are accepted", what, len, limits->bytes);
    if (deeper(text, len, limits->depth))
        return gh_fail(e, GH_LIMIT, "%s: brackets nest deeper than %d levels", what, limits->depth);
    json_t *root = json_loadb(text, len, limits->flags, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return gh_fail(e, GH_NOMEM, "%s: memory ran out", what);
    if (!root)
        return gh_fail(e, GH_FORMAT, "%s is not JSON: line %d, column %d: %.120s", what, error.line,
                       error.column, error.text);
    *out = root;
    return GH_OK;
}
