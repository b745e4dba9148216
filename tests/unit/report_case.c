/* A made-up training run for tests of the report. */
#include "unit/report_case.h"

#include "base/file.h"
#include "base/mem.h"
#include "unit/picture.h"
#include "unit/tiny.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIZE 12 /* pictures of the smallest class */

static const char *const names[] = {"cat", "dog", REPORT_SCRIPT, "\"quoted\" & 'odd'",
                                    "caf\xE9 \x01\xE2\x80\xAE"};
/* Rows are true classes: of cats half are taken for dogs. */
static const uint64_t counts[] = {
    5, 6,  0,  1,  0,  /* cat: few, and weak */
    4, 54, 0,  1,  1,  /* dog */
    0, 0,  60, 0,  0,  /* script */
    1, 0,  8,  40, 11, /* quoted: weak */
    0, 0,  0,  3,  57, /* cafe */
};

static void set_metrics(gh_metrics *m, const uint64_t *confusion)
{
    uint32_t k = m->classes;
    for (uint32_t t = 0; t < k; t++)
        for (uint32_t p = 0; p < k; p++) {
            uint64_t n = confusion[(size_t)t * k + p];
            m->of[t].support += n;
            m->of[p].predicted += n;
            m->of[t].right += t == p ? n : 0;
            m->top1.right += t == p ? n : 0;
            m->n += n;
        }
}

static void set_shares(gh_metrics *m)
{
    for (uint32_t c = 0; c < m->classes; c++) {
        gh_class_metrics *o = &m->of[c];
        o->recall = o->support ? (double)o->right / (double)o->support : 0;
        o->precision = o->predicted ? (double)o->right / (double)o->predicted : 0;
        double sum = o->recall + o->precision;
        o->f1 = sum > 0 ? 2 * o->recall * o->precision / sum : 0;
        m->macro_recall += o->recall / m->classes;
        m->macro_f1 += o->f1 / m->classes;
    }
    m->top1.count = m->n;
    m->top1.value = m->n ? (double)m->top1.right / (double)m->n : 0;
    m->top1.interval = gh_wilson(m->top1.right, m->n);
    m->top5 = m->top1;
    m->nll = .4;
    m->ece = .015;
    m->bin[13].n = m->n;
    m->bin[13].confidence = .9;
    m->bin[13].accuracy = m->top1.value;
}

gh_metrics *report_case_metrics(const uint64_t *confusion, uint32_t classes)
{
    gh_metrics *m = gh_calloc(1, sizeof *m);
    ck_assert_ptr_nonnull(m);
    m->classes = classes;
    m->of = gh_calloc(classes, sizeof *m->of);
    m->confusion = gh_calloc((size_t)classes * classes, sizeof *m->confusion);
    ck_assert(m->of && m->confusion);
    memcpy(m->confusion, confusion, (size_t)classes * classes * sizeof *m->confusion);
    set_metrics(m, confusion);
    set_shares(m);
    return m;
}

static void make_set(report_case *c, const uint64_t *confusion, uint32_t k)
{
    gh_trainset *set = &c->set;
    uint64_t n = 0;
    for (size_t i = 0; i < (size_t)k * k; i++)
        n += confusion[i];
    set->nclasses = k;
    set->arena = gh_arena_new(1 << 28);
    set->classes = gh_calloc(k, sizeof *set->classes);
    set->examples = gh_calloc(n, sizeof *set->examples);
    c->mistakes = gh_calloc(n, sizeof *c->mistakes);
    ck_assert(set->arena && set->classes && set->examples && c->mistakes);
    for (uint32_t t = 0; t < k; t++)
        for (uint32_t p = 0; p < k; p++)
            for (uint64_t i = 0; i < confusion[(size_t)t * k + p]; i++) {
                if (t != p) {
                    float score = .99f - .02f * (float)(c->r.nmistakes % 40);
                    c->mistakes[c->r.nmistakes++] = (gh_mistake){set->nexamples, p, score};
                }
                set->examples[set->nexamples++] =
                    (gh_example){.label = t, .group = UINT32_MAX, .path = "/nowhere/<b>.jpg"};
            }
}

static void name_classes(report_case *c, const char *format)
{
    char text[64];
    for (uint32_t i = 0; i < c->set.nclasses; i++) {
        snprintf(text, sizeof text, format, i);
        c->set.classes[i] = gh_arena_string(c->set.arena, text, strlen(text));
        ck_assert_ptr_nonnull(c->set.classes[i]);
    }
}

