/* Pascal VOC: one .xml file a picture, read by expat. <annotation><filename/><size><width/><height/></size>
 * <object><name/><difficult/><bndbox><xmin/><ymin/><xmax/><ymax/></bndbox></object>...; what else there is,
 * parts and poses, is not looked at. Corners are taken as labelling programs write them: the width is
 * xmax - xmin (the contest of 2007 counted both borders, one pixel more). A document type is refused, and so
 * are the entities that it could define.
 */
#include "train/data/boxset_parts.h"

#include "base/mem.h"

#include <expat.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 32
#define MAX_FACTS 5000u /* boxes of a picture */

enum { XMIN, YMIN, XMAX, YMAX, CORNERS };

typedef enum kind {
    NOTHING, /* beyond the root */
    OTHER,   /* not looked at, and what is in it neither */
    ANNOTATION,
    PICTURE,
    SIZE,
    WIDTH,
    HEIGHT,
    OBJECT,
    NAME,
    DIFFICULT,
    BOX,
    CORNER, /* + 0..3 */
} kind;

static const struct {
    const char *name;
    kind parent, is;
} elements[] = {
    {"annotation", NOTHING, ANNOTATION},
    {"filename", ANNOTATION, PICTURE},
    {"size", ANNOTATION, SIZE},
    {"width", SIZE, WIDTH},
    {"height", SIZE, HEIGHT},
    {"object", ANNOTATION, OBJECT},
    {"name", OBJECT, NAME},
    {"difficult", OBJECT, DIFFICULT},
    {"bndbox", OBJECT, BOX},
    {"xmin", BOX, CORNER + XMIN},
    {"ymin", BOX, CORNER + YMIN},
    {"xmax", BOX, CORNER + XMAX},
    {"ymax", BOX, CORNER + YMAX},
};

typedef struct reader {
    XML_Parser parser;
    gh_boxset_maker *m;
    gh_voc_page *page;
    const char *file;
    kind open[MAX_DEPTH]; /* elements around the current place */
    int depth;
    char text[GH_MAX_BOX_NAME + 1]; /* of the element at hand */
    size_t len;
    double corners[CORNERS];
    unsigned given; /* bits of corners */
    char name[GH_MAX_BOX_NAME + 1];
    bool difficult;
    unsigned boxes;
    gh_status status;
    gh_err *e;
} reader;

static unsigned long line_of(const reader *r)
{
    return XML_GetCurrentLineNumber(r->parser);
}

static void stop(reader *r, gh_status status)
{
    if (r->status == GH_OK) {
        r->status = status;
        XML_StopParser(r->parser, XML_FALSE);
    }
}

#define FAIL(r, code, fmt, ...)                                                                              \
    stop(r, gh_fail((r)->e, code, "%.200s line %lu: " fmt, (r)->file, line_of(r), __VA_ARGS__))

static void on_start(void *arg, const char *name, const char **attributes)
{
    reader *r = arg;
    kind parent = r->depth ? r->open[r->depth - 1] : NOTHING, is = OTHER;
    (void)attributes;
    if (r->status != GH_OK)
        return;
    if (r->depth == MAX_DEPTH) {
        FAIL(r, GH_LIMIT, "elements nest deeper than %d", MAX_DEPTH);
        return;
    }
    for (size_t i = 0; i < GH_COUNT(elements); i++)
        if (elements[i].parent == parent && strcmp(elements[i].name, name) == 0)
            is = elements[i].is;
    if (parent == NOTHING && is != ANNOTATION) {
        FAIL(r, GH_FORMAT, "the file is a <%.40s>; Pascal VOC's begin with <annotation>", name);
        return;
    }
    if (is == OBJECT) {
        r->given = 0;
        r->name[0] = '\0';
        r->difficult = false;
    }
    r->len = 0;
    r->open[r->depth++] = is;
}

static void on_text(void *arg, const char *text, int len)
{
    reader *r = arg;
    kind is = r->depth ? r->open[r->depth - 1] : OTHER;
    if (r->status != GH_OK || is == OTHER || is == ANNOTATION || is == SIZE || is == OBJECT || is == BOX)
        return;
    if ((size_t)len > GH_MAX_BOX_NAME - r->len) {
        FAIL(r, GH_LIMIT, "a text is longer than %d bytes", GH_MAX_BOX_NAME);
        return;
    }
    memcpy(r->text + r->len, text, (size_t)len);
    r->len += (size_t)len;
}

