/* Details of a validation, for the history of a run and its report. */
#include "train/learn/learn.h"

#include <stdlib.h>

gh_status gh_learn_details(gh_buf *details, json_t *scores, gh_err *e)
{
    char *text = scores ? json_dumps(scores, JSON_REAL_PRECISION(4)) : NULL;
    json_decref(scores);
    if (!text)
        return gh_fail(e, GH_NOMEM, "memory ran out at the scores");
    gh_buf_str(details, text);
    free(text);
    return GH_OK;
}
