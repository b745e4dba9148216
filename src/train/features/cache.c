/* File form: 32 bytes of header, then records of: content hash, check (hash of content hash and floats),
 * floats. */
#include "train/features/cache.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC  "gharial features"
#define ENDING ".features"

typedef struct header {
    char magic[16];
    uint64_t floats, version;
} header;

typedef struct record_head {
    gh_hash content;
    uint64_t check;
} record_head;

struct gh_cache {
    int fd;
    gh_map map;                 /* the records that were there when it was opened */
    size_t floats, record;      /* bytes of a record */
    uint64_t size, most, limit; /* of this file; now; of all files in the folder */
    char *folder, *path;
    uint32_t *slots; /* open addressing: record number + 1 by content */
    size_t nslots;   /* a power of two */
    pthread_mutex_t lock;
    uint8_t *scratch; /* one record to be written */
};

static uint64_t check_of(gh_hash content, const void *floats, size_t bytes)
{
    return gh_hash_more(content, floats, bytes).low;
}

static const uint8_t *record_at(const gh_cache *c, size_t i)
{
    return c->map.data + sizeof(header) + i * c->record;
}

static bool intact(const gh_cache *c, size_t i)
{
    record_head h;
    memcpy(&h, record_at(c, i), sizeof h);
    return h.check == check_of(h.content, record_at(c, i) + sizeof h, c->floats * sizeof(float));
}

static void index_record(gh_cache *c, size_t i)
{
    gh_hash content;
    memcpy(&content, record_at(c, i), sizeof content);
    size_t at = content.low & (c->nslots - 1);
    while (c->slots[at])
        at = (at + 1) & (c->nslots - 1);
    c->slots[at] = (uint32_t)i + 1;
}

/* Maps what is there and indexes it up to the first record that is not whole; the rest is cut off. */
static gh_status load(gh_cache *c, const char *path, gh_err *e)
{
    GH_TRY(gh_map_open(&c->map, path, SIZE_MAX / 2, e));
    size_t count = c->map.size > sizeof(header) ? (c->map.size - sizeof(header)) / c->record : 0, i = 0;
    for (c->nslots = 64; c->nslots < 2 * count + 2; c->nslots *= 2)
        ;
    c->slots = gh_calloc(c->nslots, sizeof *c->slots);
    if (!c->slots || count > UINT32_MAX - 1)
        return gh_fail(e, GH_NOMEM, "no memory for the feature cache");
    while (i < count && intact(c, i))
        index_record(c, i++);
    c->size = sizeof(header) + i * c->record;
    if (c->most && c->size < c->map.size && ftruncate(c->fd, (off_t)c->size) != 0)
        return gh_fail(e, GH_IO, "%s cannot be shortened: %s", path, strerror(errno));
    return GH_OK;
}

static gh_status write_header(gh_cache *c, const char *path, gh_err *e)
{
    header h = {.floats = c->floats, .version = 1};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    if (ftruncate(c->fd, 0) != 0 || pwrite(c->fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
        return gh_fail(e, GH_IO, "%s cannot be written: %s", path, strerror(errno));
    return GH_OK;
}

/* A header of another form or size of record begins the file anew. */
static gh_status check_header(gh_cache *c, const char *path, gh_err *e)
{
    header h;
    bool good = pread(c->fd, &h, sizeof h, 0) == (ssize_t)sizeof h &&
                memcmp(h.magic, MAGIC, sizeof h.magic) == 0 && h.floats == c->floats && h.version == 1;
    return good ? GH_OK : write_header(c, path, e);
}

/* Bytes of all cache files in the folder; `oldest` receives the path of the one used longest ago, but not
 * `keep`. */
static uint64_t survey(const char *folder, const char *keep, char *oldest, size_t size)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[512];
    struct stat st;
    time_t when = 0;
    uint64_t total = 0;
    *oldest = 0;
    while (dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name), ending = strlen(ENDING);
        if (len < ending || strcmp(entry->d_name + len - ending, ENDING) != 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path ||
            stat(path, &st) != 0)
            continue;
        total += (uint64_t)st.st_size;
        if (strcmp(path, keep) != 0 && (!*oldest || st.st_mtime < when)) {
            snprintf(oldest, size, "%s", path);
            when = st.st_mtime;
        }
    }
    if (dir)
        closedir(dir);
    return total;
}

