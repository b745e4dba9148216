/* gharial inspect: what is in a model. The file is read first and shown as it is; then, where this version
 * can run it, what the engine makes of it. */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/draft.h"
#include "cli/inspect_parts.h"
#include "cli/network.h"
#include "engine/cut.h"
#include "engine/onnx.h"
#include "engine/op.h"
#include "tasks/jsontext.h"

#include <stdio.h>
#include <string.h>

#define MOST_CUTS 6

typedef struct values {
    const char *model, *size, *precision;
    gh_opt_list models;
    bool json, plan, labels, manifest, tune;
} values;

static const gh_option options[] = {
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME",
     "name, folder or .onnx file (the default model)", 0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"precision", GH_OPT_STRING, offsetof(values, precision), "KIND", GH_PRECISION_HELP, 0, 0},
    {"tune", GH_OPT_FLAG, offsetof(values, tune), .help = GH_TUNE_HELP},
    {"size", GH_OPT_STRING, offsetof(values, size), "WxH", "input size where the file leaves it open", 0, 0},
    {"plan", GH_OPT_FLAG, offsetof(values, plan), .help = "the steps, their kernels and why those"},
    {"labels", GH_OPT_FLAG, offsetof(values, labels), .help = "the labels with their class numbers"},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "one JSON object"},
    {"manifest", GH_OPT_FLAG, offsetof(values, manifest),
     .help = "a model.json to start from, guessed from the network; notes on stderr"},
    {0},
};

static const gh_usage usage = {
    .command = "inspect",
    .args = "[FILE.onnx]",
    .about = "Shows a model's inputs, outputs, operators and parameters, and what it takes to run: "
             "multiply-adds a\n"
             "picture, memory of activations (one session) and of packed weights (shared); what is missing "
             "where it\n"
             "does not run, and what it may be for where no manifest says. A pipeline shows its parts.",
    .example = "gharial inspect new.onnx --manifest > models/new/model.json",
    .options = options,
    .min_args = 0,
    .max_args = 1,
    .quiet = true,
};

static json_t *shape_json(const gh_shape *shape)
{
    json_t *list = shape->rank < 0 ? json_null() : json_array();
    for (int i = 0; i < shape->rank; i++)
        json_array_append_new(list, shape->dims[i] < 0 ? json_null() : json_integer(shape->dims[i]));
    return list;
}

static json_t *ports_json(const gh_graph *g, const uint32_t *ids, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const gh_value *v = &g->values[ids[i]];
        json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "name", gh_json_text(v->name), "type",
                                              gh_dtype_name(v->type), "shape", shape_json(&v->shape)));
    }
    return list;
}

/* {"Conv": 49, ...} in the order of first use. */
static json_t *operators_json(const gh_graph *g)
{
    json_t *counts = json_object();
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const char *type = g->nodes[i].type;
        json_int_t before = json_integer_value(json_object_get(counts, type));
        json_object_set_new(counts, type, json_integer(before + 1));
    }
    return counts;
}

static json_t *opsets_json(const gh_graph *g)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < g->nopsets; i++) {
        const char *domain = g->opsets[i].domain;
        json_array_append_new(list,
                              json_pack("{s:o, s:I}", "domain", gh_json_text(*domain ? domain : "ai.onnx"),
                                        "version", (json_int_t)g->opsets[i].version));
    }
    return list;
}

/* Elements of the constants that are numbers with a fraction. */
static json_int_t parameters(const gh_graph *g)
{
    json_int_t sum = 0;
    for (uint32_t i = 0; i < g->nvalues; i++) {
        const gh_value *v = &g->values[i];
        size_t count = 0;
        bool real = v->type == GH_F32 || v->type == GH_F16 || v->type == GH_F64;
        if (v->data && v->producer == GH_NONE && real && gh_shape_count(&count, &v->shape))
            sum += (json_int_t)count;
    }
    return sum;
}

static json_t *plan_json(const gh_plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < gh_plan_steps(plan); i++) {
        gh_step_info s = gh_plan_step(plan, i);
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:s, s:o, s:I}", "node",
                                              gh_json_text(s.node ? s.node : ""), "op", gh_json_text(s.op),
                                              "kernel", s.kernel ? s.kernel : "", "why", s.why, "output",
                                              shape_json(&s.output), "macs", (json_int_t)s.macs));
    }
    return list;
}

