/* GET /models and GET /models/{name}: manifests and states. The list leaves the labels out and says how many
 * there are; the model's own page has them. */
#include "http/route.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The manifest with "state" (and why it failed), or NULL when memory is short. */
static json_t *describe(const gh_model *m, bool brief)
{
    json_t *o = m->manifest ? json_loads(m->manifest->json, 0, NULL) : json_object();
    if (!o)
        return NULL;
    bool bad = json_object_set_new(o, "name", json_string(m->name)) != 0;
    bad |= json_object_set_new(o, "state", json_string(gh_model_state_name(m->state))) != 0;
    if (m->failure)
        bad |= json_object_set_new(o, "failure", json_string(m->failure)) != 0;
    if (brief && m->manifest) {
        bad |= json_object_set_new(o, "label_count", json_integer((json_int_t)m->manifest->nlabels)) != 0;
        json_object_del(o, "labels");
        json_object_del(o, "colours");
    }
    if (bad) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* Takes the object over. */
static void reply_json(gh_http_reply *reply, const gh_http_request *req, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!text) {
        gh_reply_problem(reply, req, 503, "memory is short");
        return;
    }
    reply->status = 200;
    reply->type = "application/json";
    gh_buf_str(&reply->body, text);
    gh_buf_str(&reply->body, "\n");
    free(text);
}

/* The models, or NULL and a 503 while they load. */
static gh_registry *loaded(gh_app *app, const gh_http_request *req, gh_http_reply *reply)
{
    gh_registry *models = atomic_load(&app->models);
    if (!models)
        gh_reply_problem(reply, req, 503, "the server is still loading its models");
    return models;
}

void gh_h_models(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)w;
    gh_registry *models = loaded(app, req, reply);
    if (!models)
        return;
    json_t *list = json_array();
    gh_model *m = NULL;
    for (size_t i = 0; list && (m = gh_registry_at(models, i)); i++) {
        if (json_array_append_new(list, describe(m, true)) != 0) {
            json_decref(list);
            list = NULL;
        }
        gh_model_put(&m);
    }
    reply_json(reply, req, list ? json_pack("{s:o}", "models", list) : NULL);
}

void gh_h_model(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)w;
    gh_registry *models = loaded(app, req, reply);
    if (!models)
        return;
    char names[400] = "";
    size_t at = 0;
    gh_model *m = NULL;
    for (size_t i = 0; (m = gh_registry_at(models, i)); i++) {
        bool found = strcmp(m->name, req->param) == 0;
        if (found)
            reply_json(reply, req, describe(m, false));
        else if (at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", m->name);
        gh_model_put(&m);
        if (found)
            return;
    }
    gh_reply_problem(reply, req, 404, "there is no model %s; there are: %s", req->param, at ? names : "none");
}
