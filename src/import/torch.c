/* The table of tensors: finds the state dictionary in the checkpoint's pickle and checks every view against
 * its storage. */
#include "import/torch.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "import/torch_storage.h"
#include "import/zip.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAME     512 /* bytes of a tensor's name */
#define MAX_TENSORS  100000u
#define MAX_TABLE    ((size_t)64 << 20) /* bytes of all names */
#define MAX_ELEMENTS ((int64_t)1 << 31)

struct gh_torch {
    gh_map map;
    gh_arena *arena; /* names */
    gh_torch_tensor *tensors;
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gh_torch_tensor *)a)->name, ((const gh_torch_tensor *)b)->name);
}

/* A tuple of `rank` numbers, none negative. */
static bool read_numbers(int64_t *out, const gh_pickle *p, const gh_pickle_node *tuple)
{
    for (uint32_t i = 0; i < tuple->count; i++) {
        const gh_pickle_node *n = gh_pickle_item(p, tuple, i);
        if (n->kind != GH_PICKLE_INT || n->i < 0)
            return false;
        out[i] = n->i;
    }
    return true;
}

/* Counts the elements and finds the last one's place in the storage; false when a number overflows. */
static bool measure(const gh_torch_tensor *t, int64_t offset, int64_t *count, int64_t *last)
{
    int64_t n = 1, end = offset;
    for (int i = 0; i < t->shape.rank; i++) {
        int64_t dim = t->shape.dims[i], step = 0;
        if (__builtin_mul_overflow(n, dim, &n))
            return false;
        if (dim && (__builtin_mul_overflow(dim - 1, t->strides[i], &step) ||
                    __builtin_add_overflow(end, step, &end)))
            return false;
    }
    *count = n;
    *last = end;
    return true;
}

/* The arguments of _rebuild_tensor_v2: storage, offset, shape, strides and what we need not know. t->name is
 * set; false when they are not of these kinds. */
static bool read_arguments(gh_torch_tensor *t, int64_t *offset, const gh_storage **storage,
                           const gh_storages *s, const gh_pickle *p, const gh_pickle_node *n)
{
    const gh_pickle_node *args = &p->nodes[n->args];
    const gh_pickle_node *from = gh_pickle_item(p, args, 0), *start = gh_pickle_item(p, args, 1);
    const gh_pickle_node *shape = gh_pickle_item(p, args, 2), *strides = gh_pickle_item(p, args, 3);
    if (!strides || from->kind != GH_PICKLE_STORAGE || start->kind != GH_PICKLE_INT || start->i < 0 ||
        shape->kind != GH_PICKLE_TUPLE || strides->kind != GH_PICKLE_TUPLE || shape->count > GH_MAX_RANK ||
        shape->count != strides->count)
        return false;
    t->shape.rank = (int)shape->count;
    *offset = start->i;
    *storage = gh_storages_of(s, p, from);
    return read_numbers(t->shape.dims, p, shape) && read_numbers(t->strides, p, strides);
}

static gh_status read_tensor(gh_torch_tensor *t, const gh_storages *s, const gh_pickle *p,
                             const gh_pickle_node *n, gh_err *e)
{
    const gh_storage *storage = NULL;
    int64_t offset = 0, count = 0, last = 0;
    char text[64];
    if (!read_arguments(t, &offset, &storage, s, p, n))
        return gh_fail(e, GH_FORMAT,
                       "tensor \"%s\" is not described by a storage, an offset, a shape and strides of at "
                       "most %d dimensions, none negative",
                       t->name, GH_MAX_RANK);
    if (!measure(t, offset, &count, &last) || count > MAX_ELEMENTS)
        return gh_fail(e, GH_LIMIT, "tensor \"%s\" of shape %s has more elements than gharial reads", t->name,
                       gh_shape_text(&t->shape, text, sizeof text));
    if (count && (uint64_t)last >= storage->count)
        return gh_fail(e, GH_FORMAT,
                       "tensor \"%s\" of shape %s reaches element %lld of its storage, which has %zu",
                       t->name, gh_shape_text(&t->shape, text, sizeof text), (long long)last, storage->count);
    t->type = storage->type;
    t->count = (size_t)count;
    t->data = storage->data + (count ? (size_t)offset * gh_torch_type_size(t->type) : 0);
    return GH_OK;
}

/* The dictionary of tensors: the root, or what it keeps under a usual name. */
static const gh_pickle_node *find_state(const gh_pickle *p)
{
    static const char *const names[] = {"state_dict", "model_state_dict", "model"};
    const gh_pickle_node *root = &p->nodes[p->root];
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        const gh_pickle_node *inner = gh_pickle_lookup(p, root, names[i]);
        if (inner && inner->kind == GH_PICKLE_DICT)
            return inner;
    }
    return root;
}

