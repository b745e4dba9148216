/* Status codes: one table of name, HTTP status and exit code, and the functions that fill gh_err. A sentence
 * that is too long is cut between characters, never inside one, so that it stays valid UTF-8. */
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CONTRACT section 3 (HTTP) and section 6 (exit codes). */
static const struct {
    const char *name;
    short http, exit;
} table[GH_STATUS_COUNT] = {
    [GH_OK] = {"ok", 200, 0},
    [GH_NOMEM] = {"nomem", 503, 1},
    [GH_ARG] = {"arg", 400, 2},
    [GH_NOTFOUND] = {"notfound", 404, 1},
    [GH_IO] = {"io", 500, 1},
    [GH_FORMAT] = {"format", 422, 3},
    [GH_UNSUPPORTED] = {"unsupported", 415, 4},
    [GH_LIMIT] = {"limit", 413, 3},
    [GH_BUSY] = {"busy", 429, 1},
    [GH_UNAVAILABLE] = {"unavailable", 503, 1},
    [GH_TIMEOUT] = {"timeout", 504, 1},
    [GH_INTERRUPTED] = {"interrupted", 503, 130},
    [GH_INTERNAL] = {"internal", 500, 1},
};

/* A value outside the enum is a fault of ours. */
static unsigned row(gh_status status)
{
    return (unsigned)status < GH_STATUS_COUNT ? (unsigned)status : GH_INTERNAL;
}

const char *gh_status_name(gh_status status)
{
    return table[row(status)].name;
}

int gh_status_http(gh_status status)
{
    return table[row(status)].http;
}

int gh_status_exit(gh_status status)
{
    return table[row(status)].exit;
}

/* Drops the bytes of a character that the end of the buffer cut in two. */
static void trim_utf8(char *text)
{
    size_t len = strlen(text), tail = 0;
    while (tail < 3 && tail < len && ((unsigned char)text[len - 1 - tail] & 0xC0) == 0x80)
        tail++;
    if (tail >= len)
        return;
    unsigned char lead = (unsigned char)text[len - 1 - tail];
    size_t want = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (tail < want)
        text[len - 1 - tail] = '\0';
}

gh_status gh_vfail(gh_err *e, gh_status status, const char *fmt, va_list args)
{
    if (!e)
        return status;
    char text[sizeof e->text]; /* the arguments may point into e->text */
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof text)
        trim_utf8(text);
    e->status = status;
    memcpy(e->text, text, strlen(text) + 1);
    return status;
}

gh_status gh_fail(gh_err *e, gh_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    gh_vfail(e, status, fmt, args);
    va_end(args);
    return status;
}

gh_status gh_err_prefix(gh_err *e, gh_status status, const char *fmt, ...)
{
    if (!e)
        return status;
    gh_err context = {0};
    va_list args;
    va_start(args, fmt);
    gh_vfail(&context, status, fmt, args);
    va_end(args);
    return gh_fail(e, status, "%s: %s", context.text, e->text);
}

_Noreturn void gh_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "gharial: %s:%d: broken invariant: %s\n", file, line, cond);
    abort();
}
