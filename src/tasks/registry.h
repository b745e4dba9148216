/* The models that a process has loaded, by name. Models are counted references: a request holds its model
 * until its answer is out, so that a reload can swap it. */
#ifndef GH_TASKS_REGISTRY_H
#define GH_TASKS_REGISTRY_H

#include "base/hash.h"
#include "engine/net.h"
#include "tasks/manifest.h"

typedef enum gh_model_state { GH_MODEL_LOADING, GH_MODEL_READY, GH_MODEL_FAILED } gh_model_state;

typedef struct gh_model {
    gh_manifest *manifest; /* NULL when the manifest itself is broken */
    char *name;
    gh_net *net;           /* NULL unless ready, and of a pipeline; of a head alone, the head's: features in,
                              scores out */
    struct gh_model *body; /* of a head alone: a reference to the model whose body it stands on; else NULL */
    size_t tap;            /* which of the body's outputs are its features */
    struct gh_model *
        *parts; /* of a pipeline: references to its detector and the models of its steps, in order */
    size_t nparts;
    gh_hash stamp; /* of the files as they were when it was loaded: tells whether they have changed */
    gh_model_state state;
    char *failure;    /* why it failed, without paths; NULL otherwise */
    _Atomic int refs; /* private to the registry */
} gh_model;

/* One model folder, or a bare .onnx file whose manifest is guessed (crop fit, 0..1 input). With `selftest`
 * its self-test must pass. A head stored alone (head.onnx) finds its body, and a pipeline its parts,
 * among the folders beside it. The caller owns one reference. */
GH_MUST_CHECK gh_status gh_model_open(gh_model **out, const char *path, bool selftest, gh_err *e);
/* The same; the body of a head and the parts of a pipeline are looked for below each of `dirs`, too. */
GH_MUST_CHECK gh_status gh_model_open_among(gh_model **out, const char *path, const char *const *dirs,
                                            size_t ndirs, bool selftest, gh_err *e);
/* A model folder with further outputs, the values `taps` of its network; a tap that is not there is
 * GH_NOTFOUND. */
GH_MUST_CHECK gh_status gh_model_open_tapped(gh_model **out, const char *folder, const char *const *taps,
                                             size_t ntaps, bool selftest, gh_err *e);
/* A head's folder on a body that has been opened with its cut among the taps. */
GH_MUST_CHECK gh_status gh_model_open_head(gh_model **out, const char *folder, gh_model *body, bool selftest,
                                           gh_err *e);
/* The same for a net and a manifest that are there already; takes both over, also on failure. */
GH_MUST_CHECK gh_status gh_model_make(gh_model **out, gh_manifest **manifest, gh_net **net, gh_err *e);
/* Which output of the model's first network is a picture's feature vector, the one that a head stands on or
 * that the manifest names; -1: none is known, so the model does not embed. */
int gh_model_features(const gh_model *m);
/* Another reference to the same model; gives it back. */
gh_model *gh_model_ref(gh_model *m);
/* Gives a reference back; the last one frees the model. */
void gh_model_put(gh_model **m);
/* "loading", "ready" or "failed". */
const char *gh_model_state_name(gh_model_state state);

typedef struct gh_registry gh_registry;

/* Loads every folder with a model.json below each of `dirs`, sorted by name, on as many threads as there are
 * cores. A model that fails is kept with its reason; a folder whose weights were never fetched (no
 * model.onnx) is skipped with a log line. GH_NOTFOUND when a folder of `dirs` is missing, GH_ARG when two
 * models have one name. */
GH_MUST_CHECK gh_status gh_registry_open(gh_registry **out, const char *const *dirs, size_t ndirs, gh_err *e);
/* Reads the folders anew and changes over in one step: models whose files have not changed stay as they are,
 * new and changed ones are loaded and tested first, and one that fails now but served before goes on serving
 * as it was, with the reason in the log. Requests hold their models, so none of them notices. On failure
 * nothing changes. */
GH_MUST_CHECK gh_status gh_registry_reload(gh_registry *r, const char *const *dirs, size_t ndirs, gh_err *e);
void gh_registry_free(gh_registry **r);
size_t gh_registry_count(gh_registry *r);
/* The i-th model, by name order; a new reference. NULL beyond the last (a reload may change how many there
 * are). */
gh_model *gh_registry_at(gh_registry *r, size_t i);
/* By name, a new reference; GH_NOTFOUND lists the names there are, GH_UNAVAILABLE says why it failed. */
GH_MUST_CHECK gh_status gh_registry_find(gh_model **out, gh_registry *r, const char *name, gh_err *e);
/* The task's model whose manifest says "default": true, else the only one of the task; GH_NOTFOUND when there
 * is no such model, GH_UNAVAILABLE when it failed. */
GH_MUST_CHECK gh_status gh_registry_default(gh_model **out, gh_registry *r, gh_task task, gh_err *e);
/* True when every model is ready. */
bool gh_registry_ready(gh_registry *r);

#endif