static void add_manifest(json_t *o, const gh_manifest *m, bool with_labels)
{
    json_object_set_new(o, "model", json_string(m->name));
    json_object_set_new(o, "version", json_string(m->version));
    json_object_set_new(o, "task", json_string(gh_task_name(m->task)));
    if (m->license)
        json_object_set_new(o, "license", json_string(m->license));
    json_object_set_new(o, "classes", json_integer((json_int_t)m->nlabels));
    json_t *labels = json_array();
    for (size_t i = 0; with_labels && i < m->nlabels; i++)
        json_array_append_new(labels, gh_json_text(m->labels[i]));
    if (with_labels)
        json_object_set(o, "labels", labels);
    json_decref(labels);
}

static json_t *missing_entry(const gh_graph *g, const gh_node *n)
{
    return json_pack("{s:o, s:o, s:I, s:o, s:i}", "operator", gh_json_text(n->type), "domain",
                     gh_json_text(*n->domain ? n->domain : "ai.onnx"), "opset",
                     (json_int_t)gh_graph_opset(g, n->domain), "node", gh_json_text(n->name), "nodes", 1);
}

/* Each operator that gharial lacks once: its first node, and how many nodes there are. */
static json_t *missing_json(gh_graph *g)
{
    json_t *list = json_array(), *seen = json_object();
    if (gh_graph_bind(g, NULL) == GH_OK)
        g = NULL;
    for (uint32_t i = 0; g && i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        char key[400];
        if (n->op)
            continue;
        snprintf(key, sizeof key, "%.200s.%.190s", n->domain, n->type);
        json_t *entry = json_object_get(seen, key);
        if (entry) {
            json_object_set_new(entry, "nodes",
                                json_integer(json_integer_value(json_object_get(entry, "nodes")) + 1));
        } else {
            entry = missing_entry(g, n);
            json_object_set(seen, key, entry);
            json_array_append_new(list, entry);
        }
    }
    json_decref(seen);
    return list;
}

/* Where a body can be cut for training, from the front to the end; the one that training takes by itself
 * comes first. */
static json_t *cuts_json(const gh_graph *g)
{
    json_t *list = json_array();
    uint32_t *cuts = NULL, usual = gh_graph_default_cut(g);
    size_t count = 0;
    if (usual != GH_NONE)
        json_array_append_new(list, gh_json_text(g->values[usual].name));
    if (gh_graph_cuts(&cuts, &count, g, NULL) == GH_OK)
        for (size_t i = count; i-- > 0;)
            if (cuts[i] != usual)
                json_array_append_new(list, gh_json_text(g->values[cuts[i]].name));
    gh_free(cuts);
    return list;
}

static json_t *describe_file(const gh_network *n, gh_graph *g, const values *v)
{
    json_t *o = json_object();
    if (n->manifest)
        add_manifest(o, n->manifest, v->labels);
    json_object_set_new(o, "ir_version", json_integer(g->ir_version));
    json_object_set_new(o, "producer", gh_json_text(g->producer ? g->producer : ""));
    json_object_set_new(o, "opsets", opsets_json(g));
    json_object_set_new(o, "inputs", ports_json(g, g->inputs, g->ninputs));
    json_object_set_new(o, "outputs", ports_json(g, g->outputs, g->noutputs));
    json_object_set_new(o, "nodes", json_integer(g->nnodes));
    json_object_set_new(o, "operators", operators_json(g));
    json_object_set_new(o, "parameters", json_integer(parameters(g)));
    json_object_set_new(o, "missing", missing_json(g));
    json_object_set_new(o, "cuts", cuts_json(g));
    return o;
}

static void describe_plan(json_t *o, const gh_network *n, const values *v)
{
    gh_describe_cost(o, n->plan, n->net);
    if (v->plan)
        json_object_set_new(o, "plan", plan_json(n->plan));
}

