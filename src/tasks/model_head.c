/* Heads stored alone: head.onnx turns the features of a body, which some other model has in memory, into
 * scores. */
#include "tasks/model_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "tasks/run.h"
#include "tasks/scan.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool stat_in(struct stat *st, const char *folder, const char *name)
{
    char *path = gh_path_join(folder, name);
    bool there = path && stat(path, st) == 0 && S_ISREG(st->st_mode);
    gh_free(path);
    return there;
}

bool gh_model_is_head(const char *folder)
{
    struct stat st;
    return stat_in(&st, folder, "head.onnx") && !stat_in(&st, folder, "model.onnx");
}

static gh_hash add_stat(gh_hash hash, const struct stat *st)
{
    uint64_t parts[5] = {(uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
                         (uint64_t)st->st_ino, (uint64_t)st->st_dev};
    return gh_hash_more(hash, parts, sizeof parts);
}

gh_hash gh_model_stamp(const char *path)
{
    static const char *const names[] = {"model.json", "model.onnx", "head.onnx", "labels.txt"};
    struct stat st;
    gh_hash hash = gh_hash_bytes(path, strlen(path));
    if (stat(path, &st) != 0)
        return hash;
    if (!S_ISDIR(st.st_mode))
        return add_stat(hash, &st);
    for (size_t i = 0; i < GH_COUNT(names); i++)
        if (stat_in(&st, path, names[i]))
            hash = add_stat(hash, &st);
    return hash;
}

bool gh_model_is_called(const char *folder, const char *name)
{
    gh_manifest *m = NULL;
    bool same = gh_manifest_read(&m, folder, NULL) == GH_OK && strcmp(m->name, name) == 0;
    gh_manifest_free(&m);
    return same;
}

bool gh_model_file_hash(char text[GH_HASH_TEXT], const char *folder)
{
    gh_map map = {0};
    char *path = gh_path_join(folder, "model.onnx");
    bool read = path && gh_map_open(&map, path, GH_MAX_MODEL_BYTES, NULL) == GH_OK;
    if (read)
        gh_hash_text(gh_hash_bytes(map.data, map.size), text);
    gh_map_close(&map);
    gh_free(path);
    return read;
}

/* Which of the body's outputs the head was cut at. */
static gh_status find_tap(size_t *tap, const gh_model *body, const gh_manifest *m, gh_err *e)
{
    if (gh_net_outputs(body->net) > GH_MAX_TAPS)
        return gh_fail(e, GH_LIMIT, "model '%s': its body has more than %d outputs and cuts", m->name,
                       GH_MAX_TAPS);
    int at = gh_net_find_output(body->net, m->cut);
    if (at < 0)
        return gh_fail(e, GH_NOTFOUND, "model '%s': its body '%s' has no value '%.60s'", m->name, body->name,
                       m->cut);
    *tap = (size_t)at;
    return GH_OK;
}

/* Scores for the features of one picture: as many as there are labels. */
static gh_status check_net(gh_net *net, const gh_manifest *m, gh_err *e)
{
    const gh_value *in = gh_net_input(net, 0);
    gh_shape one = in->shape;
    gh_tensor scores = {0};
    size_t count = 0;
    if (gh_net_inputs(net) != 1 || in->type != GH_F32 || one.rank != 2 || one.dims[1] < 1)
        return gh_fail(e, GH_FORMAT, "model '%s': a head takes one input, float32 features of N x width",
                       m->name);
    one.dims[0] = 1;
    GH_TRY(gh_net_output_for(&scores, net, 0, &one, e));
    if (scores.type != GH_F32 || !gh_shape_count(&count, &scores.shape) || count != m->nlabels)
        return gh_fail(e, GH_FORMAT,
                       "model '%s': the head gives %zu scores of type %s, but model.json has %zu labels",
                       m->name, count, gh_dtype_name(scores.type), m->nlabels);
    return gh_model_check_distance(net, m, &one, e);
}

/* What the body gives at the cut has to be what the head takes: a vector of the same width. */
static gh_status check_tap(const gh_model *head, const gh_model *body, gh_err *e)
{
    const gh_manifest_input *in = &body->manifest->input;
    int64_t width = gh_net_input(head->net, 0)->shape.dims[1];
    gh_tensor t = {0};
    char text[80];
    GH_TRY(gh_model_output(&t, body->net, head->tap, in->width, in->height, e));
    if (t.type != GH_F32 || t.shape.rank != 2 || t.shape.dims[0] != 1 || t.shape.dims[1] != width)
        return gh_fail(e, GH_FORMAT, "model '%s' takes %lld features; its body '%s' gives %s %s at '%.60s'",
                       head->name, (long long)width, body->name, gh_dtype_name(t.type),
                       gh_shape_text(&t.shape, text, sizeof text), head->manifest->cut);
    return GH_OK;
}

static gh_status load_head(gh_model *m, const char *folder, gh_model *body, gh_err *e)
{
    GH_TRY(gh_manifest_read(&m->manifest, folder, e));
    if (!m->manifest->body || !m->manifest->cut)
        return gh_fail(e, GH_FORMAT, "model.json: a head names its body and where that is cut");
    if (m->manifest->task != GH_TASK_CLASSIFY)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has task %s; heads are run for classify",
                       m->manifest->name, gh_task_name(m->manifest->task));
    char *path = gh_path_join(folder, "head.onnx");
    m->name = gh_strdup(m->manifest->name);
    gh_status status = path && m->name ? gh_net_load(&m->net, path, GH_PASS_ALL, e)
                                       : gh_fail(e, GH_NOMEM, "memory ran out at a model");
    gh_free(path);
    if (status == GH_OK)
        status = check_net(m->net, m->manifest, e);
    if (status == GH_OK)
        status = find_tap(&m->tap, body, m->manifest, e);
    if (status == GH_OK)
        status = check_tap(m, body, e);
    return status;
}

