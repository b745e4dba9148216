/* Reading model.json. The format, one object; * marks what must be there (a pipeline needs only the first
 * three):
 *
 *   name*       the folder's name, [A-Za-z0-9._-]{1,64}
 *   version*    text
 *   task*       classify | localize | segment | embed
 *   input*      width*, height* in pixels; mean*, scale*: a number or three, network's order, (v - mean) *
 * scale for v in 0..255; fit* = crop | letterbox | stretch | pad; crop: share that the centre crop keeps (1);
 *               filter = bilinear | bicubic | bilinear-plain | lanczos (bilinear); colour = rgb | bgr (rgb);
 *               levels = plain | stretched: the largest of a picture counts as 255 (plain);
 *               sizes: further [width, height] pairs; stride: sides may be any multiple of it
 *   output*     {"decoder": softmax | probabilities | sigmoid | anchors | centernet | mask | box | features},
 *               or just that word; for boxes and masks with more keys, see manifest_output.c
 *   labels*     a list of texts, or the name of a text file in the folder with one a line; for localize a
 *               list may have empty ones, classes that are never reported
 *   default     true: the task's model when a request names none;   internal: true: not for requests
 *   threshold   least score, 0..1 (0)
 *   reject      {"below": s}: a best score under s is answered as unknown; {"distance": d}: so is a picture
 * whose distance, the network's second output (N), is over d selftest    {"input": file in the folder,
 * "index": best class, "score": its probability (segment: the class of most pixels, and its share of them),
 * "tolerance": how far the score may be off (0.02)}
 *   description, license (texts), source, accuracy, training (an object or a list of them): shown by /models
 *   features    the value of the network that /embed answers with: one vector a picture
 *   cut, body   where a head was cut off; the model that it stands on: hash of its model.onnx, or its name
 *   colours     a list of [red, green, blue], one a label
 *   pipeline    {"detector": a model of task localize, "steps": a list of {"model": a classifier, "key": what
 * its answer is called in a reply, "margin": added on each side of a box, in shares of that side (0),
 * "square": true: the shorter side grows to the longer one's length, "align": true: turned so that the eyes
 * stand level}}. Each box is cropped from the picture, the crop goes through the step's model as a picture of
 * its own, and the box gets "KEY": the best label (null where the model's reject rule fires) and "KEYs": all
 * scores by label. Both models are looked up by name among those loaded; a head of gharial train may be one,
 * another pipeline may not. The pipeline's task is localize; with it stand name, version, default, threshold,
 * selftest and what is shown.
 */
#include "tasks/manifest.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tasks/keys.h"
#include "tasks/manifest_parts.h"

#include <string.h>

#define ARENA_LIMIT ((size_t)16 << 20)

static const char *const task_words[] = {"classify", "localize", "segment", "embed", NULL};
static const char *const fit_words[] = {"crop", "letterbox", "stretch", "pad", NULL};
static const char *const filter_words[] = {"bilinear", "bicubic", "bilinear-plain", "lanczos", NULL};
static const char *const order_words[] = {"rgb", "bgr", NULL};
static const char *const level_words[] = {"plain", "stretched", NULL};
const char *gh_task_name(gh_task task)
{
    return (unsigned)task < GH_TASK_COUNT ? task_words[task] : "?";
}

