/* The pickle reader: values, and above all what it refuses. */
#include "unit/checkpoint.h"
#include "unit/suites.h"

#include "base/mem.h"
#include "import/pickle.h"

#include <string.h>

static gh_buf bytes;
static gh_pickle *p;
static gh_err e;

static void setup(void)
{
    bytes = (gh_buf){0};
    p = NULL;
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_buf_free(&bytes);
    gh_pickle_free(&p);
}

/* Reads a block of exactly the size, so that a sanitizer sees any byte read beyond it. */
static gh_status read_prefix(size_t len)
{
    uint8_t *copy = gh_alloc(len);
    ck_assert(copy && !bytes.failed);
    if (len)
        memcpy(copy, bytes.data, len);
    gh_status status = gh_pickle_read(&p, copy, len, &e);
    if (status != GH_OK)
        ck_assert_ptr_null(p);
    gh_pickle_free(&p);
    gh_free(copy);
    return status;
}

static gh_status read_all(void)
{
    gh_pickle_free(&p);
    return gh_pickle_read(&p, bytes.data, bytes.len, &e);
}

static const gh_pickle_node *root(void)
{
    ck_assert_msg(read_all() == GH_OK, "%s", e.text);
    return &p->nodes[p->root];
}

static void add(const char *data, size_t len)
{
    gh_buf_add(&bytes, data, len);
}
#define ADD(text) add(text, sizeof(text) - 1)

START_TEST(test_numbers)
{
    static const struct {
        const char *code;
        size_t len;
        int64_t value;
    } rows[] = {
#define ROW(code, value) {code, sizeof(code) - 1, value}
        ROW("K\xff.", 255),
        ROW("M\xff\xff.", 65535),
        ROW("J\xff\xff\xff\xff.", -1),
        ROW("J\0\0\0\x80.", INT32_MIN),
        ROW("\x8a\0.", 0),
        ROW("\x8a\1\xfe.", -2),
        ROW("\x8a\2\xff\0.", 255),
        ROW("\x8a\x8\0\0\0\0\0\0\0\x80.", INT64_MIN),
        ROW("\x8b\3\0\0\0\1\2\3.", 0x030201),
#undef ROW
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        bytes.len = 0;
        add(rows[i].code, rows[i].len);
        const gh_pickle_node *n = root();
        ck_assert_int_eq(n->kind, GH_PICKLE_INT);
        ck_assert_int_eq(n->i, rows[i].value);
        ck_assert_uint_eq(p->used, bytes.len);
    }
    bytes.len = 0;
    ADD("\x8a\x9\1\0\0\0\0\0\0\0\x7f.");
    ck_assert_int_eq(root()->kind, GH_PICKLE_LONG);
    ck_assert_uint_eq(root()->len, 9);
    bytes.len = 0;
    ADD("G\xbf\xf8\0\0\0\0\0\0.");
    ck_assert_double_eq(root()->f, -1.5);
}
END_TEST

/* Protocol 4: frame, short strings, MEMOIZE, STACK_GLOBAL, bytes. */
START_TEST(test_protocol_4)
{
    ADD("\x80\4\x95\x35\0\0\0\0\0\0\0}\x94(\x8c\1a\x94\x8c\x0b"
        "collections\x94\x8c\x0bOrderedDict\x94\x93)R\x94"
        "\x8c\1bC\2xy\x94"
        "\x8c\1ch\1u.");
    const gh_pickle_node *dict = root();
    ck_assert_int_eq(dict->kind, GH_PICKLE_DICT);
    ck_assert_uint_eq(dict->count, 6);
    ck_assert_int_eq(gh_pickle_lookup(p, dict, "a")->kind, GH_PICKLE_DICT);
    ck_assert_int_eq(gh_pickle_lookup(p, dict, "b")->kind, GH_PICKLE_BYTES);
    ck_assert(gh_pickle_is_string(gh_pickle_lookup(p, dict, "c"), "a"));
    ck_assert_ptr_null(gh_pickle_lookup(p, dict, "d"));
    ck_assert_ptr_null(gh_pickle_item(p, dict, 6));
}
END_TEST