/* Pictures of the mistakes, of several sizes, so that some shrink and some do not. */
static void write_pictures(report_case *c)
{
    static const int sizes[][2] = {{320, 200}, {40, 30}, {100, 400}};
    char name[40];
    for (size_t i = 0; i < 12; i++) { /* more are not drawn */
        const int *size = sizes[i % 3];
        gh_image *image = gh_test_picture(size[0], size[1]);
        gh_buf file = {0};
        if (i == 2)
            gh_buf_str(&file, "no picture");
        else
            ck_assert_int_eq(gh_jpeg_encode_rgb(&file, image->pixels, size[0], size[1], 80, NULL), GH_OK);
        snprintf(name, sizeof name, "picture<%zu>.jpg", i);
        const char *path = tiny_path(name);
        c->set.examples[c->mistakes[i].example].path = gh_arena_string(c->set.arena, path, strlen(path));
        FILE *f = i == 1 ? NULL : fopen(path, "wb"); /* not synced: there are many */
        ck_assert(f || i == 1);
        ck_assert(!f || (fwrite(file.data, file.len, 1, f) == 1 && fclose(f) == 0));
        gh_buf_free(&file);
        gh_image_free(&image);
    }
}

static void fill_run(report_case *c)
{
    gh_report *r = &c->r;
    r->name = "pets";
    r->head = "forest";
    r->body = "body <1>";
    r->cut = "pool:0";
    r->license = "Apache-2.0";
    r->data = "data/\"pets\"";
    r->version = "0.1.0";
    r->balance = "none";
    r->augment = "flip";
    r->set = &c->set;
    r->metrics = c->metrics;
    r->seed = UINT64_MAX;
    r->folds = 5;
    r->width = 1280;
    r->temperature = 1.31;
    r->ece_before = .048;
    r->reject_threshold = 23.5;
    r->reject_rate = .05;
    r->mistakes = c->mistakes;
    r->seconds_features = 8.4;
    r->seconds_total = 11.9;
    c->set.hash = gh_hash_bytes("pets", 4);
}

void report_case_make(report_case *c)
{
    static const char *problems[] = {"a<b>.jpg is empty",
                                     "b.jpg is labelled cat, but c.jpg with the same content dog"};
    static char failed[] = "d.jpg: broken at byte 200";
    static char *const left_out[] = {failed, NULL};
    static gh_candidate candidates[2];
    static const gh_curve_point curve[] = {
        {24, .6, .5, .7}, {60, .7, .62, .78}, {120, .79, .72, .84}, {200, .85, .8, .89}};
    *c = (report_case){0};
    c->metrics = report_case_metrics(counts, 5);
    make_set(c, counts, 5);
    memcpy(c->set.classes, names, sizeof names);
    write_pictures(c);
    fill_run(c);
    c->set.problems = problems;
    c->set.nproblems = 2;
    c->r.problems = left_out;
    c->r.failed = 1;
    candidates[0] = (gh_candidate){"softmax", c->metrics->top1, .7, (double)NAN, 1.2};
    candidates[0].accuracy.value -= .1;
    candidates[1] = (gh_candidate){"forest", c->metrics->top1, .8, .4, 65};
    c->r.candidates = candidates;
    c->r.ncandidates = 2;
    c->r.curve = curve;
    c->r.ncurve = 4;
    c->r.details = "{\"trees\":200,\"out_of_bag\":{\"accuracy\":0.875},\"importances\":[{\"feature\":7,"
                   "\"share\":0.5},{\"feature\":1279,\"share\":0.25}]}";
}

void report_case_many(report_case *c, uint32_t classes, uint32_t each, bool matrix)
{
    *c = (report_case){0};
    gh_metrics *m = c->metrics = gh_calloc(1, sizeof *m);
    ck_assert_ptr_nonnull(m);
    c->set.nclasses = m->classes = classes;
    c->set.arena = gh_arena_new(1 << 28);
    c->set.classes = gh_calloc(classes, sizeof *c->set.classes);
    c->set.examples = gh_calloc((size_t)classes * each, sizeof *c->set.examples);
    c->mistakes = gh_calloc((size_t)classes * each, sizeof *c->mistakes);
    m->of = gh_calloc(classes, sizeof *m->of);
    m->confusion = matrix ? gh_calloc((size_t)classes * classes, sizeof *m->confusion) : NULL;
    ck_assert(c->set.arena && c->set.classes && c->set.examples && c->mistakes && m->of);
    for (uint32_t t = 0; t < classes; t++)
        for (uint32_t i = 0; i < each; i++) {
            uint32_t p = i % 4 == 3 ? (t + 1) % classes : t, at = c->set.nexamples++;
            c->set.examples[at] = (gh_example){.label = t, .group = UINT32_MAX, .path = "/nowhere/x.jpg"};
            if (p != t)
                c->mistakes[c->r.nmistakes++] = (gh_mistake){at, p, .9f};
            if (matrix)
                m->confusion[(size_t)t * classes + p]++;
            m->of[t].support++;
            m->of[p].predicted++;
            m->of[t].right += p == t;
            m->top1.right += p == t;
            m->n++;
        }
    set_shares(m);
    name_classes(c, "class %05u");
    fill_run(c);
}

