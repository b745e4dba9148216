/* Weights that a TFLite file stores sparse: what they are, by hand, and descriptions that lie. */
#include "unit/suites.h"

#include "base/mem.h"
#include "import/tflite_model.h"
#include "unit/nets.h"
#include "unit/tflite_file.h"

#include <limits.h>
#include <string.h>

/* Rows, each with a list of its columns. */
static const tf_sparse rows = {
    .order = {0, 1},
    .norder = 2,
    .nlevels = 2,
    .levels = {{.size = 3},
               {.format = 1, .type = 1, .from = {0, 2, 2, 5}, .nfrom = 4, .at = {1, 3, 0, 2, 3}, .nat = 5}}};
static const float five[] = {5, 6, 7, 8, 9};

/* Columns, each with a list of its rows. */
static const tf_sparse columns = {
    .order = {1, 0},
    .norder = 2,
    .nlevels = 2,
    .levels = {
        {.size = 4},
        {.format = 1, .type = 2, .from = {0, 1, 2, 3, 5}, .nfrom = 5, .at = {2, 0, 2, 0, 2}, .nat = 5}}};
static const float five_by_column[] = {7, 5, 8, 6, 9};

/* Blocks of 2 x 2: the right one above, the left one below. */
static const tf_sparse blocks = {
    .order = {0, 1, 2, 3},
    .map = {0, 1},
    .norder = 4,
    .nmap = 2,
    .nlevels = 4,
    .levels = {{.size = 2},
               {.format = 1, .type = 3, .from = {0, 1, 2}, .nfrom = 3, .at = {1, 0}, .nat = 2},
               {.size = 2},
               {.size = 2}}};
static const uint16_t halves[] = {0x3c00, 0x4000, 0x4200, 0x4400,
                                  0x4500, 0x4600, 0x4700, 0x4800}; /* 1 to 8 */

/* Two lists, one below the other: of 2 x 2 x 3, the rows that are there and their places. */
static const tf_sparse lists = {
    .order = {0, 1, 2},
    .norder = 3,
    .nlevels = 3,
    .levels = {{.size = 2},
               {.format = 1, .type = 3, .from = {0, 1, 2}, .nfrom = 3, .at = {1, 0}, .nat = 2},
               {.format = 1, .type = 3, .from = {0, 2, 3}, .nfrom = 3, .at = {0, 2, 1}, .nat = 3}}};
static const int8_t bytes[] = {4, -8, 6};
static const float quarter = 0.25f;

static const struct {
    tf_tensor t;
    float want[16];
} cases[] = {
    {{.rank = 2, .dims = {3, 4}, .data = five, .bytes = sizeof five, .sparse = &rows},
     {0, 5, 0, 6, 0, 0, 0, 0, 7, 0, 8, 9}},
    {{.rank = 2, .dims = {3, 4}, .data = five_by_column, .bytes = sizeof five_by_column, .sparse = &columns},
     {0, 5, 0, 6, 0, 0, 0, 0, 7, 0, 8, 9}},
    {{.type = GH_TFL_FLOAT16,
      .rank = 2,
      .dims = {4, 4},
      .data = halves,
      .bytes = sizeof halves,
      .sparse = &blocks},
     {0, 0, 1, 2, 0, 0, 3, 4, 5, 6, 0, 0, 7, 8, 0, 0}},
    {{.type = GH_TFL_INT8,
      .rank = 3,
      .dims = {2, 2, 3},
      .data = bytes,
      .bytes = sizeof bytes,
      .scale = &quarter,
      .nscale = 1,
      .sparse = &lists},
     {0, 0, 0, 1, 0, -2, 0, 1.5f, 0, 0, 0, 0}},
};

static void write_file(gh_buf *b, const tf_tensor *t)
{
    tf_tensor all[3] = {{.name = "x", .rank = 1, .dims = {1}}, *t, *t};
    const tf_op densify = {.code = GH_TFL_DENSIFY, .nin = 1, .in = {1}, .nout = 1, .out = {2}};
    all[1].name = "w";
    all[2].name = "dense";
    all[2].data = NULL;
    all[2].sparse = NULL;
    const tf_file f = {
        .tensors = all, .ntensors = 3, .ops = &densify, .nops = 1, .nin = 1, .out = {2}, .nout = 1};
    tf_write(b, &f, NULL);
}