START_TEST(test_containers)
{
    ADD("\x80\2(](K\1K\2eK\3a\x85K\4K\5\x86NNN\x87)t.");
    const gh_pickle_node *tuple = root();
    ck_assert_int_eq(tuple->kind, GH_PICKLE_TUPLE);
    ck_assert_uint_eq(tuple->count, 4);
    const gh_pickle_node *list = gh_pickle_item(p, gh_pickle_item(p, tuple, 0), 0);
    ck_assert_int_eq(list->kind, GH_PICKLE_LIST);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(gh_pickle_item(p, list, i)->i, (int64_t)i + 1);
    ck_assert_int_eq(gh_pickle_item(p, gh_pickle_item(p, tuple, 1), 1)->i, 5);
    ck_assert_uint_eq(gh_pickle_item(p, tuple, 2)->count, 3);
    ck_assert_uint_eq(gh_pickle_item(p, tuple, 3)->count, 0);
}
END_TEST

/* Python 2 wrote ordered dictionaries as a call with a list of pairs. */
START_TEST(test_ordered_dict_of_pairs)
{
    pk_global(&bytes, "collections", "OrderedDict");
    ADD("(](](U\1aK\7e](U\1bK\10eetR.");
    const gh_pickle_node *dict = root();
    ck_assert_int_eq(gh_pickle_lookup(p, dict, "a")->i, 7);
    ck_assert_int_eq(gh_pickle_lookup(p, dict, "b")->i, 8);
    bytes.len = 0;
    pk_global(&bytes, "collections", "OrderedDict");
    ADD("(](](U\1aeetR.");
    ck_assert_int_eq(read_all(), GH_FORMAT);
}
END_TEST

START_TEST(test_container_in_itself)
{
    ADD("]q\0h\0a.");
    const gh_pickle_node *list = root();
    ck_assert_ptr_eq(gh_pickle_item(p, list, 0), list);
    bytes.len = 0;
    ADD("}q\0h\0h\0s.");
    ck_assert_uint_eq(root()->count, 2);
}
END_TEST

/* What a hostile checkpoint would call: refused by name, whatever road it takes. */
START_TEST(test_calls_are_refused_by_name)
{
    static const struct {
        const char *code;
        size_t len;
        const char *says;
    } rows[] = {
#define ROW(code, says) {code, sizeof(code) - 1, says}
        ROW("cos\nsystem\n(X\4\0\0\0exittR.", "os.system"),
        ROW("cposix\nsystem\n.", "posix.system"),
        ROW("c__builtin__\neval\n.", "__builtin__.eval"),
        ROW("\x80\4\x8c\x08"
            "builtins\x8c\4exec\x93.",
            "builtins.exec"),
        ROW("ctorch\nload\n.", "torch.load"),
        ROW("ctorch.nn.modules.conv\nConv2d\n.", "torch.nn.modules.conv.Conv2d"),
        ROW("ccollections\nOrderedDicT\n.", "collections.OrderedDicT"),
        ROW("ccollections\nOrderedDict.__init__\n.", "collections.OrderedDict.__init__"),
        ROW("cos\033[2J\nsystem\n.", "os?[2J.system"),
        ROW("(ios\nsystem\n.", "INST"),
        ROW("(cos\nsystem\no.", "os.system"),
        ROW("(N)o.", "OBJ"),
        ROW("N)\x81.", "NEWOBJ"),
        ROW("N)}\x92.", "NEWOBJ_EX"),
        ROW("\x82\1.", "EXT1"),
        ROW("Pid\n.", "PERSID"),
        ROW("ctorch\nFloatStorage\n)R.", "torch.FloatStorage"),
#undef ROW
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        bytes.len = 0;
        add(rows[i].code, rows[i].len);
        ck_assert_msg(read_all() == GH_UNSUPPORTED, "row %zu: %s", i, e.text);
        ck_assert_msg(strstr(e.text, rows[i].says), "row %zu does not say %s: %s", i, rows[i].says, e.text);
        ck_assert_ptr_null(p);
    }
}
END_TEST

