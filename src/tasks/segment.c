/* The task segment: what its models have to be, the way from the network's output to the answer, and its part
 * of a reply. */
#include "tasks/segment.h"

#include "base/mem.h"
#include "tasks/jsontext.h"
#include "tasks/kind.h"
#include "tasks/model_parts.h"

#include <stdlib.h>
#include <string.h>

/* Regions a class in a reply where nothing is said; and of all classes together, whatever is said. */
enum { DEFAULT_REGIONS = 100, MOST_REGIONS = 1 << 18 };

/* Least confidence of the foreground where neither manifest nor request says one. */
#define DEFAULT_THRESHOLD 0.5f

int gh_segment_classes(const gh_manifest *m)
{
    return m->nlabels == 1 ? 2 : (int)m->nlabels;
}

const char *gh_segment_label(const gh_manifest *m, int class)
{
    if (m->nlabels == 1)
        return class ? m->labels[0] : "background";
    return (size_t) class < m->nlabels ? m->labels[class] : "?";
}

void gh_segment_colour(uint8_t rgb[3], int class, bool background)
{
    /* Sixteen colours that differ in hue and brightness, the first few the most; used again beyond. */
    static const uint8_t hues[16][3] = {{46, 204, 113}, {231, 76, 60},   {52, 120, 246}, {241, 196, 15},
                                        {155, 89, 182}, {26, 188, 196},  {230, 126, 34}, {149, 165, 166},
                                        {233, 90, 160}, {0, 110, 84},    {120, 66, 18},  {140, 200, 255},
                                        {96, 96, 0},    {255, 190, 160}, {60, 60, 140},  {200, 230, 120}};
    static const uint8_t black[3];
    int hue = background ? class - 1 : class;
    memcpy(rgb, hue < 0 ? black : hues[hue % 16], 3);
}

/* The manifest's colour, else black for class 0 and a hue for each of the others. */
static void colour_of(uint8_t rgb[3], const gh_manifest *m, int class)
{
    int row = m->nlabels == 1 ? class - 1 : class;
    if (m->colours && row >= 0 && (size_t)row < m->nlabels)
        memcpy(rgb, m->colours[row], 3);
    else
        gh_segment_colour(rgb, class, true);
}

static gh_status check_manifest(const gh_manifest *m, gh_err *e)
{
    if (m->decoder != GH_DECODE_MASK)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s': task segment takes the decoder mask", m->name);
    if (m->input.fit == GH_FIT_CROP)
        return gh_fail(
            e, GH_UNSUPPORTED,
            "model '%s': the fit crop leaves parts of a picture without a mask; task segment takes "
            "stretch, letterbox and pad",
            m->name);
    if (m->nlabels > GH_MAX_MASK_CLASSES)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has %zu labels; a mask has at most %d", m->name,
                       m->nlabels, GH_MAX_MASK_CLASSES);
    return GH_OK;
}

/* Which of the network's outputs is the mask: the one that the manifest calls "scores", else the first. */
static gh_status find_output(size_t *out, const gh_net *net, const gh_manifest *m, gh_err *e)
{
    int at = m->boxes.names[1] ? gh_net_find_output(net, m->boxes.names[1]) : 0;
    if (at < 0 || at >= GH_MAX_TAPS)
        return gh_fail(e, GH_FORMAT, "the network has no output '%.60s'", m->boxes.names[1]);
    *out = (size_t)at;
    return GH_OK;
}

static gh_status check_network(gh_net *net, const gh_manifest *m, gh_err *e)
{
    gh_tensor values;
    size_t at = 0;
    gh_status status = find_output(&at, net, m, e);
    if (status == GH_OK)
        status = gh_model_output(&values, net, at, m->input.width, m->input.height, e);
    if (status == GH_OK)
        status = gh_segment_check(&values, m, e);
    return status == GH_OK ? GH_OK : gh_err_prefix(e, status, "model '%s'", m->name);
}

static gh_status decode(gh_result *r, const gh_outputs *o, const gh_run_options *options, gh_err *e)
{
    size_t at = 0;
    const gh_manifest *m = r->model->manifest;
    GH_TRY(find_output(&at, r->model->net, m, e));
    if (at >= o->count)
        return gh_fail(e, GH_INTERNAL, "the network gave %zu outputs", o->count);
    gh_mask_free(&r->mask);
    GH_TRY(gh_segment_mask(&r->mask, &o->tensors[at], m, o->input, r->width, r->height, e));
    if (options->threshold > 0)
        r->mask->threshold = (float)options->threshold;
    else if (m->threshold <= 0 && r->mask->channels == 1)
        r->mask->threshold = DEFAULT_THRESHOLD;
    return GH_OK;
}

/* What the answer may take beside the decoded picture: no PNG is larger than its raw rows by more than a
 * thousandth and its frame. In JSON the same stands there again as base64. */
static gh_status admit(bool *whole, const gh_image_info *info, const gh_run_options *o, gh_err *e)
{
    uint64_t pixels = (uint64_t)info->width * (uint64_t)info->height;
    uint64_t png = pixels * (uint64_t)gh_mask_depth(o->output) / 1000 * 1001 + 65536;
    *whole = gh_mask_shows_picture(o->output);
    if (o->as_json)
        png += png / 3 * 4;
    uint64_t later = (*whole ? pixels * 3 : 0) + png,
             most = info->work_bytes > later ? info->work_bytes : later;
    if (most + o->held_bytes <= info->limits.max_work)
        return GH_OK;
    return gh_fail(
        e, GH_LIMIT,
        "the mask of a picture of %d x %d pixels as %s%s may take %llu MB of memory%s; at most %llu "
        "MB are accepted",
        info->width, info->height, o->output < GH_MASK_OUTPUTS ? gh_mask_output_words[o->output] : "none",
        o->as_json ? " in JSON" : "", (unsigned long long)((most + o->held_bytes) / 1000000),
        o->held_bytes > 1000000 ? " with the others of the batch" : "",
        (unsigned long long)(info->limits.max_work / 1000000));
}

