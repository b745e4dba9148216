/* Computing features: every thread takes the next picture, and its rows have their place from the beginning,
 * so that the result is the same for any number of threads. */
#include "train/features/features.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "train/data/picture.h"
#include "train/features/cache.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define MOST_PROBLEMS 100 /* sentences that are kept */
#define DEFAULT_CACHE ((uint64_t)2 << 30)

typedef struct job {
    gh_features *f;
    const gh_body *body;
    const gh_trainset *data;
    const gh_features_options *options;
    gh_cache *cache; /* or NULL */
    bool *ok;        /* of each example */
    _Atomic uint32_t next, done, cached;
    _Atomic bool stop;
    pthread_mutex_t lock; /* of what follows, and of problems and progress */
    gh_progress progress;
    gh_status status;
    gh_err err;
    uint32_t nproblems;
} job;

/* What one thread needs. */
typedef struct worker {
    gh_session *session;
    gh_plan *plan;
    uint8_t *pixels;
} worker;

static gh_status worker_open(worker *w, const gh_body *body, gh_err *e)
{
    const gh_manifest_input *in = &body->manifest->input;
    gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width});
    w->pixels = gh_alloc((size_t)in->width * (size_t)in->height * 3);
    if (!w->pixels)
        return gh_fail(e, GH_NOMEM, "no memory for a picture of %d x %d", in->width, in->height);
    GH_TRY(gh_plan_get(&w->plan, body->net, &shape, e));
    GH_TRY(gh_session_new(&w->session, NULL, e));
    return gh_session_bind(w->session, w->plan, e);
}

static void worker_close(worker *w)
{
    gh_session_free(&w->session);
    gh_plan_put(&w->plan);
    gh_free(w->pixels);
}

static gh_status compute_view(float *row, worker *w, const job *j, const gh_image *image, uint32_t view,
                              uint64_t seed, gh_err *e)
{
    const gh_manifest_input *in = &j->body->manifest->input;
    GH_TRY(gh_view_make(w->pixels, image, in, j->options->augment, view, seed, e));
    gh_preproc_normalise(gh_session_input(w->session, 0), w->pixels, in);
    GH_TRY(gh_session_run(w->session, e));
    memcpy(row, gh_session_output(w->session, 0)->data, j->body->width * sizeof *row);
    for (size_t i = 0; i < j->body->width; i++)
        if (!isfinite(row[i]))
            return gh_fail(e, GH_FORMAT, "the body gives a feature that is not a number");
    return GH_OK;
}

static gh_status compute(float *rows, worker *w, const job *j, const gh_example *x, gh_err *e)
{
    gh_image *image = NULL;
    gh_status status = gh_picture_read_for(&image, x->path, &j->body->manifest->input, 1, e);
    /* random views follow the content, so that the cache may keep them */
    uint64_t seed = j->options->seed ^ x->hash.low;
    for (uint32_t v = 0; v < j->f->views && status == GH_OK; v++)
        status = compute_view(rows + v * j->body->width, w, j, image, v, seed, e);
    gh_image_free(&image);
    return status;
}

/* A picture's own fault leaves it out; anything else ends the run. */
static void note_problem(job *j, const char *path, const gh_err *e)
{
    gh_buf text = {0};
    pthread_mutex_lock(&j->lock);
    j->f->failed++;
    if (j->nproblems < MOST_PROBLEMS && j->f->problems) {
        gh_buf_printf(&text, "%s: %s", path, e->text);
        if (!text.failed)
            j->f->problems[j->nproblems++] = gh_strdup((const char *)text.data);
        gh_buf_free(&text);
    }
    pthread_mutex_unlock(&j->lock);
}

static void note_fault(job *j, gh_status status, const gh_err *e)
{
    pthread_mutex_lock(&j->lock);
    if (!j->status) {
        j->status = status;
        j->err = *e;
    }
    pthread_mutex_unlock(&j->lock);
    j->stop = true;
}

static void one_example(job *j, worker *w, uint32_t i)
{
    const gh_example *x = &j->data->examples[i];
    size_t record = (size_t)j->f->views * j->body->width;
    float *rows = j->f->x + i * record;
    const float *kept = j->cache ? gh_cache_find(j->cache, x->hash) : NULL;
    gh_err e = {0};
    if (kept) {
        memcpy(rows, kept, record * sizeof *rows);
        j->ok[i] = true;
        j->cached++;
        return;
    }
    gh_status status = compute(rows, w, j, x, &e);
    if (status == GH_NOMEM || status == GH_INTERNAL) {
        note_fault(j, status, &e);
    } else if (status) {
        note_problem(j, x->path, &e);
    } else {
        j->ok[i] = true;
        if (j->cache)
            gh_cache_add(j->cache, x->hash, rows);
    }
}

static void run_thread(void *arg, int begin, int end, int thread)
{
    job *j = arg;
    worker w = {0};
    gh_err e = {0};
    (void)begin;
    (void)end;
    (void)thread;
    gh_status status = worker_open(&w, j->body, &e);
    if (status)
        note_fault(j, status, &e);
    while (!j->stop) {
        uint32_t i = j->next++;
        if (i >= j->data->nexamples)
            break;
        if (j->options->stop && *j->options->stop)
            note_fault(j, GH_INTERRUPTED,
                       &(gh_err){GH_INTERRUPTED, "interrupted while features were computed"});
        else if (j->data->examples[i].twin == i)
            one_example(j, &w, i);
        uint32_t done = ++j->done;
        if (j->options->progress && pthread_mutex_trylock(&j->lock) == 0) {
            gh_progress_show(&j->progress, done);
            pthread_mutex_unlock(&j->lock);
        }
    }
    worker_close(&w);
}

