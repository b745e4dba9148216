/* Items that several threads work on side by side and that come back in the order in which they were put on.
 * One thread, the owner, puts and takes. */
#ifndef GH_CLI_CONVEYOR_H
#define GH_CLI_CONVEYOR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct gh_conveyor gh_conveyor;
/* Works on one item; `thread` is 0 .. threads-1, unique among running calls. */
typedef void (*gh_conveyor_fn)(void *arg, void *item, int thread);

/* Starts `threads` threads; at most `room` items are on it. Signals are left to the owner's thread. GH_NOMEM,
 * GH_UNAVAILABLE. */
GH_MUST_CHECK gh_status gh_conveyor_new(gh_conveyor **out, int threads, size_t room, gh_conveyor_fn work,
                                        void *arg, gh_err *e);
/* Nothing may be on it. */
void gh_conveyor_free(gh_conveyor **conveyor);
bool gh_conveyor_full(const gh_conveyor *c);
/* There has to be room. */
void gh_conveyor_put(gh_conveyor *c, void *item);
/* The item that was put on first, as soon as it is done; NULL when there is none. */
void *gh_conveyor_take(gh_conveyor *c);

#endif
