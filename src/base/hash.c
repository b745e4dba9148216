/* The one place that knows libxxhash. */
#include "base/hash.h"

#include <stdio.h>
#include <xxhash.h>

gh_hash gh_hash_bytes(const void *data, size_t len)
{
    XXH128_hash_t h = XXH3_128bits(data, len);
    return (gh_hash){h.high64, h.low64};
}

gh_hash gh_hash_more(gh_hash seed, const void *data, size_t len)
{
    gh_hash part = gh_hash_bytes(data, len);
    uint64_t all[4] = {seed.high, seed.low, part.high, part.low};
    return gh_hash_bytes(all, sizeof all);
}

char *gh_hash_text(gh_hash hash, char text[GH_HASH_TEXT])
{
    snprintf(text, GH_HASH_TEXT, "%016llx%016llx", (unsigned long long)hash.high,
             (unsigned long long)hash.low);
    return text;
}
