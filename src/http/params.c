/* Parameters by table. Numbers are read strictly: "5x", "nan", "0x10" and "1e999" are refused with the range
 * that is accepted. */
#include "http/params.h"

#include "image/mask.h"
#include "tasks/manifest.h"
#include "tasks/preproc.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { MODELS, WHOLE, REAL, SWITCH, WORD } kind;

static const char *const mask_words[] = {"png", "rle", NULL};

static const struct row {
    const char *name;
    unsigned flag;
    kind kind;
    size_t offset;
    double min, max;
    const char *const *words; /* of a WORD, ended by NULL; the value is the place */
} rows[] = {
    {"model", GH_P_MODEL, MODELS, 0, 0, 0, NULL},
    {"top", GH_P_TOP, WHOLE, offsetof(gh_params, top), 1, 100000, NULL},
    {"threshold", GH_P_THRESHOLD, REAL, offsetof(gh_params, threshold), 0, 1, NULL},
    {"min_confidence", GH_P_MIN_CONFIDENCE, REAL, offsetof(gh_params, threshold), 0, 1, NULL},
    {"limit", GH_P_LIMIT, WHOLE, offsetof(gh_params, limit), 1, 100000, NULL},
    {"timeout_ms", GH_P_TIMEOUT, WHOLE, offsetof(gh_params, timeout_ms), 1, 86400000, NULL},
    {"nms", GH_P_NMS, REAL, offsetof(gh_params, nms), 0, 1, NULL},
    {"max_side", GH_P_MAX_SIDE, WHOLE, offsetof(gh_params, max_side), GH_LEAST_MAX_SIDE, GH_MOST_MAX_SIDE,
     NULL},
    {"emotions", GH_P_EMOTIONS, SWITCH, offsetof(gh_params, emotions), 0, 1, NULL},
    {"annotate", GH_P_ANNOTATE, SWITCH, offsetof(gh_params, annotate), 0, 1, NULL},
    {"output", GH_P_OUTPUT, WORD, offsetof(gh_params, output), 0, 0, gh_mask_output_words},
    {"mask", GH_P_MASK, WORD, offsetof(gh_params, mask), 0, 0, mask_words},
};

static const struct row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < GH_COUNT(rows); i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

bool gh_params_known(const char *name, size_t name_len)
{
    return find_row(name, name_len) != NULL;
}

/* What the client sent, cut and without control characters, for the sentence. */
static const char *shown(char out[40], const char *text, size_t len)
{
    size_t n = len < 36 ? len : 36;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f || text[i] == '"' ? '?' : text[i];
    memcpy(out + n, len > n ? "..." : "", len > n ? 4 : 1);
    return out;
}

static gh_status refuse(const struct row *row, const char *text, size_t len, gh_err *e)
{
    char got[40];
    return gh_fail(e, GH_ARG, "\"%s\" must be a %s from %.0f to %.0f; got \"%s\"", row->name,
                   row->kind == WHOLE ? "whole number" : "number", row->min, row->max, shown(got, text, len));
}

/* Digits, sign, point and exponent only: what strtod takes beyond that is not meant by anybody. */
static bool read_number(double *out, const char *text, size_t len, bool whole)
{
    char copy[32], *end;
    if (len >= sizeof copy)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)text[i]) && !strchr(whole ? "-+" : "-+.eE", text[i]))
            return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    errno = 0;
    *out = strtod(copy, &end);
    return end == copy + len && errno == 0;
}

static gh_status set_number(gh_params *p, const struct row *row, const char *text, size_t len, gh_err *e)
{
    double v;
    if (!read_number(&v, text, len, row->kind == WHOLE) || v < row->min || v > row->max)
        return refuse(row, text, len, e);
    char *at = (char *)p + row->offset;
    if (row->kind == WHOLE)
        *(int *)(void *)at = (int)v;
    else
        *(double *)(void *)at = v;
    return GH_OK;
}

static gh_status set_switch(gh_params *p, const struct row *row, const char *text, size_t len, gh_err *e)
{
    static const char *const words[] = {"0", "1", "false", "true"};
    for (size_t i = 0; i < GH_COUNT(words); i++)
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
            *(int *)(void *)((char *)p + row->offset) = (int)i % 2;
            return GH_OK;
        }
    char got[40];
    return gh_fail(e, GH_ARG, "\"%s\" must be 0 or 1 (or false or true); got \"%s\"", row->name,
                   shown(got, text, len));
}

static gh_status set_word(gh_params *p, const struct row *row, const char *text, size_t len, gh_err *e)
{
    char accepted[80] = "", got[40];
    for (int i = 0; row->words[i]; i++) {
        if (strlen(row->words[i]) == len && memcmp(row->words[i], text, len) == 0) {
            *(int *)(void *)((char *)p + row->offset) = i;
            return GH_OK;
        }
        size_t at = strlen(accepted);
        snprintf(accepted + at, sizeof accepted - at, "%s%s", i ? ", " : "", row->words[i]);
    }
    return gh_fail(e, GH_ARG, "\"%s\" must be one of %s; got \"%s\"", row->name, accepted,
                   shown(got, text, len));
}

/* "a,b,c": spaces around a name are dropped. */
static gh_status set_models(gh_params *p, const char *text, size_t len, gh_err *e)
{
    const char *end = text + len;
    p->nmodels = 0;
    for (const char *at = text; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end, *next = stop + 1;
        while (at < stop && *at == ' ')
            at++;
        while (stop > at && stop[-1] == ' ')
            stop--;
        size_t n = (size_t)(stop - at);
        char got[40];
        if (p->nmodels == GH_MAX_MODELS)
            return gh_fail(e, GH_ARG, "\"model\" names more than %d models", GH_MAX_MODELS);
        char *name = p->models[p->nmodels];
        memcpy(name, at, n < 65 ? n : 0);
        name[n < 65 ? n : 0] = 0;
        if (memchr(at, 0, n) || !gh_model_name_ok(name))
            return gh_fail(e, GH_ARG,
                           "\"model\" must be a name of 1 to 64 letters, digits, '.', '_' or '-' (several "
                           "separated by commas); got \"%s\"",
                           shown(got, at, n));
        p->nmodels++;
        at = next;
    }
    return GH_OK;
}

gh_status gh_params_set(gh_params *p, unsigned accepted, const char *name, size_t name_len, const char *text,
                        size_t len, gh_err *e)
{
    const struct row *row = find_row(name, name_len);
    if (!row || !(row->flag & accepted) || len == 0)
        return GH_OK;
    if (row->kind == MODELS)
        GH_TRY(set_models(p, text, len, e));
    else if (row->kind == SWITCH)
        GH_TRY(set_switch(p, row, text, len, e));
    else if (row->kind == WORD)
        GH_TRY(set_word(p, row, text, len, e));
    else
        GH_TRY(set_number(p, row, text, len, e));
    p->given |= row->flag;
    return GH_OK;
}
