/* Header, sizes of the blocks, the blocks, and last the hash of all before it. Numbers are in the machine's
 * own order: a checkpoint is for the machine that wrote it, or one like it. */
#include "train/learn/checkpoint.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "gharial checkpoint 1\n"

enum { MOST_BLOCKS = 32 };

typedef struct head {
    char magic[24];
    gh_hash mark;
    uint64_t blocks, bytes[MOST_BLOCKS];
} head;

static head head_of(gh_hash mark, const gh_checkpoint_block *blocks, size_t n)
{
    head h = {.magic = MAGIC, .mark = mark, .blocks = n};
    GH_ASSERT(n <= MOST_BLOCKS);
    for (size_t i = 0; i < n; i++)
        h.bytes[i] = blocks[i].bytes;
    return h;
}

gh_status gh_checkpoint_write(const char *path, gh_hash mark, const gh_checkpoint_block *blocks, size_t n,
                              gh_err *e)
{
    head h = head_of(mark, blocks, n);
    gh_hash hash = gh_hash_bytes(&h, sizeof h);
    gh_writer *w = NULL;
    GH_TRY(gh_writer_open(&w, path, e));
    gh_status status = gh_writer_add(w, &h, sizeof h, e);
    for (size_t i = 0; !status && i < n; i++) {
        hash = gh_hash_more(hash, blocks[i].data, blocks[i].bytes);
        status = gh_writer_add(w, blocks[i].data, blocks[i].bytes, e);
    }
    if (!status)
        status = gh_writer_add(w, &hash, sizeof hash, e);
    if (!status)
        return gh_writer_commit(&w, e);
    gh_writer_discard(&w);
    return status;
}

static gh_status read_mapped(const gh_map *map, const char *path, const head *wanted,
                             const gh_checkpoint_block *blocks, size_t n, gh_err *e)
{
    head h;
    size_t total = sizeof h + sizeof(gh_hash);
    if (map->size < sizeof h || memcmp(map->data, MAGIC, sizeof MAGIC) != 0)
        return gh_fail(e, GH_FORMAT, "%s is no checkpoint of this version", path);
    memcpy(&h, map->data, sizeof h);
    if (memcmp(&h, wanted, sizeof h) != 0)
        return gh_fail(e, GH_ARG,
                       "the checkpoint %s belongs to another run (other data, network or options); run with "
                       "what it was begun with, or without --resume to begin anew",
                       path);
    for (size_t i = 0; i < n; i++)
        total += blocks[i].bytes;
    gh_hash hash = gh_hash_bytes(&h, sizeof h), told;
    const uint8_t *at = map->data + sizeof h;
    if (map->size != total)
        return gh_fail(e, GH_FORMAT, "the checkpoint %s is damaged: it has %zu bytes instead of %zu", path,
                       map->size, total);
    for (size_t i = 0; i < n; at += blocks[i++].bytes)
        hash = gh_hash_more(hash, at, blocks[i].bytes);
    memcpy(&told, at, sizeof told);
    if (told.high != hash.high || told.low != hash.low)
        return gh_fail(e, GH_FORMAT, "the checkpoint %s is damaged", path);
    at = map->data + sizeof h;
    for (size_t i = 0; i < n; at += blocks[i++].bytes)
        if (blocks[i].bytes) /* of an empty block the address may be NULL */
            memcpy(blocks[i].data, at, blocks[i].bytes);
    return GH_OK;
}

gh_status gh_checkpoint_read(const char *path, gh_hash mark, const gh_checkpoint_block *blocks, size_t n,
                             gh_err *e)
{
    head wanted = head_of(mark, blocks, n);
    gh_map map = {0};
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return gh_fail(e, GH_NOTFOUND, "there is no checkpoint %s", path);
    GH_TRY(gh_map_open(&map, path, SIZE_MAX / 2, e));
    gh_status status = read_mapped(&map, path, &wanted, blocks, n, e);
    gh_map_close(&map);
    return status;
}