START_TEST(test_refusal_says_what_is_accepted)
{
    ADD("cos\nsystem\n.");
    ck_assert_int_eq(read_all(), GH_UNSUPPORTED);
    ck_assert_str_eq(e.text, "the checkpoint calls os.system, which gharial does not run; accepted are "
                             "collections.OrderedDict, torch._utils._rebuild_tensor_v2, "
                             "torch._utils._rebuild_parameter and torch's storage classes");
}
END_TEST

START_TEST(test_broken)
{
    static const struct {
        const char *code;
        size_t len;
    } rows[] = {
#define ROW(code) {code, sizeof(code) - 1}
        ROW("."),
        ROW("NN."),
        ROW("(N."),
        ROW("(."),
        ROW("N"),
        ROW("\xff"),
        ROW("t."),
        ROW("\x86."),
        ROW("(N\x86."), /* tuple across a mark */
        ROW("N(a."),
        ROW("Na."),
        ROW("NNs."),
        ROW("}N(us."),
        ROW("](e"),
        ROW("}(Nu."),
        ROW("(e."),
        ROW("Ne."),
        ROW("}NNa."), /* a dict where a list is meant */
        ROW("]NNs."),
        ROW("Q."),
        ROW("NQ."),
        ROW(")R."),
        ROW("N)R."),
        ROW("b."),
        ROW("NNb."),
        ROW("h\0."),
        ROW("Nq\0h\1."),
        ROW("q\0."),
        ROW("(q\0."),
        ROW("Nr\xff\xff\xff\x7f."),
        ROW("Nr\xff\xff\xff\xff."),
        ROW("X\xff\xff\xff\xff"
            "abc."),
        ROW("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "abc."),
        ROW("\x8b\xff\xff\xff\xff"
            "abc."),
        ROW("\x95\xff\xff\xff\xff\xff\xff\xff\x7fN."),
        ROW("\x80\6N."),
        ROW("cabc"),
        ROW("ccollections\nOrderedDict"),
        ROW("N\x93."),
        ROW("NN\x93."),
        ROW("ccollections\nOrderedDict\nN\x85R."),
        ROW("ccollections\nOrderedDict\nNN\x86R."),
        ROW("ctorch._utils\n_rebuild_parameter\n)R."),
        ROW("ctorch._utils\n_rebuild_parameter\nN\x85R."),
#undef ROW
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        bytes.len = 0;
        add(rows[i].code, rows[i].len);
        ck_assert_msg(read_prefix(bytes.len) == GH_FORMAT, "row %zu: %d %s", i, e.status, e.text);
    }
}
END_TEST

START_TEST(test_truncated_anywhere)
{
    const float data[6] = {0};
    ck_tensor t = {
        .name = "w", .rank = 2, .dims = {2, 3}, .data = data, .bytes = sizeof data, .parameter = true};
    ck_state(&bytes, &t, 1, true);
    ck_assert_int_eq(read_prefix(bytes.len), GH_OK);
    for (size_t len = 0; len < bytes.len; len++)
        ck_assert_msg(read_prefix(len) == GH_FORMAT, "at %zu: %s", len, e.text);
}
END_TEST

/* Any byte anywhere: an answer, never a crash. */
START_TEST(test_every_byte_changed)
{
    const float data[2] = {0};
    ck_tensor t = {
        .name = "w", .rank = 1, .dims = {2}, .data = data, .bytes = sizeof data, .parameter = true};
    ck_state(&bytes, &t, 1, false);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t was = bytes.data[i];
        for (int v = 0; v < 256; v++) {
            bytes.data[i] = (uint8_t)v;
            gh_status status = read_prefix(bytes.len);
            ck_assert(status == GH_OK || status == GH_FORMAT || status == GH_UNSUPPORTED ||
                      status == GH_LIMIT);
        }
        bytes.data[i] = was;
    }
}
END_TEST

