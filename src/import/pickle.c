/* The pickle reader: a loop over opcodes with a table of handlers, a stack, marks and a memo. It builds
 * nodes; there is no opcode here that could call, import or open anything. Opcodes and their layouts: the
 * documentation in Python's own pickletools module, protocols 0 to 4. */
#include "import/pickle_vm.h"

#include "base/mem.h"

#include <string.h>

#define MAX_PROTO 5
#define ACCEPTED                                                                                             \
    "collections.OrderedDict, torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter and torch's " \
    "storage classes"

typedef struct op {
    gh_status (*run)(gh_pkl_reader *r, unsigned arg); /* NULL = not one that we read */
    unsigned arg;
} op;

static gh_status op_proto(gh_pkl_reader *r, unsigned arg)
{
    uint64_t version = 0;
    GH_TRY(gh_pkl_uint(r, 1, &version));
    (void)arg;
    return version <= MAX_PROTO ? GH_OK : gh_pkl_broken(r, "its protocol is newer than 5");
}

static gh_status op_frame(gh_pkl_reader *r, unsigned arg)
{
    uint64_t len = 0;
    GH_TRY(gh_pkl_uint(r, 8, &len));
    (void)arg;
    return len <= (size_t)(r->end - r->at) ? GH_OK : gh_pkl_broken(r, "a frame is longer than the file");
}

static gh_status op_stop(gh_pkl_reader *r, unsigned arg)
{
    (void)arg;
    if (r->stack.count != 1 || r->marks.count)
        return gh_pkl_broken(r, "it stops with other than one value on its stack");
    r->p->root = r->stack.items[0];
    r->stopped = true;
    return GH_OK;
}

static gh_status op_mark(gh_pkl_reader *r, unsigned arg)
{
    (void)arg;
    return gh_pkl_mark(r);
}

static gh_status op_none(gh_pkl_reader *r, unsigned arg)
{
    (void)arg;
    return gh_pkl_push_new(r, (gh_pickle_node){.kind = GH_PICKLE_NIL});
}

static gh_status op_bool(gh_pkl_reader *r, unsigned value)
{
    return gh_pkl_push_new(r, (gh_pickle_node){.kind = GH_PICKLE_BOOL, .i = value});
}

/* Numbers of 1, 2 (both unsigned) and 4 bytes (signed). */
static gh_status op_int(gh_pkl_reader *r, unsigned width)
{
    uint64_t v = 0;
    GH_TRY(gh_pkl_uint(r, width, &v));
    int64_t i = width == 4 ? (int64_t)(int32_t)(uint32_t)v : (int64_t)v;
    return gh_pkl_push_new(r, (gh_pickle_node){.kind = GH_PICKLE_INT, .i = i});
}

/* A two's complement number with its length in bytes before it. */
static gh_status op_long(gh_pkl_reader *r, unsigned width)
{
    uint64_t len = 0, v = 0;
    const uint8_t *b = NULL;
    GH_TRY(gh_pkl_uint(r, width, &len));
    GH_TRY(gh_pkl_take(r, (size_t)len, &b));
    if (len > 8)
        return gh_pkl_push_new(r, (gh_pickle_node){.kind = GH_PICKLE_LONG, .text = b, .len = (size_t)len});
    for (unsigned i = 0; i < 8; i++) {
        unsigned byte = i < len ? b[i] : len && b[len - 1] & 0x80 ? 0xff : 0;
        v |= (uint64_t)byte << (8 * i);
    }
    return gh_pkl_push_new(r, (gh_pickle_node){.kind = GH_PICKLE_INT, .i = (int64_t)v});
}

