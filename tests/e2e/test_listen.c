/* The other ways to reach the server: IPv6 and a socket file. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/status.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static server s;
static reply r;
static gh_buf out, err;
static char dir[32], path[48], spec[64];

static void start(void)
{
    snprintf(dir, sizeof dir, "/tmp/gharial-sock-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s.sock", dir);
    snprintf(spec, sizeof spec, "unix:%s", path);
}

static void done(void)
{
    reply_free(&r);
    gh_buf_free(&out);
    gh_buf_free(&err);
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else is left there */
}

static void check_run(int code, const char *text, const char *const *args)
{
    int got = run_binary(&out, &err, args);
    ck_assert_msg(got == code, "%d: %s", got, (char *)err.data);
    ck_assert_msg(strstr((char *)err.data, text) != NULL, "%s", (char *)err.data);
}

/* Runs the curl line that the server printed. */
static void check_curl(void)
{
    char line[400], text[4096] = "";
    snprintf(line, sizeof line, "%s --silent --fail", s.command);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t n = fread(text, 1, sizeof text - 1, pipe);
    text[n] = 0;
    ck_assert_msg(pclose(pipe) == 0, "%s: %s", line, text);
    ck_assert_msg(strstr(text, "\"labels\":[{\"label\":") != NULL, "%s", text);
}

static void check_picture(void)
{
    const gh_buf *picture = photo("coffee.png");
    ask(&r, s.address, "POST", "/classify?model=tiny", NULL, picture->data, picture->len);
    ck_assert_int_eq(r.status, 200);
}

START_TEST(test_ipv6)
{
    if (access("/proc/net/if_inet6", R_OK) != 0)
        return; /* this machine has none */
    server_start(&s, ARGS("--listen", "[::1]:0"));
    ck_assert_msg(strncmp(s.address, "[::1]:", 6) == 0, "%s", s.address);
    check_picture();
    check_curl();
    check_run(0, "", ARGS("health", "--listen", s.address));
    check_run(1, "another program already does",
              ARGS("serve", "--listen", s.address, "--models", models_dir()));
    ck_assert_int_eq(server_stop(&s), 0);
    check_run(1, "no server on [::1]:", ARGS("health", "--listen", s.address));
}
END_TEST

START_TEST(test_a_socket_file)
{
    struct stat st;
    server_start(&s, ARGS("--listen", spec)); /* needs no token: nobody reaches it from outside */
    ck_assert_str_eq(s.address, spec);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_int_eq(st.st_mode & 0777, 0660);
    check_picture();
    check_curl();
    ck_assert_int_eq(get_status(s.address, "/readyz"), 200);
    ck_assert_int_eq(get_status(s.address, "/metrics"), 200);
    check_run(0, "", ARGS("health", "--listen", spec));
    ck_assert_str_eq((char *)out.data, "ready\n");
    ck_assert_int_eq(server_stop(&s), 0);
    ck_assert_int_eq(lstat(path, &st), -1);
    ck_assert_int_eq(errno, ENOENT);
    check_run(1, "no server on unix:", ARGS("health", "--listen", spec));
}
END_TEST

START_TEST(test_a_reply_before_the_body_over_a_socket_file)
{
    /* The rest of the body is read away after the reply, as with TCP. */
    static char bytes[3 << 20];
    server_start(&s, ARGS("--listen", spec, "--max-body", "1M"));
    ask(&r, s.address, "POST", "/classify", NULL, bytes, sizeof bytes);
    check_problem(&r, 413, "at most 1048576");
    check_picture();
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_a_stale_socket_file_is_replaced)
{
    server_start(&s, ARGS("--listen", spec));
    kill(s.pid, SIGKILL);
    ck_assert_int_eq(server_wait(&s), -1);
    ck_assert_int_eq(access(path, F_OK), 0);
    server_start(&s, ARGS("--listen", spec));
    check_picture();
    /* One that is in use is not, and the second server takes nothing away from the first. */
    check_run(1, "another program already does", ARGS("serve", "--listen", spec, "--models", models_dir()));
    check_picture();
    ck_assert_int_eq(server_stop(&s), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(test_a_socket_file_of_another_is_not_removed)
{
    server_start(&s, ARGS("--listen", spec));
    ck_assert_int_eq(unlink(path), 0);
    server first = s;
    server_start(&s, ARGS("--listen", spec));
    ck_assert_int_eq(server_stop(&first), 0);
    check_picture();
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

START_TEST(test_what_is_no_socket_stays)
{
    char longer[200] = "unix:/tmp/";
    gh_err e = {0};
    gh_buf kept = {0};
    ck_assert_int_eq(gh_file_write(path, "mine", 4, &e), GH_OK);
    check_run(1, "that is no socket", ARGS("serve", "--listen", spec, "--models", models_dir()));
    ck_assert_int_eq(gh_file_read(&kept, path, 100, &e), GH_OK);
    ck_assert_uint_eq(kept.len, 4);
    gh_buf_free(&kept);
    memset(longer + 10, 'x', 150);
    check_run(2, "names no socket file", ARGS("serve", "--listen", longer, "--models", models_dir()));
    check_run(2, "names no socket file", ARGS("serve", "--listen", "unix:", "--models", models_dir()));
    check_run(2, "names no socket file", ARGS("health", "--listen", "unix:"));
    check_run(1, "its folder",
              ARGS("serve", "--listen", "unix:/no-such-folder/s.sock", "--models", models_dir()));
}
END_TEST

Suite *suite_listen(void)
{
    Suite *suite = suite_create("listen");
    TCase *t = tcase_create("listen");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_checked_fixture(t, start, done);
    tcase_add_test(t, test_ipv6);
    tcase_add_test(t, test_a_socket_file);
    tcase_add_test(t, test_a_reply_before_the_body_over_a_socket_file);
    tcase_add_test(t, test_a_stale_socket_file_is_replaced);
    tcase_add_test(t, test_a_socket_file_of_another_is_not_removed);
    tcase_add_test(t, test_what_is_no_socket_stays);
    suite_add_tcase(suite, t);
    return suite;
}
