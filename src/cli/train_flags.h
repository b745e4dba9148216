/* Options that all training by gradients has: gharial train segment and localize. */
#ifndef GH_CLI_TRAIN_FLAGS_H
#define GH_CLI_TRAIN_FLAGS_H

#include "cli/options.h"
#include "train/learn/learn.h"

typedef struct gh_train_flags {
    const char *lr, *optimiser, *schedule;
    int64_t epochs, batch, patience, seed, threads;
    double decay, ema, clip, warmup, minutes;
    bool resume, checkpointing, quiet, json;
} gh_train_flags;

/* Defaults; a command changes what its task wants otherwise. */
#define GH_TRAIN_FLAGS_DEFAULT                                                                               \
    {                                                                                                        \
        .lr = "0.001", .optimiser = "adamw", .schedule = "cosine", .epochs = 30, .batch = 8, .seed = 1,      \
        .decay = 0.01, .ema = 0.99, .clip = 5, .warmup = 1                                                   \
    }

/* Rows of an option table whose struct S has the flags as its member F. */
#define GH_TRAIN_FLAGS_ROWS(S, F)                                                                            \
    {"epochs", GH_OPT_INT, offsetof(S, F.epochs), "N", NULL, 1, 2000},                                       \
        {"batch", GH_OPT_INT, offsetof(S, F.batch), "N", "passes over the data (30); pictures a step (8)",   \
         1,       1024},                                                                                     \
        {"lr", GH_OPT_STRING, offsetof(S, F.lr), "X", "highest rate, or auto: found by a trial (0.001)", 0,  \
         0},                                                                                                 \
        {"optimiser", GH_OPT_STRING, offsetof(S, F.optimiser), "NAME", "adamw or sgd (adamw)", 0, 0},        \
        {"schedule",                                                                                         \
         GH_OPT_STRING,                                                                                      \
         offsetof(S, F.schedule),                                                                            \
         "NAME",                                                                                             \
         "of the rate: cosine, one-cycle or constant (cosine)",                                              \
         0,                                                                                                  \
         0},                                                                                                 \
        {"warmup", GH_OPT_REAL, offsetof(S, F.warmup), "EPOCHS", NULL, 0, 1000},                             \
        {"decay", GH_OPT_REAL, offsetof(S, F.decay), "X", "the rate rises first (1); of weights (0.01)",     \
         0,       10},                                                                                       \
        {"clip", GH_OPT_REAL, offsetof(S, F.clip), "X", NULL, 0, 1e9},                                       \
        {"ema",                                                                                              \
         GH_OPT_REAL,                                                                                        \
         offsetof(S, F.ema),                                                                                 \
         "X",                                                                                                \
         "longest gradient (5); moving average of weights (0.99); 0 = none",                                 \
         0,                                                                                                  \
         0.999999},                                                                                          \
        {"patience", GH_OPT_INT, offsetof(S, F.patience), "N", NULL, 0, 2000},                               \
        {"minutes",                                                                                          \
         GH_OPT_REAL,                                                                                        \
         offsetof(S, F.minutes),                                                                             \
         "X",                                                                                                \
         "ends after N epochs without gain, or that long (no limit)",                                        \
         0,                                                                                                  \
         1e6},                                                                                               \
        {"seed", GH_OPT_INT, offsetof(S, F.seed), "N", NULL, 0, 0},                                          \
        {"resume", GH_OPT_FLAG, offsetof(S, F.resume),                                                       \
         .help = "the same seed gives the same bytes (1); goes on where it was stopped"},                    \
        {"checkpointing", GH_OPT_FLAG, offsetof(S, F.checkpointing),                                         \
         .help = "less memory, about one forward pass more a step"},                                         \
        {"threads", GH_OPT_INT, offsetof(S, F.threads), "N", "(all cores)", 1, 1024},                        \
        {"quiet", GH_OPT_FLAG, offsetof(S, F.quiet), .help = NULL},                                          \
    {                                                                                                        \
        "json", GH_OPT_FLAG, offsetof(S, F.json), .help = "no progress; the result as one JSON object"       \
    }

/* The words and numbers; folder, title, inputs, pool and stop are left to the task. GH_ARG. */
GH_MUST_CHECK gh_status gh_train_flags_read(gh_learn_options *out, const gh_train_flags *f, gh_err *e);

/* What a run is given beside its options. */
typedef struct gh_train_means {
    char *body; /* path, or NULL from scratch */
    gh_pool *pool;
} gh_train_means;

/* Looks the body up (NULL: the default model; not wanted with `scratch`), starts the threads, and gives both
 * and Ctrl-C to the loop. To be closed also on failure. */
GH_MUST_CHECK gh_status gh_train_means_open(gh_train_means *m, gh_learn_options *learn,
                                            const gh_train_flags *f, const char *body, bool scratch,
                                            const gh_opt_list *models, gh_err *e);
void gh_train_means_close(gh_train_means *m);

#endif
