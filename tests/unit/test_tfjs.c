/* The TensorFlow.js reader: what weights stand for, how shards are joined, and one sentence about models that
 * are cut off or lie. */
#include "unit/suites.h"

#include "base/mem.h"
#include "import/tfjs_model.h"
#include "unit/nets.h"
#include "unit/tfjs_file.h"

#include <string.h>

static gh_buf json;
static gh_err e;
static gh_tfjs_model *m;
static gh_arena *arena;

static void setup(void)
{
    e = (gh_err){0};
    arena = gh_arena_new((size_t)1 << 24);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    gh_tfjs_free(&m);
    gh_arena_free(&arena);
    gh_buf_free(&json);
}

static gh_status parse(const char *nodes, const char *weights)
{
    tj_json(&json, nodes, weights);
    gh_tfjs_free(&m);
    e = (gh_err){0};
    return gh_tfjs_parse(&m, (const char *)json.data, json.len, &e);
}

/* ---- what the bytes stand for ---- */

static void join(const void *bytes, size_t size)
{
    ck_assert_uint_eq(m->nfiles, 1);
    m->files[0].data = bytes;
    m->files[0].size = size;
    NT_OK(gh_tfjs_join(m, arena, &e), e);
}

START_TEST(test_every_form_of_a_weight)
{
    static const uint8_t bytes[] = {
        0,    0,    0xc0, 0x3f, /* float32 1.5 */
        0x00, 0xc1, 0x01, 0x00, /* float16 -2.5, and the least subnormal */
        0,    255,  2,          /* uint8 by .5 and -1 */
        0x00, 0x01, 0xff, 0xff, /* uint16 by .25 and 3 */
        0xfe, 0xff, 0xff, 0xff, /* int32 -2 */
        1,    0,                /* bool */
        3,    7,                /* int32 in uint8 by 2 and -10 */
    };
    NT_OK(
        parse(
            "",
            "{'name':'f','dtype':'float32','shape':[]},"
            "{'name':'h','dtype':'float32','shape':[2],'quantization':{'dtype':'float16'}},"
            "{'name':'q','dtype':'float32','shape':[3],'quantization':{'dtype':'uint8','scale':0.5,'min':-1}}"
            ","
            "{'name':'p','dtype':'float32','shape':[2,1],"
            "'quantization':{'dtype':'uint16','scale':0.25,'min':3}},"
            "{'name':'i','dtype':'int32','shape':[1]},"
            "{'name':'b','dtype':'bool','shape':[2]},"
            "{'name':'z','dtype':'int32','shape':[2],'quantization':{'dtype':'uint8','scale':2,'min':-10}}"),
        e);
    join(bytes, sizeof bytes);
    const float want[] = {1.5f, -2.5f, 0x1p-24f, -1, 126.5f, 0, 67, 16386.75f};
    const int64_t whole[] = {-2, 1, 0, -4, 4};
    float f[8];
    int64_t i[5];
    size_t nf = 0, ni = 0;
    for (uint32_t k = 0; k < m->nweights; k++) {
        const gh_tfjs_weight *w = &m->weights[k];
        ck_assert_int_eq(w->whole, k > 3);
        if (w->whole)
            gh_tfjs_ints(i + ni, w);
        else
            gh_tfjs_floats(f + nf, w);
        *(w->whole ? &ni : &nf) += w->count;
    }
    ck_assert_uint_eq(nf, 8);
    ck_assert_uint_eq(ni, 5);
    ck_assert_mem_eq(f, want, sizeof want);
    ck_assert_mem_eq(i, whole, sizeof whole);
}
END_TEST