START_TEST(test_places)
{
    gh_buf b = {0};
    gh_err e = {0};
    gh_tfl_model *m = NULL;
    float got[16];
    write_file(&b, &cases[_i].t);
    NT_OK(gh_tfl_open(&m, b.data, b.len, &e), e);
    ck_assert_uint_eq(m->nops, 0); /* the DENSIFY is gone */
    ck_assert_ptr_nonnull(m->tensors[2].data);
    NT_OK(gh_tfl_floats(got, &m->tensors[2], &e), e);
    for (size_t i = 0; i < m->tensors[2].count; i++)
        ck_assert_float_eq(got[i], cases[_i].want[i]);
    gh_tfl_free(&m);
    gh_buf_free(&b);
}
END_TEST

static gh_status open_with(const tf_tensor *t, const tf_sparse *sparse, gh_err *e)
{
    gh_buf b = {0};
    gh_tfl_model *m = NULL;
    tf_tensor other = *t;
    other.sparse = sparse;
    write_file(&b, &other);
    gh_status status = gh_tfl_open(&m, b.data, b.len, e);
    ck_assert((status == GH_OK) == (m != NULL));
    gh_tfl_free(&m);
    gh_buf_free(&b);
    return status;
}

static void refused(tf_sparse s, const char *part)
{
    gh_err e = {0};
    nt_refused(open_with(&cases[0].t, &s, &e), GH_FORMAT, &e, part);
}

START_TEST(test_sentences)
{
    tf_sparse s = rows;
    s.norder = 1;
    refused(s, "its order of traversal does not fit its dimensions and blocks");
    s = rows;
    s.order[1] = 0;
    refused(s, "its order of traversal does not name each dimension once");
    s = rows;
    s.nlevels = 1;
    refused(s, "not each of its levels is described");
    s = rows;
    s.levels[0].size = 4;
    refused(s, "its levels do not fit its shape");
    s = rows;
    s.levels[1].format = 2;
    refused(s, "one of its levels is neither dense nor a list");
    s = rows;
    s.levels[1].at[1] = 1; /* a place twice */
    refused(s, "its lists of places do not fit its numbers");
    s = rows;
    s.levels[1].at[1] = 4; /* beyond the row */
    refused(s, "its lists of places do not fit its numbers");
    s = rows;
    s.levels[1].from[3] = 4; /* a number too many */
    refused(s, "its lists of places do not fit its numbers");
    s = rows;
    s.levels[1].nfrom = 3;
    refused(s, "its lists of places do not fit its numbers");
}
END_TEST

/* Any number in any place of the description: an answer. */
START_TEST(test_lies)
{
    static const int32_t values[] = {0, 1, 2, 5, 255, 65535, INT_MAX, -1, INT_MIN};
    size_t no = 0;
    for (size_t i = 0; i < GH_COUNT(cases); i++)
        for (size_t v = 0; v < GH_COUNT(values); v++) {
            tf_sparse s = *cases[i].t.sparse;
            for (size_t k = 0; k < 6 + 4 + 6 * 18; k++) {
                size_t level = (k - 10) / 18, place = (k - 10) % 18;
                tf_level *l = &s.levels[k < 10 ? 0 : level];
                int32_t *at = k < 6        ? &s.order[k]
                              : k < 10     ? &s.map[k - 6]
                              : place == 0 ? &l->format
                              : place == 1 ? &l->size
                              : place < 10 ? &l->from[place - 2]
                                           : &l->at[place - 10];
                int32_t honest = *at;
                gh_err e = {0};
                *at = values[v];
                no += open_with(&cases[i].t, &s, &e) != GH_OK;
                *at = honest;
            }
        }
    ck_assert_uint_gt(no, 300);
}
END_TEST

/* A few bytes do not become a large tensor, and numbers of half a byte are not read. */
START_TEST(test_limits)
{
    gh_err e = {0};
    tf_tensor t = cases[0].t;
    tf_sparse s = rows;
    t.dims[1] = 1 << 22;
    nt_refused(open_with(&t, &s, &e), GH_LIMIT, &e, "more than a file of this size may");
    t = cases[0].t;
    t.type = GH_TFL_INT4;
    nt_refused(open_with(&t, &s, &e), GH_UNSUPPORTED, &e, "stored sparse as int4");
    t = cases[0].t;
    t.bytes -= 1;
    nt_refused(open_with(&t, &s, &e), GH_FORMAT, &e, "its bytes are no whole numbers");
}
END_TEST

Suite *gh_suite_tflite_sparse(void)
{
    Suite *s = suite_create("tflite_sparse");
    TCase *t = tcase_create("tflite_sparse");
    suite_add_tcase(s, t);
    tcase_add_loop_test(t, test_places, 0, GH_COUNT(cases));
    tcase_add_test(t, test_sentences);
    tcase_add_test(t, test_lies);
    tcase_add_test(t, test_limits);
    return s;
}
