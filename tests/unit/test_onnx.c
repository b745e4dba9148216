/* Reading and writing ONNX: every form of a tensor, what is written comes back, weights stay in the file.
 * Broken and hostile files are in test_onnx_bad.c. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/gharial-test-XXXXXX";
static char path[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/gharial-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnx", folder);
}

static void drop_folder(void)
{
    unlink(path);
    rmdir(folder);
}

static gh_graph *write_and_read(const gh_graph *g)
{
    gh_err e;
    gh_graph *back = NULL;
    NT_OK(gh_onnx_write(g, path, &e), e);
    NT_OK(gh_onnx_read(&back, path, &e), e);
    return back;
}

static void same_attr(const gh_attr *a, const gh_attr *b)
{
    size_t count = 0;
    ck_assert_str_eq(a->name, b->name);
    ck_assert_int_eq(a->type, b->type);
    ck_assert_int_eq(a->i, b->i);
    ck_assert_float_eq(a->f, b->f);
    ck_assert_uint_eq(a->count, b->count);
    if (a->type == GH_ATTR_STRING)
        ck_assert_mem_eq(a->s, b->s, a->count + 1);
    if (a->type == GH_ATTR_INTS && a->count)
        ck_assert_mem_eq(a->ints, b->ints, a->count * sizeof *a->ints);
    if (a->type == GH_ATTR_FLOATS && a->count)
        ck_assert_mem_eq(a->floats, b->floats, a->count * sizeof *a->floats);
    for (size_t i = 0; a->type == GH_ATTR_STRINGS && i < a->count; i++)
        ck_assert_str_eq(a->strings[i], b->strings[i]);
    if (a->type == GH_ATTR_TENSOR) {
        ck_assert_int_eq(a->tensor.type, b->tensor.type);
        ck_assert(gh_shape_equal(&a->tensor.shape, &b->tensor.shape));
        ck_assert(gh_shape_count(&count, &a->tensor.shape));
        ck_assert_mem_eq(a->tensor.data, b->tensor.data, count * gh_dtype_size(a->tensor.type));
    }
}

static void same_value(const gh_graph *g, uint32_t i, const gh_graph *h, uint32_t k)
{
    size_t count = 0;
    ck_assert_int_eq(i == GH_NONE, k == GH_NONE);
    if (i == GH_NONE)
        return;
    const gh_value *a = &g->values[i], *b = &h->values[k];
    ck_assert_str_eq(a->name, b->name);
    ck_assert_int_eq(a->data == NULL, b->data == NULL);
    if (!a->data)
        return;
    ck_assert_int_eq(a->type, b->type);
    ck_assert(gh_shape_equal(&a->shape, &b->shape));
    ck_assert(gh_shape_count(&count, &a->shape));
    if (count)
        ck_assert_mem_eq(a->data, b->data, count * gh_dtype_size(a->type));
}

static void same_graph(const gh_graph *g, const gh_graph *h)
{
    ck_assert_uint_eq(g->nnodes, h->nnodes);
    ck_assert_uint_eq(g->ninputs, h->ninputs);
    ck_assert_uint_eq(g->noutputs, h->noutputs);
    ck_assert_int_eq(gh_graph_opset(g, ""), gh_graph_opset(h, ""));
    for (uint32_t i = 0; i < g->ninputs; i++) {
        same_value(g, g->inputs[i], h, h->inputs[i]);
        ck_assert_int_eq(g->values[g->inputs[i]].type, h->values[h->inputs[i]].type);
        ck_assert(gh_shape_equal(&g->values[g->inputs[i]].shape, &h->values[h->inputs[i]].shape));
    }
    for (uint32_t i = 0; i < g->noutputs; i++)
        same_value(g, g->outputs[i], h, h->outputs[i]);
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *a = &g->nodes[i], *b = &h->nodes[i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_str_eq(a->type, b->type);
        ck_assert_str_eq(a->domain, b->domain);
        ck_assert_uint_eq(a->ninputs, b->ninputs);
        ck_assert_uint_eq(a->noutputs, b->noutputs);
        ck_assert_uint_eq(a->nattrs, b->nattrs);
        for (uint32_t k = 0; k < a->ninputs; k++)
            same_value(g, a->inputs[k], h, b->inputs[k]);
        for (uint32_t k = 0; k < a->nattrs; k++)
            same_attr(&a->attrs[k], &b->attrs[k]);
    }
}

START_TEST(test_random_networks_come_back)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        gh_graph *g = rn_build(seed, seed % 2 ? RN_FREE_SIZE : 0), *back;
        ck_assert_ptr_nonnull(g);
        ck_assert_int_eq(gh_graph_sort(g, NULL), GH_OK);
        back = write_and_read(g);
        same_graph(g, back);
        gh_graph_free(&g);
        gh_graph_free(&back);
    }
}
END_TEST

/* Attributes of every type, through a reading, a writing and a reading again. */
START_TEST(test_every_attribute_comes_back)
{
    gh_buf graph = {0}, node = {0}, a = {0}, model = {0};
    gh_err e;
    nt_bytes read;
    int64_t two[] = {2};
    float raw[] = {1.5f, -2};
    const struct {
        const char *name;
        int type;
    } attrs[] = {{"f", GH_ATTR_FLOAT},   {"i", GH_ATTR_INT},   {"s", GH_ATTR_STRING},  {"t", GH_ATTR_TENSOR},
                 {"fs", GH_ATTR_FLOATS}, {"is", GH_ATTR_INTS}, {"ss", GH_ATTR_STRINGS}};
    gh_wire_put_string(&node, NODE_INPUT, "x");
    gh_wire_put_string(&node, NODE_INPUT, "");
    gh_wire_put_string(&node, NODE_OUTPUT, "y");
    gh_wire_put_string(&node, NODE_TYPE, "Odd");
    gh_wire_put_string(&node, NODE_DOMAIN, "com.example");
    for (size_t i = 0; i < GH_COUNT(attrs); i++) {
        gh_wire_put_string(&a, ATTR_NAME, attrs[i].name);
        if (i == 0)
            gh_wire_put_float(&a, ATTR_F, 0.1f);
        if (i == 1)
            gh_wire_put_varint(&a, ATTR_I, (uint64_t)-7);
        if (i == 2)
            gh_wire_put_bytes(&a, ATTR_S, "two\0parts", 9);
        if (i == 3)
            nt_put_tensor(&a, ATTR_T, "inner", GH_F32, 1, two, raw, sizeof raw);
        for (int k = 0; i == 4 && k < 3; k++)
            gh_wire_put_float(&a, ATTR_FLOATS, (float)k - 0.5f);
        if (i == 5) {
            gh_wire_put_varint(&a, ATTR_INTS, (uint64_t)-1);
            gh_wire_put_bytes(&a, ATTR_INTS, "\x05\x06\xac\x02", 4); /* packed: 5, 6, 300 */
        }
        for (int k = 0; i == 6 && k < 3; k++)
            gh_wire_put_string(&a, ATTR_STRINGS, k == 1 ? "" : "text");
        gh_wire_put_varint(&a, ATTR_TYPE, (uint64_t)attrs[i].type);
        gh_wire_put_bytes(&node, NODE_ATTR, a.data, a.len);
        a.len = 0;
    }
    gh_wire_put_bytes(&graph, GRAPH_NODE, node.data, node.len);
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 1, two);
    nt_put_info(&graph, GRAPH_OUTPUT, "y", GH_F32, 1, two);
    nt_put_model(&model, &graph, 13);
    NT_OK(nt_read(&read, model.data, model.len, &e), e);
    const gh_node *n = &read.graph->nodes[0];
    ck_assert_uint_eq(n->nattrs, 7);
    ck_assert_float_eq(n->attrs[0].f, 0.1f);
    ck_assert_int_eq(n->attrs[1].i, -7);
    ck_assert_mem_eq(n->attrs[2].s, "two\0parts", 10);
    ck_assert_float_eq(((const float *)n->attrs[3].tensor.data)[1], -2);
    ck_assert_uint_eq(n->attrs[4].count, 3);
    ck_assert_float_eq(n->attrs[4].floats[2], 1.5f);
    ck_assert_uint_eq(n->attrs[5].count, 4);
    ck_assert_int_eq(n->attrs[5].ints[0], -1);
    ck_assert_int_eq(n->attrs[5].ints[3], 300);
    ck_assert_str_eq(n->attrs[6].strings[1], "");
    gh_graph *back = write_and_read(read.graph);
    same_graph(read.graph, back);
    gh_graph_free(&back);
    nt_forget(&read);
    gh_buf_free(&graph);
    gh_buf_free(&node);
    gh_buf_free(&model);
    gh_buf_free(&a);
}
END_TEST

