/* gharial import: a foreign weight file becomes model.onnx. */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "engine/net.h"
#include "engine/onnx.h"
#include "import/arch.h"
#include "import/tfjs.h"
#include "import/tflite.h"
#include "tasks/manifest.h"

#include <stdio.h>
#include <string.h>

typedef struct values {
    const char *from, *arch, *cut, *inputs, *model, *out;
} values;

static const gh_option options[] = {
    {"from", GH_OPT_STRING, offsetof(values, from), "FORMAT",
     "what the file is: torch, tfjs, tflite or onnx (torch)", 0, 0},
    {"arch", GH_OPT_STRING, offsetof(values, arch), "NAME", "the network, where the file has weights only", 0,
     0},
    {"cut", GH_OPT_STRING, offsetof(values, cut), "NAME[,NAME...]",
     "tfjs: the tensors that become outputs (all ends)", 0, 0},
    {"inputs", GH_OPT_STRING, offsetof(values, inputs), "NAME[=1x224x224x3][,...]",
     "tfjs: the tensors that become inputs (all placeholders)", 0, 0},
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME|DIR",
     "take format and network from this model's manifest", 0, 0},
    {"out", GH_OPT_STRING, offsetof(values, out), "FILE", "the file to write (model.onnx of --model)", 0, 0},
    {0},
};

static const gh_usage usage = {
    .command = "import",
    .args = "FILE",
    .about =
        "Turns a foreign weight file into an ONNX model. Nothing in the file is executed. Networks:\n"
        "efficientnet-lite0 to -lite4, mobilenet-v2, resnet18, resnet34, resnet50 (torchvision's\n"
        "names), retinaface-mobilenet0.25, and face-expression (face-api's, a TF.js manifest of weights);\n"
        "TFLite files and TF.js graph models (model.json) bring their own. An ONNX file is copied as it is, "
        "after a check that gharial runs it.",
    .example = "gharial import --from torch --arch efficientnet-lite0 weights.pth --out model.onnx",
    .options = options,
    .min_args = 1,
    .max_args = 1,
};

/* What is to be done, after options and manifest have been joined; strings owned. */
typedef struct job {
    char *from, *arch, *cut, *inputs, *out;
    const struct format *format;
} job;

static gh_status set(char **to, const char *text, gh_err *e)
{
    gh_free(*to);
    *to = gh_strdup(text);
    return *to ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the options");
}

/* The source section of the manifest's file, where the options do not say otherwise. */
static gh_status read_source(job *j, const gh_manifest *m, const json_t *root, gh_err *e)
{
    const json_t *source = json_object_get(root, "source");
    const char *from = json_string_value(json_object_get(source, "format"));
    const struct {
        char **to;
        const char *key;
    } texts[] = {{&j->from, "format"}, {&j->arch, "arch"}, {&j->cut, "cut"}, {&j->inputs, "inputs"}};
    gh_status status = GH_OK;
    if (!from)
        status =
            gh_fail(e, GH_FORMAT, "the manifest of %s has no \"source\" with a \"format\"; name it by --from",
                    m->name);
    for (size_t i = 0; i < GH_COUNT(texts) && status == GH_OK; i++) {
        const char *text = json_string_value(json_object_get(source, texts[i].key));
        if (text && !*texts[i].to)
            status = set(texts[i].to, text, e);
    }
    return status;
}

/* The text of model.json: as it is served, a manifest has lost what looks like a path. */
static gh_status load_manifest(json_t **out, const char *folder, gh_err *e)
{
    const gh_json_limits limits = {GH_MAX_MANIFEST_BYTES, GH_MAX_MANIFEST_DEPTH, 0};
    gh_buf text = {0};
    char *path = gh_path_join(folder, "model.json");
    gh_status status = path ? gh_file_read(&text, path, GH_MAX_MANIFEST_BYTES, e)
                            : gh_fail(e, GH_NOMEM, "no memory for a path");
    if (status == GH_OK)
        status =
            gh_json_load(out, "model.json", text.data ? (const char *)text.data : "", text.len, &limits, e);
    gh_buf_free(&text);
    gh_free(path);
    return status;
}

static gh_status use_manifest(job *j, const char *model, gh_err *e)
{
    char *folder = NULL;
    gh_manifest *m = NULL;
    json_t *root = NULL;
    gh_status status = gh_cli_model_path(&folder, model, NULL, e);
    if (status == GH_OK)
        status = gh_manifest_read(&m, folder, e);
    if (status == GH_OK)
        status = load_manifest(&root, folder, e);
    if (status == GH_OK)
        status = read_source(j, m, root, e);
    json_decref(root);
    if (status == GH_OK && !j->out) {
        j->out = gh_path_join(folder, "model.onnx");
        status = j->out ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for a path");
    }
    gh_manifest_free(&m);
    gh_free(folder);
    return status;
}

