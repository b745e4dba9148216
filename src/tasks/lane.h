/* What one thread needs to run networks: a session, scratch for pixels, and what a body gave. Only run.c,
 * pipeline.c and raw.c include this. */
#ifndef GH_TASKS_LANE_H
#define GH_TASKS_LANE_H

#include "tasks/kind.h"

/* What a base network gave, copied out of the session: heads run on it, and several models of one request
 * share it. */
typedef struct gh_kept {
    const gh_model *base; /* NULL: nothing kept */
    gh_tensor tensors[GH_MAX_TAPS];
    uint8_t *values; /* all of them, one after another */
    size_t cap;
} gh_kept;

typedef struct gh_lane {
    gh_session *session;
    gh_kept kept;
    uint8_t *scratch; /* grows to the largest input seen */
    size_t scratch_size;
} gh_lane;

/* The lanes of a pool's threads but the callers': a loop has its pool for itself, so all workers share them.
 */
struct gh_lanes {
    gh_pool *pool;
    gh_lane *lanes; /* [1 .. count - 1]; the caller of a loop brings its own */
    int count;      /* threads of the pool */
};

struct gh_worker {
    gh_lane own;
    gh_lanes *lanes, *own_lanes; /* own_lanes: NULL where they are borrowed */
    bool sharing;                /* between gh_worker_share and gh_worker_unshare */
    const uint8_t *picture;      /* of what own.kept is */
    int width, height;
    bool truncated;
};

/* The model whose network sees the picture. */
gh_model *gh_lane_base(gh_model *m);
GH_MUST_CHECK gh_status gh_lane_open(gh_lane *lane, gh_pool *pool, gh_err *e);
void gh_lane_close(gh_lane *lane);
GH_MUST_CHECK gh_status gh_lane_scratch(gh_lane *lane, size_t bytes, gh_err *e);
/* Binds the plan of a net for one input shape; it is held as long as its results are read. */
GH_MUST_CHECK gh_status gh_lane_bind(gh_plan **plan, gh_lane *lane, gh_net *net, const gh_shape *shape,
                                     gh_err *e);
/* Copies the bound network's outputs, because the next network overwrites the arena. A network with more
 * outputs than anybody taps is not kept: it runs again for each model that names it. */
GH_MUST_CHECK gh_status gh_lane_keep(gh_lane *lane, const gh_model *base, gh_err *e);
/* The head's network on the kept features; as gh_lane_bind. */
GH_MUST_CHECK gh_status gh_lane_run_head(gh_plan **plan, gh_lane *lane, const gh_model *head, gh_err *e);
/* The bound network's outputs, at most GH_MAX_TAPS; gives how many. */
size_t gh_lane_outputs(gh_tensor tensors[GH_MAX_TAPS], const gh_lane *lane, const gh_net *net);

#endif
