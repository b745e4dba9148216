/* Data sets in a table: labels.tsv with (file, index, name), CSV with path, label and perhaps split and
 * group, or CSV with votes. CSV fields may stand in quotes, doubled inside (RFC 4180). */
#include "train/data/dataset.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/data/lookup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_TABLE_BYTES ((size_t)1 << 30)
#define MAX_FIELDS      64 /* further columns are not looked at */
#define MAX_CLASS       1000000

/* Columns of the fields that we know; -1 = not there. */
typedef struct columns {
    int path, label, index, split, group;
} columns;

typedef struct table {
    gh_dataset *d;
    const char *file;
    gh_lookup *lookup;
    int vote[MAX_FIELDS]; /* columns of votes */
    bool tabs;
    columns at;
    size_t line; /* number of the current one */
} table;

/* Cuts the line into fields, in place; gives their number. Quotes only in CSV. */
static int split_line(char *fields[MAX_FIELDS], char *line, bool tabs)
{
    int n = 0;
    char *in = line;
    for (bool more = true; more && n < MAX_FIELDS; n++) {
        char *out = in, end = tabs ? '\t' : ',';
        bool quoted = !tabs && *in == '"';
        fields[n] = in;
        in += quoted;
        for (; *in; in++) {
            if (quoted && *in == '"' && in[1] == '"')
                in++;
            else if (quoted && *in == '"') {
                quoted = false;
                continue;
            } else if (!quoted && *in == end)
                break;
            *out++ = *in;
        }
        more = *in == end;
        in += more;
        *out = '\0';
    }
    return n;
}

static bool parse_index(int *out, const char *text)
{
    char *end = NULL;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < 0 || v > MAX_CLASS)
        return false;
    *out = (int)v;
    return true;
}

/* The first column with one of the names; column `but` is spoken for. */
static int find_column(char *const *fields, int n, const char *const *names, int but)
{
    for (int i = 0; i < n; i++)
        for (const char *const *name = names; *name; name++)
            if (i != but && strcasecmp(fields[i], *name) == 0)
                return i;
    return -1;
}

/* A header without a label: every column that has no other meaning holds votes for the class it is called by.
 */
static gh_status read_vote_columns(table *t, char *const *fields, int n, gh_err *e)
{
    gh_dataset *d = t->d;
    if (n == MAX_FIELDS)
        return gh_fail(e, GH_LIMIT, "%.200s: columns of votes are taken up to %d columns in all", t->file,
                       MAX_FIELDS - 1);
    d->voted = gh_arena_array(d->arena, (size_t)n + 1, sizeof *d->voted);
    if (!d->voted)
        return gh_fail(e, GH_NOMEM, "memory ran out at %.200s", t->file);
    for (int i = 0; i < n; i++) {
        if (i == t->at.path || i == t->at.split || i == t->at.group)
            continue;
        t->vote[d->nvoted] = i;
        d->voted[d->nvoted] = gh_arena_string(d->arena, fields[i], strlen(fields[i]));
        if (!d->voted[d->nvoted++])
            return gh_fail(e, GH_NOMEM, "memory ran out at %.200s", t->file);
    }
    if (d->nvoted < 2)
        return gh_fail(e, GH_FORMAT,
                       "%.200s: the header has no column called label, class, name or index, nor two or "
                       "more columns of votes",
                       t->file);
    return GH_OK;
}

/* Columns by the header's names, or by place when the first line is data already. */
static gh_status read_header(table *t, bool *is_header, char *const *fields, int n, gh_err *e)
{
    static const char *const path_names[] = {"path", "file", "filename", "image", "name", NULL};
    static const char *const label_names[] = {"label", "class", "name", NULL};
    static const char *const index_names[] = {"index", NULL};
    static const char *const split_names[] = {"split", "set", NULL};
    static const char *const group_names[] = {"group", NULL};
    int path = find_column(fields, n, path_names, -1);
    *is_header = path >= 0;
    t->at = t->tabs ? (columns){0, 2, 1, -1, -1} : (columns){0, 1, -1, 2, 3};
    if (path < 0)
        return GH_OK;
    t->at =
        (columns){path, find_column(fields, n, label_names, path), find_column(fields, n, index_names, path),
                  find_column(fields, n, split_names, path), find_column(fields, n, group_names, path)};
    return t->at.label < 0 && t->at.index < 0 ? read_vote_columns(t, fields, n, e) : GH_OK;
}

static const char *field(char *const *fields, int n, int at)
{
    return at >= 0 && at < n ? fields[at] : "";
}

