/* The TFLite importer's operators on the engine, each alone and several together, against what TensorFlow's
 * own interpreter computes. */
#include "unit/suites.h"

#include "base/mem.h"
#include "import/tflite.h"
#include "unit/nets.h"
#include "unit/tflite_case.h"

#include <check.h>
#include <math.h>

typedef struct values {
    const char *name;
    size_t count;
    const float *values;
} values;

static const values golden[] = {
#include "unit/golden_tflite.inc"
};
static const values golden_nets[] = {
#include "unit/golden_tflite_nets.inc"
};

static gh_shape shape_of(const tf_tensor *t)
{
    int64_t dims[5];
    for (size_t i = 0; i < t->rank; i++)
        dims[i] = t->dims[i];
    return gh_shape_of((int)t->rank, dims);
}

/* Where element i of TensorFlow's order stands in a tensor of the graph, whose shape may be that of NCHW. */
static size_t place(const tf_tensor *t, const gh_shape *in_graph, size_t i)
{
    const gh_shape own = shape_of(t);
    if (t->rank != 4)
        return i;
    size_t h = (size_t)t->dims[1], w = (size_t)t->dims[2], c = (size_t)t->dims[3];
    const gh_shape nchw = gh_shape_of(4, NT_DIMS(t->dims[0], (int64_t)c, (int64_t)h, (int64_t)w));
    bool turned = gh_shape_equal(&nchw, in_graph), as_is = gh_shape_equal(&own, in_graph);
    ck_assert_msg(turned != as_is || (h == w && w == 1), "either or neither order fits");
    if (as_is)
        return i;
    size_t pixel = i / c % (h * w), picture = i / c / (h * w);
    return (picture * c + i % c) * h * w + pixel;
}

static void fill_inputs(const nt_run *r, const tf_file *f)
{
    for (size_t k = 0; k < f->nin; k++) {
        const tf_tensor *t = &f->tensors[f->in[k]];
        gh_tensor *x = gh_session_input(r->session, k);
        size_t count = 0;
        ck_assert(gh_shape_count(&count, &x->shape) && count <= TF_CASE_MOST);
        for (size_t i = 0; i < count; i++)
            ((float *)x->data)[place(t, &x->shape, i)] = tf_case_x(t, k, i);
    }
}

static float value_of(const gh_tensor *t, size_t i)
{
    return t->type == GH_I32 ? (float)((const int32_t *)t->data)[i] : ((const float *)t->data)[i];
}

/* Returns how many values were compared. */
static size_t check_output(const nt_run *r, const tf_file *f, const char *name, float tolerance,
                           size_t number, const float *want)
{
    const gh_tensor *y = gh_session_output(r->session, number);
    const tf_tensor *t = &f->tensors[f->out[number]];
    size_t count = 0;
    ck_assert(y->type == GH_F32 || y->type == GH_I32);
    ck_assert(gh_shape_count(&count, &y->shape));
    for (size_t i = 0; i < count; i++) {
        float got = value_of(y, place(t, &y->shape, i));
        float most = tolerance > 0 ? tolerance : 1e-5f * (1 + fabsf(want[i]));
        ck_assert_msg(fabsf(got - want[i]) <= most, "%s: element %zu of output %zu is %.9g instead of %.9g",
                      name, i, number, (double)got, (double)want[i]);
    }
    return count;
}

static void computes(const tf_file *f, const char *name, float tolerance, const values *want)
{
    gh_buf b = {0};
    gh_err e = {0};
    gh_graph *g = NULL;
    nt_run r = {0};
    ck_assert_str_eq(want->name, name);
    tf_write(&b, f, NULL);
    gh_status status = gh_tflite_read_bytes(&g, b.data, b.len, &e);
    ck_assert_msg(status == GH_OK, "%s: %s", name, e.text);
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    fill_inputs(&r, f);
    NT_OK(gh_session_run(r.session, &e), e);
    size_t seen = 0;
    for (size_t i = 0; i < f->nout; i++)
        seen += check_output(&r, f, name, tolerance, i, want->values + seen);
    ck_assert_uint_eq(seen, want->count);
    nt_close(&r);
    gh_buf_free(&b);
}

START_TEST(test_every_case_has_values)
{
    ck_assert_uint_eq(tf_ncases, GH_COUNT(golden));
    ck_assert_uint_eq(tf_nnets, GH_COUNT(golden_nets));
}
END_TEST

START_TEST(test_an_operator_computes_what_tensorflow_does)
{
    const tf_case *c = &tf_cases[_i];
    tf_op op;
    tf_file f;
    tf_case_file(&f, &op, c);
    computes(&f, c->name, c->tolerance, &golden[_i]);
}
END_TEST

START_TEST(test_a_net_computes_what_tensorflow_does)
{
    computes(&tf_nets[_i].file, tf_nets[_i].name, 0, &golden_nets[_i]);
}
END_TEST

Suite *gh_suite_tflite_ops(void)
{
    Suite *s = suite_create("tflite_ops");
    TCase *t = tcase_create("tflite_ops");
    suite_add_tcase(s, t);
    tcase_add_test(t, test_every_case_has_values);
    tcase_add_loop_test(t, test_an_operator_computes_what_tensorflow_does, 0, (int)tf_ncases);
    tcase_add_loop_test(t, test_a_net_computes_what_tensorflow_does, 0, (int)tf_nnets);
    return s;
}
