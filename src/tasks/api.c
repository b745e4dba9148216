/* libgharial's public interface, a thin skin over the tasks: defaults, checks of arguments, accessors. */
#include "gharial.h"

#include "base/mem.h"
#include "base/pool.h"
#include "tasks/annotate.h"
#include "tasks/preproc.h"
#include "tasks/run.h"

#include <stdatomic.h>
#include <string.h>

#define MAX_MODELS 16

/* The threads that predictors of the same models share; the last one frees them. */
typedef struct crew {
    atomic_int users;
    gh_pool *pool;
    gh_lanes *lanes;
} crew;

struct gh_predictor {
    gh_model *models[MAX_MODELS];
    size_t nmodels;
    char **dirs; /* copies of the options' model_dirs */
    size_t ndirs;
    bool selftest;
    crew *crew;
    gh_worker *worker;
};

const char *gh_version(void)
{
    return GH_VERSION;
}

void gh_predictor_options_init(gh_predictor_options *options)
{
    *options = (gh_predictor_options){.size = sizeof *options, .threads = 0, .selftest = 1};
}

void gh_predict_options_init(gh_predict_options *options)
{
    *options = (gh_predict_options){.size = sizeof *options};
}

/* The caller's options over the defaults: a program compiled against an older header has a shorter struct. */
static gh_status take_options(void *ours, size_t size, const void *given, gh_err *e)
{
    size_t given_size = 0;
    if (!given)
        return GH_OK;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > size)
        return gh_fail(e, GH_ARG, "the options' size is %zu; the initialiser sets it (at most %zu here)",
                       given_size, size);
    memcpy(ours, given, given_size);
    return GH_OK;
}

static gh_status copy_dirs(gh_predictor *p, const gh_predictor_options *o, gh_err *e)
{
    if (!o->model_dirs || !o->model_dir_count)
        return GH_OK;
    if (!(p->dirs = gh_calloc(o->model_dir_count, sizeof *p->dirs)))
        return gh_fail(e, GH_NOMEM, "memory ran out at a predictor");
    for (; p->ndirs < o->model_dir_count; p->ndirs++)
        if (!(p->dirs[p->ndirs] = gh_strdup(o->model_dirs[p->ndirs])))
            return gh_fail(e, GH_NOMEM, "memory ran out at a predictor");
    return GH_OK;
}

static gh_status open_model(gh_predictor *p, const char *path, gh_err *e)
{
    GH_TRY(gh_model_open_among(&p->models[p->nmodels], path, (const char *const *)p->dirs, p->ndirs,
                               p->selftest, e));
    p->nmodels++;
    return GH_OK;
}

static void crew_leave(crew **pointer)
{
    crew *c = *pointer;
    *pointer = NULL;
    if (!c || atomic_fetch_sub(&c->users, 1) > 1)
        return;
    gh_lanes_free(&c->lanes);
    gh_pool_free(&c->pool);
    gh_free(c);
}

static gh_status crew_new(crew **out, int threads, gh_err *e)
{
    crew *c = gh_calloc(1, sizeof *c);
    if (!c)
        return gh_fail(e, GH_NOMEM, "memory ran out at a predictor");
    atomic_init(&c->users, 1);
    gh_status status = gh_pool_new(&c->pool, threads, e);
    if (status == GH_OK)
        status = gh_lanes_new(&c->lanes, c->pool, e);
    if (status == GH_OK)
        *out = c;
    else
        crew_leave(&c);
    return status;
}

gh_status gh_predictor_open(gh_predictor **out, const char *path, const gh_predictor_options *options,
                            gh_err *e)
{
    gh_predictor_options o;
    gh_predictor_options_init(&o);
    GH_TRY(take_options(&o, sizeof o, options, e));
    if (!path || o.threads < 0 || o.threads > 1024)
        return gh_fail(e, GH_ARG, "path is %s and threads %d; a path and 0 to 1024 threads are accepted",
                       path ? path : "NULL", o.threads);
    gh_predictor *p = gh_calloc(1, sizeof *p);
    if (!p)
        return gh_fail(e, GH_NOMEM, "memory ran out at a predictor");
    p->selftest = o.selftest != 0;
    gh_status status = copy_dirs(p, &o, e);
    if (status == GH_OK)
        status = open_model(p, path, e);
    if (status == GH_OK)
        status = crew_new(&p->crew, o.threads, e);
    if (status == GH_OK)
        status = gh_worker_new_beside(&p->worker, p->crew->lanes, e);
    if (status == GH_OK)
        *out = p;
    else
        gh_predictor_close(&p);
    return status;
}

gh_status gh_predictor_share(gh_predictor **out, const gh_predictor *predictor, gh_err *e)
{
    gh_predictor *p = gh_calloc(1, sizeof *p);
    if (!p)
        return gh_fail(e, GH_NOMEM, "memory ran out at a predictor");
    const gh_predictor_options o = {.model_dirs = (const char *const *)predictor->dirs,
                                    .model_dir_count = predictor->ndirs};
    p->selftest = predictor->selftest;
    p->crew = predictor->crew;
    atomic_fetch_add(&p->crew->users, 1);
    for (; p->nmodels < predictor->nmodels; p->nmodels++)
        p->models[p->nmodels] = gh_model_ref(predictor->models[p->nmodels]);
    gh_status status = copy_dirs(p, &o, e);
    if (status == GH_OK)
        status = gh_worker_new_beside(&p->worker, p->crew->lanes, e);
    if (status == GH_OK)
        *out = p;
    else
        gh_predictor_close(&p);
    return status;
}