/* Reads one member of the state dictionary; what is not a tensor (an epoch, say) is passed over. */
static gh_status read_member(gh_torch *t, const gh_container *c, const gh_pickle_node *key,
                             const gh_pickle_node *value, gh_err *e)
{
    if (value->kind != GH_PICKLE_TENSOR)
        return GH_OK;
    if (key->kind != GH_PICKLE_STRING || !key->len || key->len > MAX_NAME || memchr(key->text, 0, key->len))
        return gh_fail(e, GH_FORMAT, "a tensor's name is not a string of 1 to %d characters", MAX_NAME);
    gh_torch_tensor *now = &t->tensors[t->count];
    now->name = gh_arena_string(t->arena, (const char *)key->text, key->len);
    if (!now->name)
        return gh_fail(e, GH_NOMEM, "no memory for the checkpoint's names");
    GH_TRY(read_tensor(now, &c->storages, c->state, value, e));
    t->count++;
    return GH_OK;
}

static gh_status read_table(gh_torch *t, const gh_container *c, gh_err *e)
{
    const gh_pickle *p = c->state;
    const gh_pickle_node *dict = find_state(p);
    if (dict->kind != GH_PICKLE_DICT)
        return gh_fail(e, GH_UNSUPPORTED, "the checkpoint holds %s; only a state dictionary is read",
                       gh_pickle_kind_name(dict->kind));
    if (dict->count / 2 > MAX_TENSORS)
        return gh_fail(e, GH_LIMIT, "the checkpoint's dictionary has %u members; gharial reads up to %u",
                       dict->count / 2, MAX_TENSORS);
    t->arena = gh_arena_new(MAX_TABLE);
    t->tensors = gh_calloc(dict->count / 2 + 1, sizeof *t->tensors);
    if (!t->arena || !t->tensors)
        return gh_fail(e, GH_NOMEM, "no memory for the checkpoint's tensors");
    for (uint32_t k = dict->count ? dict->head : GH_PICKLE_NONE; k != GH_PICKLE_NONE;) {
        uint32_t v = p->cells[k].next;
        GH_TRY(read_member(t, c, &p->nodes[p->cells[k].node], &p->nodes[p->cells[v].node], e));
        k = p->cells[v].next;
    }
    if (!t->count)
        return gh_fail(e, GH_UNSUPPORTED, "the checkpoint's dictionary holds no tensors");
    qsort(t->tensors, t->count, sizeof *t->tensors, by_name);
    for (size_t i = 1; i < t->count; i++)
        if (by_name(&t->tensors[i - 1], &t->tensors[i]) == 0)
            return gh_fail(e, GH_FORMAT, "the checkpoint has tensor \"%s\" twice", t->tensors[i].name);
    return GH_OK;
}

static gh_status read_container(gh_container *out, const uint8_t *data, size_t len, gh_err *e)
{
    if (gh_zip_sniff(data, len))
        return gh_container_zip(out, data, len, e);
    if (len && data[0] == 0x80)
        return gh_container_old(out, data, len, e);
    return gh_fail(e, GH_FORMAT,
                   "not a PyTorch checkpoint: it begins neither as a zip archive nor as a pickle%s",
                   len ? "" : " (it is empty)");
}

gh_status gh_torch_open_bytes(gh_torch **out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_container c = {0};
    GH_TRY(read_container(&c, data, len, e));
    gh_torch *t = gh_calloc(1, sizeof *t);
    gh_status status = t ? read_table(t, &c, e) : gh_fail(e, GH_NOMEM, "no memory for a checkpoint");
    gh_container_free(&c);
    if (status == GH_OK)
        *out = t;
    else
        gh_torch_free(&t);
    return status;
}

gh_status gh_torch_open(gh_torch **out, const char *path, gh_err *e)
{
    gh_map map = {0};
    gh_torch *t = NULL;
    GH_TRY(gh_map_open(&map, path, GH_TORCH_MAX_BYTES, e));
    gh_status status = gh_torch_open_bytes(&t, map.data, map.size, e);
    if (status != GH_OK) {
        gh_map_close(&map);
        return gh_err_prefix(e, status, "%s", path);
    }
    t->map = map;
    *out = t;
    return GH_OK;
}

void gh_torch_free(gh_torch **t)
{
    if (!*t)
        return;
    gh_arena_free(&(*t)->arena);
    gh_free((*t)->tensors);
    gh_map_close(&(*t)->map);
    gh_free(*t);
    *t = NULL;
}

size_t gh_torch_count(const gh_torch *t)
{
    return t->count;
}

gh_torch_tensor *gh_torch_at(gh_torch *t, size_t i)
{
    GH_ASSERT(i < t->count);
    return &t->tensors[i];
}

static void copy_tensor(float *dst, const void *tensor)
{
    gh_torch_copy_f32(dst, tensor);
}

gh_status gh_torch_weights(gh_weights *out, const gh_torch *t, gh_err *e)
{
    GH_TRY(gh_weights_open(out, t->count, e));
    out->copy = copy_tensor;
    for (size_t i = 0; i < t->count; i++) {
        const gh_torch_tensor *from = &t->tensors[i];
        out->items[i] =
            (gh_weight){.name = from->name, .shape = from->shape, .count = from->count, .at = from};
    }
    return GH_OK; /* in the table's order, which is by name */
}
