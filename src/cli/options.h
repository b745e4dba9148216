/* Command line options from a table: long options, `--name value` or `--name=value`, anywhere among the
 * arguments; "--" ends them. The environment mirrors them, --queue-size is GHARIAL_QUEUE_SIZE, and an option
 * on the command line wins. --help, --log and --log-level are there for every command. */
#ifndef GH_CLI_OPTIONS_H
#define GH_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum gh_opt_type {
    GH_OPT_FLAG,   /* bool; --json, --json=false, GHARIAL_JSON=1|0|true|false|yes|no|on|off */
    GH_OPT_STRING, /* const char *, borrowed from argv or the environment; the last one given counts */
    GH_OPT_INT,    /* int64_t within min..max */
    GH_OPT_BYTES,  /* int64_t within min..max, with K, M or G for 1024, 1024^2, 1024^3 */
    GH_OPT_REAL,   /* double within min..max; not NaN */
    GH_OPT_LIST,   /* gh_opt_list; repeatable; ':' separates in the environment */
} gh_opt_type;

#define GH_OPT_LIST_MAX 32

typedef struct gh_opt_list {
    const char *items[GH_OPT_LIST_MAX]; /* borrowed from argv, or from `env` */
    size_t count;
    char env[1024]; /* the environment's value, cut at ':' */
} gh_opt_list;

/* Rows are written {"top", GH_OPT_INT, offsetof(values, top), .arg = "N", .help = "...", .min = 1, .max = 9}.
 */
typedef struct gh_option {
    const char *name; /* without the dashes */
    gh_opt_type type;
    size_t offset;    /* of the value in the command's struct; untouched when the option is not given */
    const char *arg;  /* what help calls the value, "N"; NULL for a flag */
    const char *help; /* one line, with the default; NULL: that of the next row holds for both */
    double min, max;  /* INT, BYTES, REAL; both 0 = any value >= 0 */
} gh_option;

typedef struct gh_usage {
    const char *command;      /* "predict" */
    const char *args;         /* "FILE|DIR..." */
    const char *about;        /* one or two lines, without final newline */
    const char *example;      /* a whole command line */
    const gh_option *options; /* ended by a row whose name is NULL */
    int min_args, max_args;   /* positional arguments; max_args -1 = any number */
    bool quiet;               /* log level warn unless the user says otherwise; else info */
} gh_usage;

/* gh_options_parse: parsed, the command goes on. Any other value is the exit code to return at once. */
#define GH_OPT_GO_ON (-1)

/* Reads the environment, then argv, into the struct at `values`, whose fields hold the defaults. Positional
 * arguments end up in argv[0] .. argv[*argc - 1], in order, argv[0] being the first of them. Prints help
 * (stdout, exit code 0) or what is wrong (stderr, exit code 2) itself. */
int gh_options_parse(const gh_usage *usage, void *values, int *argc, char **argv);

/* The entry of names[0..n) that is most like `word`, or NULL when none is near. */
const char *gh_nearest(const char *word, const char *const *names, size_t n);

#endif
