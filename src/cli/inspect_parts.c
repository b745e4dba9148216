/* Models made of others. A part is loaded as serving loads it, so that what is shared is counted once. */
#include "cli/inspect_parts.h"

#include "base/mem.h"
#include "cli/network.h"
#include "tasks/registry.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool gh_has_parts(const gh_manifest *m, const char *network)
{
    return m && (m->detector || (m->body && access(network, F_OK) != 0));
}

void gh_describe_cost(json_t *o, const gh_plan *plan, const gh_net *net)
{
    json_object_set_new(o, "macs", json_integer((json_int_t)gh_plan_macs(plan)));
    json_object_set_new(o, "steps", json_integer((json_int_t)gh_plan_steps(plan)));
    json_object_set_new(o, "arena_bytes", json_integer((json_int_t)gh_plan_arena_bytes(plan)));
    json_object_set_new(o, "packed_bytes", json_integer((json_int_t)gh_net_packed_bytes(net)));
}

static json_int_t whole(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* Counts a network among the parts, unless it is there already: two heads may stand on one body. */
static gh_status add_net(json_t *o, const gh_model *m, const char *role, gh_err *e)
{
    json_t *parts = json_object_get(o, "parts"), *part;
    gh_plan *plan = NULL;
    size_t i;
    json_array_foreach(parts, i, part) if (strcmp(json_string_value(json_object_get(part, "model")),
                                                  m->name) == 0) return GH_OK;
    GH_TRY(gh_plan_of_size(&plan, m->net, (gh_size){m->manifest->input.width, m->manifest->input.height}, e));
    part = json_pack("{s:s, s:s, s:s}", "model", m->name, "version", m->manifest->version, "role", role);
    gh_describe_cost(part, plan, m->net);
    gh_plan_put(&plan);
    json_array_append_new(parts, part);
    json_int_t arena = whole(part, "arena_bytes"), most = whole(o, "arena_bytes");
    json_object_set_new(o, "arena_bytes", json_integer(arena > most ? arena : most));
    json_object_set_new(o, "packed_bytes",
                        json_integer(whole(o, "packed_bytes") + whole(part, "packed_bytes")));
    return GH_OK;
}

/* A head brings its body. */
static gh_status add_model(json_t *o, const gh_model *m, const char *role, gh_err *e)
{
    if (!m->body)
        return add_net(o, m, role, e);
    GH_TRY(add_net(o, m->body, "body", e));
    return add_net(o, m, "head", e);
}

gh_status gh_describe_parts(json_t *o, const char *folder, const gh_opt_list *dirs, gh_err *e)
{
    gh_model *m = NULL;
    GH_TRY(gh_model_open_among(&m, folder, dirs->items, dirs->count, false, e));
    json_object_set_new(o, "parts", json_array());
    gh_status status = m->nparts ? GH_OK : add_model(o, m, "network", e);
    for (size_t i = 0; i < m->nparts && status == GH_OK; i++)
        status = add_model(o, m->parts[i], i ? "step" : "detector", e);
    gh_model_put(&m);
    return status;
}

static void print_memory(const json_t *o)
{
    printf("%.2f MB of activations, %.2f MB of packed weights\n", (double)whole(o, "arena_bytes") / 1e6,
           (double)whole(o, "packed_bytes") / 1e6);
}

void gh_print_parts(const json_t *o)
{
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(o, "parts"), i, part)
    {
        printf("%-12s %s version %s: %.1f million multiply-adds in %.0f steps, ",
               json_string_value(json_object_get(part, "role")),
               json_string_value(json_object_get(part, "model")),
               json_string_value(json_object_get(part, "version")), (double)whole(part, "macs") / 1e6,
               (double)whole(part, "steps"));
        print_memory(part);
    }
    printf("%-12s ", "memory");
    print_memory(o);
}