/* The votes of a row; gives the class with most of them through *label. */
static gh_status read_votes(float *votes, const char **label, const table *t, char *const *fields, int n,
                            gh_err *e)
{
    size_t best = 0;
    for (size_t i = 0; i < t->d->nvoted; i++) {
        const char *text = field(fields, n, t->vote[i]);
        char *end = NULL;
        votes[i] = strtof(text, &end);
        if (!*text || *end || !(votes[i] >= 0 && votes[i] < 1e9f))
            return gh_fail(e, GH_FORMAT,
                           "%.200s, line %zu: the votes for %.40s are '%.40s'; a number from 0 is taken",
                           t->file, t->line, t->d->voted[i], text);
        best = votes[i] > votes[best] ? i : best;
    }
    if (votes[best] <= 0)
        return gh_fail(e, GH_FORMAT, "%.200s, line %zu: nobody voted", t->file, t->line);
    *label = t->d->voted[best];
    return GH_OK;
}

static gh_status add_row(table *t, char *const *fields, int n, gh_err *e)
{
    const char *path = field(fields, n, t->at.path), *label = field(fields, n, t->at.label);
    const char *index_text = field(fields, n, t->at.index), *group = field(fields, n, t->at.group);
    const char *split_text = field(fields, n, t->at.split);
    float votes[MAX_FIELDS];
    gh_sample s = {.group = *group ? group : NULL, .index = -1, .split = gh_split_of(split_text)};
    if (t->d->nvoted) {
        GH_TRY(read_votes(votes, &label, t, fields, n, e));
        s.votes = votes;
    }
    if (!*path || (!*label && !*index_text))
        return gh_fail(e, GH_FORMAT, "%.200s, line %zu: %s is missing", t->file, t->line,
                       *path ? "the label" : "the file");
    if (*index_text && !parse_index(&s.index, index_text))
        return gh_fail(e, GH_FORMAT, "%.200s, line %zu: the class index is '%.40s'; it takes 0 to %d",
                       t->file, t->line, index_text, MAX_CLASS);
    char *found = NULL;
    GH_TRY(gh_lookup_find(&found, t->lookup, path, split_text, s.votes ? "" : label, e));
    s.path = found;
    s.label = *label ? label : index_text;
    gh_status status = gh_dataset_add(t->d, &s, e);
    gh_free(found);
    return status;
}

/* Goes through the text, which ends in a zero byte, line by line. */
static gh_status read_lines(table *t, char *text, gh_err *e)
{
    char *fields[MAX_FIELDS];
    bool is_header = false;
    for (char *at = text, *next; at; at = next) {
        char *lf = strchr(at, '\n');
        next = lf ? lf + 1 : NULL;
        char *end = lf ? lf : at + strlen(at);
        if (end > at && end[-1] == '\r')
            end--;
        *end = '\0';
        t->line++;
        if (!*at && t->line > 1)
            continue;
        int n = split_line(fields, at, t->tabs);
        if (t->line == 1)
            GH_TRY(read_header(t, &is_header, fields, n, e));
        if (t->line > 1 || !is_header)
            GH_TRY(add_row(t, fields, n, e));
    }
    return GH_OK;
}

static char *folder_of(const char *file)
{
    char *folder = gh_strdup(file);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    else if (folder)
        strcpy(folder, "."); /* a file's name has a character at least */
    return folder;
}

gh_status gh_dataset_table(gh_dataset *d, const char *file, gh_err *e)
{
    size_t len = strlen(file);
    gh_buf text = {0};
    table t = {.d = d, .file = file, .tabs = len > 4 && strcasecmp(file + len - 4, ".tsv") == 0};
    if (len < 5 || (!t.tabs && strcasecmp(file + len - 4, ".csv") != 0))
        return gh_fail(e, GH_ARG, "'%.200s' is neither a folder nor a .tsv or .csv table", file);
    d->layout = t.tabs ? "tsv" : "csv";
    char *folder = folder_of(file);
    gh_status status = folder ? gh_lookup_new(&t.lookup, folder, e) : gh_fail(e, GH_NOMEM, "memory ran out");
    if (status == GH_OK)
        status = gh_file_read(&text, file, MAX_TABLE_BYTES, e);
    if (status == GH_OK)
        gh_buf_add(&text, "", 1);
    if (status == GH_OK && text.failed)
        status = gh_fail(e, GH_NOMEM, "memory ran out at %.200s", file);
    if (status == GH_OK && strlen((char *)text.data) + 1 != text.len)
        status = gh_fail(e, GH_FORMAT, "%.200s holds a zero byte; it is no text", file);
    if (status == GH_OK) /* Excel begins its files with a byte order mark */
        status =
            read_lines(&t, (char *)text.data + 3 * (strncmp((char *)text.data, "\xef\xbb\xbf", 3) == 0), e);
    if (status == GH_OK && d->count == 0)
        status = gh_fail(e, GH_FORMAT, "%.200s lists no pictures", file);
    gh_buf_free(&text);
    gh_lookup_free(&t.lookup);
    gh_free(folder);
    return status;
}
