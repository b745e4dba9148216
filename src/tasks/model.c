/* One model: its manifest, its network, and the checks that both fit together. */
#include "tasks/registry.h"

#include "base/file.h"
#include "base/mem.h"
#include "tasks/kind.h"
#include "tasks/model_parts.h"
#include "tasks/run.h"
#include "tasks/scan.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SELFTEST_BYTES ((size_t)16 << 20)

const char *gh_model_state_name(gh_model_state state)
{
    static const char *const names[] = {"loading", "ready", "failed"};
    return (unsigned)state < GH_COUNT(names) ? names[state] : "?";
}

gh_model *gh_model_ref(gh_model *m)
{
    int before = m->refs++;
    GH_ASSERT(before > 0);
    return m;
}

void gh_model_put(gh_model **m)
{
    gh_model *gone = *m;
    *m = NULL;
    if (!gone || --gone->refs > 0)
        return;
    gh_net_free(&gone->net);
    gh_model_put(&gone->body);
    for (size_t i = 0; i < gone->nparts; i++)
        gh_model_put(&gone->parts[i]);
    gh_free(gone->parts);
    gh_manifest_free(&gone->manifest);
    gh_free(gone->name);
    gh_free(gone->failure);
    gh_free(gone);
}

/* What this version runs; anything else is refused at load, not at the first request. */
static gh_status check_kind(const gh_manifest *m, gh_err *e)
{
    if (m->detector)
        return gh_fail(e, GH_FORMAT, "model '%s' is a pipeline; there may be no network in its folder",
                       m->name);
    const gh_kind *kind = gh_kind_of(m->task);
    char names[80];
    if (!kind)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has task %s; this version runs %s", m->name,
                       gh_task_name(m->task), gh_kind_names(names));
    return kind->check_manifest(m, e);
}

static bool fits(int64_t dim, int64_t wanted)
{
    return dim < 0 || dim == wanted;
}

static gh_status check_input(const gh_net *net, const gh_manifest *m, gh_err *e)
{
    char text[80];
    if (gh_net_inputs(net) != 1)
        return gh_fail(e, GH_UNSUPPORTED,
                       "model '%s': the network has %zu inputs; one picture is what it gets", m->name,
                       gh_net_inputs(net));
    const gh_value *v = gh_net_input(net, 0);
    const int64_t *d = v->shape.dims;
    bool known = v->shape.rank == 4;
    if (v->type != GH_F32 ||
        (known &&
         !(fits(d[0], 1) && fits(d[1], 3) && fits(d[2], m->input.height) && fits(d[3], m->input.width))) ||
        (!known && v->shape.rank != -1))
        return gh_fail(e, GH_FORMAT,
                       "model '%s': the network's input '%.60s' is %s %s; model.json says 1x3x%dx%d", m->name,
                       v->name, gh_dtype_name(v->type), gh_shape_text(&v->shape, text, sizeof text),
                       m->input.height, m->input.width);
    return GH_OK;
}

gh_status gh_model_output(gh_tensor *out, gh_net *net, size_t at, int width, int height, gh_err *e)
{
    const gh_shape input = gh_shape_of(4, (int64_t[]){1, 3, height, width});
    if (gh_net_inputs(net) != 1) /* the plan would read a shape for each */
        return gh_fail(e, GH_UNSUPPORTED, "the network has %zu inputs; one picture is what a model gets",
                       gh_net_inputs(net));
    return gh_net_output_for(out, net, at, &input, e);
}

gh_status gh_model_check_distance(gh_net *net, const gh_manifest *m, const gh_shape *input, gh_err *e)
{
    gh_tensor out = {0};
    size_t count = 0;
    char text[80];
    if (m->reject_distance <= 0)
        return GH_OK;
    if (gh_net_outputs(net) < 2)
        return gh_fail(e, GH_FORMAT,
                       "model '%s': model.json rejects by distance, but the network has one output only",
                       m->name);
    GH_TRY(gh_net_output_for(&out, net, 1, input, e));
    if (out.type != GH_F32 || !gh_shape_count(&count, &out.shape) || count != 1)
        return gh_fail(
            e, GH_FORMAT,
            "model '%s': model.json rejects by distance, but the network's second output is %s %s; "
            "it has to be one float32",
            m->name, gh_dtype_name(out.type), gh_shape_text(&out.shape, text, sizeof text));
    return GH_OK;
}

