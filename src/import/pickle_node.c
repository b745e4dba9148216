/* What a pickle may hold: the globals and kinds by name, and access to the nodes that were read. */
#include "import/pickle.h"

#include <string.h>

static const struct {
    const char *module, *name, *full;
} globals[] = {
#define GLOBAL(id, module, name) [id] = {module, name, module "." name}
    GLOBAL(GH_PICKLE_ORDERED_DICT, "collections", "OrderedDict"),
    GLOBAL(GH_PICKLE_REBUILD_TENSOR, "torch._utils", "_rebuild_tensor_v2"),
    GLOBAL(GH_PICKLE_REBUILD_PARAMETER, "torch._utils", "_rebuild_parameter"),
    GLOBAL(GH_PICKLE_FLOAT_STORAGE, "torch", "FloatStorage"),
    GLOBAL(GH_PICKLE_DOUBLE_STORAGE, "torch", "DoubleStorage"),
    GLOBAL(GH_PICKLE_HALF_STORAGE, "torch", "HalfStorage"),
    GLOBAL(GH_PICKLE_BFLOAT16_STORAGE, "torch", "BFloat16Storage"),
    GLOBAL(GH_PICKLE_LONG_STORAGE, "torch", "LongStorage"),
    GLOBAL(GH_PICKLE_INT_STORAGE, "torch", "IntStorage"),
    GLOBAL(GH_PICKLE_SHORT_STORAGE, "torch", "ShortStorage"),
    GLOBAL(GH_PICKLE_CHAR_STORAGE, "torch", "CharStorage"),
    GLOBAL(GH_PICKLE_BYTE_STORAGE, "torch", "ByteStorage"),
    GLOBAL(GH_PICKLE_BOOL_STORAGE, "torch", "BoolStorage"),
#undef GLOBAL
};

static const char *const kinds[] = {
    [GH_PICKLE_NIL] = "None",        [GH_PICKLE_BOOL] = "a bool",     [GH_PICKLE_INT] = "an int",
    [GH_PICKLE_FLOAT] = "a float",   [GH_PICKLE_LONG] = "a long int", [GH_PICKLE_STRING] = "a string",
    [GH_PICKLE_BYTES] = "bytes",     [GH_PICKLE_TUPLE] = "a tuple",   [GH_PICKLE_LIST] = "a list",
    [GH_PICKLE_DICT] = "a dict",     [GH_PICKLE_GLOBAL] = "a class",  [GH_PICKLE_STORAGE] = "a storage",
    [GH_PICKLE_TENSOR] = "a tensor",
};

static bool text_is(const uint8_t *text, size_t len, const char *s)
{
    return len == strlen(s) && memcmp(text, s, len) == 0;
}

bool gh_pickle_find_global(gh_pickle_global *out, const uint8_t *module, size_t module_len,
                           const uint8_t *name, size_t name_len)
{
    for (size_t i = 0; i < GH_COUNT(globals); i++)
        if (text_is(module, module_len, globals[i].module) && text_is(name, name_len, globals[i].name)) {
            *out = (gh_pickle_global)i;
            return true;
        }
    return false;
}

const gh_pickle_node *gh_pickle_item(const gh_pickle *p, const gh_pickle_node *n, size_t i)
{
    if (i >= n->count)
        return NULL;
    uint32_t cell = n->head;
    while (i--)
        cell = p->cells[cell].next;
    return &p->nodes[p->cells[cell].node];
}

bool gh_pickle_is_string(const gh_pickle_node *n, const char *s)
{
    return n && n->kind == GH_PICKLE_STRING && text_is(n->text, n->len, s);
}

const gh_pickle_node *gh_pickle_lookup(const gh_pickle *p, const gh_pickle_node *dict, const char *key)
{
    if (dict->kind != GH_PICKLE_DICT || !dict->count)
        return NULL;
    for (uint32_t c = dict->head; c != GH_PICKLE_NONE; c = p->cells[p->cells[c].next].next)
        if (gh_pickle_is_string(&p->nodes[p->cells[c].node], key))
            return &p->nodes[p->cells[p->cells[c].next].node];
    return NULL;
}

const char *gh_pickle_global_name(gh_pickle_global global)
{
    return globals[global].full;
}

const char *gh_pickle_kind_name(gh_pickle_kind kind)
{
    return kinds[kind];
}