/* ---- areas ---- */

static int by_pixels(const void *left, const void *right)
{
    const gh_area *a = left, *b = right;
    if (a->pixels != b->pixels)
        return a->pixels < b->pixels ? 1 : -1;
    return a->index - b->index;
}

static gh_status list_areas(gh_result *r, gh_err *e)
{
    const gh_mask *m = r->mask;
    r->areas = gh_calloc((size_t)m->classes, sizeof *r->areas);
    if (!r->areas)
        return gh_fail(e, GH_NOMEM, "memory ran out at the classes of a mask");
    for (int i = m->background; i < m->classes; i++) {
        gh_area a = {.label = gh_segment_label(r->model->manifest, i), .index = i};
        a.nregions = gh_regions_of(&a.regions, &a.pixels, r->regions, i);
        if (a.pixels)
            r->areas[r->nareas++] = a;
    }
    if (r->nareas > 1)
        qsort(r->areas, r->nareas, sizeof *r->areas, by_pixels);
    return GH_OK;
}

static int most_regions(const gh_run_options *o, int classes)
{
    int most = MOST_REGIONS / classes, wanted = o->limit > 0 ? o->limit : DEFAULT_REGIONS;
    return wanted < most ? wanted : most;
}

static gh_status finish(gh_result *r, const gh_image *image, const gh_run_options *o, gh_err *e)
{
    const gh_mask *m = r->mask;
    uint8_t palette[GH_MAX_MASK_CLASSES][3];
    gh_mask_job job = {.output = o->output,
                       .width = r->width,
                       .height = r->height,
                       .palette = (const uint8_t(*)[3])palette,
                       .image = gh_mask_shows_picture(o->output) ? image : NULL,
                       .deadline_ns = o->deadline_ns};
    if (o->output == GH_MASK_CUTOUT && !m->background)
        return gh_fail(e, GH_ARG, "the model %s knows no background, so there is no cutout of its masks",
                       r->model->name);
    if (o->output == GH_MASK_NONE && !o->regions && !o->rle)
        return GH_OK;
    for (int i = 0; i < m->classes; i++)
        colour_of(palette[i], r->model->manifest, i);
    if (o->regions || o->rle)
        GH_TRY(gh_regions_new(&r->regions, r->width, m->classes, most_regions(o, m->classes), e));
    if (o->rle)
        GH_TRY(gh_mask_runs_new(&r->runs, r->width, r->height, e));
    job.regions = r->regions;
    job.runs = r->runs;
    GH_TRY(gh_mask_run(&r->picture, m, &job, e));
    return r->regions ? list_areas(r, e) : GH_OK;
}

/* ---- rows for others ---- */

typedef void row_fn(uint8_t *row, gh_mask_rows *s, int y);

static gh_status fill(uint8_t *out, const gh_result *r, row_fn *row, gh_err *e)
{
    gh_mask_rows *rows = NULL;
    GH_ASSERT(r->mask);
    GH_TRY(gh_mask_rows_new(&rows, r->mask, r->width, r->height, e));
    for (int y = 0; y < r->height; y++)
        row(out + (size_t)y * (size_t)r->width, rows, y);
    gh_mask_rows_free(&rows);
    return GH_OK;
}

gh_status gh_segment_index(uint8_t *out, const gh_result *r, gh_err *e)
{
    return fill(out, r, gh_mask_row_classes, e);
}

gh_status gh_segment_soft(uint8_t *out, const gh_result *r, gh_err *e)
{
    return fill(out, r, gh_mask_row_soft, e);
}

/* ---- reply ---- */

static json_t *region_list(const gh_area *a)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < a->nregions; i++) {
        const gh_region *g = &a->regions[i];
        json_t *one = json_pack("{s:i, s:i, s:i, s:i, s:I}", "x", g->x, "y", g->y, "w", g->w, "h", g->h,
                                "pixels", (json_int_t)g->pixels);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* {"size": [height, width], "counts": "..."}, as pycocotools has it. */
static json_t *run_lengths(const gh_result *r, int class)
{
    gh_buf text = {0};
    gh_mask_runs_text(&text, r->runs, class);
    json_t *counts = text.failed ? NULL : json_stringn((const char *)text.data, text.len);
    gh_buf_free(&text);
    return counts ? json_pack("{s:[i, i], s:o}", "size", r->height, r->width, "counts", counts) : NULL;
}

static bool reply(json_t *o, const gh_result *r)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < r->nareas; i++) {
        const gh_area *a = &r->areas[i];
        json_t *one = json_pack("{s:i, s:o, s:I, s:o}", "index", a->index, "label", gh_json_text(a->label),
                                "pixels", (json_int_t)a->pixels, "regions", region_list(a));
        ok = one && (!r->runs || gh_reply_set(one, "rle", run_lengths(r, a->index)));
        ok = ok && json_array_append(list, one) == 0;
        json_decref(one);
    }
    if (ok)
        return gh_reply_set(o, "labels", list);
    json_decref(list);
    return false;
}

const gh_kind gh_kind_segment = {
    .check_manifest = check_manifest,
    .check_network = check_network,
    .admit = admit,
    .decode = decode,
    .finish = finish,
    .reply = reply,
};
