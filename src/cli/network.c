/* Opening a network with its shapes fixed. */
#include "cli/network.h"

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <stdio.h>
#include <sys/stat.h>

#define DEFAULT_SIDE 224
#define MAX_SIDE     16384

gh_status gh_network_find(gh_network *out, const char *model, const gh_opt_list *dirs, gh_err *e)
{
    gh_network n = {0};
    char *path = NULL;
    struct stat st;
    GH_TRY(gh_cli_model_path(&path, model, dirs, e));
    gh_status status = GH_OK;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        status = gh_manifest_read(&n.manifest, path, e);
        n.file = gh_path_join(path, "model.onnx");
    } else {
        n.file = gh_strdup(path);
    }
    if (status == GH_OK && !n.file)
        status = gh_fail(e, GH_NOMEM, "memory ran out at a path");
    gh_free(path);
    if (status == GH_OK)
        *out = n;
    else
        gh_network_free(&n);
    return status;
}

static gh_status choose_size(gh_size *out, const gh_network *n, const char *text, gh_err *e)
{
    char end;
    gh_size size = {DEFAULT_SIDE, DEFAULT_SIDE};
    if (n->manifest)
        size = (gh_size){n->manifest->input.width, n->manifest->input.height};
    if (text && (sscanf(text, "%dx%d%c", &size.width, &size.height, &end) != 2 || size.width < 1 ||
                 size.height < 1 || size.width > MAX_SIDE || size.height > MAX_SIDE))
        return gh_fail(e, GH_ARG, "--size is '%.40s'; it takes WIDTHxHEIGHT, each from 1 to %d", text,
                       MAX_SIDE);
    *out = size;
    return GH_OK;
}

static gh_shape fixed_shape(gh_shape shape, gh_size size)
{
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] < 0)
            shape.dims[i] = shape.rank == 4 && i == 2   ? size.height
                            : shape.rank == 4 && i == 3 ? size.width
                                                        : 1;
    return shape;
}

gh_status gh_plan_of_size(gh_plan **out, gh_net *net, gh_size size, gh_err *e)
{
    size_t count = gh_net_inputs(net);
    gh_shape *shapes = gh_calloc(count, sizeof *shapes);
    if (!shapes)
        return gh_fail(e, GH_NOMEM, "memory ran out at the shapes");
    for (size_t i = 0; i < count; i++)
        shapes[i] = fixed_shape(gh_net_input(net, i)->shape, size);
    gh_status status = gh_plan_get(out, net, shapes, e);
    gh_free(shapes);
    return status;
}

gh_status gh_network_load(gh_network *n, const char *size_text, gh_err *e)
{
    gh_size size = {0, 0};
    unsigned passes;
    GH_TRY(choose_size(&size, n, size_text, e));
    GH_TRY(gh_precision_flag(&passes, n->manifest ? n->manifest->precision : GH_PRECISION_DEFAULT, e));
    passes |= GH_PASS_ALL;
    GH_TRY(n->manifest && n->manifest->input.stride
               ? gh_net_load_any_size(&n->net, n->file, passes, NULL, 0, e)
               : gh_net_load(&n->net, n->file, passes, e));
    gh_status status = gh_plan_of_size(&n->plan, n->net, size, e);
    if (gh_net_inputs(n->net)) {
        n->input = fixed_shape(gh_net_input(n->net, 0)->shape, size);
        n->size = n->input.rank == 4 ? (gh_size){(int)n->input.dims[3], (int)n->input.dims[2]} : size;
    }
    return status;
}

void gh_network_free(gh_network *n)
{
    gh_plan_put(&n->plan);
    gh_net_free(&n->net);
    gh_manifest_free(&n->manifest);
    gh_free(n->file);
    *n = (gh_network){0};
}
