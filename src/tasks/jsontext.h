/* Small things around JSON: texts that need not be UTF-8, and how deep a text nests. */
#ifndef GH_TASKS_JSONTEXT_H
#define GH_TASKS_JSONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A JSON string; when `s` is not UTF-8, its bytes beyond ASCII become '?'. NULL when memory is short. */
json_t *gh_json_text(const char *s);
/* True when brackets nest deeper than `most`: jansson recurses a level a bracket, so this is asked before it
 * sees the text. */
bool gh_json_deeper(const char *text, size_t len, int most);

#endif