void gh_predictor_close(gh_predictor **predictor)
{
    gh_predictor *p = *predictor;
    if (!p)
        return;
    gh_worker_free(&p->worker);
    crew_leave(&p->crew);
    for (size_t i = 0; i < p->nmodels; i++)
        gh_model_put(&p->models[i]);
    for (size_t i = 0; i < p->ndirs; i++)
        gh_free(p->dirs[i]);
    gh_free(p->dirs);
    gh_free(p);
    *predictor = NULL;
}

gh_status gh_predictor_add(gh_predictor *p, const char *path, gh_err *e)
{
    if (!path || p->nmodels == MAX_MODELS)
        return gh_fail(e, GH_ARG,
                       "path is %s and there are %zu models; a path and up to %d models are accepted",
                       path ? path : "NULL", p->nmodels, MAX_MODELS);
    GH_TRY(open_model(p, path, e));
    for (size_t i = 0; i < p->nmodels; i++) {
        const gh_model *m = p->models[i];
        if (m->manifest->task == GH_TASK_LOCALIZE)
            continue;
        gh_status status =
            gh_fail(e, GH_ARG, "the model %s is for the task %s; only those for localize go together",
                    m->name, gh_task_name(m->manifest->task));
        gh_model_put(&p->models[--p->nmodels]);
        return status;
    }
    return GH_OK;
}

const char *gh_predictor_name(const gh_predictor *predictor)
{
    return predictor->models[0]->manifest->name;
}

const char *gh_predictor_version(const gh_predictor *predictor)
{
    return predictor->models[0]->manifest->version;
}

const char *gh_predictor_task(const gh_predictor *predictor)
{
    return gh_task_name(predictor->models[0]->manifest->task);
}

const char *gh_predictor_manifest(const gh_predictor *predictor)
{
    return predictor->models[0]->manifest->json;
}

size_t gh_predictor_class_count(const gh_predictor *predictor)
{
    return predictor->models[0]->manifest->nlabels;
}

const char *gh_predictor_class_label(const gh_predictor *predictor, int index)
{
    const gh_manifest *m = predictor->models[0]->manifest;
    return index >= 0 && (size_t)index < m->nlabels ? m->labels[index] : NULL;
}

static gh_status find_output(int *out, const gh_predict_options *o, gh_err *e)
{
    int i = 0;
    if (o->rle || (o->output && strcmp(o->output, "none") == 0)) {
        *out = GH_MASK_NONE;
        return GH_OK;
    }
    while (o->output && gh_mask_output_words[i] && strcmp(gh_mask_output_words[i], o->output) != 0)
        i++;
    if (!gh_mask_output_words[i])
        return gh_fail(e, GH_ARG,
                       "output is \"%.40s\"; accepted are palette, index, soft, cutout, overlay and none",
                       o->output);
    *out = i;
    return GH_OK;
}

gh_status gh_predictor_run(gh_result **out, gh_predictor *predictor, const void *data, size_t len,
                           const gh_predict_options *options, gh_err *e)
{
    gh_predict_options o;
    gh_predict_options_init(&o);
    GH_TRY(take_options(&o, sizeof o, options, e));
    if (o.max_side && (o.max_side < GH_LEAST_MAX_SIDE || o.max_side > GH_MOST_MAX_SIDE))
        return gh_fail(e, GH_ARG, "max_side is %d; accepted are %d to %d, and 0 for the default", o.max_side,
                       GH_LEAST_MAX_SIDE, GH_MOST_MAX_SIDE);
    if (!(o.nms >= 0 && o.nms <= 1))
        return gh_fail(e, GH_ARG, "nms is %g; accepted are 0 to 1", o.nms);
    if (o.top < 0 || o.limit < 0 || !(o.threshold >= 0 && o.threshold <= 1))
        return gh_fail(e, GH_ARG, "top is %d, limit %d, threshold %g; accepted are 0 or more, and 0 to 1",
                       o.top, o.limit, o.threshold);
    gh_image_limits limits = gh_image_limits_default();
    if (o.max_pixels)
        limits.max_pixels = o.max_pixels;
    int output = GH_MASK_PALETTE;
    GH_TRY(find_output(&output, &o, e));
    const gh_run_options run = {.output = (gh_mask_output)output,
                                .regions = true,
                                .as_json = true,
                                .rle = o.rle != 0,
                                .top = o.top,
                                .limit = o.limit,
                                .threshold = o.threshold,
                                .nms = o.nms,
                                .max_side = o.max_side,
                                .no_emotions = o.no_emotions != 0};
    gh_pool_enter(predictor->crew->pool);
    gh_status status = gh_run_merged(out, predictor->worker, predictor->models, predictor->nmodels, data, len,
                                     &limits, &run, e);
    gh_pool_leave(predictor->crew->pool);
    return status;
}

