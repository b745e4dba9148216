/* Attributes of TensorFlow's nodes as JSON has them: {"i": "32"}, {"list": {"i": [...]}}, {"s": base64}, ...
 * Numbers may be texts, since JavaScript has no 64-bit integers. */
#include "import/tfjs_model.h"

#include <stdlib.h>
#include <string.h>

static const json_t *member(const gh_tfjs_node *n, const char *name, const char *kind)
{
    return json_object_get(json_object_get(n->attr, name), kind);
}

static const json_t *item(const gh_tfjs_node *n, const char *name, const char *kind, size_t i)
{
    return json_array_get(json_object_get(member(n, name, "list"), kind), i);
}

static int64_t int_of(const json_t *v, int64_t fallback)
{
    if (json_is_integer(v))
        return json_integer_value(v);
    if (!json_is_string(v))
        return fallback;
    char *end = NULL;
    long long i = strtoll(json_string_value(v), &end, 10);
    return end != json_string_value(v) && *end == '\0' ? i : fallback;
}

int64_t gh_tfjs_int(const gh_tfjs_node *n, const char *name, int64_t fallback)
{
    return int_of(member(n, name, "i"), fallback);
}

double gh_tfjs_real(const gh_tfjs_node *n, const char *name, double fallback)
{
    const json_t *v = member(n, name, "f");
    return json_is_number(v) ? json_number_value(v) : fallback;
}

bool gh_tfjs_bool(const gh_tfjs_node *n, const char *name, bool fallback)
{
    const json_t *v = member(n, name, "b");
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* False where it does not fit or is no base64. */
static bool from_base64(char *text, size_t size, const char *s)
{
    size_t len = 0;
    unsigned bits = 0, have = 0;
    for (; *s && *s != '='; s++) {
        int digit = digit_of(*s);
        if (digit < 0 || len + 1 >= size)
            return false;
        bits = (bits << 6 | (unsigned)digit) & 0xffffu;
        have += 6;
        if (have >= 8) {
            have -= 8;
            text[len++] = (char)(bits >> have & 255u);
        }
    }
    text[len] = '\0';
    return true;
}

static bool from_bytes(char *text, size_t size, const json_t *list)
{
    size_t len = json_array_size(list);
    if (len + 1 > size)
        return false;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(json_integer_value(json_array_get(list, i)) & 255);
    text[len] = '\0';
    return true;
}

static bool text_of(const json_t *v, char *text, size_t size)
{
    bool good = json_is_string(v) ? from_base64(text, size, json_string_value(v))
                                  : json_is_array(v) && from_bytes(text, size, v);
    if (!good)
        text[0] = '\0';
    return good;
}

const char *gh_tfjs_text(const gh_tfjs_node *n, const char *name, char *text, size_t size)
{
    text_of(member(n, name, "s"), text, size);
    return text;
}

bool gh_tfjs_text_at(const gh_tfjs_node *n, const char *name, size_t i, char *text, size_t size)
{
    const json_t *v = item(n, name, "s", i);
    text_of(v, text, size);
    return v != NULL;
}

size_t gh_tfjs_list(const gh_tfjs_node *n, const char *name, int64_t *out, size_t max)
{
    const json_t *list = json_object_get(member(n, name, "list"), "i");
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count && i < max; i++)
        out[i] = int_of(json_array_get(list, i), INT64_MIN);
    return count;
}

/* Number and name of DataType in TensorFlow's types.proto. TensorFlow.js computes with float32, int32 and
 * bool only: the other whole numbers stand for pictures that have not been cast yet. */
gh_dtype gh_tfjs_type(const gh_tfjs_node *n, const char *name)
{
    static const struct {
        const char *name;
        int number;
        gh_dtype type;
    } known[] = {{"DT_FLOAT", 1, GH_F32}, {"DT_HALF", 19, GH_F32},   {"DT_INT32", 3, GH_I64},
                 {"DT_INT64", 9, GH_I64}, {"DT_UINT8", 4, GH_I64},   {"DT_INT16", 5, GH_I64},
                 {"DT_INT8", 6, GH_I64},  {"DT_UINT16", 17, GH_I64}, {"DT_BOOL", 10, GH_BOOL}};
    const json_t *v = member(n, name, "type");
    const char *text = json_string_value(v);
    for (size_t i = 0; i < GH_COUNT(known); i++)
        if (text ? strcmp(text, known[i].name) == 0
                 : json_is_integer(v) && json_integer_value(v) == known[i].number)
            return known[i].type;
    return GH_UNKNOWN;
}

bool gh_tfjs_shape(gh_shape *out, const gh_tfjs_node *n, const char *name)
{
    const json_t *shape = member(n, name, "shape"), *dims = json_object_get(shape, "dim");
    size_t rank = json_array_size(dims);
    if (!shape || json_is_true(json_object_get(shape, "unknownRank")) || rank > GH_MAX_RANK)
        return false;
    gh_shape s = {.rank = (int)rank};
    for (size_t i = 0; i < rank; i++) /* a size of 0 is left out of the JSON by some writers */
        s.dims[i] = int_of(json_object_get(json_array_get(dims, i), "size"), 0);
    *out = s;
    return true;
}