/* The bytes as they are, once the engine has taken them. */
static gh_status copy_onnx(const job *j, const char *file, gh_err *e)
{
    gh_net *net = NULL;
    gh_map map = {0};
    gh_status status = gh_net_load(&net, file, GH_PASS_ALL, e);
    if (status == GH_OK)
        status = gh_map_open(&map, file, GH_MAX_MODEL_BYTES, e);
    if (status == GH_OK)
        status = gh_file_write(j->out, map.data, map.size, e);
    if (status == GH_OK)
        gh_log(GH_LOG_INFO, "%s: a copy of %s, %u nodes", j->out, file, gh_net_graph(net)->nnodes);
    gh_map_close(&map);
    gh_net_free(&net);
    return status;
}

/* Writes the graph, which a reader made unless it failed, and frees it. */
static gh_status write_graph(const job *j, const char *file, gh_graph *g, gh_status status, gh_err *e)
{
    if (status == GH_OK)
        status = gh_onnx_write(g, j->out, e);
    if (status == GH_OK)
        gh_log(GH_LOG_INFO, "%s: from %s, %u nodes", j->out, file, g->nnodes);
    gh_graph_free(&g);
    return status;
}

static gh_status import_tflite(const job *j, const char *file, gh_err *e)
{
    gh_graph *g = NULL;
    gh_status status = gh_tflite_read(&g, file, e);
    return write_graph(j, file, g, status, e);
}

static gh_status import_tfjs(const job *j, const char *file, gh_err *e)
{
    gh_graph *g = NULL;
    gh_status status = j->arch ? gh_tfjs_read_weights(&g, file, j->arch, e)
                               : gh_tfjs_read(&g, file, &(gh_tfjs_cut){j->inputs, j->cut}, e);
    return write_graph(j, file, g, status, e);
}

static gh_status import_torch(const job *j, const char *file, gh_err *e)
{
    gh_torch *weights = NULL;
    gh_graph *g = NULL;
    gh_status status = gh_torch_open(&weights, file, e);
    if (status == GH_OK)
        status = gh_arch_build_torch(&g, j->arch, weights, e);
    if (status == GH_OK)
        status = gh_onnx_write(g, j->out, e);
    if (status == GH_OK)
        gh_log(GH_LOG_INFO, "%s: %s from %zu tensors, %u nodes", j->out, j->arch, gh_torch_count(weights),
               g->nnodes);
    gh_graph_free(&g);
    gh_torch_free(&weights);
    return status;
}

/* What a format is called, and how a file of it becomes the job's model. */
typedef struct format {
    const char *name;
    bool weights_only;
    gh_status (*import)(const job *j, const char *file, gh_err *e);
} format;

static const format formats[] = {{"torch", true, import_torch},
                                 {"tfjs", false, import_tfjs},
                                 {"tflite", false, import_tflite},
                                 {"onnx", false, copy_onnx}};

static const format *find_format(const char *name)
{
    for (size_t i = 0; i < GH_COUNT(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static gh_status join(job *j, const values *v, gh_err *e)
{
    if (v->from)
        GH_TRY(set(&j->from, v->from, e));
    if (v->arch)
        GH_TRY(set(&j->arch, v->arch, e));
    if (v->cut)
        GH_TRY(set(&j->cut, v->cut, e));
    if (v->inputs)
        GH_TRY(set(&j->inputs, v->inputs, e));
    if (v->out)
        GH_TRY(set(&j->out, v->out, e));
    if (v->model)
        GH_TRY(use_manifest(j, v->model, e));
    if (!j->from)
        GH_TRY(set(&j->from, "torch", e));
    j->format = find_format(j->from);
    if (!j->format)
        return gh_fail(e, GH_UNSUPPORTED, "no importer for \"%.40s\"; there are torch, tfjs, tflite and onnx",
                       j->from);
    if (!j->arch && j->format->weights_only)
        return gh_fail(e, GH_ARG,
                       "a PyTorch checkpoint holds weights only: name its network by --arch "
                       "(efficientnet-lite0, ...) or a model by --model");
    if (!j->out)
        return gh_fail(e, GH_ARG, "name the file to write by --out, or a model by --model");
    return GH_OK;
}

int gh_cmd_import(int argc, char **argv)
{
    values v = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    gh_err e = {0};
    job j = {0};
    gh_status status = join(&j, &v, &e);
    if (status == GH_OK)
        status = j.format->import(&j, argv[0], &e);
    gh_free(j.from);
    gh_free(j.arch);
    gh_free(j.cut);
    gh_free(j.inputs);
    gh_free(j.out);
    return status == GH_OK ? 0 : gh_cli_fail("import", status, &e);
}
