/* What all task endpoints share: pictures out of the request, models by name, one reply or "results". An
 * endpoint brings its task, its parameters and how they become options. */
#ifndef GH_HTTP_TASK_H
#define GH_HTTP_TASK_H

#include "http/app.h"
#include "http/input.h"

typedef struct gh_task_spec {
    gh_task task;
    unsigned params;   /* GH_P_* that the endpoint takes */
    bool merges;       /* several models give one reply */
    bool draws;        /* annotate=1 answers with a picture; elsewhere it is refused */
    bool masks;        /* answers with a picture, where JSON is not asked for */
    const char *model; /* asked when the request names none; NULL = the task's default */
    /* Appends a result in a form of its own; NULL = the reply of /classify, /localize and so on. */
    gh_status (*write)(gh_buf *out, const gh_result *result, gh_err *e);
    gh_status (*options)(gh_run_options *out, const gh_params *params, gh_err *e);
} gh_task_spec;

/* The whole of a request: pictures, models, runs, the reply; whatever goes wrong is a reply, too. */
void gh_task_answer(const gh_task_spec *spec, gh_app *app, gh_http_request *req, gh_worker *w,
                    gh_http_reply *reply);
/* Milliseconds that the request may take: the server's, or less when the query says so. */
uint64_t gh_task_deadline_ms(const gh_app *app, const gh_http_request *req);

#endif
