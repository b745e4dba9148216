/* The program under test as a child: started on a free port, watched, ended. Only that child is ever
 * signalled. */
#include "e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 40, START_MS = 60000 };

const char *binary(void)
{
    static char path[512];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/gharial", build ? build : ".build");
    return path;
}

/* To be nobody in particular, without any group: no name, no home. */
static void become(uid_t user)
{
    if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0 ||
        chdir("/") != 0 || clearenv() != 0)
        _exit(125);
}

/* The child dies with the test that started it. */
static pid_t spawn(char *const *argv, int out, int err, uid_t user)
{
    pid_t parent = getpid(), pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    if (user)
        become(user);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(argv[0], argv);
    _exit(127);
}

/* One line without its line feed; false at the end of the stream. */
static bool read_line(char *line, size_t size, int fd)
{
    size_t n = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ck_assert_msg(poll(&p, 1, START_MS) == 1, "the server does not say that it is ready");
        if (read(fd, line + n, 1) != 1)
            return false;
        if (line[n] == '\n' || n + 2 == size)
            break;
        n++;
    }
    line[n] = 0;
    return true;
}

void server_log(gh_buf *out, const server *s)
{
    char bytes[4096];
    int fd = open(s->log, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        gh_buf_add(out, bytes, (size_t)n);
    close(fd);
    gh_buf_add(out, "", 1);
    out->len--;
}

/* Reads what the server prints up to a line that begins so. */
static void read_until(server *s, const char *wanted)
{
    static const char listening[] = "listening on ", scheme[] = "http://", proposed[] = "try: ";
    char line[512];
    while (read_line(line, sizeof line, s->out)) {
        if (strncmp(line, listening, sizeof listening - 1) == 0) {
            const char *at = line + sizeof listening - 1;
            at += strncmp(at, scheme, sizeof scheme - 1) == 0 ? sizeof scheme - 1 : 0;
            snprintf(s->address, sizeof s->address, "%.63s", at);
        }
        if (strncmp(line, proposed, sizeof proposed - 1) == 0)
            snprintf(s->command, sizeof s->command, "%.255s", line + sizeof proposed - 1);
        if (strncmp(line, wanted, strlen(wanted)) == 0)
            return;
    }
    gh_buf log = {0};
    server_log(&log, s);
    ck_abort_msg("the server does not start: %s", (char *)log.data);
}

void server_launch(server *s, const char *const *argv, uid_t user)
{
    int out[2];
    memset(s, 0, sizeof *s);
    snprintf(s->log, sizeof s->log, "/tmp/gharial-e2e-log-XXXXXX");
    int err = mkostemp(s->log, O_CLOEXEC);
    ck_assert_int_ge(err, 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    s->pid = spawn((char *const *)(uintptr_t)argv, out[1], err, user);
    s->out = out[0];
    close(out[1]);
    close(err);
    read_until(s, "listening on ");
}

void server_ready(server *s)
{
    read_until(s, "try: curl");
}

void server_start(server *s, const char *const *args)
{
    const char *argv[MAX_ARGS] = {binary(), "serve", "--listen", "127.0.0.1:0", "--models", models_dir()};
    for (size_t n = 6; args && *args; args++, n++) {
        ck_assert_uint_lt(n + 1, MAX_ARGS);
        argv[n] = *args;
    }
    server_launch(s, argv, 0);
    server_ready(s);
}

int server_wait(server *s)
{
    int status = 0;
    while (waitpid(s->pid, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code != 0) { /* a sanitizer's report, perhaps */
        gh_buf log = {0};
        server_log(&log, s);
        fprintf(stderr, "the server ended with %d:\n%s\n", code, (char *)log.data);
        gh_buf_free(&log);
    }
    close(s->out);
    unlink(s->log);
    s->pid = 0;
    return code;
}

int server_stop(server *s)
{
    ck_assert_int_gt(s->pid, 0);
    kill(s->pid, SIGTERM);
    return server_wait(s);
}

/* Reads both pipes to their ends. */
static void collect(gh_buf *out, gh_buf *err, int outfd, int errfd)
{
    struct pollfd p[2] = {{.fd = outfd, .events = POLLIN}, {.fd = errfd, .events = POLLIN}};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        ck_assert_int_gt(poll(p, 2, START_MS), 0);
        for (int i = 0; i < 2; i++) {
            char bytes[4096];
            if (!p[i].revents)
                continue;
            ssize_t n = read(p[i].fd, bytes, sizeof bytes);
            if (n > 0)
                gh_buf_add(i ? err : out, bytes, (size_t)n);
            else
                p[i].fd = -1;
        }
    }
    gh_buf_add(out, "", 1);
    gh_buf_add(err, "", 1);
}

int run_binary(gh_buf *out, gh_buf *err, const char *const *args)
{
    const char *argv[MAX_ARGS] = {binary()};
    int outs[2], errs[2], status = 0;
    for (size_t n = 1; *args; args++, n++) {
        ck_assert_uint_lt(n + 1, MAX_ARGS);
        argv[n] = *args;
    }
    gh_buf_free(out);
    gh_buf_free(err);
    ck_assert_int_eq(pipe2(outs, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(errs, O_CLOEXEC), 0);
    pid_t pid = spawn((char *const *)(uintptr_t)argv, outs[1], errs[1], 0);
    close(outs[1]);
    close(errs[1]);
    collect(out, err, outs[0], errs[0]);
    close(outs[0]);
    close(errs[0]);
    while (waitpid(pid, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
