/* Log lines, built in a fixed buffer and written with one write(2), so that lines of different threads never
 * mix and logging allocates nothing. Whatever text comes in, a line stays one line, and JSON stays JSON. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 8192, TAIL = 4 /* room for the closing quote, brace and line feed */ };

static atomic_int max_level = GH_LOG_INFO;
static atomic_bool as_json;

typedef struct line {
    size_t len;
    bool full; /* text was left out; nothing but the tail fits now */
    char text[LINE];
} line;

void gh_log_setup(gh_log_level level, bool json)
{
    atomic_store(&max_level, (int)level);
    atomic_store(&as_json, json);
}

bool gh_log_enabled(gh_log_level level)
{
    return (int)level <= atomic_load(&max_level);
}

static void put(line *l, const char *s, size_t n)
{
    if (l->full || l->len + n > sizeof l->text - TAIL) {
        l->full = true;
        return;
    }
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void put_tail(line *l, const char *s)
{
    size_t n = strlen(s);
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

/* Bytes of the valid UTF-8 character at `s` (RFC 3629: no surrogates, shortest form), 0 when it is none. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

/* Escapes as in JSON: quote and backslash (where `quoted`), control characters, bytes that are not UTF-8. */
static void put_escaped(line *l, const char *s, bool quoted)
{
    for (const unsigned char *at = (const unsigned char *)s; *at && !l->full;) {
        size_t n = utf8_length(at);
        char code[8];
        if (n == 0)
            put(l, "\xEF\xBF\xBD", 3); /* U+FFFD */
        else if (quoted && (*at == '"' || *at == '\\'))
            put(l, code, (size_t)snprintf(code, sizeof code, "\\%c", *at));
        else if (*at == '\n')
            put(l, "\\n", 2);
        else if (*at < 0x20 || *at == 0x7F)
            put(l, code, (size_t)snprintf(code, sizeof code, "\\u%04x", *at));
        else
            put(l, (const char *)at, n);
        at += n ? n : 1;
    }
}

static void put_string(line *l, const char *s)
{
    put(l, "\"", 1);
    put_escaped(l, s, true);
}

static void begin(line *l, gh_log_level level, const char *message, bool json)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    const char *name = names[level];
    struct timespec t;
    struct tm utc;
    char stamp[40];
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &utc);
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + n, sizeof stamp - n, ".%03dZ", (int)(t.tv_nsec / 1000000));
    l->len = 0;
    l->full = false;
    char head[128];
    const char *form = json ? "{\"time\":\"%s\",\"level\":\"%s\",\"message\":" : "%s %-5s ";
    put(l, head, (size_t)snprintf(head, sizeof head, form, stamp, name));
    if (json) {
        put_string(l, message);
        put_tail(l, "\"");
    } else {
        put_escaped(l, message, false);
    }
}

static void finish(line *l, bool json)
{
    put_tail(l, json ? "}\n" : "\n");
    ssize_t n = write(STDERR_FILENO, l->text, l->len);
    (void)n; /* there is no place left to report it */
}

/* A text value needs quotes when a reader could not tell where it ends. */
static bool needs_quotes(const char *s)
{
    return !*s || strpbrk(s, " \"=\\\n\t");
}

/* A member either fits with at least one byte of its value or is left out. */
static void add_field(line *l, const char *key, const char *value, bool json)
{
    size_t before = l->len;
    put(l, json ? "," : " ", 1);
    if (json)
        put_string(l, key);
    else
        put_escaped(l, key, false);
    put(l, json ? "\":\"" : "=", json ? 3 : 1);
    bool quotes = json || needs_quotes(value);
    if (!json && quotes)
        put(l, "\"", 1);
    if (l->full) {
        l->len = before;
        return;
    }
    put_escaped(l, value, quotes);
    if (quotes)
        put_tail(l, "\"");
}

void gh_log_fields(gh_log_level level, const char *message, ...)
{
    if (!gh_log_enabled(level))
        return;
    bool json = atomic_load(&as_json);
    line l;
    begin(&l, level, message, json);
    va_list args;
    va_start(args, message);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        if (!value)
            break;
        if (!l.full)
            add_field(&l, key, value, json);
    }
    va_end(args);
    finish(&l, json);
}

void gh_log(gh_log_level level, const char *fmt, ...)
{
    if (!gh_log_enabled(level))
        return;
    char message[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (n < 0)
        snprintf(message, sizeof message, "%s", fmt);
    gh_log_fields(level, message, (const char *)NULL);
}