/* Twins take the rows of their first picture; then the rows of failed pictures are closed up. */
static void compact(job *j)
{
    gh_features *f = j->f;
    size_t record = (size_t)f->views * f->width;
    for (uint32_t i = 0; i < j->data->nexamples; i++) {
        uint32_t twin = j->data->examples[i].twin;
        if (twin != i && j->ok[twin]) {
            memcpy(f->x + i * record, f->x + twin * record, record * sizeof *f->x);
            j->ok[i] = true;
        }
    }
    for (uint32_t i = 0; i < j->data->nexamples; i++) {
        if (!j->ok[i])
            continue;
        if (f->rows != (size_t)i * f->views)
            memmove(f->x + f->rows * f->width, f->x + i * record, record * sizeof *f->x);
        for (uint32_t v = 0; v < f->views; v++) {
            f->sample[f->rows] = i;
            f->view[f->rows++] = v;
        }
    }
    f->cached = j->cached;
}

static gh_status allocate(job *j, gh_err *e)
{
    gh_features *f = j->f;
    size_t rows, floats;
    f->width = j->body->width;
    f->views = gh_views_count(j->options->augment);
    if (!gh_mul_size(&rows, j->data->nexamples, f->views) || !gh_mul_size(&floats, rows, f->width) ||
        floats > SIZE_MAX / sizeof *f->x)
        return gh_fail(e, GH_LIMIT, "%u pictures with %u views are too many", j->data->nexamples, f->views);
    f->x = gh_alloc_aligned((floats ? floats : 1) * sizeof *f->x);
    f->sample = gh_calloc(rows ? rows : 1, sizeof *f->sample);
    f->view = gh_calloc(rows ? rows : 1, sizeof *f->view);
    f->problems = gh_calloc(MOST_PROBLEMS + 1, sizeof *f->problems);
    j->ok = gh_calloc(j->data->nexamples + 1u, sizeof *j->ok);
    if (!f->x || !f->sample || !f->view || !f->problems || !j->ok)
        return gh_fail(e, GH_NOMEM,
                       "no memory for features: %u pictures, %u views, %zu numbers each take %zu MB",
                       j->data->nexamples, f->views, f->width, floats * sizeof *f->x >> 20);
    return GH_OK;
}

/* Without a cache that can be used the features are computed, as if there were none. */
static gh_status open_cache(job *j, gh_err *e)
{
    const gh_features_options *o = j->options;
    if (!o->cache)
        return GH_OK;
    uint64_t key[2] = {o->augment, o->augment ? o->seed : 0};
    gh_err why = {0};
    gh_status status = gh_cache_open(&j->cache, o->cache, gh_hash_more(j->body->hash, key, sizeof key),
                                     (size_t)j->f->views * j->f->width,
                                     o->cache_bytes ? o->cache_bytes : DEFAULT_CACHE, &why);
    if (status == GH_NOMEM)
        return gh_fail(e, status, "%s", why.text);
    if (status)
        gh_log(GH_LOG_WARN, "features are not kept: %s", why.text);
    return GH_OK;
}

static gh_status make(job *j, gh_err *e)
{
    GH_TRY(allocate(j, e));
    GH_TRY(open_cache(j, e));
    gh_progress_start(&j->progress, "features", j->data->nexamples);
    gh_pool_for(j->options->pool, gh_pool_size(j->options->pool), run_thread, j);
    gh_progress_end(&j->progress);
    if (j->status)
        return gh_fail(e, j->status, "%s", j->err.text);
    compact(j);
    if (j->data->nexamples > 0 && j->f->rows == 0)
        return gh_fail(e, GH_FORMAT, "none of the %u pictures can be used; the first: %s", j->data->nexamples,
                       j->f->problems[0] ? j->f->problems[0] : "?");
    return GH_OK;
}

gh_status gh_features_make(gh_features **out, const gh_body *body, const gh_trainset *data,
                           const gh_features_options *options, gh_err *e)
{
    job j = {.f = gh_calloc(1, sizeof *j.f), .body = body, .data = data, .options = options};
    if (!j.f)
        return gh_fail(e, GH_NOMEM, "no memory for features");
    pthread_mutex_init(&j.lock, NULL);
    gh_status status = make(&j, e);
    gh_cache_close(&j.cache);
    pthread_mutex_destroy(&j.lock);
    gh_free(j.ok);
    if (status)
        gh_features_free(&j.f);
    else
        *out = j.f;
    return status;
}

void gh_features_free(gh_features **features)
{
    gh_features *f = *features;
    if (!f)
        return;
    for (size_t i = 0; f->problems && f->problems[i]; i++)
        gh_free(f->problems[i]);
    gh_free(f->problems);
    gh_free(f->x);
    gh_free(f->sample);
    gh_free(f->view);
    gh_free(f);
    *features = NULL;
}
