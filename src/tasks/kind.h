/* What a task makes of a network: one row a task, each in a file of its own (classify.c, localize.c, ...). A
 * new task is a row in kind.c. */
#ifndef GH_TASKS_KIND_H
#define GH_TASKS_KIND_H

#include "tasks/run.h"

#include <jansson.h>

/* What a network gave for one picture. */
typedef struct gh_outputs {
    const gh_tensor *tensors; /* all outputs, in the network's order */
    size_t count;
    const gh_manifest_input *input; /* with the size chosen for this picture; NULL for a head alone */
    const gh_image *image;          /* as decoded, maybe smaller than the file's; NULL where another model of
                                       the request has seen the picture */
} gh_outputs;

typedef struct gh_kind {
    bool shares; /* models of one request may share a body's pass */
    /* What model.json says, before the network is read: decoder, fit, keys that need each other. */
    gh_status (*check_manifest)(const gh_manifest *m, gh_err *e);
    /* Outputs of the network against the manifest. */
    gh_status (*check_network)(gh_net *net, const gh_manifest *m, gh_err *e);
    /* Fills the task's part of r. */
    gh_status (*decode)(gh_result *r, const gh_outputs *outputs, const gh_run_options *options, gh_err *e);
    /* Before a pixel is decoded: refuses what would take more memory than is accepted, and says whether the
     * picture is needed at its full size. May be NULL. */
    gh_status (*admit)(bool *whole, const gh_image_info *info, const gh_run_options *options, gh_err *e);
    /* After the network: what is made at the size of the picture, which is `image` where admit said so. May
     * be NULL. */
    gh_status (*finish)(gh_result *r, const gh_image *image, const gh_run_options *options, gh_err *e);
    /* Adds the task's members to the reply; false when memory is short. */
    bool (*reply)(json_t *object, const gh_result *r);
} gh_kind;

/* NULL for a task that this version does not run. */
const gh_kind *gh_kind_of(gh_task task);
/* "classify and localize": the tasks that it does. */
const char *gh_kind_names(char text[80]);

extern const gh_kind gh_kind_classify, gh_kind_localize, gh_kind_segment, gh_kind_embed;

/* Adds a member that it takes over; false when it is NULL or memory is short. */
bool gh_reply_set(json_t *object, const char *key, json_t *value);

#endif