/* The text without blanks around it, terminated. */
static const char *trimmed(reader *r)
{
    char *text = r->text;
    while (r->len && strchr(" \t\r\n", text[r->len - 1]))
        r->len--;
    text[r->len] = '\0';
    return text + strspn(text, " \t\r\n");
}

static bool number(double *out, const char *text)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end || !(fabs(v) <= GH_BOXSET_MOST_PIXELS))
        return false;
    *out = v;
    return true;
}

static void end_object(reader *r)
{
    const double *c = r->corners;
    gh_ap_truth truth = {.ignored = r->difficult};
    if (!r->name[0])
        FAIL(r, GH_FORMAT, "an object without %s", "<name>");
    else if (r->given != (1u << CORNERS) - 1)
        FAIL(r, GH_FORMAT, "the %.60s has no <bndbox> with xmin, ymin, xmax and ymax", r->name);
    else if (!(c[XMAX] > c[XMIN] && c[YMAX] > c[YMIN]))
        FAIL(r, GH_FORMAT, "the box of the %.60s is %g x %g pixels; xmax is over xmin and ymax over ymin",
             r->name, c[XMAX] - c[XMIN], c[YMAX] - c[YMIN]);
    else if (++r->boxes > MAX_FACTS)
        FAIL(r, GH_LIMIT, "more than %u boxes", MAX_FACTS);
    if (r->status != GH_OK)
        return;
    truth.box = (gh_ap_rect){c[XMIN], c[YMIN], c[XMAX] - c[XMIN], c[YMAX] - c[YMIN]};
    gh_status status = gh_boxset_category(&truth.category, r->m, r->name, strlen(r->name), r->e);
    if (status == GH_OK)
        status = gh_boxset_truth(r->m, &truth, r->e);
    if (status != GH_OK)
        stop(r, status);
}

static void end_number(reader *r, kind is, const char *text)
{
    double v = 0;
    if (!number(&v, text))
        FAIL(r, GH_FORMAT, "'%.40s' is no number of pixels", text);
    else if (is == WIDTH || is == HEIGHT)
        *(is == WIDTH ? &r->page->width : &r->page->height) = v >= 1 ? (int)v : 0;
    else {
        r->corners[is - CORNER] = v;
        r->given |= 1u << (is - CORNER);
    }
}

static void on_end(void *arg, const char *name)
{
    reader *r = arg;
    (void)name;
    if (r->status != GH_OK || !r->depth)
        return;
    kind is = r->open[--r->depth];
    if (is == OBJECT)
        end_object(r);
    else if (is == NAME)
        strcpy(r->name, trimmed(r));
    else if (is == DIFFICULT)
        r->difficult = strcmp(trimmed(r), "1") == 0;
    else if (is == PICTURE) {
        const char *text = trimmed(r);
        for (const char *p = text; *p; p++)
            if (*p == '/' || *p == '\\')
                text = p + 1;
        strcpy(r->page->picture, text);
    } else if (is == WIDTH || is == HEIGHT || is >= CORNER)
        end_number(r, is, trimmed(r));
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public, int internal)
{
    reader *r = arg;
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    FAIL(r, GH_FORMAT, "a document type (%s) is not accepted", "<!DOCTYPE");
}

static void *again(void *p, size_t size)
{
    return gh_realloc(p, 1, size);
}

gh_status gh_voc_parse(gh_voc_page *out, gh_boxset_maker *m, const char *file, const char *text, size_t len,
                       gh_err *e)
{
    const XML_Memory_Handling_Suite memory = {gh_alloc, again, gh_free};
    gh_voc_page page = {0};
    reader r = {.m = m, .page = &page, .file = file, .e = e};
    if (len > GH_MAX_BOXES_BYTES)
        return gh_fail(e, GH_LIMIT, "%.200s has %zu bytes; a picture's boxes take at most %zu", file, len,
                       GH_MAX_BOXES_BYTES);
    r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (!r.parser)
        return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    if (XML_Parse(r.parser, text, (int)len, 1) != XML_STATUS_OK && r.status == GH_OK) {
        enum XML_Error code = XML_GetErrorCode(r.parser);
        r.status = code == XML_ERROR_NO_MEMORY
                       ? gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes")
                       : gh_fail(e, GH_FORMAT, "%.200s line %lu: no well-formed XML: %s", file, line_of(&r),
                                 XML_ErrorString(code));
    }
    XML_ParserFree(r.parser);
    if (r.status == GH_OK)
        *out = page;
    return r.status;
}
