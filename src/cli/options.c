/* The option parser. It knows nothing of any command: a table says what there is, where the values go and
 * what help prints. */
#include "cli/options.h"

#include "base/log.h"
#include "base/status.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 40 /* option and command names; longer words are near nothing */

typedef struct common_values {
    const char *log, *log_level;
    bool help;
} common_values;

static const gh_option common_options[] = {
    {"log", GH_OPT_STRING, offsetof(common_values, log), "text|json", "form of the log lines (text)", 0, 0},
    {"log-level", GH_OPT_STRING, offsetof(common_values, log_level), "LEVEL", "error, warn, info or debug", 0,
     0},
    {"help", GH_OPT_FLAG, offsetof(common_values, help), NULL, "show this", 0, 0},
    {0},
};

/* One place where options live: the command's table or the common one. */
typedef struct option_set {
    const gh_option *options;
    void *values;
} option_set;

typedef struct parser {
    const gh_usage *usage;
    option_set sets[2];
    uint64_t given[2]; /* bit i: option i came on the command line */
} parser;

/* Optimal string alignment distance, where a swap of neighbours costs one; over NAME_MAX_LEN: far. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t rows[3][NAME_MAX_LEN + 1];
    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *gh_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t len = strlen(word), least = len < 5 ? 2 : 3; /* a third of the word may be wrong */
    for (size_t i = 0; i < n; i++) {
        size_t d = len >= 3 && strncmp(names[i], word, len) == 0 ? 0 : distance(word, names[i]);
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

static int usage_error(const parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int usage_error(const parser *p, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "gharial %s: %s; see 'gharial %s --help'\n", p->usage->command, text, p->usage->command);
    return gh_status_exit(GH_ARG);
}

static bool parse_flag(bool *out, const char *text)
{
    static const char *const words[] = {"0", "false", "no", "off", "1", "true", "yes", "on"};
    for (size_t i = 0; i < GH_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i >= 4;
            return true;
        }
    return false;
}

/* A whole number, with K, M or G behind it when `bytes`. */
static bool parse_int(int64_t *out, const char *text, bool bytes)
{
    char *end = NULL;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno != 0 || end == text || isspace((unsigned char)text[0]))
        return false;
    int shift = 0;
    if (bytes && *end != '\0') {
        const char *units = "KMG", *unit = strchr(units, toupper((unsigned char)*end));
        if (!unit)
            return false;
        shift = 10 * (int)(unit - units + 1);
        end++;
    }
    if (*end != '\0' || v > (INT64_MAX >> shift) || v < -(INT64_MAX >> shift))
        return false;
    *out = (int64_t)v * ((int64_t)1 << shift);
    return true;
}

static bool parse_real(double *out, const char *text)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || isspace((unsigned char)text[0]) || !isfinite(v))
        return false;
    *out = v;
    return true;
}

/* The list is what the environment says: cut at ':' inside the list's own copy. */
static bool list_from_env(gh_opt_list *list, const char *text)
{
    if (strlen(text) >= sizeof list->env)
        return false;
    strcpy(list->env, text);
    list->count = 0;
    for (char *at = list->env; at;) {
        char *colon = strchr(at, ':');
        if (colon)
            *colon = '\0';
        if (list->count == GH_OPT_LIST_MAX)
            return false;
        if (*at)
            list->items[list->count++] = at;
        at = colon ? colon + 1 : NULL;
    }
    return true;
}

static void expected(char *text, size_t size, const gh_option *o)
{
    bool any = o->min == 0 && o->max == 0;
    const char *kind = o->type == GH_OPT_REAL ? "a number" : "a whole number";
    const char *unit = o->type == GH_OPT_BYTES ? " (K, M or G may follow)" : "";
    if (o->type == GH_OPT_FLAG)
        snprintf(text, size, "true or false");
    else if (o->type == GH_OPT_LIST)
        snprintf(text, size, "up to %d values", GH_OPT_LIST_MAX);
    else if (any)
        snprintf(text, size, "%s, 0 or more%s", kind, unit);
    else
        snprintf(text, size, "%s from %.15g to %.15g%s", kind, o->min, o->max, unit);
}