/* For a network without a manifest: what it may be for. */
static void describe_guess(json_t *o, const gh_network *n)
{
    gh_draft d = {0};
    gh_err e = {0};
    gh_status status = gh_draft_make(&d, n, json_string_value(json_object_get(o, "producer")), &e);
    json_t *guess = json_object();
    if (status == GH_OK)
        json_object_set(guess, "task", json_object_get(d.manifest, "task"));
    else
        json_object_set_new(guess, "task", json_null());
    if (status != GH_OK)
        gh_draft_note(&d, "%s", e.text);
    json_object_set(guess, "notes", d.notes);
    json_object_set_new(o, "guess", guess);
    gh_draft_free(&d);
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* "1x3x?x?" */
static const char *shape_text(char *out, size_t size, const json_t *shape)
{
    size_t i, len = 0;
    json_t *dim;
    snprintf(out, size, "unknown");
    json_array_foreach(shape, i, dim)
    {
        char one[24] = "?";
        if (json_is_integer(dim))
            snprintf(one, sizeof one, "%lld", (long long)json_integer_value(dim));
        if (len + strlen(one) + 2 < size)
            len += (size_t)snprintf(out + len, size - len, "%s%s", i ? "x" : "", one);
    }
    return out;
}

static void print_ports(const char *title, const json_t *ports)
{
    size_t i;
    json_t *port;
    char shape[80];
    json_array_foreach(ports, i, port)
        printf("%-12s %s %s %s\n", title, text(port, "name"), text(port, "type"),
               shape_text(shape, sizeof shape, json_object_get(port, "shape")));
}

static void print_plan(const json_t *plan)
{
    size_t i;
    json_t *step;
    char shape[80];
    printf("\n%-5s %-20s %-21s %10s  %-18s %-20s %s\n", "step", "operator", "kernel", "Mmac", "output",
           "node", "why");
    json_array_foreach(plan, i, step)
        printf("%-5zu %-20s %-21s %10.3f  %-18s %-20s %s\n", i, text(step, "op"), text(step, "kernel"),
               number(step, "macs") / 1e6, shape_text(shape, sizeof shape, json_object_get(step, "output")),
               text(step, "node"), text(step, "why"));
}

/* The first few; --json has all. */
static void print_cuts(const json_t *cuts)
{
    size_t n = json_array_size(cuts), shown = n < MOST_CUTS ? n : MOST_CUTS;
    printf("%-12s", "cuts");
    for (size_t i = 0; i < shown; i++)
        printf("%s %s", i ? "," : "", json_string_value(json_array_get(cuts, i)));
    printf("%s\n", n > shown ? ", ... (gharial train --cut; --json lists all)" : "");
}

static void print_model(const json_t *o)
{
    printf("%-12s %s version %s, task %s", "model", text(o, "model"), text(o, "version"), text(o, "task"));
    if (number(o, "classes") > 0)
        printf(", %.0f classes", number(o, "classes"));
    printf("%s%s\n", text(o, "license") ? ", " : "", text(o, "license") ? text(o, "license") : "");
}

static void print_labels(const json_t *o)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(o, "labels"), i, item) printf("%6zu %s\n", i, json_string_value(item));
}

static void print_text(const json_t *o)
{
    const char *key;
    size_t i;
    json_t *item, *operators = json_object_get(o, "operators");
    if (text(o, "model"))
        print_model(o);
    printf("%-12s IR %.0f, producer '%s'", "onnx", number(o, "ir_version"), text(o, "producer"));
    json_array_foreach(json_object_get(o, "opsets"), i, item)
        printf(", %s opset %.0f", text(item, "domain"), number(item, "version"));
    puts("");
    print_ports("input", json_object_get(o, "inputs"));
    print_ports("output", json_object_get(o, "outputs"));
    printf("%-12s %.0f:", "nodes", number(o, "nodes"));
    json_object_foreach(operators, key, item) printf(" %s %.0f", key, json_number_value(item));
    printf("\n%-12s %.0f\n", "parameters", number(o, "parameters"));
    json_array_foreach(json_object_get(o, "missing"), i, item)
        printf("%-12s %s of %s opset %.0f, %.0f node%s, the first is \"%s\"\n", "missing",
               text(item, "operator"), text(item, "domain"), number(item, "opset"), number(item, "nodes"),
               number(item, "nodes") > 1 ? "s" : "", text(item, "node"));
    print_cuts(json_object_get(o, "cuts"));
    if (json_object_get(o, "macs")) {
        printf("%-12s %.1f million multiply-adds in %.0f steps\n", "work", number(o, "macs") / 1e6,
               number(o, "steps"));
        printf("%-12s %.2f MB of activations, %.2f MB of packed weights\n", "memory",
               number(o, "arena_bytes") / 1e6, number(o, "packed_bytes") / 1e6);
    }
    json_array_foreach(json_object_get(json_object_get(o, "guess"), "notes"), i, item)
        printf("%-12s %s\n", i ? "" : "guess", json_string_value(item));
    if (json_object_get(o, "plan"))
        print_plan(json_object_get(o, "plan"));
    print_labels(o);
}