gh_status gh_model_open_head(gh_model **out, const char *folder, gh_model *body, bool with_selftest,
                             gh_err *e)
{
    gh_model *m = gh_calloc(1, sizeof *m);
    if (!m)
        return gh_fail(e, GH_NOMEM, "memory ran out at a model");
    m->refs = 1;
    m->stamp = gh_model_stamp(folder);
    gh_status status = load_head(m, folder, body, e);
    if (status == GH_OK) {
        m->body = gh_model_ref(body);
        m->state = GH_MODEL_READY;
        status = with_selftest ? gh_model_selftest(m, e) : GH_OK;
    }
    if (status == GH_OK)
        *out = m;
    else
        gh_model_put(&m);
    return status;
}

/* A network that `body`, a name or the hash of a file, stands for. */
static bool is_body(const char *folder, const char *body)
{
    char text[GH_HASH_TEXT];
    if (gh_model_is_head(folder) || gh_scan_is_pipeline(folder))
        return false;
    return gh_model_is_called(folder, body) || (gh_model_file_hash(text, folder) && strcmp(text, body) == 0);
}

/* The folder beside this one, or below one of `dirs`, that the manifest names; a new string, or NULL. */
static char *find_body(const char *folder, const char *body, const char *const *dirs, size_t ndirs)
{
    char *found = NULL;
    char *parent = gh_path_join(folder, "..");
    for (size_t d = 0; parent && d <= ndirs && !found; d++) {
        char **folders = NULL;
        size_t count = 0;
        if (gh_scan_models(&folders, &count, d ? &dirs[d - 1] : (const char *const[]){parent}, 1, NULL) !=
            GH_OK)
            continue;
        for (size_t i = 0; i < count && !found; i++)
            if (is_body(folders[i], body))
                found = gh_strdup(folders[i]);
        gh_scan_free(&folders, count);
    }
    gh_free(parent);
    return found;
}

gh_status gh_model_open_lone_head(gh_model **out, const char *folder, const char *const *dirs, size_t ndirs,
                                  bool with_selftest, gh_err *e)
{
    gh_manifest *m = NULL;
    gh_model *body = NULL;
    GH_TRY(gh_manifest_read(&m, folder, e));
    char *where = m->body && m->cut ? find_body(folder, m->body, dirs, ndirs) : NULL;
    gh_status status = GH_OK;
    if (!where)
        status = gh_fail(e, GH_NOTFOUND,
                         "model '%s' is a head whose body is in none of the folders beside it", m->name);
    if (status == GH_OK)
        status = gh_model_open_tapped(&body, where, (const char *const[]){m->cut}, 1, false, e);
    if (status == GH_OK)
        status = gh_model_open_head(out, folder, body, with_selftest, e);
    gh_model_put(&body);
    gh_manifest_free(&m);
    gh_free(where);
    return status;
}
