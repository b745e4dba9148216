/* The table of tasks. */
#include "tasks/kind.h"

#include <string.h>

static const gh_kind *const kinds[GH_TASK_COUNT] = {
    [GH_TASK_CLASSIFY] = &gh_kind_classify,
    [GH_TASK_LOCALIZE] = &gh_kind_localize,
    [GH_TASK_EMBED] = &gh_kind_embed,
    [GH_TASK_SEGMENT] = &gh_kind_segment,
};

const gh_kind *gh_kind_of(gh_task task)
{
    return (unsigned)task < GH_TASK_COUNT ? kinds[task] : NULL;
}

const char *gh_kind_names(char text[80])
{
    int left = 0;
    text[0] = '\0';
    for (int i = 0; i < GH_TASK_COUNT; i++)
        left += kinds[i] != NULL;
    for (int i = 0; i < GH_TASK_COUNT; i++) {
        if (!kinds[i])
            continue;
        left--;
        strcat(text, gh_task_name((gh_task)i));
        strcat(text, left > 1 ? ", " : left ? " and " : "");
    }
    return text;
}
