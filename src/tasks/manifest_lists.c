/* The keys of model.json that hold lists: labels (inline or in a text file), colours, sizes. */
#include "tasks/manifest_parts.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define MAX_LABEL_BYTES 256

static bool whole_between(const json_t *v, json_int_t min, json_int_t max)
{
    return json_is_integer(v) && json_integer_value(v) >= min && json_integer_value(v) <= max;
}

static gh_status no_memory(const gh_keys_reader *r, const char *name, gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "%s: memory ran out at \"%s\"", r->file, name);
}

/* A list of texts into an array in the arena; some may be empty where `empty_ok`. */
static gh_status read_texts(char ***out, size_t *count, const json_t *v, size_t max, bool empty_ok,
                            const char *name, gh_keys_reader *r, gh_err *e)
{
    static char empty[] = "";
    size_t n = json_array_size(v);
    if (n > max)
        return gh_fail(e, GH_LIMIT, "%s: \"%s\" has %zu entries; at most %zu are accepted", r->file, name, n,
                       max);
    char **texts = gh_arena_array(r->arena, n, sizeof *texts);
    if (!texts)
        return no_memory(r, name, e);
    for (size_t i = 0; i < n; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s[%zu]", name, i);
        texts[i] = empty;
        const char *text = json_string_value(json_array_get(v, i));
        if (empty_ok && text && !*text)
            continue;
        GH_TRY(gh_key_string(&texts[i], json_array_get(v, i), MAX_LABEL_BYTES, full, r, e));
    }
    *out = texts;
    *count = n;
    return GH_OK;
}

/* Length of the line at `at` without its end, which may be LF or CR LF; *next is where the next one begins.
 */
static size_t line_length(const char *at, const char *end, const char **next)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *stop = lf ? lf : end;
    *next = lf ? lf + 1 : end;
    return (size_t)(stop - at) - (stop > at && stop[-1] == '\r');
}

static gh_status check_line(const char *file, size_t number, const char *line, size_t len, gh_err *e)
{
    if (len == 0)
        return gh_fail(e, GH_FORMAT, "%s: line %zu is empty; each line is a label", file, number);
    if (len > MAX_LABEL_BYTES)
        return gh_fail(e, GH_FORMAT, "%s: line %zu has %zu bytes; a label has at most %d", file, number, len,
                       MAX_LABEL_BYTES);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            return gh_fail(e, GH_FORMAT, "%s: line %zu has a control character", file, number);
    return GH_OK;
}

static gh_status split_lines(gh_manifest *m, const char *file, const gh_buf *text, gh_keys_reader *r,
                             gh_err *e)
{
    const char *at = (const char *)text->data, *end = at + text->len, *next;
    size_t n = 0;
    for (const char *p = at; p < end; p = next, n++)
        line_length(p, end, &next);
    if (n == 0 || n > GH_MAX_LABELS)
        return gh_fail(e, GH_FORMAT, "%s has %zu labels; 1 to %d are accepted, one a line", file, n,
                       GH_MAX_LABELS);
    char **labels = gh_arena_array(r->arena, n, sizeof *labels);
    if (!labels)
        return no_memory(r, "labels", e);
    for (size_t i = 0; i < n; i++, at = next) {
        size_t len = line_length(at, end, &next);
        GH_TRY(check_line(file, i + 1, at, len, e));
        labels[i] = gh_arena_string(r->arena, at, len);
        if (!labels[i])
            return no_memory(r, "labels", e);
    }
    m->labels = labels;
    m->nlabels = n;
    return GH_OK;
}

gh_status gh_manifest_labels(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest *m = out;
    if (json_is_array(v) && json_array_size(v) > 0)
        return read_texts(&m->labels, &m->nlabels, v, GH_MAX_LABELS, m->task == GH_TASK_LOCALIZE, name, r, e);
    if (!json_is_string(v))
        return gh_key_fail(r, name, v, e, "a list of texts, or the name of a text file in the folder");
    char *file = NULL;
    GH_TRY(gh_key_filename(&file, v, name, r, e));
    gh_buf text = {0};
    char *path = gh_path_join(r->folder, file);
    gh_status status = path ? gh_file_read(&text, path, GH_MAX_MANIFEST_BYTES, e) : no_memory(r, name, e);
    if (status == GH_OK && text.len == 0)
        status = gh_fail(e, GH_FORMAT, "%s is empty; it holds one label a line", file);
    if (status == GH_OK)
        status = split_lines(m, file, &text, r, e);
    gh_buf_free(&text);
    gh_free(path);
    return status;
}

gh_status gh_manifest_colours(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest *m = out;
    size_t n = json_array_size(v);
    if (n == 0 || n > GH_MAX_LABELS)
        return gh_key_fail(r, name, v, e, "a list of [red, green, blue], one a label");
    uint8_t(*colours)[3] = gh_arena_array(r->arena, n, sizeof *colours);
    if (!colours)
        return no_memory(r, name, e);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(v, i);
        for (size_t c = 0; c < 3; c++) {
            const json_t *level = json_array_get(one, c);
            if (json_array_size(one) != 3 || !whole_between(level, 0, 255))
                return gh_key_fail(r, name, one, e, "[red, green, blue] of whole numbers from 0 to 255");
            colours[i][c] = (uint8_t)json_integer_value(level);
        }
    }
    m->colours = colours;
    return GH_OK;
}

gh_status gh_manifest_sizes(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest_input *in = out;
    size_t n = json_array_size(v);
    if (n == 0 || n > GH_MAX_SIZES)
        return gh_key_fail(r, name, v, e, "a list of 1 to 8 [width, height] pairs");
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(v, i);
        const json_t *w = json_array_get(pair, 0), *h = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !whole_between(w, 1, GH_MAX_SIDE) ||
            !whole_between(h, 1, GH_MAX_SIDE))
            return gh_key_fail(r, name, pair, e, "[width, height] pairs of whole numbers from 1 to 4096");
        in->sizes[i] = (gh_size){(int)json_integer_value(w), (int)json_integer_value(h)};
    }
    in->nsizes = (int)n;
    return GH_OK;
}
