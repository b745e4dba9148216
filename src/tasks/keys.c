/* Reading JSON objects by tables of keys. Knows no manifest. */
#include "tasks/keys.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 96 /* "input.mean" and the like */

/* What came, short enough for a sentence. */
static void value_text(char *text, size_t size, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        snprintf(text, size, "the text \"%.40s%s\"", json_string_value(v),
                 json_string_length(v) > 40 ? "..." : "");
        break;
    case JSON_INTEGER:
        snprintf(text, size, "%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        snprintf(text, size, "%.6g", json_real_value(v));
        break;
    case JSON_ARRAY:
        snprintf(text, size, "a list of %zu", json_array_size(v));
        break;
    case JSON_OBJECT:
        snprintf(text, size, "an object");
        break;
    case JSON_NULL:
        snprintf(text, size, "null");
        break;
    default:
        snprintf(text, size, json_is_true(v) ? "true" : "false");
    }
}

gh_status gh_key_fail(const gh_keys_reader *r, const char *name, const json_t *value, gh_err *e,
                      const char *accepted)
{
    char came[80];
    value_text(came, sizeof came, value);
    for (char *c = came; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    if (!*name)
        return gh_fail(e, GH_FORMAT, "%s is %s; it takes %s", r->file, came, accepted);
    return gh_fail(e, GH_FORMAT, "%s: \"%s\" is %s; it takes %s", r->file, name, came, accepted);
}

gh_status gh_key_string(char **out, const json_t *value, size_t max, const char *name, gh_keys_reader *r,
                        gh_err *e)
{
    char accepted[80];
    snprintf(accepted, sizeof accepted, "a text of 1 to %zu bytes without control characters", max);
    const char *s = json_string_value(value);
    size_t len = s ? json_string_length(value) : 0;
    if (len == 0 || len > max)
        return gh_key_fail(r, name, value, e, accepted);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return gh_key_fail(r, name, value, e, accepted);
    char *copy = gh_arena_string(r->arena, s, len);
    if (!copy)
        return gh_fail(e, GH_NOMEM, "%s: memory ran out", r->file);
    *out = copy;
    return GH_OK;
}

gh_status gh_key_filename(char **out, const json_t *value, const char *name, gh_keys_reader *r, gh_err *e)
{
    const char *s = json_string_value(value);
    if (!s || strchr(s, '/') || strchr(s, '\\') || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
        return gh_key_fail(r, name, value, e, "the name of a file in the model's own folder");
    return gh_key_string(out, value, 128, name, r, e);
}

static gh_status read_number(void *at, const json_t *v, const gh_key *k, const char *name, gh_keys_reader *r,
                             gh_err *e)
{
    bool whole = k->kind == GH_KEY_INT;
    char accepted[100];
    snprintf(accepted, sizeof accepted, "a %snumber from %.10g to %.10g", whole ? "whole " : "", k->min,
             k->max);
    if (!(whole ? json_is_integer(v) : json_is_number(v)))
        return gh_key_fail(r, name, v, e, accepted);
    double d = json_number_value(v);
    if (!isfinite(d) || d < k->min || d > k->max)
        return gh_key_fail(r, name, v, e, accepted);
    if (whole)
        *(int *)at = (int)d;
    else
        *(double *)at = d;
    return GH_OK;
}

static gh_status read_word(int *out, const json_t *v, const gh_key *k, const char *name, gh_keys_reader *r,
                           gh_err *e)
{
    char accepted[160] = "one of";
    for (int i = 0; k->words[i]; i++) {
        if (json_is_string(v) && strcmp(json_string_value(v), k->words[i]) == 0) {
            *out = i;
            return GH_OK;
        }
        size_t len = strlen(accepted);
        snprintf(accepted + len, sizeof accepted - len, "%s %s", i ? "," : "", k->words[i]);
    }
    return gh_key_fail(r, name, v, e, accepted);
}

static gh_status read_key(void *out, const json_t *v, const gh_key *k, const char *name, gh_keys_reader *r,
                          gh_err *e)
{
    void *at = (char *)out + k->offset;
    char prefix[NAME_SIZE + 1];
    switch (k->kind) {
    case GH_KEY_INT:
    case GH_KEY_REAL:
        return read_number(at, v, k, name, r, e);
    case GH_KEY_BOOL:
        if (!json_is_boolean(v))
            return gh_key_fail(r, name, v, e, "true or false");
        *(bool *)at = json_is_true(v);
        return GH_OK;
    case GH_KEY_STRING:
        return gh_key_string(at, v, k->max > 0 ? (size_t)k->max : 256, name, r, e);
    case GH_KEY_WORD:
        return read_word(at, v, k, name, r, e);
    case GH_KEY_OBJECT: /* tables nest as deep as they are written, not as deep as the file */
        snprintf(prefix, sizeof prefix, "%s.", name);
        return gh_keys_read(at, v, prefix, k->keys, r, e);
    case GH_KEY_CUSTOM:
        return k->read(out, v, name, r, e);
    default:
        return GH_OK;
    }
}

static void warn_unknown(const json_t *object, const char *prefix, const gh_key *keys,
                         const gh_keys_reader *r)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        const gh_key *k = keys;
        while (k->name && strcmp(k->name, key) != 0)
            k++;
        if (!k->name)
            gh_log(GH_LOG_WARN, "%s/%s: unknown key \"%s%.60s\" is ignored", r->folder, r->file, prefix, key);
    }
}

gh_status gh_keys_read(void *out, const json_t *object, const char *prefix, const gh_key *keys,
                       gh_keys_reader *r, gh_err *e)
{
    char name[NAME_SIZE];
    if (!json_is_object(object)) {
        snprintf(name, sizeof name, "%.*s", *prefix ? (int)strlen(prefix) - 1 : 0, prefix);
        return gh_key_fail(r, name, object, e, "an object");
    }
    for (const gh_key *k = keys; k->name; k++) {
        snprintf(name, sizeof name, "%s%s", prefix, k->name);
        const json_t *v = json_object_get(object, k->name);
        if (v)
            GH_TRY(read_key(out, v, k, name, r, e));
        else if (k->required)
            return gh_fail(e, GH_FORMAT, "%s: \"%s\" is missing", r->file, name);
    }
    warn_unknown(object, prefix, keys, r);
    return GH_OK;
}
