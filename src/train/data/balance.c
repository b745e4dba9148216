/* Names of balances. */
#include "train/data/balance.h"

const char *gh_balance_name(gh_balance b)
{
    static const char *const names[GH_BALANCES] = {"none", "sqrt", "weights"};
    return names[b];
}
