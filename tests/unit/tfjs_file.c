/* Writing and reading the TensorFlow.js models of tests. */
#include "unit/tfjs_file.h"

#include "base/mem.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

void tj_text(gh_buf *b, const char *text)
{
    for (const char *c = text; *c; c++)
        gh_buf_add(b, *c == '\'' ? "\"" : c, 1);
}

static void open_model(gh_buf *b, bool early)
{
    b->len = 0;
    tj_text(b, early ? "{'modelTopology':{'node':[" : "{'format':'graph-model','modelTopology':{'node':[");
}

void tj_json(gh_buf *b, const char *nodes, const char *weights)
{
    open_model(b, false);
    tj_text(b, nodes);
    tj_text(b, "]},'weightsManifest':[{'paths':['w'],'weights':[");
    tj_text(b, weights);
    tj_text(b, "]}]}");
}

/* ---- the notation ---- */

/* The next part up to one of `ends`, which is skipped; false at the end. */
static bool next(char *part, const char **at, const char *ends)
{
    size_t len = strcspn(*at, ends);
    ck_assert_uint_lt(len, 80);
    memcpy(part, *at, len);
    part[len] = '\0';
    *at += len + ((*at)[len] != '\0');
    return len > 0;
}

static void put_text(gh_buf *b, const char *text, bool early)
{
    size_t len = strlen(text);
    if (early) {
        for (size_t i = 0; i < len; i++)
            gh_buf_printf(b, "%s%d", i ? "," : "[", text[i]);
        gh_buf_str(b, "]");
    } else {
        gh_buf_str(b, "\"");
        gh_buf_base64(b, text, len);
        gh_buf_str(b, "\"");
    }
}

/* A list of numbers or words. */
static void put_list(gh_buf *b, const char *value, const char *by, bool early)
{
    char item[80];
    bool words = *by == '+';
    gh_buf_str(b, words ? "{\"list\":{\"s\":[" : "{\"list\":{\"i\":[");
    for (const char *at = value, *comma = ""; next(item, &at, by); comma = ",") {
        gh_buf_str(b, comma);
        if (words)
            put_text(b, item, early);
        else
            gh_buf_printf(b, early ? "%s" : "\"%s\"", item);
    }
    gh_buf_str(b, "]}}");
}

static void put_shape(gh_buf *b, const char *value)
{
    char item[80];
    const char *comma = "";
    gh_buf_str(b, "{\"shape\":{\"dim\":[");
    for (const char *at = value; next(item, &at, "x"); comma = ",")
        gh_buf_printf(b, "%s{\"size\":\"%s\"}", comma, *item == '?' ? "-1" : item);
    gh_buf_str(b, "]}}");
}

static void put_value(gh_buf *b, const char *key, const char *value, bool early)
{
    bool number = isdigit((unsigned char)value[0]) || value[0] == '-';
    if (strcmp(key, "shape") == 0)
        put_shape(b, value);
    else if (strchr(value, ','))
        put_list(b, value, ",", early);
    else if (strchr(value, '+'))
        put_list(b, value, "+", early);
    else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        gh_buf_printf(b, "{\"b\":%s}", value);
    else if (strncmp(value, "DT_", 3) == 0)
        gh_buf_printf(b, "{\"type\":\"%s\"}", value);
    else if (number)
        gh_buf_printf(b, strchr(value, '.') ? "{\"f\":%s}" : early ? "{\"i\":%s}" : "{\"i\":\"%s\"}", value);
    else {
        gh_buf_str(b, "{\"s\":");
        put_text(b, value, early);
        gh_buf_str(b, "}");
    }
}

static void put_node(gh_buf *b, const char *line, bool early)
{
    char name[80], op[80], part[80], key[80];
    const char *at = line, *comma = "";
    next(name, &at, " ");
    next(op, &at, " ");
    gh_buf_printf(b, "{\"name\":\"%s\",\"op\":\"%s\",\"input\":[", name, op);
    const char *attrs = at;
    for (; next(part, &attrs, " ") && !strchr(part, '='); at = attrs, comma = ",")
        gh_buf_printf(b, "%s\"%s\"", comma, part);
    gh_buf_str(b, "],\"attr\":{");
    for (comma = ""; next(part, &at, " "); comma = ",") {
        const char *value = part;
        next(key, &value, "=");
        gh_buf_printf(b, "%s\"%s\":", comma, key);
        put_value(b, key, value, early);
    }
    gh_buf_str(b, "}}");
}

static void put_weight(gh_buf *b, const char *line)
{
    char name[80], type[80], shape[80], stored[80], item[80];
    const char *at = line, *comma = "";
    next(name, &at, " ");
    next(type, &at, " ");
    next(shape, &at, " ");
    gh_buf_printf(b, "{\"name\":\"%s\",\"dtype\":\"%s\",\"shape\":[", name, type);
    for (const char *s = strcmp(shape, "-") == 0 ? "" : shape; next(item, &s, "x"); comma = ",")
        gh_buf_printf(b, "%s%s", comma, item);
    gh_buf_str(b, "]");
    if (next(stored, &at, " ")) {
        char how[80], scale[80], min[80];
        const char *s = stored;
        next(how, &s, ":");
        gh_buf_printf(b, ",\"quantization\":{\"dtype\":\"%s\"", how);
        if (next(scale, &s, ":") && next(min, &s, ":"))
            gh_buf_printf(b, ",\"scale\":%s,\"min\":%s", scale, min);
        gh_buf_str(b, "}");
    }
    gh_buf_str(b, "}");
}

/* Calls for each line that is not empty. */
#define EACH_LINE(text)                                                                                      \
    for (const char *at_ = (text), *end_; *at_; at_ = end_ + (*end_ != '\0'))                                \
        if ((end_ = at_ + strcspn(at_, "\n")) != at_ &&                                                      \
            snprintf(line, sizeof line, "%.*s", (int)(end_ - at_), at_) > 0)

void tj_model(gh_buf *b, const char *nodes, const char *weights, bool early)
{
    char line[300], name[80];
    const char *comma = "";
    open_model(b, early);
    EACH_LINE(weights)
    {
        const char *at = line;
        next(name, &at, " ");
        gh_buf_printf(b, "%s{\"name\":\"%s\",\"op\":\"Const\"}", comma, name);
        comma = ",";
    }
    EACH_LINE(nodes)
    {
        gh_buf_str(b, comma);
        put_node(b, line, early);
        comma = ",";
    }
    tj_text(b, "]},'weightsManifest':[{'paths':['w'],'weights':[");
    comma = "";
    EACH_LINE(weights)
    {
        gh_buf_str(b, comma);
        put_weight(b, line);
        comma = ",";
    }
    tj_text(b, "]}]}");
}

gh_status tj_read(gh_graph **out, const gh_buf *json, const void *shard, size_t size, const gh_tfjs_cut *cut,
                  gh_err *e)
{
    char *text = gh_alloc(json->len);
    uint8_t *bytes = gh_alloc(size);
    ck_assert(text && bytes);
    if (json->len)
        memcpy(text, json->data, json->len);
    if (size)
        memcpy(bytes, shard, size);
    const gh_tfjs_blob blob = {"w", bytes, size};
    gh_status status = gh_tfjs_read_bytes(out, text, json->len, &blob, 1, cut, e);
    gh_free(text);
    gh_free(bytes);
    return status;
}
