/* Lives of nets and plans that overlap: threads, owners that let go first, memory that ends at any point. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(test_a_net_freed_while_plans_are_held)
{
    gh_err e;
    gh_net *net = nt_free_net(), *gone = net;
    gh_shape s = nt_size(1, 9, 9), t = nt_size(1, 11, 9);
    nt_run a = nt_bind(net, s), b = nt_bind(net, t);
    gh_plan *third = NULL;
    NT_OK(gh_plan_get(&third, net, &s, &e), e);
    gh_net_free(&net);
    ck_assert_ptr_null(net);
    a.net = b.net = gone; /* alive as long as a plan is */
    nt_run_seeded(&a, 1);
    nt_unbind(&a);
    nt_run_seeded(&b, 1);
    gh_plan_put(&third);
    nt_run_seeded(&b, 2);
    nt_unbind(&b);
}
END_TEST

typedef struct worker {
    gh_net *net;
    const float *want; /* of size i: 5 numbers */
    uint64_t seed;
    int wrong;
} worker;

enum { SIZES = 12, ROUNDS = 40 };

static gh_shape nth_size(int i)
{
    return nt_size(1, 6 + i, 7);
}

static void *work(void *arg)
{
    worker *w = arg;
    gh_session *s = NULL;
    gh_rng rng;
    gh_rng_seed(&rng, w->seed);
    if (gh_session_new(&s, NULL, NULL)) {
        w->wrong++;
        return NULL;
    }
    for (int round = 0; round < ROUNDS; round++) {
        int i = (int)gh_rng_below(&rng, SIZES);
        gh_plan *plan = NULL;
        gh_shape shape = nth_size(i);
        if (gh_plan_get(&plan, w->net, &shape, NULL) || gh_session_bind(s, plan, NULL)) {
            w->wrong++;
        } else {
            float *in = gh_session_input(s, 0)->data;
            for (int64_t k = 0; k < 3 * shape.dims[2] * shape.dims[3]; k++)
                in[k] = (float)(k % 7) - 3;
            w->wrong += gh_session_run(s, NULL) != GH_OK;
            w->wrong += memcmp(gh_session_output(s, 0)->data, w->want + 5 * i, 5 * sizeof(float)) != 0;
        }
        gh_plan_put(&plan);
    }
    gh_session_free(&s);
    return NULL;
}

/* More sizes than places, from four threads at once; the net's owner lets go in the middle. */
START_TEST(test_threads_share_a_net)
{
    gh_err e;
    gh_net *net = nt_free_net();
    float want[SIZES * 5];
    for (int i = 0; i < SIZES; i++) {
        gh_shape s = nth_size(i);
        nt_run r = nt_bind(net, s);
        float *in = gh_session_input(r.session, 0)->data;
        for (int64_t k = 0; k < 3 * s.dims[2] * s.dims[3]; k++)
            in[k] = (float)(k % 7) - 3;
        NT_OK(gh_session_run(r.session, &e), e);
        memcpy(want + 5 * i, gh_session_output(r.session, 0)->data, 5 * sizeof(float));
        nt_unbind(&r);
    }
    gh_net_free(&net);
    net = nt_free_net(); /* nothing packed yet: the threads meet there too */
    pthread_t threads[4];
    worker w[4];
    for (uint64_t i = 0; i < 4; i++) {
        w[i] = (worker){.net = net, .want = want, .seed = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(w[i].wrong, 0);
    }
    gh_net_free(&net);
}
END_TEST

/* ---- no memory ---- */

/* Every allocation of reading, passes, plan and session fails once; each time all is given back, which the
 * address sanitizer's leak check sees. */
START_TEST(test_every_allocation_of_a_load_fails_once)
{
    char folder[] = "/tmp/gharial-test-XXXXXX", path[64];
    gh_err e;
    gh_graph *g = nt_free_graph();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    NT_OK(gh_onnx_write(g, path, &e), e);
    gh_graph_free(&g);
    gh_shape s = nt_size(1, 9, 13);
    bool whole = false;
    for (int n = 0; !whole; n++) {
        nt_run r = {0};
        ck_assert_int_lt(n, 5000);
        gh_mem_fail_after(n);
        gh_status status = gh_net_load(&r.net, path, GH_PASS_ALL, &e);
        if (!status)
            status = gh_plan_get(&r.plan, r.net, &s, &e);
        if (!status)
            status = gh_session_new(&r.session, NULL, &e);
        if (!status)
            status = gh_session_bind(r.session, r.plan, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert_msg(whole || status == GH_NOMEM, "allocation %d gave %s: %s", n, gh_status_name(status),
                      e.text);
        if (!whole && r.plan) { /* what failed can be tried again */
            gh_session_free(&r.session);
            NT_OK(gh_session_new(&r.session, NULL, &e), e);
            NT_OK(gh_session_bind(r.session, r.plan, &e), e);
            nt_run_seeded(&r, 1);
        }
        nt_close(&r);
    }
    unlink(path);
    rmdir(folder);
}
END_TEST

/* A plan that could not be built leaves the cache and the packed weights whole. */
START_TEST(test_a_failed_plan_leaves_the_net_usable)
{
    gh_err e;
    gh_net *net = nt_free_net(), *fresh = nt_free_net();
    gh_shape s = nt_size(1, 9, 9);
    nt_run want = nt_bind(fresh, s);
    nt_run_seeded(&want, 3);
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_plan *plan = NULL;
        gh_mem_fail_after(n);
        gh_status status = gh_plan_get(&plan, net, &s, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert(whole || (status == GH_NOMEM && !plan));
        gh_plan_put(&plan);
    }
    nt_run r = nt_bind(net, s);
    nt_run_seeded(&r, 3);
    nt_same_outputs(&r, &want, 0, "after failures");
    ck_assert_uint_eq(gh_net_packed_bytes(net), gh_net_packed_bytes(fresh));
    nt_unbind(&r);
    nt_unbind(&want);
    gh_net_free(&net);
    gh_net_free(&fresh);
}
END_TEST

START_TEST(test_a_graph_that_failed_is_taken_over)
{
    gh_err e;
    gh_graph *g = nt_free_graph();
    gh_net *net = NULL;
    gh_graph_const(g, "", GH_F32, gh_shape_of(1, NT_DIMS(INT64_MAX)), "", false);
    ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_LIMIT);
    ck_assert_ptr_null(g);
    ck_assert_ptr_null(net);
    ck_assert_int_eq(gh_net_load(&net, "/nowhere/model.onnx", GH_PASS_ALL, &e), GH_NOTFOUND);
    ck_assert_int_eq(gh_net_load(&net, "/tmp", GH_PASS_ALL, &e), GH_ARG);
}
END_TEST

Suite *gh_suite_net_life(void)
{
    Suite *s = suite_create("net_life");
    TCase *t = tcase_create("net_life");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_a_net_freed_while_plans_are_held);
    tcase_add_test(t, test_threads_share_a_net);
    tcase_add_test(t, test_every_allocation_of_a_load_fails_once);
    tcase_add_test(t, test_a_failed_plan_leaves_the_net_usable);
    tcase_add_test(t, test_a_graph_that_failed_is_taken_over);
    suite_add_tcase(s, t);
    return s;
}