/* Large weights are used where they stand in the mapped file: aligned there, and not copied. */
START_TEST(test_weights_are_aligned_in_the_file)
{
    gh_graph *g = NULL, *back = NULL;
    gh_err e;
    NT_OK(gh_graph_new(&g, &e), e);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(1, (int64_t[]){7}));
    int names = 1;
    for (int64_t n = 1; n < 40000; n = n * 3 + 1, names++) {
        char name[24];
        float *data = NULL;
        snprintf(name, sizeof name, "%.*s", names, "abcdefghijklmno"); /* of every length */
        uint32_t in[2] = {x, gh_graph_const_f32(g, name, gh_shape_of(2, (int64_t[]){n, 7}), &data)};
        ck_assert_ptr_nonnull(data);
        for (int64_t i = 0; i < 7 * n; i++)
            data[i] = (float)(i + n);
        gh_graph_output(g, gh_graph_op(g, "Add", "", in, 2));
    }
    back = write_and_read(g);
    int weights = 0;
    for (uint32_t i = 0; i < back->nvalues; i++) {
        const gh_value *v = &back->values[i];
        if (!v->data)
            continue;
        weights++;
        ck_assert_uint_eq((uintptr_t)v->data % GH_ALIGN, 0);
        ck_assert((const uint8_t *)v->data > back->map.data &&
                  (const uint8_t *)v->data < back->map.data + back->map.size);
        ck_assert_float_eq(((const float *)v->data)[6], (float)(6 + v->shape.dims[0]));
    }
    ck_assert_int_gt(weights, 8);
    gh_graph_free(&g);
    gh_graph_free(&back);
}
END_TEST

