/* Status codes and the sentence that goes with them: one table gives each code its name, HTTP status and exit
 * code. gh_status and gh_err are public, so they live in gharial.h. */
#ifndef GH_BASE_STATUS_H
#define GH_BASE_STATUS_H

#include "gharial.h"

#include <stdarg.h>

/* Short name of the status ("format"), never NULL. */
const char *gh_status_name(gh_status status);
/* HTTP status code that reports it (GH_OK: 200). */
int gh_status_http(gh_status status);
/* Process exit code: 0 done, 1 failed, 2 wrong usage, 3 bad input, 4 unsupported, 130 interrupted. */
int gh_status_exit(gh_status status);

/* Records status and sentence in `e` (may be NULL) and returns the status, so that `return gh_fail(...)`
 * reads well. The sentence says what was wrong, what came and what is accepted. */
gh_status gh_fail(gh_err *e, gh_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
gh_status gh_vfail(gh_err *e, gh_status status, const char *fmt, va_list args);
/* Puts "context: " before the sentence that `e` already holds, and returns e's status. */
gh_status gh_err_prefix(gh_err *e, gh_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Forwards a failure to the caller; only in functions that own nothing at that point. */
#define GH_TRY(expr)                                                                                         \
    do {                                                                                                     \
        gh_status gh_try_ = (expr);                                                                          \
        if (gh_try_ != GH_OK)                                                                                \
            return gh_try_;                                                                                  \
    } while (0)

/* Invariant that stays on in release: prints file, line and expression, then aborts. Never used on input. */
#define GH_ASSERT(cond) ((cond) ? (void)0 : gh_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void gh_assert_failed(const char *cond, const char *file, int line);

#define GH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
