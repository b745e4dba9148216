/* LinearClassifier and LinearRegressor of ai.onnx.ml: products with coefficients that stand in attributes. As
 * with trees, the answers are ONNX Runtime's where the standard leaves room, and text labels become class
 * numbers. */
#include "engine/ops/number.h"
#include "engine/ops/trees.h"

#include <string.h>

typedef struct linear {
    const float *weights, *bias;   /* [rows][columns]; bias NULL: 0 */
    const int64_t *labels;         /* NULL: class numbers */
    size_t rows, columns, targets; /* targets: scores given, 2 for one row of a classifier of two classes */
    gh_tree_post post;
    bool classifier;
} linear;

static gh_status floats_of(const gh_io *io, const char *name, const gh_attr **out, bool needed)
{
    const gh_attr *a = gh_node_attr(io->node, name);
    if ((a && a->type != GH_ATTR_FLOATS) || (!a && needed))
        return gh_io_fail(io, GH_FORMAT, "attribute %s must hold numbers", name);
    *out = a;
    return GH_OK;
}

/* Number of classes by their labels. */
static gh_status read_labels(const gh_io *io, linear *l, size_t *count)
{
    const gh_attr *ints = gh_node_attr(io->node, "classlabels_ints");
    const gh_attr *texts = gh_node_attr(io->node, "classlabels_strings");
    if (ints && ints->type == GH_ATTR_INTS && ints->count) {
        l->labels = ints->ints;
        *count = ints->count;
        return GH_OK;
    }
    *count = texts && texts->type == GH_ATTR_STRINGS ? texts->count : 0;
    return *count ? GH_OK : gh_io_fail(io, GH_FORMAT, "it has no class labels");
}

static gh_status read_linear(const gh_io *io, linear *l)
{
    const gh_attr *weights = NULL, *bias = NULL;
    size_t labels = 0;
    *l = (linear){.classifier = strcmp(io->node->type, "LinearClassifier") == 0};
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    const gh_shape *x = &io->in[0].shape;
    if (!gh_number_type(io->in[0].type) || x->rank < 1 || x->rank > 2)
        return gh_io_fail(io, GH_UNSUPPORTED, "input 0 must be one or two dimensions of numbers");
    GH_TRY(floats_of(io, "coefficients", &weights, true));
    GH_TRY(floats_of(io, "intercepts", &bias, false));
    GH_TRY(gh_trees_post(io, &l->post));
    if (l->classifier)
        GH_TRY(read_labels(io, l, &labels));
    int64_t targets = gh_node_int(io->node, "targets", 1);
    l->columns = (size_t)x->dims[x->rank - 1];
    l->rows = l->classifier ? (bias ? bias->count : labels) : targets > 0 ? (size_t)targets : 0;
    if (l->columns == 0 || l->rows == 0 || weights->count / l->columns != l->rows ||
        weights->count % l->columns || (bias && bias->count != l->rows))
        return gh_io_fail(io, GH_FORMAT, "%zu coefficients do not make %zu rows of %zu", weights->count,
                          l->rows, l->columns);
    l->targets = l->classifier ? labels : l->rows;
    if (l->targets != l->rows && !(l->rows == 1 && l->targets == 2))
        return gh_io_fail(io, GH_FORMAT, "%zu classes do not fit %zu rows of coefficients", l->targets,
                          l->rows);
    if (l->targets != l->rows && l->post == GH_TREE_PROBIT)
        return gh_io_fail(io, GH_UNSUPPORTED, "PROBIT on one row of coefficients");
    l->weights = weights->floats;
    l->bias = bias ? bias->floats : NULL;
    return GH_OK;
}

static gh_status infer(gh_io *io)
{
    linear l;
    GH_TRY(read_linear(io, &l));
    const gh_shape *x = &io->in[0].shape;
    int64_t dims[2] = {x->rank == 1 ? 1 : x->dims[0], (int64_t)l.targets};
    if (l.classifier && io->nout != 2)
        return gh_io_fail(io, GH_FORMAT, "it has %u outputs; it gives labels and scores", io->nout);
    if (l.classifier)
        io->out[0] = (gh_tensor){.type = GH_I64, .shape = gh_shape_of(1, dims)};
    io->out[l.classifier] = (gh_tensor){.type = GH_F32, .shape = gh_shape_of(2, dims)};
    return GH_OK;
}

/* Scores of one row of numbers. */
static void products(float *scores, const linear *l, const gh_tensor *x, size_t row)
{
    for (size_t r = 0; r < l->rows; r++) {
        double sum = l->bias ? l->bias[r] : 0;
        for (size_t c = 0; c < l->columns; c++)
            sum += gh_number_at(x, row * l->columns + c) * l->weights[r * l->columns + c];
        scores[r] = (float)sum;
    }
}

/* The class of one row; turns its scores into what the node gives. */
static size_t classify(float *scores, const linear *l)
{
    size_t best = 0;
    if (l->rows == 1 && l->targets == 2) { /* the one score is that of the second class */
        float s = scores[0], both[2] = {-s, s};
        if (l->post == GH_TREE_LOGISTIC)
            gh_trees_transform(both, 2, l->post);
        scores[0] = l->post == GH_TREE_LOGISTIC ? both[0] : 1 - s;
        scores[1] = both[1];
        return s > 0;
    }
    for (size_t c = 1; c < l->targets; c++)
        best = scores[c] > scores[best] ? c : best;
    gh_trees_transform(scores, (uint32_t)l->targets, l->post);
    return best;
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    linear l;
    GH_TRY(read_linear(&io, &l));
    float *scores = x->out[l.classifier].data;
    size_t rows = (size_t)x->out[l.classifier].shape.dims[0];
    for (size_t i = 0; i < rows; i++, scores += l.targets) {
        products(scores, &l, &x->in[0], i);
        if (!l.classifier) {
            if (l.targets > 1 || l.post == GH_TREE_PROBIT)
                gh_trees_transform(scores, (uint32_t)l.targets, l.post);
            continue;
        }
        size_t best = classify(scores, &l);
        ((int64_t *)x->out[0].data)[i] = l.labels ? l.labels[best] : (int64_t)best;
    }
    return GH_OK;
}

const gh_op gh_ops_ml_linear[] = {
    {"LinearClassifier", "ai.onnx.ml", 1, 4, 0, 1, 1, 2, infer, run, NULL, NULL},
    {"LinearRegressor", "ai.onnx.ml", 1, 4, 0, 1, 1, 1, infer, run, NULL, NULL},
};
const size_t gh_ops_ml_linear_count = GH_COUNT(gh_ops_ml_linear);