/* A file that ends in the middle of being written leaves the old one. */
START_TEST(test_a_failed_write_leaves_the_old_file)
{
    gh_graph *g = rn_build(1, 0), *back = NULL;
    gh_err e;
    ck_assert_ptr_nonnull(g);
    NT_OK(gh_onnx_write(g, path, &e), e);
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_mem_fail_after(n);
        gh_status status = gh_onnx_write(g, path, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || status == GH_NOMEM);
        whole = status == GH_OK;
    }
    NT_OK(gh_onnx_read(&back, path, &e), e);
    gh_graph_free(&back);
    ck_assert_int_eq(gh_onnx_write(g, "/nowhere/at/all.onnx", &e), GH_NOTFOUND);
    gh_graph_output(g,
                    gh_graph_const(g, "too big", GH_F32, gh_shape_of(1, (int64_t[]){INT64_MAX}), "", false));
    ck_assert_int_eq(gh_onnx_write(g, path, &e), GH_LIMIT);
    gh_graph_free(&g);
}
END_TEST

/* ---- tensors ---- */

static gh_status read_tensor(gh_onnx_tensor *t, gh_graph *g, const gh_buf *b)
{
    gh_err e;
    ck_assert(!b->failed);
    gh_status status = gh_onnx_read_tensor(t, g, b->data, b->len, &e);
    if (status)
        ck_assert_uint_gt(strlen(e.text), 10);
    return status;
}

static void put_header(gh_buf *b, int64_t type, int64_t n)
{
    b->len = 0;
    gh_wire_put_varint(b, TENSOR_DIMS, (uint64_t)n);
    gh_wire_put_varint(b, TENSOR_TYPE, (uint64_t)type);
    gh_wire_put_string(b, TENSOR_NAME, "t");
}