/* A weight may begin in one shard and end in the next, and groups do not mix. */
START_TEST(test_shards_are_joined_by_group)
{
    static const uint8_t first[] = {1, 0, 0}, second[] = {0, 2, 0, 0, 0}, other[] = {3, 0, 0, 0};
    tj_text(&json, "{'modelTopology':{'node':[]},'weightsManifest':["
                   "{'paths':['a','deep/b'],'weights':[{'name':'x','dtype':'int32','shape':[2]}]},"
                   "{'paths':['c'],'weights':[{'name':'y','dtype':'int32','shape':[]}]}]}");
    NT_OK(gh_tfjs_parse(&m, (const char *)json.data, json.len, &e), e);
    ck_assert_uint_eq(m->nfiles, 3);
    ck_assert_str_eq(m->files[1].name, "deep/b");
    m->files[0].data = first, m->files[0].size = sizeof first;
    m->files[1].data = second, m->files[1].size = sizeof second;
    m->files[2].data = other, m->files[2].size = sizeof other;
    NT_OK(gh_tfjs_join(m, arena, &e), e);
    int64_t x[2], y;
    gh_tfjs_ints(x, &m->weights[0]);
    gh_tfjs_ints(&y, &m->weights[1]);
    ck_assert(x[0] == 1 && x[1] == 2 && y == 3);
}
END_TEST

START_TEST(test_shards_of_another_size)
{
    static const uint8_t bytes[13] = {0};
    static const size_t sizes[] = {0, 7, 11, 13};
    NT_OK(parse("", "{'name':'x','dtype':'int32','shape':[3]}"), e);
    m->files[0].data = bytes;
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        char part[64];
        snprintf(part, sizeof part, "holds %zu bytes together; the weights take 12", sizes[i]);
        m->files[0].size = sizes[i];
        nt_refused(gh_tfjs_join(m, arena, &e), GH_FORMAT, &e, part);
    }
    m->files[0].size = 12;
    NT_OK(gh_tfjs_join(m, arena, &e), e);
}
END_TEST

/* ---- manifests that lie ---- */

static const struct {
    const char *weights;
    gh_status status;
    const char *part;
} bad_weights[] = {
    {"{'dtype':'float32','shape':[]}", GH_FORMAT, "has no \"name\""},
    {"3", GH_FORMAT, "has no \"name\""},
    {"{'name':'w','dtype':'float32'}", GH_FORMAT, "its shape is not a list"},
    {"{'name':'w','dtype':'float32','shape':[-1]}", GH_FORMAT, "dimension 0 is not a number"},
    {"{'name':'w','dtype':'float32','shape':[2,'3']}", GH_FORMAT, "dimension 1 is not a number"},
    {"{'name':'w','dtype':'float32','shape':[1,1,1,1,1,1,1,1,1]}", GH_FORMAT, "at most 8 numbers"},
    {"{'name':'w','dtype':'float32','shape':[4294967296,4294967296]}", GH_LIMIT, "more elements than"},
    {"{'name':'w','dtype':'float32','shape':[2147483649]}", GH_LIMIT, "more elements than"},
    {"{'name':'w','dtype':'float32','shape':[2147483647]}", GH_LIMIT, "take more than"},
    {"{'name':'w','dtype':'float32','shape':[400000000]},{'name':'v','dtype':'float32','shape':[400000000]}",
     GH_LIMIT, "take more than"},
    {"{'name':'w','dtype':'float32','shape':[]},{'name':'w','dtype':'float32','shape':[]}", GH_FORMAT,
     "two weights are called \"w\""},
    {"{'name':'w','dtype':'string','shape':[]}", GH_UNSUPPORTED, "type \"string\""},
    {"{'name':'w','shape':[]}", GH_UNSUPPORTED, "type \"\""},
    {"{'name':'w','dtype':'float32','shape':[],'quantization':{'dtype':'int4'}}", GH_UNSUPPORTED,
     "as \"int4\""},
    {"{'name':'w','dtype':'float32','shape':[],'quantization':{'dtype':'uint8','scale':1}}", GH_FORMAT,
     "without the numbers scale and min"},
    {"{'name':'w','dtype':'int32','shape':[],'quantization':{'dtype':'float16'}}", GH_UNSUPPORTED,
     "as \"float16\""},
};

