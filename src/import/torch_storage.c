/* Storages: collected from the persistent ids of a pickle, which are tuples ("storage", class, key, device,
 * count), in the older container with a sixth element. */
#include "import/torch_storage.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [GH_TORCH_F32] = {"float32", 4},   [GH_TORCH_F64] = {"float64", 8}, [GH_TORCH_F16] = {"float16", 2},
    [GH_TORCH_BF16] = {"bfloat16", 2}, [GH_TORCH_I64] = {"int64", 8},   [GH_TORCH_I32] = {"int32", 4},
    [GH_TORCH_I16] = {"int16", 2},     [GH_TORCH_I8] = {"int8", 1},     [GH_TORCH_U8] = {"uint8", 1},
    [GH_TORCH_BOOL] = {"bool", 1},
};

static const gh_torch_type storage_types[] = {
    [GH_PICKLE_FLOAT_STORAGE] = GH_TORCH_F32, [GH_PICKLE_DOUBLE_STORAGE] = GH_TORCH_F64,
    [GH_PICKLE_HALF_STORAGE] = GH_TORCH_F16,  [GH_PICKLE_BFLOAT16_STORAGE] = GH_TORCH_BF16,
    [GH_PICKLE_LONG_STORAGE] = GH_TORCH_I64,  [GH_PICKLE_INT_STORAGE] = GH_TORCH_I32,
    [GH_PICKLE_SHORT_STORAGE] = GH_TORCH_I16, [GH_PICKLE_CHAR_STORAGE] = GH_TORCH_I8,
    [GH_PICKLE_BYTE_STORAGE] = GH_TORCH_U8,   [GH_PICKLE_BOOL_STORAGE] = GH_TORCH_BOOL,
};

size_t gh_torch_type_size(gh_torch_type type)
{
    return types[type].size;
}

const char *gh_torch_type_name(gh_torch_type type)
{
    return types[type].name;
}

const char *gh_torch_printable(char *text, size_t size, const uint8_t *s, size_t len)
{
    size_t n = 0;
    for (; n + 1 < size && n < len; n++)
        text[n] = s[n] >= ' ' && s[n] < 127 ? (char)s[n] : '?';
    text[n] = '\0';
    return text;
}

static int by_key(const void *a, const void *b)
{
    const gh_storage *x = a, *y = b;
    size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = n ? memcmp(x->key, y->key, n) : 0;
    return order ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* A persistent id; the elements' kinds are checked here and nowhere else. */
static gh_status read_id(gh_storage *out, const gh_pickle *p, const gh_pickle_node *n, gh_err *e)
{
    const gh_pickle_node *id = &p->nodes[n->args];
    const gh_pickle_node *type = gh_pickle_item(p, id, 1), *key = gh_pickle_item(p, id, 2);
    const gh_pickle_node *count = gh_pickle_item(p, id, 4), *view = gh_pickle_item(p, id, 5);
    char text[64];
    if (!gh_pickle_is_string(gh_pickle_item(p, id, 0), "storage") || !count ||
        type->kind != GH_PICKLE_GLOBAL || type->global < GH_PICKLE_FLOAT_STORAGE ||
        key->kind != GH_PICKLE_STRING || count->kind != GH_PICKLE_INT)
        return gh_fail(e, GH_FORMAT,
                       "a storage of the checkpoint is not described as (\"storage\", class, "
                       "key, device, count)");
    if (view && view->kind != GH_PICKLE_NIL)
        return gh_fail(e, GH_UNSUPPORTED,
                       "storage \"%s\" is a view of another one, as PyTorch before 0.4 wrote; save the "
                       "checkpoint again with a newer PyTorch",
                       gh_torch_printable(text, sizeof text, key->text, key->len));
    *out = (gh_storage){.key = key->text, .key_len = key->len, .type = storage_types[type->global]};
    size_t bytes = 0;
    if (count->i < 0 || !gh_mul_size(&bytes, (size_t)count->i, types[out->type].size) ||
        bytes > GH_TORCH_MAX_BYTES)
        return gh_fail(e, GH_LIMIT, "storage \"%s\" claims %lld elements; gharial reads up to %zu GiB",
                       gh_torch_printable(text, sizeof text, key->text, key->len), (long long)count->i,
                       GH_TORCH_MAX_BYTES >> 30);
    out->count = (size_t)count->i;
    return GH_OK;
}

/* Sorts by key and joins the mentions of one storage, which must agree. */
static gh_status join(gh_storages *s, gh_err *e)
{
    size_t kept = 0;
    qsort(s->items, s->count, sizeof *s->items, by_key);
    for (size_t i = 0; i < s->count; i++) {
        const gh_storage *now = &s->items[i], *last = kept ? &s->items[kept - 1] : NULL;
        if (!last || by_key(last, now) != 0) {
            s->items[kept++] = *now;
        } else if (last->type != now->type || last->count != now->count) {
            char text[64];
            return gh_fail(e, GH_FORMAT, "storage \"%s\" is described twice, as %zu of %s and %zu of %s",
                           gh_torch_printable(text, sizeof text, now->key, now->key_len), last->count,
                           types[last->type].name, now->count, types[now->type].name);
        }
    }
    s->count = kept;
    return GH_OK;
}

gh_status gh_storages_collect(gh_storages *out, const gh_pickle *p, gh_err *e)
{
    size_t count = 0;
    for (uint32_t i = 0; i < p->nnodes; i++)
        count += p->nodes[i].kind == GH_PICKLE_STORAGE;
    gh_storages s = {.items = gh_calloc(count ? count : 1, sizeof *s.items)};
    if (!s.items)
        return gh_fail(e, GH_NOMEM, "no memory for the checkpoint's storages");
    gh_status status = GH_OK;
    for (uint32_t i = 0; status == GH_OK && i < p->nnodes; i++)
        if (p->nodes[i].kind == GH_PICKLE_STORAGE)
            status = read_id(&s.items[s.count++], p, &p->nodes[i], e);
    if (status == GH_OK)
        status = join(&s, e);
    if (status == GH_OK)
        *out = s;
    else
        gh_storages_free(&s);
    return status;
}

void gh_storages_free(gh_storages *s)
{
    gh_free(s->items);
    *s = (gh_storages){0};
}

gh_storage *gh_storages_find(const gh_storages *s, const uint8_t *key, size_t len)
{
    gh_storage wanted = {.key = key, .key_len = len};
    return s->count ? bsearch(&wanted, s->items, s->count, sizeof *s->items, by_key) : NULL;
}

gh_storage *gh_storages_of(const gh_storages *s, const gh_pickle *p, const gh_pickle_node *n)
{
    const gh_pickle_node *key = gh_pickle_item(p, &p->nodes[n->args], 2);
    GH_ASSERT(n->kind == GH_PICKLE_STORAGE && key);
    return gh_storages_find(s, key->text, key->len);
}
