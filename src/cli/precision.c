/* The option --precision of the commands that run networks. */
#include "cli/cli.h"
#include "engine/net.h"

#include <string.h>

gh_status gh_cli_precision(const char *word, gh_err *e)
{
    for (int i = GH_PRECISION_FP32; word && gh_precision_words[i]; i++)
        if (strcmp(word, gh_precision_words[i]) == 0) {
            unsigned flag;
            gh_precision_set((gh_precision)i);
            return gh_precision_flag(&flag, GH_PRECISION_DEFAULT, e);
        }
    return word ? gh_fail(e, GH_ARG, "--precision is '%.40s'; it takes fp32, bf16 or auto", word) : GH_OK;
}
