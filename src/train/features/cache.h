/* The feature cache: one file for each body and set of views, to which finished pictures are appended. A
 * record that a kill cut short is dropped at the next opening, so the cache survives anything. */
#ifndef GH_TRAIN_FEATURES_CACHE_H
#define GH_TRAIN_FEATURES_CACHE_H

#include "base/hash.h"
#include "base/status.h"

typedef struct gh_cache gh_cache;

/* Opens folder/<key>.features (made when missing) for records of `floats` floats. Files of other keys that
 * were used longest ago are deleted while all together take more than `most` bytes. Two processes may share
 * it. */
GH_MUST_CHECK gh_status gh_cache_open(gh_cache **out, const char *folder, gh_hash key, size_t floats,
                                      uint64_t most, gh_err *e);
void gh_cache_close(gh_cache **c);
/* The record of a picture's content, borrowed until the cache is closed, or NULL. */
const float *gh_cache_find(const gh_cache *c, gh_hash content);
/* Appends a record; safe from any thread. Over the size limit, or when the disk is full, nothing is added and
 * the cache goes on without: features are never wrong, only computed again. */
void gh_cache_add(gh_cache *c, gh_hash content, const float *record);
/* The user's folder for it: $XDG_CACHE_HOME/gharial or ~/.cache/gharial; NULL when neither is known. The
 * caller frees. */
char *gh_cache_folder(void);

#endif
