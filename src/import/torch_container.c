/* The two containers of PyTorch. Zip (since 1.6): <name>/data.pkl, <name>/data/<key> and, lately,
 * <name>/byteorder. Older: five pickles (magic number, protocol, system, state dictionary, list of keys),
 * then for each key an int64 count and the raw elements. */
#include "base/mem.h"
#include "import/torch_storage.h"
#include "import/zip.h"

#include <string.h>

#define OLD_PROTOCOL 1001

/* ---- zip ---- */

static bool ends_with(const gh_zip_entry *entry, const char *end)
{
    size_t n = strlen(end);
    return entry->name_len >= n && memcmp(entry->name + entry->name_len - n, end, n) == 0;
}

/* The one entry called [<name>/]data.pkl, or NULL. */
static const gh_zip_entry *find_state(const gh_zip *zip)
{
    const gh_zip_entry *found = NULL;
    for (size_t i = 0; i < zip->count; i++)
        if (ends_with(&zip->entries[i], "data.pkl") &&
            (zip->entries[i].name_len == 8 || ends_with(&zip->entries[i], "/data.pkl")))
            found = &zip->entries[i];
    return found;
}

static const gh_zip_entry *find_text(const gh_zip *zip, const gh_zip_entry *state, const char *name)
{
    return gh_zip_find(zip, state->name, state->name_len - strlen("data.pkl"), (const uint8_t *)name,
                       strlen(name));
}

static gh_status place_zip(gh_storages *s, const gh_zip *zip, const gh_zip_entry *state, gh_err *e)
{
    const gh_zip_entry *order = find_text(zip, state, "byteorder");
    if (order && (order->size < 6 || memcmp(order->data, "little", 6) != 0))
        return gh_fail(e, GH_UNSUPPORTED,
                       "the checkpoint was written with big-endian numbers; only "
                       "little-endian ones are read");
    /* "<name>/data" and "/<key>": state is "<name>/data.pkl" */
    for (size_t i = 0; i < s->count; i++) {
        gh_storage *now = &s->items[i];
        char path[96] = "/", text[64];
        if (now->key_len > sizeof path - 1)
            return gh_fail(e, GH_FORMAT, "a storage of the checkpoint has a key of %zu bytes", now->key_len);
        memcpy(path + 1, now->key, now->key_len);
        const gh_zip_entry *entry = gh_zip_find(zip, state->name, state->name_len - strlen(".pkl"),
                                                (const uint8_t *)path, now->key_len + 1);
        if (!entry)
            return gh_fail(e, GH_FORMAT, "the checkpoint has no data for storage \"%s\"",
                           gh_torch_printable(text, sizeof text, now->key, now->key_len));
        size_t need = now->count * gh_torch_type_size(now->type);
        if (entry->size < need)
            return gh_fail(e, GH_FORMAT, "storage \"%s\" claims %zu bytes, but %zu are there",
                           gh_torch_printable(text, sizeof text, now->key, now->key_len), need, entry->size);
        now->data = entry->data;
    }
    return GH_OK;
}

static gh_status read_zip(gh_container *c, const gh_zip *zip, gh_err *e)
{
    const gh_zip_entry *state = find_state(zip);
    if (!state)
        return gh_fail(e, GH_FORMAT, "a zip archive, but not a PyTorch checkpoint: it has no data.pkl");
    GH_TRY(gh_pickle_read(&c->state, state->data, state->size, e));
    GH_TRY(gh_storages_collect(&c->storages, c->state, e));
    return place_zip(&c->storages, zip, state, e);
}

gh_status gh_container_zip(gh_container *out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_zip zip = {0};
    gh_container c = {0};
    GH_TRY(gh_zip_open(&zip, data, len, e));
    gh_status status = read_zip(&c, &zip, e);
    if (status == GH_OK)
        *out = c;
    else
        gh_container_free(&c);
    gh_zip_close(&zip);
    return status;
}

/* ---- five pickles ---- */

