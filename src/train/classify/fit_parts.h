/* One training run in the making; shared by the files fit*.c only. */
#ifndef GH_TRAIN_CLASSIFY_FIT_PARTS_H
#define GH_TRAIN_CLASSIFY_FIT_PARTS_H

#include "base/cpu.h"
#include "train/classify/fit.h"
#include "train/heads/reject.h"
#include "train/nets/body.h"

#define MOST_MISTAKES 512
#define MOST_HEADS    8
#define CURVE_POINTS  5

typedef struct gh_train_run {
    const gh_train_options *o;
    gh_train_summary *summary;
    char *name; /* of the model: the last part of o->out */
    gh_body *body;
    gh_trainset *set;
    gh_features *features;
    uint32_t *fold;
    gh_task_data data;
    const gh_head_type *type; /* the best one */
    gh_heldout *heldout;      /* its scores */
    gh_candidate candidates[MOST_HEADS];
    size_t ncandidates;
    double temperature, ece_before, reject_threshold, reject_rate;
    gh_metrics *metrics, *test;
    gh_curve_point curve[CURVE_POINTS];
    size_t ncurve;
    gh_mistake mistakes[MOST_MISTAKES];
    size_t nmistakes;
    gh_head *head;
    gh_reject *reject;
    gh_graph *graph; /* of a run by gradients, its weights trained; scores are its first output */
    gh_learn_summary learnt;
    gh_fine_settings fine; /* as asked for, with the folder */
    char *folder;          /* of history, page and checkpoint: .NAME.run beside the model folder */
    char *details;
    uint64_t start, features_ns;
    gh_err *e;
} gh_train_run;

static inline gh_status gh_train_no_memory(const gh_train_run *r)
{
    return gh_fail(r->e, GH_NOMEM, "memory ran out in the training run");
}

static inline double gh_seconds_since(uint64_t start_ns)
{
    return (double)(gh_now_ns() - start_ns) / 1e9;
}

static inline bool gh_train_stopped(const gh_train_run *r)
{
    return r->o->stop && *r->o->stop;
}

/* fit_check.c. The head's name, the model's name (into r->name), and whether the folder may be written. */
GH_MUST_CHECK gh_status gh_train_check_options(gh_train_run *r);
GH_MUST_CHECK gh_status gh_train_check_body(const gh_train_run *r);
/* Bytes that the run takes at its peak, about; an error when the machine does not have them. */
double gh_train_memory(const gh_train_run *r);
GH_MUST_CHECK gh_status gh_train_check_memory(const gh_train_run *r);
/* The head that was named must be able to hold that many classes: better told now than after the features. */
GH_MUST_CHECK gh_status gh_train_check_head(const gh_train_run *r);
/* That each class has enough pictures; asked again once it is known which of them are usable. */
GH_MUST_CHECK gh_status gh_train_check_set(const gh_train_run *r);

/* fit_fine.c. Whether the run goes on by gradients behind the head, or begins by them. */
static inline bool gh_train_tunes(const gh_train_run *r)
{
    return r->o->fine.unfreeze != 0 || r->o->fine.scratch;
}
/* Gradients pass through this kind of head. */
bool gh_train_head_tunes(const gh_head_type *type);
/* What a run from scratch has in place of a body: a manifest of its input. */
GH_MUST_CHECK gh_status gh_train_scratch_body(gh_train_run *r);
/* Sets `folder` and `fine`. */
GH_MUST_CHECK gh_status gh_train_open_run(gh_train_run *r);
/* What the run told is copied into the staged model folder. */
GH_MUST_CHECK gh_status gh_train_keep_run(const gh_train_run *r, const char *staged);
/* Trains r->graph, and scores what is held out by it. */
GH_MUST_CHECK gh_status gh_train_tune(gh_train_run *r);
/* Scores of the data's own test part by r->graph. */
GH_MUST_CHECK gh_status gh_train_tuned_test(gh_train_run *r);

/* fit_score.c. Metrics of held-out scores; `temperature` has one a fold, NULL = 1. */
GH_MUST_CHECK gh_status gh_train_measure(gh_metrics **out, const gh_heldout *h, const float *temperature,
                                         gh_err *e);
/* Temperature, calibration error before and after, and the reject rule's threshold. */
GH_MUST_CHECK gh_status gh_train_calibrate(gh_train_run *r);
/* The pictures that the chosen head is most sure of, and wrong. */
void gh_train_mistakes(gh_train_run *r);
/* The path of the one that it is most sure of, and right, or NULL. */
const char *gh_train_best_picture(const gh_train_run *r);
GH_MUST_CHECK gh_status gh_train_curve(gh_train_run *r);
/* Scores of the data's own test part, which nothing has seen. */
GH_MUST_CHECK gh_status gh_train_test(gh_train_run *r);

/* fit_write.c. Writes the model folder, all or nothing, and the summary. */
GH_MUST_CHECK gh_status gh_train_write(gh_train_run *r);

#endif