START_TEST(test_float16_becomes_float32)
{
    static const uint16_t halves[] = {0x0000, 0x8000, 0x3C00, 0xC000, 0x7BFF,
                                      0x0001, 0x83FF, 0x7C00, 0xFC00, 0x7E00};
    static const float floats[] = {0, -0.0f, 1, -2, 65504, 0x1p-24f, -0x1.FF8p-15f, INFINITY, -INFINITY, NAN};
    gh_graph *g = NULL;
    gh_buf b = {0};
    gh_onnx_tensor t;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    for (int typed = 0; typed < 2; typed++) {
        put_header(&b, GH_F16, GH_COUNT(halves));
        if (!typed)
            gh_wire_put_bytes(&b, TENSOR_RAW, halves, sizeof halves);
        for (size_t i = 0; typed && i < GH_COUNT(halves); i++)
            gh_wire_put_varint(&b, TENSOR_INT32S, halves[i]);
        ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
        ck_assert_int_eq(t.tensor.type, GH_F32);
        for (size_t i = 0; i < GH_COUNT(halves); i++) {
            float got = ((const float *)t.tensor.data)[i];
            ck_assert_msg(isnan(floats[i]) ? isnan(got) : got == floats[i], "%04x became %g", halves[i], got);
            ck_assert(isnan(got) || signbit(got) == signbit(floats[i]));
        }
    }
    gh_buf_free(&b);
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_typed_forms)
{
    gh_graph *g = NULL;
    gh_buf b = {0};
    gh_onnx_tensor t;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    put_header(&b, GH_F32, 3);
    gh_wire_put_float(&b, TENSOR_FLOATS, 1.5f);
    gh_wire_put_bytes(&b, TENSOR_FLOATS, (float[]){2.5f, -3}, 8); /* packed after unpacked */
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((float[]){1.5f, 2.5f, -3}), 12);

    put_header(&b, GH_F64, 2);
    gh_wire_put_bytes(&b, TENSOR_DOUBLES, (double[]){0.1, -1e300}, 16);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((double[]){0.1, -1e300}), 16);

    put_header(&b, GH_I64, 2);
    gh_wire_put_varint(&b, TENSOR_INT64S, (uint64_t)INT64_MIN);
    gh_wire_put_varint(&b, TENSOR_INT64S, INT64_MAX);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((int64_t[]){INT64_MIN, INT64_MAX}), 16);

    put_header(&b, GH_I32, 2);
    gh_wire_put_varint(&b, TENSOR_INT32S, (uint64_t)-5); /* sign extended to ten bytes */
    gh_wire_put_varint(&b, TENSOR_INT32S, 7);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((int32_t[]){-5, 7}), 8);

    put_header(&b, GH_I8, 2);
    gh_wire_put_varint(&b, TENSOR_INT32S, (uint64_t)-128);
    gh_wire_put_varint(&b, TENSOR_INT32S, 127);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((int8_t[]){-128, 127}), 2);

    put_header(&b, GH_BOOL, 2);
    gh_wire_put_bytes(&b, TENSOR_INT32S, "\x00\x01", 2);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, "\0\1", 2);

    put_header(&b, GH_U16, 1);
    gh_wire_put_varint(&b, TENSOR_INT32S, 65535);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((uint16_t[]){65535}), 2);

    put_header(&b, GH_U32, 1);
    gh_wire_put_varint(&b, TENSOR_UINT64S, UINT32_MAX);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((uint32_t[]){UINT32_MAX}), 4);

    put_header(&b, GH_U64, 1);
    gh_wire_put_varint(&b, TENSOR_UINT64S, UINT64_MAX);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_mem_eq(t.tensor.data, ((uint64_t[]){UINT64_MAX}), 8);
    gh_buf_free(&b);
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_empty_tensors_and_scalars)
{
    gh_graph *g = NULL;
    gh_buf b = {0};
    gh_onnx_tensor t;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    put_header(&b, GH_I64, 0);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_ptr_nonnull(t.tensor.data);
    b.len = 0;
    gh_wire_put_varint(&b, TENSOR_TYPE, GH_F32);
    gh_wire_put_bytes(&b, TENSOR_RAW, (float[]){4}, 4);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_OK);
    ck_assert_int_eq(t.tensor.shape.rank, 0);
    ck_assert_float_eq(*(const float *)t.tensor.data, 4);
    ck_assert_uint_eq(t.name_len, 0);
    gh_buf_free(&b);
    gh_graph_free(&g);
}
END_TEST