/* The first three pickles; *at moves past them. */
static gh_status read_head(size_t *at, const uint8_t *data, size_t len, gh_err *e)
{
    /* 0x1950a86a20f9469cfc6c, little-endian */
    static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    for (int i = 0; i < 3; i++) {
        gh_pickle *p = NULL;
        GH_TRY(gh_pickle_read(&p, data + *at, len - *at, e));
        const gh_pickle_node *root = &p->nodes[p->root];
        gh_status status = GH_OK;
        if (i == 0 && (root->kind != GH_PICKLE_LONG || root->len != sizeof magic ||
                       memcmp(root->text, magic, sizeof magic) != 0))
            status = gh_fail(e, GH_FORMAT,
                             "a pickle, but not a PyTorch checkpoint: its magic number is "
                             "missing");
        if (i == 1 && (root->kind != GH_PICKLE_INT || root->i != OLD_PROTOCOL))
            status = gh_fail(e, GH_UNSUPPORTED, "the checkpoint has another protocol than %d", OLD_PROTOCOL);
        if (i == 2) {
            const gh_pickle_node *little = gh_pickle_lookup(p, root, "little_endian");
            if (!little || little->kind != GH_PICKLE_BOOL || !little->i)
                status = gh_fail(e, GH_UNSUPPORTED,
                                 "the checkpoint does not say that its numbers are "
                                 "little-endian; only such are read");
        }
        *at += p->used;
        gh_pickle_free(&p);
        GH_TRY(status);
    }
    return GH_OK;
}

/* The data of one storage at *at. */
static gh_status place_old(gh_storage *s, size_t *at, const uint8_t *data, size_t len, gh_err *e)
{
    char text[64];
    gh_torch_printable(text, sizeof text, s->key, s->key_len);
    if (s->data)
        return gh_fail(e, GH_FORMAT, "the checkpoint has storage \"%s\" twice", text);
    if (len - *at < 8)
        return gh_fail(e, GH_FORMAT, "the checkpoint ends before storage \"%s\"; it may be truncated", text);
    uint64_t count = 0;
    for (unsigned i = 0; i < 8; i++)
        count |= (uint64_t)data[*at + i] << (8 * i);
    *at += 8;
    if (count != s->count)
        return gh_fail(e, GH_FORMAT, "storage \"%s\" has %llu elements, but its tensors need %zu", text,
                       (unsigned long long)count, s->count);
    size_t bytes = s->count * gh_torch_type_size(s->type);
    if (bytes > len - *at)
        return gh_fail(e, GH_FORMAT,
                       "storage \"%s\" needs %zu bytes, but %zu are left; the file may be "
                       "truncated",
                       text, bytes, len - *at);
    s->data = data + *at;
    *at += bytes;
    return GH_OK;
}

static gh_status place_all_old(gh_storages *s, const gh_pickle *keys, size_t at, const uint8_t *data,
                               size_t len, gh_err *e)
{
    const gh_pickle_node *list = &keys->nodes[keys->root];
    char text[64];
    if (list->kind != GH_PICKLE_LIST)
        return gh_fail(e, GH_FORMAT, "the checkpoint's list of storages is %s",
                       gh_pickle_kind_name(list->kind));
    for (uint32_t c = list->count ? list->head : GH_PICKLE_NONE; c != GH_PICKLE_NONE;
         c = keys->cells[c].next) {
        const gh_pickle_node *key = &keys->nodes[keys->cells[c].node];
        if (key->kind != GH_PICKLE_STRING)
            return gh_fail(e, GH_FORMAT, "the checkpoint's list of storages holds %s",
                           gh_pickle_kind_name(key->kind));
        gh_storage *now = gh_storages_find(s, key->text, key->len);
        if (!now)
            return gh_fail(e, GH_FORMAT, "the checkpoint lists storage \"%s\", which no tensor uses",
                           gh_torch_printable(text, sizeof text, key->text, key->len));
        GH_TRY(place_old(now, &at, data, len, e));
    }
    for (size_t i = 0; i < s->count; i++)
        if (!s->items[i].data)
            return gh_fail(e, GH_FORMAT, "the checkpoint has no data for storage \"%s\"",
                           gh_torch_printable(text, sizeof text, s->items[i].key, s->items[i].key_len));
    return GH_OK;
}

static gh_status read_old(gh_container *c, const uint8_t *data, size_t len, gh_err *e)
{
    size_t at = 0;
    gh_pickle *keys = NULL;
    GH_TRY(read_head(&at, data, len, e));
    GH_TRY(gh_pickle_read(&c->state, data + at, len - at, e));
    at += c->state->used;
    GH_TRY(gh_storages_collect(&c->storages, c->state, e));
    GH_TRY(gh_pickle_read(&keys, data + at, len - at, e));
    at += keys->used;
    gh_status status = place_all_old(&c->storages, keys, at, data, len, e);
    gh_pickle_free(&keys);
    return status;
}

gh_status gh_container_old(gh_container *out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_container c = {0};
    gh_status status = read_old(&c, data, len, e);
    if (status == GH_OK)
        *out = c;
    else
        gh_container_free(&c);
    return status;
}

void gh_container_free(gh_container *c)
{
    gh_pickle_free(&c->state);
    gh_storages_free(&c->storages);
}
