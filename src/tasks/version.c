/* What this was built from; a file of its own, so that a new commit recompiles nothing else. */
#include "gharial.h"

#ifndef GH_BUILD
#define GH_BUILD "unknown"
#endif

const char *gh_build(void)
{
    return GH_BUILD;
}