bool gh_model_name_ok(const char *name)
{
    size_t len = strlen(name);
    if (len < 1 || len > 64 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static gh_status read_name(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    gh_manifest *m = out;
    if (!json_is_string(v) || !gh_model_name_ok(json_string_value(v)))
        return gh_key_fail(r, name, v, e, "1 to 64 of the characters A-Z a-z 0-9 . _ -");
    return gh_key_string(&m->name, v, 64, name, r, e);
}

/* A number for all three channels, or a list of three. */
static gh_status read_three(float out[3], const json_t *v, const char *name, gh_keys_reader *r, gh_err *e,
                            bool zero_ok)
{
    bool list = json_is_array(v) && json_array_size(v) == 3;
    float three[3] = {0, 0, 0};
    for (size_t c = 0; c < 3; c++) {
        const json_t *one = list ? json_array_get(v, c) : v;
        double d = json_number_value(one); /* 0 for what is no number */
        if (!json_is_number(one) || !(d >= -1e4 && d <= 1e4) || (!zero_ok && (float)d == 0))
            return gh_key_fail(r, name, list ? one : v, e,
                               zero_ok ? "a number from -10000 to 10000, or a list of three"
                                       : "a number from -10000 to 10000 that is not 0, or a list of three");
        three[c] = (float)d;
    }
    memcpy(out, three, sizeof three);
    return GH_OK;
}

static gh_status read_mean(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    return read_three(((gh_manifest_input *)out)->mean, v, name, r, e, true);
}

static gh_status read_scale(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    return read_three(((gh_manifest_input *)out)->scale, v, name, r, e, false);
}

static const gh_key input_keys[] = {
    {"width", GH_KEY_INT, true, offsetof(gh_manifest_input, width), .min = 1, .max = GH_MAX_SIDE},
    {"height", GH_KEY_INT, true, offsetof(gh_manifest_input, height), .min = 1, .max = GH_MAX_SIDE},
    {"mean", GH_KEY_CUSTOM, true, .read = read_mean},
    {"scale", GH_KEY_CUSTOM, true, .read = read_scale},
    {"fit", GH_KEY_WORD, true, offsetof(gh_manifest_input, fit), .words = fit_words},
    {"crop", GH_KEY_REAL, false, offsetof(gh_manifest_input, crop), .min = 0.1, .max = 1},
    {"filter", GH_KEY_WORD, false, offsetof(gh_manifest_input, filter), .words = filter_words},
    {"colour", GH_KEY_WORD, false, offsetof(gh_manifest_input, order), .words = order_words},
    {"levels", GH_KEY_WORD, false, offsetof(gh_manifest_input, levels), .words = level_words},
    {"sizes", GH_KEY_CUSTOM, false, .read = gh_manifest_sizes},
    {"stride", GH_KEY_INT, false, offsetof(gh_manifest_input, stride), .min = 1, .max = 1024},
    {0},
};

static gh_status read_selftest_input(void *out, const json_t *v, const char *name, gh_keys_reader *r,
                                     gh_err *e)
{
    return gh_key_filename(&((gh_selftest *)out)->input, v, name, r, e);
}

static const gh_key selftest_keys[] = {
    {"input", GH_KEY_CUSTOM, true, .read = read_selftest_input},
    {"index", GH_KEY_INT, true, offsetof(gh_selftest, index), .min = 0, .max = GH_MAX_LABELS - 1},
    {"score", GH_KEY_REAL, true, offsetof(gh_selftest, score), .min = 0, .max = 1},
    {"tolerance", GH_KEY_REAL, false, offsetof(gh_selftest, tolerance), .min = 0, .max = 1},
    {"label", .kind = GH_KEY_IGNORE},
    {0},
};

static const gh_key reject_keys[] = {
    {"below", GH_KEY_REAL, false, offsetof(gh_manifest, reject_below), .min = 0, .max = 1},
    {"distance", GH_KEY_REAL, false, offsetof(gh_manifest, reject_distance), .min = 0, .max = 1e30},
    {0},
};

static gh_status read_shown(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e)
{
    (void)out;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    for (size_t i = 0; i < n; i++)
        if (!json_is_object(json_is_array(v) ? json_array_get(v, i) : v))
            return gh_key_fail(r, name, v, e, "an object, or a list of objects");
    return GH_OK;
}

static const gh_key manifest_keys[] = {
    {"name", GH_KEY_CUSTOM, true, .read = read_name},
    {"version", GH_KEY_STRING, true, offsetof(gh_manifest, version), .max = 64},
    {"task", GH_KEY_WORD, true, offsetof(gh_manifest, task), .words = task_words},
    {"default", GH_KEY_BOOL, false, .offset = offsetof(gh_manifest, is_default)},
    {"internal", GH_KEY_BOOL, false, .offset = offsetof(gh_manifest, internal)},
    {"precision", GH_KEY_WORD, false, offsetof(gh_manifest, precision), .words = gh_precision_words},
    {"input", GH_KEY_OBJECT, false, offsetof(gh_manifest, input), .keys = input_keys},
    {"output", GH_KEY_CUSTOM, false, .read = gh_manifest_output},
    {"labels", GH_KEY_CUSTOM, false, .read = gh_manifest_labels},
    {"threshold", GH_KEY_REAL, false, offsetof(gh_manifest, threshold), .min = 0, .max = 1},
    {"reject", GH_KEY_OBJECT, false, 0, .keys = reject_keys},
    {"selftest", GH_KEY_OBJECT, false, offsetof(gh_manifest, selftest), .keys = selftest_keys},
    {"features", GH_KEY_STRING, false, .offset = offsetof(gh_manifest, features)},
    {"cut", GH_KEY_STRING, false, .offset = offsetof(gh_manifest, cut)},
    {"body", GH_KEY_STRING, false, .offset = offsetof(gh_manifest, body)},
    {"colours", GH_KEY_CUSTOM, false, .read = gh_manifest_colours},
    {"pipeline", GH_KEY_CUSTOM, false, .read = gh_manifest_pipeline},
    {"description", GH_KEY_STRING, false, offsetof(gh_manifest, description), .max = 2000},
    {"license", GH_KEY_STRING, false, offsetof(gh_manifest, license), .max = 100},
    {"source", GH_KEY_CUSTOM, false, .read = read_shown},
    {"accuracy", GH_KEY_CUSTOM, false, .read = read_shown},
    {"training", GH_KEY_CUSTOM, false, .read = read_shown},
    {0},
};

/* What no single key can tell: keys that need each other. */
static gh_status check_whole(const gh_manifest *m, const json_t *root, const char *file, gh_err *e)
{
    const char *task = gh_task_name(m->task);
    if (m->detector && m->task != GH_TASK_LOCALIZE)
        return gh_fail(e, GH_FORMAT, "%s: a pipeline has the task localize, not %s", file, task);
    if (m->detector)
        return GH_OK;
    if (!json_object_get(root, "input"))
        return gh_fail(e, GH_FORMAT, "%s: \"input\" is missing", file);
    if (!json_object_get(root, "output"))
        return gh_fail(e, GH_FORMAT, "%s: \"output\" is missing", file);
    if (m->nlabels == 0 && m->task != GH_TASK_EMBED)
        return gh_fail(e, GH_FORMAT, "%s: \"labels\" is missing; a model of task %s names its classes", file,
                       task);
    if (m->colours && json_array_size(json_object_get(root, "colours")) != m->nlabels)
        return gh_fail(e, GH_FORMAT, "%s: \"colours\" has %zu entries for %zu labels; it takes one a label",
                       file, json_array_size(json_object_get(root, "colours")), m->nlabels);
    if (m->selftest.input && m->nlabels > 0 && (size_t)m->selftest.index >= m->nlabels)
        return gh_fail(e, GH_FORMAT, "%s: \"selftest.index\" is %d; it takes 0 to %zu, the last label", file,
                       m->selftest.index, m->nlabels - 1);
    return GH_OK;
}

static gh_status new_manifest(gh_manifest **out, const char *folder, gh_err *e)
{
    gh_arena *arena = gh_arena_new(ARENA_LIMIT);
    gh_manifest *m = arena ? gh_arena_alloc(arena, sizeof *m) : NULL;
    char *copy = m ? gh_arena_string(arena, folder, strlen(folder)) : NULL;
    if (!copy) {
        gh_arena_free(&arena);
        return gh_fail(e, GH_NOMEM, "model.json: memory ran out");
    }
    m->arena = arena;
    m->folder = copy;
    m->input.crop = 1;
    m->selftest.tolerance = 0.02;
    *out = m;
    return GH_OK;
}

gh_status gh_manifest_parse(gh_manifest **out, const char *folder, const char *text, size_t len, gh_err *e)
{
    const gh_json_limits limits = {GH_MAX_MANIFEST_BYTES, GH_MAX_MANIFEST_DEPTH, JSON_REJECT_DUPLICATES};
    gh_manifest *m = NULL;
    json_t *root = NULL;
    gh_status status = new_manifest(&m, folder, e);
    if (status == GH_OK)
        status = gh_json_load(&root, "model.json", text, len, &limits, e);
    if (status == GH_OK) {
        gh_keys_reader r = {m->arena, "model.json", folder};
        status = gh_keys_read(m, root, "", manifest_keys, &r, e);
    }
    if (status == GH_OK)
        status = check_whole(m, root, "model.json", e);
    if (status == GH_OK)
        status = gh_manifest_served(m, root, e);
    json_decref(root);
    if (status == GH_OK)
        *out = m;
    else
        gh_manifest_free(&m);
    return status;
}

gh_status gh_manifest_read(gh_manifest **out, const char *folder, gh_err *e)
{
    gh_buf text = {0};
    char *path = gh_path_join(folder, "model.json");
    gh_status status = path ? gh_file_read(&text, path, GH_MAX_MANIFEST_BYTES, e)
                            : gh_fail(e, GH_NOMEM, "model.json: memory ran out");
    if (status == GH_OK)
        status = gh_manifest_parse(out, folder, text.data ? (const char *)text.data : "", text.len, e);
    gh_buf_free(&text);
    gh_free(path);
    return status;
}

void gh_manifest_free(gh_manifest **m)
{
    if (!*m)
        return;
    gh_arena *arena = (*m)->arena; /* holds the manifest itself too */
    gh_arena_free(&arena);
    *m = NULL;
}
