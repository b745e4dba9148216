/* Texts that need not be UTF-8, for JSON. */
#include "tasks/jsontext.h"

#include "base/mem.h"

json_t *gh_json_text(const char *s)
{
    json_t *text = json_string(s); /* NULL for what is not UTF-8 */
    char *copy = text ? NULL : gh_strdup(s);
    if (!copy)
        return text;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    text = json_string(copy);
    gh_free(copy);
    return text;
}
