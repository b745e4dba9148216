/* Drawing a localize result. Widths and text grow with the picture and, for small boxes, shrink with the box;
 * text that finds no place is shortened, then left out: the box stays. */
#include "tasks/annotate.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "image/draw.h"
#include "tasks/annotate_colour.h"
#include "tasks/annotate_place.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    QUALITY = 92,
    ROWS = 8,
    CROWD =
        12, /* objects beyond which bars get room only where they are large: whose they are is hard to see */
};

typedef struct board {
    gh_image *image;
    const gh_result *r;
    gh_places places;
    double text, least_text; /* font sizes of the picture, pixels */
    double line;             /* width of a box's border */
} board;

static const gh_colour dark = {16, 18, 22, 255}, light = {255, 255, 255, 255};

/* Dark text on bright colours, white on dark ones (ITU-R BT.709 weights). */
static gh_colour text_on(gh_colour c)
{
    return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b > 120 ? dark : light;
}

static void draw_box(const board *b, const gh_object *o, gh_colour colour)
{
    double side = fmin(o->w, o->h), line = fmax(1, fmin(b->line, side / 8)), rim = fmax(0.7, line / 4);
    double x = fmax(0, o->x - line / 2), y = fmax(0, o->y - line / 2);
    double right = fmin(b->image->width, o->x + o->w + line / 2);
    double low = fmin(b->image->height, o->y + o->h + line / 2);
    gh_rect at = {x, y, right - x, low - y};
    gh_rect outer = {x - rim, y - rim, at.w + 2 * rim, at.h + 2 * rim};
    gh_draw_frame(b->image, outer, 2 * line + rim, line + 2 * rim, (gh_colour){0, 0, 0, 120});
    gh_draw_frame(b->image, at, 2 * line, line, colour);
}

static void draw_landmarks(const board *b, const gh_object *o, gh_colour colour)
{
    double radius = fmax(0.8, fmin(b->line * 1.1, o->w / 40.0));
    for (int i = 0; o->w >= 24 && i < o->nlandmarks; i++) {
        double x = o->landmarks[i][0] + 0.5, y = o->landmarks[i][1] + 0.5;
        gh_draw_disc(b->image, x, y, radius * 1.45, (gh_colour){0, 0, 0, 130});
        gh_draw_disc(b->image, x, y, radius, colour);
    }
}

/* Font size for a box: the picture's, smaller in small boxes, never under what can be read. */
static double text_size(const board *b, const gh_object *o)
{
    return fmax(b->least_text, fmin(b->text, sqrt((double)o->w * o->h) / 7));
}

/* Bars show the first step of a pipeline: more would hide the picture. */
static const gh_fact *first_fact(const gh_object *o)
{
    return o->nfacts ? &o->facts[0] : NULL;
}

typedef struct text {
    char of[400];
} text;

static void append(text *t, const char *piece)
{
    size_t at = strlen(t->of);
    snprintf(t->of + at, sizeof t->of - at, "%s%.120s", at ? " · " : "", piece);
}

/* What the steps recognised in the box, but those whose model rejects it. */
static text recognised(const gh_object *o)
{
    text t = {""};
    for (int i = 0; i < o->nfacts; i++)
        if (o->facts[i].best >= 0)
            append(&t, o->facts[i].labels[o->facts[i].best]);
    return t;
}

/* Text on a rounded plate of the class's colour. */
static bool draw_chip(board *b, const gh_object *o, const char *words, double size, gh_placing placing,
                      gh_colour colour)
{
    gh_rect at;
    double pad = round(fmax(2, size * 0.3)), high = round(size * 1.3);
    if (!gh_place(&at, &b->places, b->r, o, gh_text_width(words, size) + 2 * pad, high, placing))
        return false;
    at.x = round(at.x);
    at.y = round(at.y);
    gh_draw_fill(b->image, at, size * 0.22, colour);
    gh_draw_text(b->image, at.x + pad, at.y + round((high + size * GH_TEXT_CAP) / 2), words, size,
                 text_on(colour));
    return true;
}

/* The longest text that finds a place: class and score with what was recognised, that alone, the score. In a
 * crowd what would hide other objects comes last. */
static void draw_label(board *b, const gh_object *o, gh_colour colour)
{
    const text what = recognised(o);
    char score[16];
    text full = {""};
    double size = text_size(b, o), least = b->least_text;
    snprintf(score, sizeof score, "%.2f", (double)o->score);
    snprintf(full.of, sizeof full.of, "%.120s %s", o->label, score);
    if (what.of[0])
        append(&full, what.of);
    bool room = o->w * 3 >= gh_text_width(full.of, size);
    const char *middle = what.of[0] ? what.of : score;
    (void)((room && draw_chip(b, o, full.of, size, GH_PLACE_CLEAR, colour)) ||
           draw_chip(b, o, middle, size, GH_PLACE_CLEAR, colour) ||
           draw_chip(b, o, middle, least, GH_PLACE_CLEAR, colour) ||
           draw_chip(b, o, score, least, GH_PLACE_CLEAR, colour) ||
           (room && draw_chip(b, o, full.of, size, GH_PLACE_LABEL, colour)) ||
           draw_chip(b, o, score, least, GH_PLACE_LABEL, colour));
}

typedef struct rows {
    size_t at[ROWS]; /* labels of the fact */
    size_t count;
    double label_width; /* pixels */
} rows;

