/* Noticing clients that hang up: pairs of sockets, one end watched, the other closed or kept. */
#include "unit/suites.h"

#include "base/mem.h"
#include "http/hangup.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { N = 200 }; /* more than the table's first room */

typedef struct client {
    int near, far;
    atomic_int gone;
} client;

static gh_hangup *h;

static void on_gone(void *who)
{
    atomic_fetch_add(&((client *)who)->gone, 1);
}

static void up(void)
{
    gh_err e = {0};
    ck_assert_msg(gh_hangup_new(&h, on_gone, &e) == GH_OK, "%s", e.text);
}

static void down(void)
{
    gh_hangup_free(&h);
    ck_assert_ptr_null(h);
}

static void open_pair(client *c)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    c->near = fds[0];
    c->far = fds[1];
    atomic_store(&c->gone, 0);
}

static bool wait_gone(client *c)
{
    for (int i = 0; i < 2000 && atomic_load(&c->gone) == 0; i++)
        usleep(1000);
    return atomic_load(&c->gone) == 1;
}

START_TEST(test_who_hangs_up_is_told_once)
{
    static client all[N];
    for (int i = 0; i < N; i++) {
        open_pair(&all[i]);
        if (i % 3 == 1) /* bytes that nobody has read must not hide it */
            ck_assert_int_eq(write(all[i].far, "next", 4), 4);
        gh_hangup_watch(h, all[i].near, &all[i]);
    }
    for (int i = 0; i < N; i += 2)
        i % 4 ? close(all[i].far) : shutdown(all[i].far, SHUT_WR);
    for (int i = 0; i < N; i += 2)
        ck_assert_msg(wait_gone(&all[i]), "%d: %d", i, all[i].gone);
    usleep(20000);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(all[i].gone, i % 2 == 0);
        gh_hangup_forget(h, all[i].near, &all[i]);
        close(all[i].near);
        if (i % 2 || i % 4 == 0)
            close(all[i].far);
    }
}
END_TEST

START_TEST(test_who_had_gone_before_is_told)
{
    client c;
    open_pair(&c);
    close(c.far);
    gh_hangup_watch(h, c.near, &c);
    ck_assert(wait_gone(&c));
    close(c.near);
}
END_TEST

START_TEST(test_who_is_forgotten_is_not_told)
{
    client a, b;
    open_pair(&a);
    open_pair(&b);
    gh_hangup_watch(h, a.near, &a);
    gh_hangup_forget(h, a.near, &b); /* another's: nothing */
    gh_hangup_forget(h, a.near, &a);
    gh_hangup_forget(h, a.near, &a);
    gh_hangup_forget(h, -1, &a);
    gh_hangup_forget(h, 100000, &a);
    close(a.far);
    gh_hangup_watch(h, b.near, &b);
    close(b.far);
    ck_assert(wait_gone(&b));
    ck_assert_int_eq(a.gone, 0);
    /* And may be watched again. */
    gh_hangup_watch(h, a.near, &a);
    ck_assert(wait_gone(&a));
    close(a.near);
    close(b.near);
}
END_TEST

/* Clients hang up while they are forgotten: after gh_hangup_forget nobody is told. */
START_TEST(test_hanging_up_and_forgetting_at_one_time)
{
    for (int i = 0; i < 2000; i++) {
        client *c = gh_calloc(1, sizeof *c);
        ck_assert_ptr_nonnull(c);
        open_pair(c);
        gh_hangup_watch(h, c->near, c);
        close(c->far);
        if (i % 3 == 0)
            usleep(20);
        gh_hangup_forget(h, c->near, c);
        close(c->near);
        ck_assert_int_le(c->gone, 1);
        gh_free(c);
    }
}
END_TEST

START_TEST(test_without_memory_nothing_is_watched)
{
    client c;
    open_pair(&c);
    gh_mem_fail_after(0);
    gh_hangup_watch(h, c.near, &c);
    gh_mem_fail_after(-1);
    close(c.far);
    usleep(20000);
    ck_assert_int_eq(c.gone, 0);
    gh_hangup_watch(h, c.near, &c);
    ck_assert(wait_gone(&c));
    gh_hangup_stop(h);
    gh_hangup_watch(h, c.near, &c); /* still allowed */
    gh_hangup_forget(h, c.near, &c);
    close(c.near);
}
END_TEST

Suite *gh_suite_http_hangup(void)
{
    Suite *s = suite_create("http_hangup");
    TCase *t = tcase_create("hangup");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_who_hangs_up_is_told_once);
    tcase_add_test(t, test_who_had_gone_before_is_told);
    tcase_add_test(t, test_who_is_forgotten_is_not_told);
    tcase_add_test(t, test_hanging_up_and_forgetting_at_one_time);
    tcase_add_test(t, test_without_memory_nothing_is_watched);
    suite_add_tcase(s, t);
    return s;
}
