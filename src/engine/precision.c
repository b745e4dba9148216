/* Whether convolutions multiply bfloat16 numbers: a setting of the process, and what a model wants. */
#include "engine/net.h"
#include "kernels/kernels.h"

#include <string.h>

const char *const gh_precision_words[] = {"default", "fp32", "bf16", "auto", NULL};

static gh_precision of_process = GH_PRECISION_FP32; /* set once, at start */

void gh_precision_set(gh_precision precision)
{
    of_process = precision == GH_PRECISION_DEFAULT ? GH_PRECISION_FP32 : precision;
}

gh_status gh_precision_flag(unsigned *flag, gh_precision precision, gh_err *e)
{
    const gh_kernels *k = gh_kernels_get();
    bool emulated = strcmp(k->level, "ref") == 0;
    if (precision == GH_PRECISION_DEFAULT)
        precision = of_process;
    if (precision == GH_PRECISION_BF16 && !k->conv_bf16)
        return gh_fail(e, GH_UNSUPPORTED,
                       "precision bf16 needs a processor with AVX512-BF16, and this one runs at level %s; "
                       "fp32 and auto run everywhere",
                       k->level);
    bool wanted = precision == GH_PRECISION_BF16 || (precision == GH_PRECISION_AUTO && !emulated);
    *flag = wanted && k->conv_bf16 ? GH_NET_BF16 : 0;
    return GH_OK;
}
