/* Where each activation lives in a session's arena. */
#ifndef GH_ENGINE_MEMPLAN_H
#define GH_ENGINE_MEMPLAN_H

#include "base/status.h"

#include <stdbool.h>

typedef struct gh_buffer {
    size_t bytes;
    uint32_t first, last; /* steps at which it is written first and read last, inclusive */
    size_t offset;        /* answer, a multiple of GH_ALIGN */
} gh_buffer;

/* Gives every buffer an offset so that no two that live at the same step overlap: largest first, into the
 * lowest gap that is large enough (Pisarchyk and Lee 2020, greedy by size). *total receives the arena's size.
 */
GH_MUST_CHECK gh_status gh_memplan(size_t *total, gh_buffer *buffers, uint32_t count, gh_err *e);

#endif
