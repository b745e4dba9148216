/* Pictures are known by the hashes of their paths: a run may have a million. The part of a path is a hash,
 * too, so that it stays what it is when pictures are added, and on every machine. */
#include "cli/todo.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tasks/jsontext.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SHARDS       100000
#define MOST_RESUME_BYTES ((size_t)1 << 40)

typedef struct line {
    gh_hash name;
    bool used;
} line;

struct gh_todo {
    unsigned long shard, shards;
    line *lines; /* of the earlier run, sorted by name */
    size_t count, used;
};

static gh_hash hash(const char *text)
{
    return gh_hash_bytes(text, strlen(text));
}

/* "3/16": digits, a slash, digits. */
static gh_status parse_shard(gh_todo *todo, const char *text, gh_err *e)
{
    size_t first = strspn(text, "0123456789");
    size_t second = text[first] == '/' ? strspn(text + first + 1, "0123456789") : 0;
    bool whole = first && second && !text[first + 1 + second];
    todo->shard = whole ? strtoul(text, NULL, 10) : 0;
    todo->shards = whole ? strtoul(text + first + 1, NULL, 10) : 0;
    if (todo->shards < 1 || todo->shards > MOST_SHARDS || todo->shard >= todo->shards)
        return gh_fail(e, GH_ARG,
                       "--shard is \"%.40s\"; I/N is accepted, part I of N, I from 0 to N-1 and N at most %d",
                       text, MOST_SHARDS);
    return GH_OK;
}

static int compare(const void *a, const void *b)
{
    const gh_hash *x = &((const line *)a)->name, *y = &((const line *)b)->name;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->low == y->low ? 0 : x->low < y->low ? -1 : 1;
}

static gh_status add_line(gh_todo *todo, const char *text, size_t len, const char *path, gh_err *e)
{
    json_t *object = json_loadb(text, len, 0, NULL);
    const char *name = json_string_value(json_object_get(object, "file"));
    bool full = (todo->count & (todo->count - 1)) == 0; /* 0 or a power of two: the place for it is used up */
    line *grown = todo->lines;
    gh_status status = GH_OK;
    if (!name)
        status = gh_fail(e, GH_FORMAT,
                         "--resume: line %zu of %s is none of predict --json; the file was left as it is",
                         todo->count + 1, path);
    else if (full && !(grown = gh_realloc(todo->lines, todo->count ? 2 * todo->count : 1, sizeof *grown)))
        status = gh_fail(e, GH_NOMEM, "memory ran out at the lines of %s", path);
    if (status == GH_OK) {
        todo->lines = grown;
        todo->lines[todo->count++] = (line){.name = hash(name)};
    }
    json_decref(object);
    return status;
}

/* Of a line that ends with the file: true unless it can be the begin of one of ours, or all but its end. */
static bool foreign_tail(const char *text, size_t len)
{
    json_t *object = json_loadb(text, len, 0, NULL);
    bool foreign = *text != '{' || (object && !json_object_get(object, "file"));
    json_decref(object);
    return foreign;
}

/* Reads the lines; *end becomes the size of the whole ones. */
static gh_status read_lines(gh_todo *todo, size_t *end, const char *path, gh_err *e)
{
    gh_map map = {0};
    gh_status status = GH_OK;
    size_t at = 0;
    GH_TRY(gh_map_open(&map, path, MOST_RESUME_BYTES, e));
    while (status == GH_OK && at < map.size) {
        const char *text = (const char *)map.data + at;
        const char *newline = memchr(text, '\n', map.size - at);
        size_t len = newline ? (size_t)(newline - text) : map.size - at;
        if (newline || foreign_tail(text, len))
            status = add_line(todo, text, len, path, e);
        if (!newline)
            break;
        at += len + 1;
    }
    gh_map_close(&map);
    if (status == GH_OK && todo->count)
        qsort(todo->lines, todo->count, sizeof *todo->lines, compare);
    *end = at;
    return status;
}

/* Reads the file under a lock, which standard output holds until the run ends. */
static gh_status resume_file(gh_todo *todo, const char *path, gh_err *e)
{
    size_t end = 0;
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return gh_fail(e, GH_IO, "--resume: %s cannot be opened: %s", path, strerror(errno));
    gh_status status = GH_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = gh_fail(e, GH_ARG, "--resume: %s is no regular file", path);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        status = gh_fail(e, GH_ARG, "--resume: another run is writing %s", path);
    if (status == GH_OK)
        status = read_lines(todo, &end, path, e);
    if (status == GH_OK && (ftruncate(fd, (off_t)end) != 0 || dup2(fd, STDOUT_FILENO) < 0))
        status = gh_fail(e, GH_IO, "--resume: %s cannot be written: %s", path, strerror(errno));
    close(fd);
    return status;
}

gh_status gh_todo_open(gh_todo **out, const char *shard, const char *resume, gh_err *e)
{
    gh_todo *todo = gh_calloc(1, sizeof *todo);
    if (!todo)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    todo->shards = 1;
    gh_status status = shard ? parse_shard(todo, shard, e) : GH_OK;
    if (status == GH_OK && resume)
        status = resume_file(todo, resume, e);
    if (status == GH_OK)
        *out = todo;
    else
        gh_todo_free(&todo);
    return status;
}

void gh_todo_free(gh_todo **todo)
{
    if (*todo)
        gh_free((*todo)->lines);
    gh_free(*todo);
    *todo = NULL;
}

/* The line of that name that no picture had yet; equal ones stand together. */
static line *find(const gh_todo *todo, gh_hash name)
{
    line key = {.name = name};
    line *at = todo->count ? bsearch(&key, todo->lines, todo->count, sizeof key, compare) : NULL;
    if (!at)
        return NULL;
    while (at > todo->lines && compare(at - 1, &key) == 0)
        at--;
    while (at < todo->lines + todo->count && compare(at, &key) == 0 && at->used)
        at++;
    return at < todo->lines + todo->count && compare(at, &key) == 0 ? at : NULL;
}

bool gh_todo_takes(gh_todo *todo, const char *picture)
{
    if (todo->shards > 1 && hash(picture).low % todo->shards != todo->shard)
        return false;
    if (!todo->count)
        return true;
    json_t *text = gh_json_text(picture); /* the name as a line has it */
    const char *name = json_string_value(text);
    line *before = name ? find(todo, hash(name)) : NULL;
    json_decref(text);
    if (before)
        before->used = true;
    todo->used += before != NULL;
    return !before;
}

size_t gh_todo_done_before(const gh_todo *todo)
{
    return todo->used;
}