/* Small elements that stand unaligned in the file are copied, so that shapes can be read in place. */
START_TEST(test_small_unaligned_elements_are_copied)
{
    gh_graph *g = NULL;
    uint8_t bytes[64] = {0};
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    for (size_t shift = 0; shift < 8; shift++) {
        gh_buf b = {0};
        gh_onnx_tensor t;
        put_header(&b, GH_I64, 2);
        gh_wire_put_bytes(&b, TENSOR_RAW, (int64_t[]){5, 6}, 16);
        ck_assert_uint_le(shift + b.len, sizeof bytes);
        memcpy(bytes + shift, b.data, b.len);
        ck_assert_int_eq(gh_onnx_read_tensor(&t, g, bytes + shift, b.len, NULL), GH_OK);
        ck_assert(gh_tensor_aligned(&t.tensor));
        ck_assert_mem_eq(t.tensor.data, ((int64_t[]){5, 6}), 16);
        gh_buf_free(&b);
    }
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_broken_tensors_are_refused)
{
    gh_graph *g = NULL;
    gh_buf b = {0};
    gh_onnx_tensor t = {0};
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    for (int which = 0; which < 12; which++) {
        put_header(&b,
                   which == 2   ? GH_STRING
                   : which == 3 ? 99
                   : which == 8 ? GH_F64
                                : GH_F32,
                   which == 4   ? -1
                   : which == 5 ? (int64_t)1 << 40
                                : 2);
        if (which == 0) /* too few raw bytes */
            gh_wire_put_bytes(&b, TENSOR_RAW, "1234", 4);
        if (which == 1) /* too many */
            gh_wire_put_bytes(&b, TENSOR_RAW, "123456789", 9);
        if (which == 6) { /* more typed elements than dimensions say */
            gh_wire_put_bytes(&b, TENSOR_FLOATS, "123456789abc", 12);
        }
        if (which == 7) /* half an element */
            gh_wire_put_bytes(&b, TENSOR_FLOATS, "1234567", 7);
        if (which == 8)
            gh_wire_put_bytes(&b, TENSOR_DOUBLES, "1234567", 7);
        if (which == 9) /* elements in another file */
            gh_wire_put_varint(&b, TENSOR_LOCATION, 1);
        for (int k = 0; which == 10 && k < 8; k++)
            gh_wire_put_varint(&b, TENSOR_DIMS, 1);
        if (which == 11) /* the name is a number */
            gh_wire_put_varint(&b, TENSOR_NAME, 3);
        ck_assert_msg(read_tensor(&t, g, &b) != GH_OK, "case %d was accepted", which);
    }
    ck_assert_ptr_null(t.tensor.data);
    gh_buf_free(&b);
    gh_graph_free(&g);
}
END_TEST

/* A lying count in a small file must not make us allocate. */
START_TEST(test_a_lying_count_allocates_nothing)
{
    gh_graph *g = NULL;
    gh_buf b = {0};
    gh_onnx_tensor t;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    put_header(&b, GH_F32, 500000000);
    gh_wire_put_float(&b, TENSOR_FLOATS, 1);
    ck_assert_int_eq(read_tensor(&t, g, &b), GH_FORMAT);
    ck_assert_uint_lt(gh_arena_used(g->arena), 10000);
    gh_buf_free(&b);
    gh_graph_free(&g);
}
END_TEST

Suite *gh_suite_onnx(void)
{
    Suite *s = suite_create("onnx");
    TCase *t = tcase_create("files"), *u = tcase_create("tensors");
    tcase_add_checked_fixture(t, make_folder, drop_folder);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_random_networks_come_back);
    tcase_add_test(t, test_every_attribute_comes_back);
    tcase_add_test(t, test_weights_are_aligned_in_the_file);
    tcase_add_test(t, test_a_failed_write_leaves_the_old_file);
    suite_add_tcase(s, t);
    tcase_add_test(u, test_float16_becomes_float32);
    tcase_add_test(u, test_typed_forms);
    tcase_add_test(u, test_empty_tensors_and_scalars);
    tcase_add_test(u, test_small_unaligned_elements_are_copied);
    tcase_add_test(u, test_broken_tensors_are_refused);
    tcase_add_test(u, test_a_lying_count_allocates_nothing);
    suite_add_tcase(s, u);
    return s;
}