START_TEST(test_weights_that_lie)
{
    nt_refused(parse("", bad_weights[_i].weights), bad_weights[_i].status, &e, bad_weights[_i].part);
    ck_assert_ptr_null(m);
}
END_TEST

static const char *const outside[] = {"/etc/passwd", "..",   "../w", "a/../../w", "./w",
                                      "a//w",        "a/..", "",     "a/",        "."};

START_TEST(test_shards_stay_in_their_folder)
{
    tj_text(&json, "{'modelTopology':{'node':[]},'weightsManifest':[{'paths':['");
    tj_text(&json, outside[_i]);
    tj_text(&json, "'],'weights':[]}]}");
    nt_refused(gh_tfjs_parse(&m, (const char *)json.data, json.len, &e), GH_FORMAT, &e,
               "within the model's own folder");
}
END_TEST

static const struct {
    const char *text;
    gh_status status;
    const char *part;
} bad_texts[] = {
    {"", GH_FORMAT, "is not JSON"},
    {"{}", GH_FORMAT, "no TensorFlow.js graph model"},
    {"[1]", GH_FORMAT, "no TensorFlow.js graph model"},
    {"{'modelTopology':{'node':{}},'weightsManifest':[]}", GH_FORMAT, "no TensorFlow.js graph model"},
    {"{'modelTopology':{'node':[]}}", GH_FORMAT, "\"weightsManifest\""},
    {"{'modelTopology':{'node':[]},'weightsManifest':[{'paths':[]}]}", GH_FORMAT, "group 0"},
    {"{'modelTopology':{'node':[]},'weightsManifest':[{'paths':[7],'weights':[]}]}", GH_FORMAT, "shard \"\""},
    {"{'format':'layers-model','modelTopology':{}}", GH_UNSUPPORTED, "layers model"},
    {"{'modelTopology':{'model_config':{}}}", GH_UNSUPPORTED, "layers model"},
    {"{'format':'saved','modelTopology':{}}", GH_UNSUPPORTED, "format is \"saved\""},
    {"{'modelTopology':{'node':[{'name':'a'}]},'weightsManifest':[]}", GH_FORMAT, "no \"op\""},
    {"{'modelTopology':{'node':[{'name':'','op':'A'}]},'weightsManifest':[]}", GH_FORMAT, "no \"name\""},
    {"{'modelTopology':{'node':[{'name':'a:1','op':'A'}]},'weightsManifest':[]}", GH_FORMAT,
     "without a colon"},
    {"{'modelTopology':{'node':[{'name':'a','op':'A'},{'name':'a','op':'B'}]},'weightsManifest':[]}",
     GH_FORMAT, "two nodes are called \"a\""},
    {"{'modelTopology':{'node':[{'name':'a','op':'A','input':['b']}]},'weightsManifest':[]}", GH_FORMAT,
     "\"b\" is not in the file"},
    {"{'modelTopology':{'node':[{'name':'a','op':'A','input':['a:x']}]},'weightsManifest':[]}", GH_FORMAT,
     "\"a:x\" is not in the file"},
    {"{'modelTopology':{'node':[{'name':'a','op':'A','input':[1]}]},'weightsManifest':[]}", GH_FORMAT,
     "input 0 is not a name"},
};