static bool in_range(const gh_option *o, double v)
{
    return o->min == 0 && o->max == 0 ? v >= 0 : v >= o->min && v <= o->max;
}

/* Stores `text` as the option's value; `label` is what the message calls it (--top, GHARIAL_TOP). */
static int set_value(const parser *p, const gh_option *o, void *values, const char *text, const char *label,
                     bool env)
{
    void *at = (char *)values + o->offset;
    int64_t i = 0;
    double d = 0;
    bool ok = true;
    if (o->type == GH_OPT_FLAG) {
        ok = parse_flag(at, text);
    } else if (o->type == GH_OPT_STRING) {
        *(const char **)at = text;
    } else if (o->type == GH_OPT_LIST) {
        gh_opt_list *list = at;
        ok = env ? list_from_env(list, text) : list->count < GH_OPT_LIST_MAX;
        if (ok && !env)
            list->items[list->count++] = text;
    } else if (o->type == GH_OPT_REAL) {
        ok = parse_real(&d, text) && in_range(o, d);
        if (ok)
            *(double *)at = d;
    } else {
        ok = parse_int(&i, text, o->type == GH_OPT_BYTES) && in_range(o, (double)i);
        if (ok)
            *(int64_t *)at = i;
    }
    if (ok)
        return GH_OPT_GO_ON;
    char what[100];
    expected(what, sizeof what, o);
    return usage_error(p, "%s is '%.80s'; it takes %s", label, text, what);
}

static int read_environment(const parser *p)
{
    for (size_t s = 0; s < 2; s++)
        for (const gh_option *o = p->sets[s].options; o->name; o++) {
            char name[NAME_MAX_LEN + 16] = "GHARIAL_";
            size_t len = strlen(name);
            for (const char *c = o->name; *c && len + 1 < sizeof name; c++)
                name[len++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
            name[len] = '\0';
            const char *text = getenv(name);
            if (!text || !*text || strcmp(o->name, "help") == 0)
                continue;
            int code = set_value(p, o, p->sets[s].values, text, name, true);
            if (code != GH_OPT_GO_ON)
                return code;
        }
    return GH_OPT_GO_ON;
}

/* Finds the option called by the first `len` bytes of `name`. */
static const gh_option *find_option(const parser *p, const char *name, size_t len, size_t *set)
{
    for (size_t s = 0; s < 2; s++)
        for (const gh_option *o = p->sets[s].options; o->name; o++)
            if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
                *set = s;
                return o;
            }
    return NULL;
}

static int unknown_option(const parser *p, const char *arg, size_t len)
{
    const char *names[80];
    size_t n = 0;
    for (size_t s = 0; s < 2; s++)
        for (const gh_option *o = p->sets[s].options; o->name && n < GH_COUNT(names); o++)
            names[n++] = o->name;
    char word[NAME_MAX_LEN + 2];
    snprintf(word, sizeof word, "%.*s", (int)len, arg);
    const char *near = gh_nearest(word, names, n);
    return usage_error(p, "no option --%s%s%s%s", word, near ? " (did you mean --" : "", near ? near : "",
                       near ? "?)" : "");
}

/* One option at argv[*i]; moves *i past a value that stands apart. */
static int parse_option(parser *p, int argc, char **argv, int *i)
{
    const char *arg = argv[*i] + 2, *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg), set = 0;
    const gh_option *o = find_option(p, arg, len, &set);
    if (!o)
        return unknown_option(p, arg, len);
    char label[NAME_MAX_LEN + 3];
    snprintf(label, sizeof label, "--%s", o->name);
    const char *text = eq ? eq + 1 : "true";
    if (!eq && o->type != GH_OPT_FLAG) {
        if (*i + 1 >= argc)
            return usage_error(p, "%s needs a value (%s)", label, o->arg);
        text = argv[++*i];
    }
    uint64_t bit = (uint64_t)1 << (o - p->sets[set].options);
    if (o->type == GH_OPT_LIST &&
        !(p->given[set] & bit)) /* the command line replaces the environment's list */
        ((gh_opt_list *)((char *)p->sets[set].values + o->offset))->count = 0;
    p->given[set] |= bit;
    return set_value(p, o, p->sets[set].values, text, label, false);
}

