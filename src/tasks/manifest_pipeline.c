/* The key "pipeline" of model.json: a detector, and what is to be run on the crop of each of its boxes. */
#include "tasks/manifest_parts.h"

#include <stdio.h>
#include <string.h>

#define MAX_KEY 32

static gh_status read_model(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    char **at = out;
    if (!json_is_string(v) || !gh_model_name_ok(json_string_value(v)))
        return gh_key_fail(r, name, v, e, "a model's name (A-Z a-z 0-9 . _ -)");
    return gh_key_string(at, v, 64, name, r, e);
}

static gh_status read_step_model(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    return read_model(&((gh_manifest_step *)out)->model, v, name, r, e);
}

static gh_status read_detector(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    return read_model(&((gh_manifest *)out)->detector, v, name, r, e);
}

/* A reply has KEY and KEYs beside the members that every box has. */
static gh_status read_step_key(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    static const char *const taken[] = {"label", "index", "score",    "x",        "y",
                                        "w",     "h",     "landmark", "landmarks"};
    const char *key = json_string_value(v);
    size_t len = key ? strlen(key) : 0;
    bool ok = len >= 1 && len <= MAX_KEY && strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
    for (size_t i = 0; ok && i < GH_COUNT(taken); i++)
        ok = strcmp(key, taken[i]) != 0 &&
             (strncmp(key, taken[i], len) != 0 || strcmp(taken[i] + len, "s") != 0);
    if (!ok)
        return gh_key_fail(r, name, v, e,
                           "1 to 32 of the characters a-z 0-9 _ that are no member of a box already");
    return gh_key_string(&((gh_manifest_step *)out)->key, v, MAX_KEY, name, r, e);
}

static const gh_key step_keys[] = {
    {"model", GH_KEY_CUSTOM, true, .read = read_step_model},
    {"key", GH_KEY_CUSTOM, true, .read = read_step_key},
    {"margin", GH_KEY_REAL, false, offsetof(gh_manifest_step, crop.margin), .min = -0.4, .max = 2},
    {"square", GH_KEY_BOOL, false, .offset = offsetof(gh_manifest_step, crop.square)},
    {"align", GH_KEY_BOOL, false, .offset = offsetof(gh_manifest_step, crop.align)},
    {0},
};

/* No step may write what another has written: "a" beside "a", or "as" beside "a". */
static bool same_member(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    return strcmp(a, b) == 0 || (m == n + 1 && strncmp(a, b, n) == 0 && b[n] == 's') ||
           (n == m + 1 && strncmp(a, b, m) == 0 && a[m] == 's');
}

static gh_status read_steps(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest *m = out;
    size_t n = json_array_size(v);
    if (n == 0 || n > GH_MAX_STEPS)
        return gh_key_fail(r, name, v, e, "a list of 1 to 8 steps");
    gh_manifest_step *steps = gh_arena_array(r->arena, n, sizeof *steps);
    if (!steps)
        return gh_fail(e, GH_NOMEM, "%s: memory ran out at \"%s\"", r->file, name);
    for (size_t i = 0; i < n; i++) {
        char prefix[48], full[64];
        snprintf(prefix, sizeof prefix, "%s[%zu].", name, i);
        if (!json_is_object(json_array_get(v, i))) {
            snprintf(full, sizeof full, "%s[%zu]", name, i);
            return gh_key_fail(r, full, json_array_get(v, i), e, "an object with \"model\" and \"key\"");
        }
        GH_TRY(gh_keys_read(&steps[i], json_array_get(v, i), prefix, step_keys, r, e));
        snprintf(full, sizeof full, "%skey", prefix);
        for (size_t k = 0; k < i; k++)
            if (same_member(steps[k].key, steps[i].key))
                return gh_key_fail(r, full, json_object_get(json_array_get(v, i), "key"), e,
                                   "a key that no other step has, with and without an s");
    }
    m->steps = steps;
    m->nsteps = n;
    return GH_OK;
}

static const gh_key pipeline_keys[] = {
    {"detector", GH_KEY_CUSTOM, true, .read = read_detector},
    {"steps", GH_KEY_CUSTOM, true, .read = read_steps},
    {0},
};

gh_status gh_manifest_pipeline(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    const gh_manifest *m = out;
    if (!json_is_object(v))
        return gh_key_fail(r, name, v, e, "an object with \"detector\" and \"steps\"");
    GH_TRY(gh_keys_read(out, v, "pipeline.", pipeline_keys, r, e));
    for (size_t i = 0; i < m->nsteps; i++)
        if (strcmp(m->steps[i].model, m->detector) == 0)
            return gh_fail(e, GH_FORMAT, "%s: \"pipeline\" names '%s' as the detector and as a step", r->file,
                           m->detector);
    return GH_OK;
}