static gh_status check_output(gh_net *net, const gh_manifest *m, gh_err *e)
{
    if (gh_net_outputs(net) < 1)
        return gh_fail(e, GH_FORMAT, "model '%s': the network has no output", m->name);
    return gh_kind_of(m->task)->check_network(net, m, e);
}

gh_status gh_model_make(gh_model **out, gh_manifest **manifest, gh_net **net, gh_err *e)
{
    gh_model *m = gh_calloc(1, sizeof *m);
    char *name = m ? gh_strdup((*manifest)->name) : NULL;
    gh_status status = name ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at a model");
    if (status == GH_OK)
        status = check_kind(*manifest, e);
    if (status == GH_OK)
        status = check_input(*net, *manifest, e);
    if (status == GH_OK)
        status = check_output(*net, *manifest, e);
    const gh_manifest_input *in = &(*manifest)->input;
    const gh_shape input = gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width});
    if (status == GH_OK)
        status = gh_model_check_distance(*net, *manifest, &input, e);
    if (status == GH_OK) {
        *m = (gh_model){.manifest = *manifest, .name = name, .net = *net, .state = GH_MODEL_READY, .refs = 1};
        *manifest = NULL;
        *net = NULL;
        *out = m;
        return GH_OK;
    }
    gh_free(name);
    gh_free(m);
    gh_net_free(net);
    gh_manifest_free(manifest);
    return status;
}

/* Class and score of the best label, or of the largest object; of a mask the class of most pixels, and the
 * share of the picture that it covers. */
static gh_status judge_selftest(const gh_manifest *m, const gh_result *r, gh_err *e)
{
    const gh_selftest *want = &m->selftest;
    int index = -1;
    double score = 0;
    if (r->nlabels) {
        index = r->labels[0].index;
        score = (double)r->labels[0].score;
    } else if (r->nobjects) {
        index = r->objects[0].index;
        score = (double)r->objects[0].score;
    } else if (r->nareas) {
        index = r->areas[0].index;
        score = (double)r->areas[0].pixels / ((double)r->width * r->height);
    }
    if (index != want->index)
        return gh_fail(e, GH_INTERNAL,
                       "model '%s' fails its self-test: the best class of %s is %d, expected %d", m->name,
                       want->input, index, want->index);
    if (fabs(score - want->score) > want->tolerance)
        return gh_fail(
            e, GH_INTERNAL,
            "model '%s' fails its self-test: the best score of %s is %.4f, expected %.4f within %.4f",
            m->name, want->input, score, want->score, want->tolerance);
    return GH_OK;
}

/* Runs the manifest's picture through the model. A model without one passes. */
gh_status gh_model_selftest(gh_model *model, gh_err *e)
{
    const gh_manifest *m = model->manifest;
    if (!m->selftest.input)
        return GH_OK;
    /* labels are compared whatever their score, boxes at the threshold that requests get */
    const gh_run_options options = {.top = 1,
                                    .threshold = m->task == GH_TASK_CLASSIFY ? 1e-30 : 0,
                                    .output = GH_MASK_NONE,
                                    .regions = true};
    gh_buf picture = {0};
    gh_worker *worker = NULL;
    gh_result *r = NULL;
    char *path = gh_path_join(m->folder, m->selftest.input);
    gh_status status = path ? gh_file_read(&picture, path, MAX_SELFTEST_BYTES, e)
                            : gh_fail(e, GH_NOMEM, "memory ran out at a self-test");
    if (status == GH_OK)
        status = gh_worker_new(&worker, NULL, e);
    if (status == GH_OK)
        status = gh_run(&r, worker, model, picture.data, picture.len, NULL, &options, e);
    if (status != GH_OK)
        status = gh_err_prefix(e, status, "self-test of '%s'", m->name);
    else
        status = judge_selftest(m, r, e);
    gh_result_free(&r);
    gh_worker_free(&worker);
    gh_buf_free(&picture);
    gh_free(path);
    return status;
}

int gh_model_features(const gh_model *m)
{
    if (m->body)
        return (int)m->tap;
    if (!m->net)
        return -1;
    if (m->manifest->task == GH_TASK_EMBED)
        return 0;
    int at = m->manifest->features ? gh_net_find_output(m->net, m->manifest->features) : -1;
    return at < GH_MAX_TAPS ? at : -1;
}

