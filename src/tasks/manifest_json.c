/* The manifest as it is served: what a client may know of a model. Labels stand inline whatever the file
 * does; the self-test and every text that looks like a path stay behind. */
#include "tasks/manifest_parts.h"

#include <stdlib.h>
#include <string.h>

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "model.json: memory ran out");
}

/* A text with a slash may be a path on somebody's disk; only web addresses and npm's scopes are shown. */
static bool may_show(const json_t *v)
{
    const char *s = json_string_value(v);
    if (!s)
        return !json_is_object(v) && !json_is_array(v);
    return !strpbrk(s, "/\\") || s[0] == '@' || strncmp(s, "https://", 8) == 0 ||
           strncmp(s, "http://", 7) == 0;
}

/* A plain value, or a list of numbers, as of an interval. */
static bool is_plain(const json_t *v)
{
    bool numbers = json_is_array(v);
    for (size_t i = 0; numbers && i < json_array_size(v); i++)
        numbers = json_is_number(json_array_get(v, i));
    return numbers || may_show(v);
}

/* An object of plain values, without those that may not be shown; NULL when memory ran out. */
static json_t *shown_object(const json_t *object)
{
    json_t *copy = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (copy && is_plain(value) && json_object_set(copy, key, value) != 0) {
            json_decref(copy);
            copy = NULL;
        }
    }
    return copy;
}

static json_t *shown_list(const json_t *v)
{
    if (!json_is_array(v))
        return shown_object(v);
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(v); i++)
        if (json_array_append_new(list, shown_object(json_array_get(v, i))) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

/* The labels as JSON; GH_FORMAT when one is not UTF-8, which only a text file can bring. */
static gh_status label_list(json_t **out, const gh_manifest *m, gh_err *e)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < m->nlabels; i++) {
        json_t *label = json_string(m->labels[i]);
        if (!label) {
            json_decref(list);
            return gh_fail(e, GH_FORMAT, "label %zu is not UTF-8 text", i);
        }
        if (json_array_append_new(list, label) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    if (!list)
        return no_memory(e);
    *out = list;
    return GH_OK;
}

/* Adds key: value when the file has the key; `value` (stolen) may be NULL for lack of memory. */
static bool add_new(json_t *served, const json_t *root, const char *key, json_t *value)
{
    if (!json_object_get(root, key)) {
        json_decref(value);
        return true;
    }
    return json_object_set_new(served, key, value) == 0;
}

static bool add_members(json_t *served, const json_t *root, json_t *labels)
{
    static const char *const plain[] = {"name",        "version", "task",      "default",  "internal",
                                        "description", "input",   "threshold", "pipeline", "license"};
    for (size_t i = 0; i < GH_COUNT(plain); i++)
        if (!add_new(served, root, plain[i], json_incref(json_object_get(root, plain[i])))) {
            json_decref(labels);
            return false;
        }
    bool ok = add_new(served, root, "source", shown_list(json_object_get(root, "source")));
    ok = add_new(served, root, "accuracy", shown_list(json_object_get(root, "accuracy"))) && ok;
    ok = add_new(served, root, "training", shown_list(json_object_get(root, "training"))) && ok;
    return add_new(served, root, "labels", labels) && ok;
}

gh_status gh_manifest_served(gh_manifest *m, const json_t *root, gh_err *e)
{
    json_t *labels = NULL, *served = json_object();
    char *text = NULL;
    gh_status status = served ? label_list(&labels, m, e) : no_memory(e);
    if (status == GH_OK && add_members(served, root, labels))
        text = json_dumps(served, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (status == GH_OK)
        m->json = text ? gh_arena_string(m->arena, text, strlen(text)) : NULL;
    if (status == GH_OK && !m->json)
        status = no_memory(e);
    free(text);
    json_decref(served);
    return status;
}