/* A model without a network of its own. */
static gh_status inspect_parts(const gh_network *n, const values *v, gh_err *e)
{
    if (v->size || v->plan || v->manifest)
        return gh_fail(
            e, GH_ARG,
            "model '%s' has no network of its own, but parts; --size, --plan and --manifest go with "
            "a network: name one of the parts",
            n->manifest->name);
    json_t *o = json_object();
    add_manifest(o, n->manifest, v->labels);
    gh_status status = gh_describe_parts(o, n->manifest->folder, &v->models, e);
    if (status == GH_OK && v->json) {
        gh_cli_print_json("inspect", o, false);
        return GH_OK;
    }
    if (status == GH_OK) {
        print_model(o);
        gh_print_parts(o);
        print_labels(o);
    }
    json_decref(o);
    return status;
}

/* Shows what could be read; a network that does not load is shown too, and then why. */
static gh_status inspect(gh_network *n, const values *v, gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(gh_onnx_read(&g, n->file, e));
    json_t *o = describe_file(n, g, v);
    gh_graph_free(&g);
    gh_status status = gh_network_load(n, v->size, e);
    if (status == GH_OK)
        describe_plan(o, n, v);
    if (status == GH_OK && !n->manifest)
        describe_guess(o, n);
    if (status != GH_OK)
        json_object_set_new(o, "error", gh_json_text(e->text));
    if (v->json) {
        gh_cli_print_json("inspect", o, false);
    } else {
        print_text(o);
        json_decref(o);
    }
    return status;
}

/* The manifest goes to stdout, so that it may become a file; what was guessed to stderr. */
static gh_status print_manifest(gh_network *n, const values *v, gh_err *e)
{
    gh_graph *g = NULL;
    gh_draft d = {0};
    size_t i;
    json_t *note;
    GH_TRY(gh_onnx_read(&g, n->file, e));
    gh_status status = gh_network_load(n, v->size, e);
    if (status == GH_OK)
        status = gh_draft_make(&d, n, g->producer, e);
    json_array_foreach(d.notes, i, note) fprintf(stderr, "gharial inspect: %s\n", json_string_value(note));
    if (status == GH_OK)
        gh_cli_print_json("inspect", json_incref(d.manifest), false);
    gh_draft_free(&d);
    gh_graph_free(&g);
    return status;
}

int gh_cmd_inspect(int argc, char **argv)
{
    values v = {0};
    gh_err e = {0};
    gh_network n = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    if (argc == 1 && v.model)
        return gh_cli_fail("inspect", gh_fail(&e, GH_ARG, "there is a file and a --model; one is enough"),
                           &e);
    gh_status status = gh_cli_precision(v.precision, &e);
    gh_tune_set(v.tune);
    if (status == GH_OK)
        status = gh_network_find(&n, argc == 1 ? argv[0] : v.model, &v.models, &e);
    if (status == GH_OK)
        status = gh_has_parts(n.manifest, n.file) ? inspect_parts(&n, &v, &e)
                 : v.manifest                     ? print_manifest(&n, &v, &e)
                                                  : inspect(&n, &v, &e);
    gh_network_free(&n);
    return gh_cli_flush("inspect", status == GH_OK ? 0 : gh_cli_fail("inspect", status, &e));
}
