/* JSON texts that need not be UTF-8. */
#ifndef GH_TASKS_JSONTEXT_H
#define GH_TASKS_JSONTEXT_H

#include "base/json.h"

/* A JSON string; when `s` is not UTF-8, its bytes beyond ASCII become '?'. NULL when memory is short. */
json_t *gh_json_text(const char *s);

#endif