static void make_room(const char *folder, const char *keep, uint64_t most)
{
    char oldest[512];
    while (survey(folder, keep, oldest, sizeof oldest) > most && *oldest)
        if (unlink(oldest) != 0)
            return;
}

static gh_status open_file(gh_cache *c, const char *folder, const char *path, gh_err *e)
{
    GH_TRY(gh_dir_make(folder, e));
    c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (c->fd < 0)
        return gh_fail(e, GH_IO, "%s cannot be opened: %s", path, strerror(errno));
    /* another process that trains on the same body has it: read what it finished, add nothing */
    if (flock(c->fd, LOCK_EX | LOCK_NB) != 0)
        c->most = 0;
    else
        GH_TRY(check_header(c, path, e));
    futimens(c->fd, NULL);
    return load(c, path, e);
}

gh_status gh_cache_open(gh_cache **out, const char *folder, gh_hash key, size_t floats, uint64_t most,
                        gh_err *e)
{
    char name[GH_HASH_TEXT + sizeof ENDING], text[GH_HASH_TEXT];
    gh_cache *c = gh_calloc(1, sizeof *c);
    if (!c)
        return gh_fail(e, GH_NOMEM, "no memory for the feature cache");
    pthread_mutex_init(&c->lock, NULL);
    c->fd = -1;
    snprintf(name, sizeof name, "%s" ENDING, gh_hash_text(key, text));
    c->folder = gh_strdup(folder);
    c->path = gh_path_join(folder, name);
    gh_status status = c->folder && c->path ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the feature cache");
    if (!status) {
        c->floats = floats;
        c->record = sizeof(record_head) + floats * sizeof(float);
        c->most = c->limit = most;
        c->scratch = gh_alloc(c->record);
        status = c->scratch ? open_file(c, folder, c->path, e)
                            : gh_fail(e, GH_NOMEM, "no memory for the feature cache");
        if (!status)
            make_room(folder, c->path, most);
    }
    if (status)
        gh_cache_close(&c);
    else
        *out = c;
    return status;
}

void gh_cache_close(gh_cache **cache)
{
    gh_cache *c = *cache;
    if (!c)
        return;
    if (c->path && c->size > c->map.size) /* it grew: the others may have to make room */
        make_room(c->folder, c->path, c->limit);
    gh_map_close(&c->map);
    if (c->fd >= 0)
        close(c->fd);
    pthread_mutex_destroy(&c->lock);
    gh_free(c->folder);
    gh_free(c->path);
    gh_free(c->slots);
    gh_free(c->scratch);
    gh_free(c);
    *cache = NULL;
}

const float *gh_cache_find(const gh_cache *c, gh_hash content)
{
    for (size_t at = content.low & (c->nslots - 1); c->slots[at]; at = (at + 1) & (c->nslots - 1)) {
        gh_hash found;
        const uint8_t *record = record_at(c, c->slots[at] - 1);
        memcpy(&found, record, sizeof found);
        if (found.high == content.high && found.low == content.low)
            return (const float *)(const void *)(record + sizeof(record_head));
    }
    return NULL;
}

void gh_cache_add(gh_cache *c, gh_hash content, const float *floats)
{
    record_head h = {content, check_of(content, floats, c->floats * sizeof(float))};
    pthread_mutex_lock(&c->lock);
    if (c->size + c->record <= c->most) {
        memcpy(c->scratch, &h, sizeof h);
        memcpy(c->scratch + sizeof h, floats, c->floats * sizeof(float));
        if (pwrite(c->fd, c->scratch, c->record, (off_t)c->size) == (ssize_t)c->record)
            c->size += c->record;
        else
            c->most = 0; /* disk full: a half record is cut off at the next opening */
    }
    pthread_mutex_unlock(&c->lock);
}

char *gh_cache_folder(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg && *xdg)
        return gh_path_join(xdg, "gharial");
    return home && *home ? gh_path_join(home, ".cache/gharial") : NULL;
}
