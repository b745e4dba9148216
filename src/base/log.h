/* Log lines on stderr: text, or one JSON object a line. Safe from any thread; a line is one write. */
#ifndef GH_BASE_LOG_H
#define GH_BASE_LOG_H

#include <stdbool.h>

typedef enum gh_log_level { GH_LOG_ERROR, GH_LOG_WARN, GH_LOG_INFO, GH_LOG_DEBUG } gh_log_level;

/* Lines above `level` are dropped; `json` chooses the form. */
void gh_log_setup(gh_log_level level, bool json);
bool gh_log_enabled(gh_log_level level);
void gh_log(gh_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A message with key, value pairs of strings, ended by NULL: JSON members, or key=value. */
void gh_log_fields(gh_log_level level, const char *message, ...) __attribute__((sentinel));

#endif