/* One line; a row without help stands before the next one on its line. Gives the last row of the line. */
static const gh_option *print_option(const gh_option *o)
{
    char left[80] = "";
    for (;; o++) {
        size_t n = strlen(left);
        snprintf(left + n, sizeof left - n, "%s--%s%s%s", n ? ", " : "", o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        if (o->help)
            break;
    }
    printf("  %-24s %s%s\n", left, o->help, o->type == GH_OPT_LIST ? "; repeatable" : "");
    return o;
}

static void print_help(const gh_usage *u)
{
    printf("usage: gharial %s [OPTION]...%s%s\n\n%s\n\n", u->command, *u->args ? " " : "", u->args, u->about);
    for (const gh_option *o = u->options; o->name; o++)
        o = print_option(o);
    puts("  --log text|json, --log-level error|warn|info|debug, --help"); /* the common ones, on one line */
    printf("The environment mirrors the options (--log-level is GHARIAL_LOG_LEVEL); options win.\n"
           "example: %s\n",
           u->example);
}

static int setup_log(const parser *p, const common_values *common)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    static const char *const forms[] = {"text", "json"};
    size_t level = p->usage->quiet ? GH_LOG_WARN : GH_LOG_INFO, form = 0;
    if (common->log_level)
        for (level = 0; level < GH_COUNT(levels) && strcmp(levels[level], common->log_level) != 0;)
            level++;
    if (level == GH_COUNT(levels))
        return usage_error(p, "--log-level is '%.40s'; it takes error, warn, info or debug",
                           common->log_level);
    if (common->log)
        for (form = 0; form < GH_COUNT(forms) && strcmp(forms[form], common->log) != 0;)
            form++;
    if (form == GH_COUNT(forms))
        return usage_error(p, "--log is '%.40s'; it takes text or json", common->log);
    gh_log_setup((gh_log_level)level, form == 1);
    return GH_OPT_GO_ON;
}

/* Walks argv; positional arguments move to the front. */
static int read_arguments(parser *p, int *argc, char **argv)
{
    int count = 0;
    bool options = true;
    for (int i = 1; i < *argc; i++) {
        int code = GH_OPT_GO_ON;
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strcmp(argv[i], "-h") == 0)
            ((common_values *)p->sets[1].values)->help = true;
        else if (options && strncmp(argv[i], "--", 2) == 0)
            code = parse_option(p, *argc, argv, &i);
        else if (options && argv[i][0] == '-' && argv[i][1] != '\0')
            code = usage_error(p, "no option %.40s (options are long: --name)", argv[i]);
        else
            argv[count++] = argv[i];
        if (code != GH_OPT_GO_ON)
            return code;
    }
    *argc = count;
    return GH_OPT_GO_ON;
}

int gh_options_parse(const gh_usage *usage, void *values, int *argc, char **argv)
{
    common_values common = {0};
    parser p = {.usage = usage, .sets = {{usage->options, values}, {common_options, &common}}};
    int code = read_environment(&p);
    if (code == GH_OPT_GO_ON)
        code = read_arguments(&p, argc, argv);
    if (common.help && code == GH_OPT_GO_ON) {
        print_help(usage);
        return 0;
    }
    if (code == GH_OPT_GO_ON)
        code = setup_log(&p, &common);
    if (code != GH_OPT_GO_ON)
        return code;
    if (*argc < usage->min_args)
        return usage_error(&p, "something is missing: %s", usage->args);
    if (usage->max_args >= 0 && *argc > usage->max_args)
        return usage_error(&p, "'%.80s' is one argument too many", argv[usage->max_args]);
    return GH_OPT_GO_ON;
}