START_TEST(test_topologies_that_lie)
{
    tj_text(&json, bad_texts[_i].text);
    nt_refused(gh_tfjs_parse(&m, (const char *)json.data, json.len, &e), bad_texts[_i].status, &e,
               bad_texts[_i].part);
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(test_limits)
{
    for (int i = 0; i < 40; i++)
        tj_text(&json, "[");
    nt_refused(gh_tfjs_parse(&m, (const char *)json.data, json.len, &e), GH_LIMIT, &e, "deeper than");
    json.len = 0;
    for (int i = 0; i < 33; i++)
        gh_buf_printf(&json, "%524288s", "");
    nt_refused(gh_tfjs_parse(&m, (const char *)json.data, json.len, &e), GH_LIMIT, &e, "at most 16777216");
}
END_TEST

/* ---- attributes, in both forms ---- */

START_TEST(test_attributes)
{
    char text[8];
    int64_t list[3] = {0};
    gh_shape shape;
    NT_OK(
        parse(
            "{'name':'a','op':'A','attr':{'i':{'i':'-7'},'j':{'i':9},'f':{'f':0.5},'b':{'b':true},"
            "'s':{'s':'U0FNRQ=='},'early':{'s':[78,72,87,67]},'long':{'s':'QUFBQUFBQUFBQUFB'},"
            "'no':{'s':'?'},'list':{'list':{'i':['4',5,'x']}},'words':{'list':{'s':['UmVsdQ==',[65]]}},"
            "'t':{'type':'DT_HALF'},'u':{'type':3},'v':{'type':99},"
            "'shape':{'shape':{'dim':[{'size':'-1'},{'size':3},{}]}},'any':{'shape':{'unknownRank':true}}}}",
            ""),
        e);
    const gh_tfjs_node *n = &m->nodes[0];
    ck_assert_int_eq(gh_tfjs_int(n, "i", 0), -7);
    ck_assert_int_eq(gh_tfjs_int(n, "j", 0), 9);
    ck_assert_int_eq(gh_tfjs_int(n, "f", 1), 1);
    ck_assert(gh_tfjs_real(n, "f", 0) == 0.5 && gh_tfjs_real(n, "absent", 2) == 2);
    ck_assert(gh_tfjs_bool(n, "b", false) && gh_tfjs_bool(n, "absent", true));
    ck_assert_str_eq(gh_tfjs_text(n, "s", text, sizeof text), "SAME");
    ck_assert_str_eq(gh_tfjs_text(n, "early", text, sizeof text), "NHWC");
    ck_assert_str_eq(gh_tfjs_text(n, "long", text, sizeof text), "");
    ck_assert_str_eq(gh_tfjs_text(n, "no", text, sizeof text), "");
    ck_assert_str_eq(gh_tfjs_text(n, "absent", text, sizeof text), "");
    ck_assert_uint_eq(gh_tfjs_list(n, "list", list, 2), 3);
    ck_assert(list[0] == 4 && list[1] == 5 && list[2] == 0);
    ck_assert(gh_tfjs_text_at(n, "words", 0, text, sizeof text));
    ck_assert_str_eq(text, "Relu");
    ck_assert(gh_tfjs_text_at(n, "words", 1, text, sizeof text) && strcmp(text, "A") == 0);
    ck_assert(!gh_tfjs_text_at(n, "words", 2, text, sizeof text));
    ck_assert(gh_tfjs_type(n, "t") == GH_F32 && gh_tfjs_type(n, "u") == GH_I64);
    ck_assert(gh_tfjs_type(n, "v") == GH_UNKNOWN && gh_tfjs_type(n, "absent") == GH_UNKNOWN);
    ck_assert(gh_tfjs_shape(&shape, n, "shape") && shape.rank == 3 && shape.dims[0] == -1);
    ck_assert(shape.dims[1] == 3 && shape.dims[2] == 0);
    ck_assert(!gh_tfjs_shape(&shape, n, "any") && !gh_tfjs_shape(&shape, n, "absent"));
}
END_TEST

Suite *gh_suite_tfjs(void)
{
    Suite *s = suite_create("tfjs");
    TCase *t = tcase_create("tfjs");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_every_form_of_a_weight);
    tcase_add_test(t, test_shards_are_joined_by_group);
    tcase_add_test(t, test_shards_of_another_size);
    tcase_add_loop_test(t, test_weights_that_lie, 0, (int)GH_COUNT(bad_weights));
    tcase_add_loop_test(t, test_shards_stay_in_their_folder, 0, (int)GH_COUNT(outside));
    tcase_add_loop_test(t, test_topologies_that_lie, 0, (int)GH_COUNT(bad_texts));
    tcase_add_test(t, test_limits);
    tcase_add_test(t, test_attributes);
    suite_add_tcase(s, t);
    return s;
}
