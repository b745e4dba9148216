/* One small ONNX file, cut off at every byte and with every byte changed. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void small_model(gh_buf *out)
{
    char folder[] = "/tmp/gharial-test-XXXXXX", path[64];
    gh_err e;
    gh_graph *g = NULL;
    for (uint64_t seed = 0; !g || g->nnodes > 12; seed++) {
        gh_graph_free(&g);
        g = rn_build(seed, 0);
        ck_assert_ptr_nonnull(g);
    }
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    NT_OK(gh_onnx_write(g, path, &e), e);
    NT_OK(gh_file_read(out, path, 1 << 20, &e), e);
    unlink(path);
    rmdir(folder);
    gh_graph_free(&g);
}

/* As far as a plan and a run, whatever the bytes say; small enough models only. */
static gh_status try_bytes(const uint8_t *data, size_t len)
{
    gh_err e = {0};
    nt_bytes b;
    gh_net *net = NULL;
    gh_status status = nt_read(&b, data, len, &e);
    if (!status)
        status = gh_net_from_graph(&net, &b.graph, GH_PASS_ALL, &e);
    if (status)
        ck_assert_uint_gt(strlen(e.text), 10);
    gh_net_free(&net);
    nt_forget(&b);
    return status;
}

START_TEST(test_cut_off_at_every_byte)
{
    gh_buf model = {0};
    small_model(&model);
    ck_assert_int_eq(try_bytes(model.data, model.len), GH_OK);
    for (size_t len = 0; len < model.len; len++)
        ck_assert_msg(try_bytes(model.data, len) == GH_FORMAT, "accepted when cut off at %zu of %zu", len,
                      model.len);
    gh_buf_free(&model);
}
END_TEST

START_TEST(test_every_byte_changed)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xFF, 0x10};
    gh_buf model = {0};
    int accepted = 0, refused = 0;
    small_model(&model);
    for (size_t at = 0; at < model.len; at++) {
        size_t which = at % GH_COUNT(changes);
        model.data[at] ^= changes[which];
        gh_status status = try_bytes(model.data, model.len);
        accepted += status == GH_OK;
        refused += status != GH_OK;
        ck_assert_int_ne(status, GH_INTERNAL);
        model.data[at] ^= changes[which];
    }
    ck_assert_int_gt(accepted, 0); /* a weight */
    ck_assert_int_gt(refused, 0);
    gh_buf_free(&model);
}
END_TEST

Suite *gh_suite_onnx_bytes(void)
{
    Suite *s = suite_create("onnx_bytes");
    TCase *t = tcase_create("bytes");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_cut_off_at_every_byte);
    tcase_add_test(t, test_every_byte_changed);
    suite_add_tcase(s, t);
    return s;
}