int gh_result_width(const gh_result *result)
{
    return result->width;
}

int gh_result_height(const gh_result *result)
{
    return result->height;
}

int gh_result_truncated(const gh_result *result)
{
    return result->truncated;
}

int gh_result_unknown(const gh_result *result)
{
    return result->unknown;
}

size_t gh_result_label_count(const gh_result *result)
{
    return result->nlabels;
}

const char *gh_result_label(const gh_result *result, size_t i)
{
    return i < result->nlabels ? result->labels[i].label : NULL;
}

int gh_result_index(const gh_result *result, size_t i)
{
    return i < result->nlabels ? result->labels[i].index : -1;
}

double gh_result_score(const gh_result *result, size_t i)
{
    return i < result->nlabels ? (double)result->labels[i].score : 0;
}

size_t gh_result_box_count(const gh_result *result)
{
    return result->nobjects;
}

gh_status gh_result_box(gh_box_result *out, const gh_result *result, size_t i)
{
    if (i >= result->nobjects || out->size < sizeof *out)
        return GH_ARG;
    const gh_object *b = &result->objects[i];
    out->label = b->label;
    out->index = b->index;
    out->score = (double)b->score;
    out->x = b->x;
    out->y = b->y;
    out->w = b->w;
    out->h = b->h;
    out->landmark_count = b->nlandmarks;
    memcpy(out->landmarks, b->landmarks, sizeof out->landmarks);
    return GH_OK;
}

gh_status gh_result_fact(gh_fact_result *out, const gh_result *result, size_t box, size_t i)
{
    if (box >= result->nobjects || out->size < sizeof *out || i >= (size_t)result->objects[box].nfacts)
        return GH_ARG;
    const gh_fact *f = &result->objects[box].facts[i];
    out->key = f->key;
    out->label = f->best < 0 ? NULL : f->labels[f->best];
    out->score = f->best < 0 ? 0 : f->scores[f->best];
    out->label_count = f->nlabels;
    out->labels = (const char *const *)f->labels;
    out->scores = f->scores;
    return GH_OK;
}

gh_status gh_result_area(gh_area_result *out, const gh_result *result, size_t i)
{
    if (i >= result->nareas || out->size < sizeof *out)
        return GH_ARG;
    const gh_area *a = &result->areas[i];
    out->label = a->label;
    out->index = a->index;
    out->pixels = a->pixels;
    out->region_count = a->nregions;
    return GH_OK;
}

gh_status gh_result_region(gh_region_result *out, const gh_result *result, size_t area, size_t i)
{
    if (area >= result->nareas || i >= result->areas[area].nregions || out->size < sizeof *out)
        return GH_ARG;
    const gh_region *g = &result->areas[area].regions[i];
    out->x = g->x;
    out->y = g->y;
    out->w = g->w;
    out->h = g->h;
    out->pixels = g->pixels;
    return GH_OK;
}

const void *gh_result_png(size_t *len, const gh_result *result)
{
    *len = result->picture.len;
    return result->picture.len ? result->picture.data : NULL;
}

gh_status gh_result_to_json(char **out, const gh_result *result, const char *file, gh_err *e)
{
    gh_buf text = {0};
    gh_status status = gh_result_json(&text, result, 0, file, e);
    if (status == GH_OK)
        gh_buf_add(&text, "", 1);
    if (status == GH_OK && text.failed)
        status = gh_fail(e, GH_NOMEM, "memory ran out at a reply");
    if (status == GH_OK)
        *out = (char *)text.data;
    else
        gh_buf_free(&text);
    return status;
}

gh_status gh_result_annotate(void **out, size_t *out_len, gh_result *result, const void *data, size_t len,
                             const char *type, gh_err *e)
{
    gh_buf file = {0};
    bool png = type && strcmp(type, "image/png") == 0;
    if (!png && (!type || strcmp(type, "image/jpeg") != 0))
        return gh_fail(e, GH_ARG, "type is \"%.40s\"; image/jpeg and image/png are accepted",
                       type ? type : "NULL");
    if (result->task != GH_TASK_LOCALIZE)
        return gh_fail(e, GH_ARG, "the result is of the task %s; boxes are drawn of localize",
                       gh_task_name(result->task));
    gh_image_limits limits = gh_image_limits_default();
    const uint64_t pixels = (uint64_t)result->width * (uint64_t)result->height;
    if (pixels > limits.max_pixels) /* then the run was told to take so many */
        limits.max_pixels = pixels;
    gh_status status = gh_annotate(&file, result, data, len, &limits, png ? GH_IMAGE_PNG : GH_IMAGE_JPEG, e);
    if (status != GH_OK) {
        gh_buf_free(&file);
        return status;
    }
    *out = file.data;
    *out_len = file.len;
    return GH_OK;
}

void gh_bytes_free(void **bytes)
{
    gh_free(*bytes);
    *bytes = NULL;
}

void gh_string_free(char **string)
{
    gh_free(*string);
    *string = NULL;
}