/* ---- what was written ---- */

static void forget(report_case *c)
{
    gh_buf_free(&c->page);
    json_decref(c->json);
    c->json = NULL;
}

void report_case_write(report_case *c)
{
    gh_err e = {0};
    forget(c);
    ck_assert_msg(gh_report_write(&c->r, tiny_path(""), &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(gh_file_read(&c->page, tiny_path("report.html"), 1 << 28, NULL), GH_OK);
    gh_buf_add(&c->page, "", 1);
    ck_assert_uint_eq(strlen((char *)c->page.data) + 1, c->page.len);
    c->json = json_load_file(tiny_path("report.json"), 0, NULL);
    ck_assert_ptr_nonnull(c->json);
}

bool report_case_has(const report_case *c, const char *text)
{
    return strstr((char *)c->page.data, text) != NULL;
}

size_t report_case_count(const report_case *c, const char *text)
{
    size_t n = 0;
    for (const char *p = (char *)c->page.data; (p = strstr(p, text)); p++)
        n++;
    return n;
}

/* Reads one tag at `p` ("<name ...>") and gives what follows; every attribute has a quoted value. */
static const char *read_tag(const char *p, char *name, size_t size, bool *closing, bool *empty)
{
    size_t n = 0;
    *closing = *++p == '/';
    p += *closing;
    while (isalnum((unsigned char)*p) && n + 1 < size)
        name[n++] = *p++;
    name[n] = '\0';
    ck_assert_msg(n > 0, "a < that begins no tag: %.40s", p);
    while (*p == ' ') {
        p++;
        while (isalpha((unsigned char)*p) || *p == '-' || isdigit((unsigned char)*p))
            p++;
        ck_assert_msg(p[0] == '=' && p[1] == '"', "an attribute of %s without a quoted value: %.40s", name,
                      p);
        size_t value = strcspn(p += 2, "\"<>");
        ck_assert_msg(p[value] == '"', "a value of %s that does not end: %.40s", name, p);
        p += value + 1;
    }
    *empty = *p == '/';
    p += *empty;
    ck_assert_msg(*p == '>', "%s does not end: %.40s", name, p);
    return p + 1;
}

/* Every tag is closed, in order, and every & begins an entity. */
static void assert_well_formed(const gh_buf *page)
{
    char open[32][16], name[16];
    size_t depth = 0;
    bool closing, empty;
    const char *p = (char *)page->data, *doctype = "<!doctype html>\n";
    ck_assert_int_eq(strncmp(p, doctype, strlen(doctype)), 0);
    for (p += strlen(doctype); *p;) {
        if (*p == '&')
            ck_assert_msg(p[1 + strspn(p + 1, "#abcdefghijklmnopqrstuvwxyz0123456789")] == ';', "%.20s", p);
        ck_assert_msg(*p != '>' || depth == 0 || strcmp(open[depth - 1], "style") == 0, "a stray >: %.20s",
                      p);
        if (*p != '<') {
            p++;
            continue;
        }
        p = read_tag(p, name, sizeof name, &closing, &empty);
        if (closing) {
            ck_assert_msg(depth > 0 && strcmp(open[depth - 1], name) == 0, "</%s> closes <%s>", name,
                          depth ? open[depth - 1] : "nothing");
            depth--;
        } else if (!empty) {
            ck_assert_uint_lt(depth, 32);
            strcpy(open[depth++], name);
        }
    }
    ck_assert_uint_eq(depth, 0);
}

/* Nothing runs, nothing is fetched, and the text is UTF-8. */
static void assert_harmless(const report_case *c)
{
    ck_assert(!report_case_has(c, "<script"));
    ck_assert(!report_case_has(c, "http:") && !report_case_has(c, "https:") && !report_case_has(c, "\"//") &&
              !report_case_has(c, "url(") && !report_case_has(c, "@import"));
    ck_assert(!report_case_has(c, " onload") && !report_case_has(c, "<link") &&
              !report_case_has(c, "<iframe") && !report_case_has(c, "<base"));
    ck_assert_uint_eq(report_case_count(c, "src=\""), report_case_count(c, "src=\"data:image/jpeg;base64,"));
    json_t *text = json_string((char *)c->page.data); /* jansson takes UTF-8 only */
    ck_assert_ptr_nonnull(text);
    json_decref(text);
}

void report_case_check(const report_case *c)
{
    assert_well_formed(&c->page);
    assert_harmless(c);
}

void report_case_free(report_case *c)
{
    forget(c);
    gh_free(c->metrics->of);
    gh_free(c->metrics->confusion);
    gh_free(c->metrics);
    gh_free(c->mistakes);
    gh_free(c->set.classes);
    gh_free(c->set.examples);
    gh_arena_free(&c->set.arena);
}