/* The first eight labels in their order, or the `most` best ones. */
static rows choose_rows(const gh_fact *f, size_t most, double size)
{
    rows out = {.count = 0};
    for (size_t n = 0; n < most && n < f->nlabels && n < ROWS; n++) {
        size_t best = n;
        for (size_t i = 0; i < f->nlabels && (most < ROWS || f->nlabels > ROWS); i++) {
            bool had = false;
            for (size_t k = 0; k < n; k++)
                had |= out.at[k] == i;
            bool stale = false;
            for (size_t k = 0; k < n; k++)
                stale |= out.at[k] == best;
            if (!had && (stale || f->scores[i] > f->scores[best]))
                best = i;
        }
        out.at[out.count++] = best;
        out.label_width = fmax(out.label_width, gh_text_width(f->labels[best], size));
    }
    return out;
}

static bool draw_bars(board *b, const gh_object *o, const gh_fact *f, size_t most, double size,
                      gh_colour colour)
{
    rows k = choose_rows(f, most, size);
    double pad = round(size * 0.5), row = round(size * 1.3), bar = round(size * 4);
    double w = 3 * pad + k.label_width + bar, h = 2 * pad + row * (double)k.count;
    gh_rect at;
    if (!gh_place(&at, &b->places, b->r, o, w, h, GH_PLACE_BARS))
        return false;
    at.x = round(at.x);
    at.y = round(at.y);
    gh_draw_fill(b->image, at, size * 0.4, (gh_colour){16, 18, 22, 175});
    for (size_t i = 0; i < k.count; i++) {
        bool top = (int)k.at[i] == f->best;
        double y = at.y + pad + row * (double)i, x = at.x + 2 * pad + k.label_width, thick = size * 0.5;
        double full = fmax(0, fmin(1, f->scores[k.at[i]])) * bar;
        gh_draw_text(b->image, at.x + pad, y + round((row + size * 0.6) / 2), f->labels[k.at[i]], size,
                     top ? colour : (gh_colour){235, 235, 238, 255});
        gh_rect track = {x, y + (row - thick) / 2, bar, thick};
        gh_draw_fill(b->image, track, thick / 2, (gh_colour){255, 255, 255, 45});
        track.w = full;
        if (full >= 0.5)
            gh_draw_fill(b->image, track, thick / 2, top ? colour : (gh_colour){215, 217, 222, 255});
    }
    return true;
}

/* All rows beside a large box, three beside a middling one, none beside a tiny one. */
static void draw_facts(board *b, const gh_object *o, gh_colour colour)
{
    double size = fmax(b->least_text, fmin(b->text * 0.85, o->h / 12.0));
    const gh_fact *f = first_fact(o);
    if (!f || o->h < 4 * size)
        return;
    bool all = o->h >= 8 * size && draw_bars(b, o, f, ROWS, size, colour);
    if (!all && b->r->nobjects <= CROWD)
        (void)draw_bars(b, o, f, 3, size, colour);
}

gh_status gh_annotate_draw(gh_image *image, const gh_result *r, gh_err *e)
{
    board *b = gh_calloc(1, sizeof *b);
    gh_colour *colours = NULL;
    gh_status status = b ? gh_class_colours(&colours, r, e) : gh_fail(e, GH_NOMEM, "memory ran out");
    if (status != GH_OK) {
        gh_free(b);
        return status;
    }
    /* Pictures are looked at scaled to a screen, so all grows with them, a little less than in proportion. */
    double unit = pow(fmax(image->width, image->height) / 1000.0, 0.85);
    size_t labelled = r->nobjects < GH_MOST_LABELS ? r->nobjects : GH_MOST_LABELS;
    b->image = image;
    b->r = r;
    b->places.width = image->width;
    b->places.height = image->height;
    b->least_text = fmax(10, round(13 * unit));
    b->text = fmax(b->least_text, round(22 * unit));
    b->line = fmax(1.3, 3 * unit);
    for (size_t i = 0; i < r->nobjects; i++) {
        draw_box(b, &r->objects[i], colours[i]);
        draw_landmarks(b, &r->objects[i], colours[i]);
    }
    for (size_t i = 0; i < labelled; i++)
        draw_label(b, &r->objects[i], colours[i]);
    for (size_t i = 0; i < labelled; i++)
        draw_facts(b, &r->objects[i], colours[i]);
    gh_free(colours);
    gh_free(b);
    return GH_OK;
}

static double ms_since(uint64_t *mark)
{
    uint64_t now = gh_now_ns();
    double ms = (double)(now - *mark) / 1e6;
    *mark = now;
    return ms;
}

static gh_status encode(gh_buf *out, const gh_image *image, gh_image_format format, gh_err *e)
{
    if (format == GH_IMAGE_PNG)
        return gh_png_encode_rgb(out, image->pixels, image->width, image->height, e);
    gh_status status = gh_jpeg_encode_rgb(out, image->pixels, image->width, image->height, QUALITY, e);
    return status == GH_ARG ? gh_err_prefix(e, status, "annotated; a PNG may be larger") : status;
}

gh_status gh_annotate(gh_buf *out, gh_result *r, const uint8_t *data, size_t len,
                      const gh_image_limits *limits, gh_image_format format, gh_err *e)
{
    uint64_t mark = gh_now_ns();
    gh_image_info info;
    gh_image *image = NULL;
    GH_TRY(gh_image_probe(&info, data, len, limits, e));
    if (info.width != r->width || info.height != r->height)
        return gh_fail(e, GH_ARG, "the picture has %d x %d pixels, that of the result %d x %d", info.width,
                       info.height, r->width, r->height);
    GH_TRY(gh_image_decode(&image, data, len, &info, 0, 0, e));
    r->decode_ms += ms_since(&mark);
    gh_status status = gh_annotate_draw(image, r, e);
    if (status == GH_OK)
        status = encode(out, image, format, e);
    r->encode_ms += ms_since(&mark);
    gh_image_free(&image);
    return status;
}