static gh_status op_float(gh_pkl_reader *r, unsigned arg)
{
    const uint8_t *b = NULL;
    GH_TRY(gh_pkl_take(r, 8, &b));
    (void)arg;
    uint64_t bits = 0; /* big-endian, unlike everything else */
    for (unsigned i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    gh_pickle_node n = {.kind = GH_PICKLE_FLOAT};
    memcpy(&n.f, &bits, sizeof n.f);
    return gh_pkl_push_new(r, n);
}

/* `arg` = bytes of the length; + 16: the text is bytes, not a string. */
static gh_status op_text(gh_pkl_reader *r, unsigned arg)
{
    uint64_t len = 0;
    const uint8_t *b = NULL;
    GH_TRY(gh_pkl_uint(r, arg & 15, &len));
    if (len > GH_PICKLE_MAX_BYTES)
        return gh_pkl_broken(r, "a string is longer than any pickle that gharial reads");
    GH_TRY(gh_pkl_take(r, (size_t)len, &b));
    gh_pickle_kind kind = arg & 16 ? GH_PICKLE_BYTES : GH_PICKLE_STRING;
    return gh_pkl_push_new(r, (gh_pickle_node){.kind = kind, .text = b, .len = (size_t)len});
}

static gh_status op_empty(gh_pkl_reader *r, unsigned kind)
{
    return gh_pkl_push_new(r, gh_pkl_container((gh_pickle_kind)kind));
}

/* Makes a tuple of what stands on the stack from `height` up. */
static gh_status make_tuple(gh_pkl_reader *r, size_t height)
{
    gh_pickle_node n = gh_pkl_container(GH_PICKLE_TUPLE);
    GH_TRY(gh_pkl_add_cells(r, &n, height));
    return gh_pkl_push_new(r, n);
}

static gh_status op_tuple(gh_pkl_reader *r, unsigned arg)
{
    size_t height = 0;
    (void)arg;
    GH_TRY(gh_pkl_pop_mark(r, &height));
    return make_tuple(r, height);
}

static gh_status op_tuple_of(gh_pkl_reader *r, unsigned count)
{
    if (!gh_pkl_has(r, count))
        return gh_pkl_broken(r, "it takes a value from an empty stack");
    return make_tuple(r, r->stack.count - count);
}

/* `count` = cells a member: 1 appends to a list, 2 sets in a dict; + 4: all members since the mark. */
static gh_status op_add(gh_pkl_reader *r, unsigned arg)
{
    unsigned count = arg & 3;
    gh_pickle_node *to = NULL;
    size_t height = r->stack.count - count;
    if (arg & 4)
        GH_TRY(gh_pkl_pop_mark(r, &height));
    else if (!gh_pkl_has(r, count))
        return gh_pkl_broken(r, "it takes a value from an empty stack");
    size_t members = r->stack.count - height;
    if (members % count)
        return gh_pkl_broken(r, "a dict has a key without a value");
    GH_TRY(gh_pkl_peek(r, members, count == 1 ? GH_PICKLE_LIST : GH_PICKLE_DICT, &to));
    return gh_pkl_add_cells(r, to, height);
}

/* Copies a name from the file into `out` for a message: printable ASCII only. */
static const char *printable(char *out, size_t size, const uint8_t *text, size_t len)
{
    size_t n = 0;
    for (; n + 1 < size && n < len; n++)
        out[n] = text[n] > ' ' && text[n] < 127 ? (char)text[n] : '?';
    out[n] = '\0';
    return out;
}

static gh_status push_global(gh_pkl_reader *r, const uint8_t *module, size_t module_len, const uint8_t *name,
                             size_t name_len)
{
    char a[80], b[80];
    gh_pickle_node n = {.kind = GH_PICKLE_GLOBAL};
    if (gh_pickle_find_global(&n.global, module, module_len, name, name_len))
        return gh_pkl_push_new(r, n);
    return gh_fail(r->e, GH_UNSUPPORTED,
                   "the checkpoint calls %s.%s, which gharial does not run; accepted are " ACCEPTED,
                   printable(a, sizeof a, module, module_len), printable(b, sizeof b, name, name_len));
}

static gh_status op_global(gh_pkl_reader *r, unsigned arg)
{
    const uint8_t *module = NULL, *name = NULL;
    size_t module_len = 0, name_len = 0;
    (void)arg;
    GH_TRY(gh_pkl_line(r, &module, &module_len));
    GH_TRY(gh_pkl_line(r, &name, &name_len));
    return push_global(r, module, module_len, name, name_len);
}

static gh_status op_stack_global(gh_pkl_reader *r, unsigned arg)
{
    gh_pickle_node *module = NULL, *name = NULL;
    (void)arg;
    GH_TRY(gh_pkl_peek(r, 0, GH_PICKLE_STRING, &name));
    GH_TRY(gh_pkl_peek(r, 1, GH_PICKLE_STRING, &module));
    r->stack.count -= 2;
    return push_global(r, module->text, module->len, name->text, name->len);
}

static gh_status op_persistent_id(gh_pkl_reader *r, unsigned arg)
{
    gh_pickle_node *id = NULL;
    uint32_t args = 0;
    (void)arg;
    GH_TRY(gh_pkl_peek(r, 0, GH_PICKLE_TUPLE, &id));
    GH_TRY(gh_pkl_pop(r, &args));
    return gh_pkl_push_new(r, (gh_pickle_node){.kind = GH_PICKLE_STORAGE, .args = args});
}

/* OrderedDict() or, as Python 2 wrote it, OrderedDict([[key, value], ...]). */
static gh_status make_dict(gh_pkl_reader *r, const gh_pickle_node *args)
{
    gh_pickle *p = r->p;
    gh_pickle_node dict = gh_pkl_container(GH_PICKLE_DICT);
    const gh_pickle_node *pairs = gh_pickle_item(p, args, 0);
    if (args->count > 1 || (pairs && pairs->kind != GH_PICKLE_LIST))
        return gh_pkl_broken(r, "OrderedDict is called with other than a list of pairs");
    for (uint32_t c = pairs && pairs->count ? pairs->head : GH_PICKLE_NONE; c != GH_PICKLE_NONE;
         c = p->cells[c].next) {
        const gh_pickle_node *pair = &p->nodes[p->cells[c].node];
        if ((pair->kind != GH_PICKLE_TUPLE && pair->kind != GH_PICKLE_LIST) || pair->count != 2)
            return gh_pkl_broken(r, "OrderedDict is called with other than a list of pairs");
        uint32_t key = p->cells[pair->head].node, value = p->cells[pair->tail].node;
        GH_TRY(gh_pkl_add_cell(r, &dict, key));
        GH_TRY(gh_pkl_add_cell(r, &dict, value));
    }
    return gh_pkl_push_new(r, dict);
}

/* _rebuild_parameter(tensor, requires_grad, hooks) is the tensor. */
static gh_status make_parameter(gh_pkl_reader *r, const gh_pickle_node *args)
{
    const gh_pickle_node *data = gh_pickle_item(r->p, args, 0);
    if (!data || data->kind != GH_PICKLE_TENSOR)
        return gh_pkl_broken(r, "_rebuild_parameter is called without a tensor");
    return gh_pkl_push(r, r->p->cells[args->head].node);
}

static gh_status op_reduce(gh_pkl_reader *r, unsigned arg)
{
    gh_pickle_node *function = NULL, *args = NULL;
    (void)arg;
    GH_TRY(gh_pkl_peek(r, 0, GH_PICKLE_TUPLE, &args));
    GH_TRY(gh_pkl_peek(r, 1, GH_PICKLE_GLOBAL, &function));
    r->stack.count -= 2;
    switch (function->global) {
    case GH_PICKLE_ORDERED_DICT:
        return make_dict(r, args);
    case GH_PICKLE_REBUILD_TENSOR:
        return gh_pkl_push_new(
            r, (gh_pickle_node){.kind = GH_PICKLE_TENSOR, .args = (uint32_t)(args - r->p->nodes)});
    case GH_PICKLE_REBUILD_PARAMETER:
        return make_parameter(r, args);
    default:
        return gh_fail(r->e, GH_UNSUPPORTED,
                       "the checkpoint calls %s, which gharial takes only as the type of a storage",
                       gh_pickle_global_name(function->global));
    }
}

/* Attributes of an OrderedDict (torch keeps versions of modules there); no tensor needs them. */
static gh_status op_build(gh_pkl_reader *r, unsigned arg)
{
    gh_pickle_node *object = NULL;
    (void)arg;
    GH_TRY(gh_pkl_peek(r, 1, GH_PICKLE_DICT, &object));
    r->stack.count--;
    return GH_OK;
}

static gh_status op_put(gh_pkl_reader *r, unsigned width)
{
    uint64_t index = 0;
    GH_TRY(gh_pkl_uint(r, width, &index));
    return gh_pkl_set_memo(r, index);
}

static gh_status op_memoize(gh_pkl_reader *r, unsigned arg)
{
    (void)arg;
    return gh_pkl_set_memo(r, r->memo.count);
}

static gh_status op_get(gh_pkl_reader *r, unsigned width)
{
    uint64_t index = 0;
    GH_TRY(gh_pkl_uint(r, width, &index));
    return gh_pkl_get_memo(r, index);
}

/* PROTO FRAME STOP, MARK, values, texts, containers, members, globals and calls, memo. */
static const op ops[256] = {
    [0x80] = {op_proto, 0},
    [0x95] = {op_frame, 0},
    ['.'] = {op_stop, 0},
    ['('] = {op_mark, 0},
    ['N'] = {op_none, 0},
    [0x88] = {op_bool, 1},
    [0x89] = {op_bool, 0},
    ['K'] = {op_int, 1},
    ['M'] = {op_int, 2},
    ['J'] = {op_int, 4},
    [0x8a] = {op_long, 1},
    [0x8b] = {op_long, 4},
    ['G'] = {op_float, 0},
    [0x8c] = {op_text, 1},
    ['X'] = {op_text, 4},
    [0x8d] = {op_text, 8},
    ['U'] = {op_text, 1},
    ['T'] = {op_text, 4},
    ['C'] = {op_text, 16 + 1},
    ['B'] = {op_text, 16 + 4},
    [')'] = {op_empty, GH_PICKLE_TUPLE},
    [']'] = {op_empty, GH_PICKLE_LIST},
    ['}'] = {op_empty, GH_PICKLE_DICT},
    ['t'] = {op_tuple, 0},
    [0x85] = {op_tuple_of, 1},
    [0x86] = {op_tuple_of, 2},
    [0x87] = {op_tuple_of, 3},
    ['a'] = {op_add, 1},
    ['e'] = {op_add, 4 + 1},
    ['s'] = {op_add, 2},
    ['u'] = {op_add, 4 + 2},
    ['c'] = {op_global, 0},
    [0x93] = {op_stack_global, 0},
    ['Q'] = {op_persistent_id, 0},
    ['R'] = {op_reduce, 0},
    ['b'] = {op_build, 0},
    ['q'] = {op_put, 1},
    ['r'] = {op_put, 4},
    [0x94] = {op_memoize, 0},
    ['h'] = {op_get, 1},
    ['j'] = {op_get, 4},
};

/* Known by name, so that the refusal can say it; no torch checkpoint needs them. */
static const char *const refused[256] = {
    ['i'] = "INST",        ['o'] = "OBJ",          [0x81] = "NEWOBJ",
    [0x92] = "NEWOBJ_EX",  [0x82] = "EXT1",        [0x83] = "EXT2",
    [0x84] = "EXT4",       ['P'] = "PERSID",       ['I'] = "INT",
    ['L'] = "LONG",        ['F'] = "FLOAT",        ['S'] = "STRING",
    ['V'] = "UNICODE",     ['p'] = "PUT",          ['g'] = "GET",
    ['0'] = "POP",         ['1'] = "POP_MARK",     ['2'] = "DUP",
    ['l'] = "LIST",        ['d'] = "DICT",         [0x8e] = "BINBYTES8",
    [0x8f] = "EMPTY_SET",  [0x90] = "ADDITEMS",    [0x91] = "FROZENSET",
    [0x96] = "BYTEARRAY8", [0x97] = "NEXT_BUFFER", [0x98] = "READONLY_BUFFER",
};

static gh_status run(gh_pkl_reader *r)
{
    while (!r->stopped) {
        const uint8_t *code = NULL;
        GH_TRY(gh_pkl_take(r, 1, &code));
        const op *o = &ops[*code];
        if (!o->run && !refused[*code])
            return gh_fail(r->e, GH_FORMAT, "not a pickle: byte %zu is 0x%02x, which is no opcode",
                           (size_t)(code - r->start), *code);
        if (!o->run)
            return gh_fail(r->e, GH_UNSUPPORTED,
                           "the pickle uses the opcode %s at byte %zu; checkpoints need no such opcode and "
                           "gharial does not run it",
                           refused[*code], (size_t)(code - r->start));
        GH_TRY(o->run(r, o->arg));
    }
    return GH_OK;
}

gh_status gh_pickle_read(gh_pickle **out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_pkl_reader r = {0};
    GH_TRY(gh_pkl_open(&r, data, len, e));
    gh_status status = run(&r);
    if (status == GH_OK) {
        r.p->used = (size_t)(r.at - r.start);
        *out = r.p;
        r.p = NULL;
    }
    gh_pkl_close(&r);
    return status;
}

void gh_pickle_free(gh_pickle **p)
{
    if (!*p)
        return;
    gh_free((*p)->nodes);
    gh_free((*p)->cells);
    gh_free(*p);
    *p = NULL;
}