/* The features are a float32 vector for each picture. */
static gh_status check_features(const gh_model *m, gh_err *e)
{
    const gh_manifest_input *in = &m->manifest->input;
    gh_tensor t = {0};
    char text[80];
    size_t count = 0;
    int at = gh_model_features(m);
    if (!m->manifest->features)
        return GH_OK;
    if (at < 0)
        return gh_fail(e, GH_LIMIT, "model '%s': the network has more than %d outputs and cuts", m->name,
                       GH_MAX_TAPS);
    GH_TRY(gh_model_output(&t, m->net, (size_t)at, in->width, in->height, e));
    if (t.type == GH_F32 && t.shape.rank == 2 && gh_shape_count(&count, &t.shape) && count > 0 &&
        t.shape.dims[0] == 1)
        return GH_OK;
    return gh_fail(e, GH_FORMAT, "model '%s': \"features\" names a value that is %s %s, not a vector",
                   m->name, gh_dtype_name(t.type), gh_shape_text(&t.shape, text, sizeof text));
}

/* Opens what has been read, takes both over, and tests it. */
static gh_status finish(gh_model **out, gh_manifest **manifest, gh_net **net, const char *path,
                        bool with_selftest, gh_err *e)
{
    gh_model *m = NULL;
    gh_status status = gh_model_make(&m, manifest, net, e);
    if (status == GH_OK) {
        m->stamp = gh_model_stamp(path);
        status = check_features(m, e);
    }
    if (status == GH_OK && with_selftest)
        status = gh_model_selftest(m, e);
    if (status == GH_OK)
        *out = m;
    else
        gh_model_put(&m);
    return status;
}

/* The network with the taps, and the features as one more when they are none of them. */
static gh_status load(gh_net **net, const char *path, const gh_manifest *m, const char *const *taps,
                      size_t ntaps, gh_err *e)
{
    const char *all[GH_MAX_TAPS + 1];
    bool there = m->features == NULL;
    unsigned bf16;
    GH_ASSERT(ntaps <= GH_MAX_TAPS);
    for (size_t i = 0; i < ntaps; i++) {
        all[i] = taps[i];
        there = there || strcmp(taps[i], m->features) == 0;
    }
    if (!there)
        all[ntaps++] = m->features;
    GH_TRY(gh_precision_flag(&bf16, m->precision, e));
    return (m->input.stride ? gh_net_load_any_size : gh_net_load_tapped)(net, path, GH_PASS_ALL | bf16, all,
                                                                         ntaps, e);
}

gh_status gh_model_open_tapped(gh_model **out, const char *folder, const char *const *taps, size_t ntaps,
                               bool with_selftest, gh_err *e)
{
    gh_manifest *manifest = NULL;
    gh_net *net = NULL;
    GH_TRY(gh_manifest_read(&manifest, folder, e));
    char *path = gh_path_join(folder, "model.onnx");
    gh_status status = path ? check_kind(manifest, e) : gh_fail(e, GH_NOMEM, "memory ran out at a model");
    if (status == GH_OK)
        status = load(&net, path, manifest, taps, ntaps, e);
    gh_free(path);
    if (status == GH_OK)
        return finish(out, &manifest, &net, folder, with_selftest, e);
    gh_manifest_free(&manifest);
    return status;
}

static gh_status open_file(gh_model **out, const char *path, bool with_selftest, gh_err *e)
{
    gh_manifest *manifest = NULL;
    gh_net *net = NULL;
    unsigned bf16;
    GH_TRY(gh_precision_flag(&bf16, GH_PRECISION_DEFAULT, e));
    GH_TRY(gh_net_load(&net, path, GH_PASS_ALL | bf16, e));
    gh_status status = gh_manifest_guess(&manifest, path, net, e);
    if (status == GH_OK)
        return finish(out, &manifest, &net, path, with_selftest, e);
    gh_net_free(&net);
    return status;
}

gh_status gh_model_open(gh_model **out, const char *path, bool with_selftest, gh_err *e)
{
    return gh_model_open_among(out, path, NULL, 0, with_selftest, e);
}

gh_status gh_model_open_among(gh_model **out, const char *path, const char *const *dirs, size_t ndirs,
                              bool with_selftest, gh_err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return gh_fail(e, GH_NOTFOUND, "there is no model folder or .onnx file '%.200s'", path);
    if (!S_ISDIR(st.st_mode))
        return open_file(out, path, with_selftest, e);
    if (gh_model_is_head(path))
        return gh_model_open_lone_head(out, path, dirs, ndirs, with_selftest, e);
    if (gh_scan_is_pipeline(path))
        return gh_model_open_lone_pipeline(out, path, dirs, ndirs, with_selftest, e);
    return gh_model_open_tapped(out, path, NULL, 0, with_selftest, e);
}
