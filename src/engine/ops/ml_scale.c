/* Scaler, Normalizer, Binarizer and ArrayFeatureExtractor of ai.onnx.ml: columns of features made ready. */
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

static gh_status need_numbers(const gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!gh_number_type(io->in[0].type) || io->in[0].shape.rank < 1)
        return gh_io_fail(io, GH_UNSUPPORTED, "input 0 must be rows of numbers, not %s",
                          gh_dtype_name(io->in[0].type));
    return GH_OK;
}

static gh_status float_out(gh_io *io)
{
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

static size_t columns_of(const gh_shape *s)
{
    return (size_t)s->dims[s->rank - 1];
}

/* One number for all columns, or one a column. */
static gh_status scaler_attr(const gh_io *io, const char *name, const gh_attr **out)
{
    const gh_attr *a = gh_node_attr(io->node, name);
    if (!a || a->type != GH_ATTR_FLOATS || (a->count != 1 && a->count != columns_of(&io->in[0].shape)))
        return gh_io_fail(io, GH_FORMAT, "attribute %s must hold one number, or one for each column", name);
    *out = a;
    return GH_OK;
}

static gh_status scaler_infer(gh_io *io)
{
    const gh_attr *a;
    GH_TRY(need_numbers(io));
    GH_TRY(scaler_attr(io, "offset", &a));
    GH_TRY(scaler_attr(io, "scale", &a));
    return float_out(io);
}

static gh_status scaler_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    const gh_attr *offset, *scale;
    GH_TRY(scaler_attr(&io, "offset", &offset));
    GH_TRY(scaler_attr(&io, "scale", &scale));
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    size_t columns = columns_of(&x->in[0].shape);
    for (size_t i = 0; i < count; i++)
        ((float *)x->out[0].data)[i] =
            ((float)gh_number_at(&x->in[0], i) - offset->floats[i % columns % offset->count]) *
            scale->floats[i % columns % scale->count];
    return GH_OK;
}

static gh_status normalizer_infer(gh_io *io)
{
    const char *norm = gh_node_string(io->node, "norm", "MAX");
    GH_TRY(need_numbers(io));
    if (strcmp(norm, "MAX") != 0 && strcmp(norm, "L1") != 0 && strcmp(norm, "L2") != 0)
        return gh_io_fail(io, GH_FORMAT, "norm is \"%.40s\"; MAX, L1 and L2 are known", norm);
    if (io->in[0].shape.rank > 2)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 1 and 2",
                          io->in[0].shape.rank);
    return float_out(io);
}

/* A row whose norm is 0 stays as it is. MAX is the largest value, not the largest magnitude, as in ONNX
 * Runtime. */
static gh_status normalizer_run(gh_exec *x)
{
    const char *kind = gh_node_string(x->node, "norm", "MAX");
    size_t columns = columns_of(&x->in[0].shape),
           count = gh_shape_span(&x->in[0].shape, 0, x->in[0].shape.rank);
    float *out = x->out[0].data;
    for (size_t from = 0; from < count; from += columns) {
        double most = -INFINITY, sum = 0, squares = 0;
        for (size_t i = from; i < from + columns; i++) {
            double v = gh_number_at(&x->in[0], i);
            most = v > most ? v : most;
            sum += fabs(v);
            squares += v * v;
        }
        double norm = kind[1] == '1' ? sum : kind[1] == '2' ? sqrt(squares) : most;
        for (size_t i = from; i < from + columns; i++)
            out[i] = (float)(gh_number_at(&x->in[0], i) / (norm != 0 ? norm : 1));
    }
    return GH_OK;
}

static gh_status binarizer_infer(gh_io *io)
{
    gh_dtype type = io->in[0].type;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!gh_number_type(type) || type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(type));
    io->out[0] = (gh_tensor){.type = type, .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status binarizer_run(gh_exec *x)
{
    double threshold = gh_node_float(x->node, "threshold", 0);
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    for (size_t i = 0; i < count; i++)
        gh_number_store(&x->out[0], i, gh_number_at(&x->in[0], i) > threshold);
    return GH_OK;
}

/* Columns of the last axis by number. */
static gh_status extractor_infer(gh_io *io)
{
    GH_TRY(need_numbers(io));
    GH_TRY(gh_io_need(io, 1, GH_I64, -1));
    int64_t n = (int64_t)gh_shape_span(&io->in[1].shape, 0, io->in[1].shape.rank);
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    if (io->in[0].shape.rank == 1)
        io->out[0].shape = (gh_shape){.rank = 2, .dims = {1, n}};
    else
        io->out[0].shape.dims[io->in[0].shape.rank - 1] = n;
    return GH_OK;
}

static gh_status extractor_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    size_t columns = columns_of(&x->in[0].shape), size = gh_dtype_size(x->in[0].type);
    size_t n = gh_shape_span(&x->in[1].shape, 0, x->in[1].shape.rank);
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    for (size_t i = 0; i < count; i++) {
        int64_t column = ((const int64_t *)x->in[1].data)[i % n];
        if (column < 0 || (uint64_t)column >= columns)
            return gh_io_fail(&io, GH_ARG, "column %lld is outside of %zu", (long long)column, columns);
        memcpy((char *)x->out[0].data + i * size,
               (const char *)x->in[0].data + (i / n * columns + (size_t)column) * size, size);
    }
    return GH_OK;
}

const gh_op gh_ops_ml_scale[] = {
    {"Scaler", "ai.onnx.ml", 1, 4, 0, 1, 1, 1, scaler_infer, scaler_run, NULL, NULL},
    {"Normalizer", "ai.onnx.ml", 1, 4, 0, 1, 1, 1, normalizer_infer, normalizer_run, NULL, NULL},
    {"Binarizer", "ai.onnx.ml", 1, 4, 0, 1, 1, 1, binarizer_infer, binarizer_run, NULL, NULL},
    {"ArrayFeatureExtractor", "ai.onnx.ml", 1, 4, 0, 2, 2, 1, extractor_infer, extractor_run, NULL, NULL},
};
const size_t gh_ops_ml_scale_count = GH_COUNT(gh_ops_ml_scale);