static void repeat(const char *code, size_t len, size_t times)
{
    for (size_t i = 0; i < times; i++)
        add(code, len);
}

/* Files that would take far more memory than they have bytes, or a stack frame for each. */
START_TEST(test_bombs)
{
    const size_t many = GH_PICKLE_MAX_NODES + 1;
    repeat("N", 1, many); /* values */
    ck_assert_int_eq(read_all(), GH_LIMIT);
    bytes.len = 0;
    repeat("(", 1, many); /* marks */
    ck_assert_int_eq(read_all(), GH_LIMIT);
    bytes.len = 0;
    ADD("Nq\0");
    repeat("h\0", 2, many); /* the stack */
    ck_assert_int_eq(read_all(), GH_LIMIT);
}
END_TEST

/* An ordered dictionary made again and again of one long list. */
START_TEST(test_bomb_of_cells)
{
    ADD("](](KaKbeq\0"); /* a list, then in it a pair, memo 0 */
    repeat("h\0", 2, 9999);
    ADD("eq\1");
    ADD("(");
    for (size_t i = 0; i < 250; i++) {
        pk_global(&bytes, "collections", "OrderedDict");
        ADD("h\1\x85R");
    }
    ADD("t.");
    ck_assert_int_eq(read_all(), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "containers"));
}
END_TEST

START_TEST(test_deep_nesting_needs_no_stack)
{
    const size_t depth = 500000;
    repeat("]", 1, depth);
    repeat("a", 1, depth - 1);
    ADD(".");
    const gh_pickle_node *n = root();
    size_t found = 1;
    for (; n->count; found++)
        n = gh_pickle_item(p, n, 0);
    ck_assert_uint_eq(found, depth);
}
END_TEST

START_TEST(test_limit_of_bytes)
{
    size_t len = GH_PICKLE_MAX_BYTES + 64;
    uint8_t *zeros = gh_calloc(len, 1);
    ck_assert_ptr_nonnull(zeros);
    memcpy(zeros, "\x80\2B\0\0\0\4", 7); /* bytes of exactly the limit: they end beyond it */
    ck_assert_int_eq(gh_pickle_read(&p, zeros, len, &e), GH_LIMIT);
    gh_free(zeros);
}
END_TEST

START_TEST(test_memory_runs_out)
{
    const float data[6] = {0};
    ck_tensor t = {.name = "w", .rank = 2, .dims = {2, 3}, .data = data, .bytes = sizeof data};
    ck_state(&bytes, &t, 1, true);
    bytes.len--;
    ADD("q\1r\2\0\0\0."); /* uses the memo too */
    gh_status status = GH_NOMEM;
    int fails = 0;
    for (; status == GH_NOMEM; fails++) {
        gh_mem_fail_after(fails);
        status = read_all();
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || (status == GH_NOMEM && !p && e.status == GH_NOMEM));
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_ge(fails, 5);
}
END_TEST

Suite *gh_suite_pickle(void)
{
    Suite *s = suite_create("pickle");
    TCase *t = tcase_create("pickle");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_numbers);
    tcase_add_test(t, test_protocol_4);
    tcase_add_test(t, test_containers);
    tcase_add_test(t, test_ordered_dict_of_pairs);
    tcase_add_test(t, test_container_in_itself);
    tcase_add_test(t, test_calls_are_refused_by_name);
    tcase_add_test(t, test_refusal_says_what_is_accepted);
    tcase_add_test(t, test_broken);
    tcase_add_test(t, test_truncated_anywhere);
    tcase_add_test(t, test_every_byte_changed);
    tcase_add_test(t, test_bombs);
    tcase_add_test(t, test_bomb_of_cells);
    tcase_add_test(t, test_deep_nesting_needs_no_stack);
    tcase_add_test(t, test_limit_of_bytes);
    tcase_add_test(t, test_memory_runs_out);
    suite_add_tcase(s, t);
    return s;
}
