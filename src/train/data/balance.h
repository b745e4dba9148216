/* How much examples count by how rare their class is. */
#ifndef GH_TRAIN_DATA_BALANCE_H
#define GH_TRAIN_DATA_BALANCE_H

/* All alike; by the root of the rarity; or every class as much as any other. */
typedef enum gh_balance { GH_BALANCE_NONE, GH_BALANCE_SQRT, GH_BALANCE_WEIGHTS, GH_BALANCES } gh_balance;

/* "none", "sqrt" or "weights", as options and reports name it. */
const char *gh_balance_name(gh_balance b);

#endif
