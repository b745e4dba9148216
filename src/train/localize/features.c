/* The frozen body, run by the serving engine: several times as fast as on the tape, and nothing of it has to
 * be kept. */
#include "train/localize/parts.h"

#include "base/mem.h"

#include <string.h>

gh_status gh_localize_features_open(gh_localize_features *f, gh_graph **body, const gh_manifest_input *in,
                                    int threads, gh_err *e)
{
    const gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width});
    GH_TRY(gh_net_from_graph(&f->net, body, GH_PASS_ALL, e));
    GH_TRY(gh_plan_get(&f->plan, f->net, &shape, e));
    f->sessions = gh_calloc((size_t)threads, sizeof *f->sessions);
    if (!f->sessions || pthread_mutex_init(&f->lock, NULL) != 0)
        return gh_fail(e, GH_NOMEM, "memory ran out at the body");
    f->locks = true;
    for (; f->count < threads; f->count++) {
        GH_TRY(gh_session_new(&f->sessions[f->count], NULL, e));
        f->free = f->count + 1;
        GH_TRY(gh_session_bind(f->sessions[f->count], f->plan, e));
    }
    return GH_OK;
}

void gh_localize_features_close(gh_localize_features *f)
{
    for (int i = 0; f->sessions && i < f->free; i++)
        gh_session_free(&f->sessions[i]);
    gh_free(f->sessions);
    gh_plan_put(&f->plan);
    gh_net_free(&f->net);
    if (f->locks)
        pthread_mutex_destroy(&f->lock);
    *f = (gh_localize_features){0};
}

/* There are as many sessions as threads that ask. */
static gh_session *borrow(gh_localize_features *f)
{
    pthread_mutex_lock(&f->lock);
    GH_ASSERT(f->free > 0);
    gh_session *s = f->sessions[--f->free];
    pthread_mutex_unlock(&f->lock);
    return s;
}

static void give_back(gh_localize_features *f, gh_session *s)
{
    pthread_mutex_lock(&f->lock);
    f->sessions[f->free++] = s;
    pthread_mutex_unlock(&f->lock);
}

gh_status gh_localize_features_run(gh_localize_features *f, float *const *to, const uint8_t *pixels,
                                   const gh_manifest_input *in, gh_err *e)
{
    gh_session *s = borrow(f);
    gh_preproc_normalise(gh_session_input(s, 0), pixels, in);
    gh_status status = gh_session_run(s, e);
    for (size_t i = 0; status == GH_OK && i < gh_net_outputs(f->net); i++) {
        const gh_tensor *t = gh_session_output(s, i);
        size_t count = 0;
        if (gh_shape_count(&count, &t->shape))
            memcpy(to[i], t->data, count * sizeof(float));
    }
    give_back(f, s);
    return status;
}
