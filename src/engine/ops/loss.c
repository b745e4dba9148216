/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: the losses that some models are exported with. */
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

/* Scores [n][classes][places], a class number a place. */
typedef struct job {
    const gh_tensor *scores, *labels, *weights; /* weights NULL: 1 for every class */
    size_t pictures, classes, places;
    int64_t ignored;
    bool has_ignored, cross; /* cross: the scores are turned into logarithms of probabilities first */
    float *logs;             /* where those go, or NULL */
} job;

typedef enum reduction { NONE, SUM, MEAN } reduction;

static gh_status reduction_of(const gh_io *io, reduction *out)
{
    static const char *const names[] = {[NONE] = "none", [SUM] = "sum", [MEAN] = "mean"};
    const char *name = gh_node_string(io->node, "reduction", "mean");
    for (size_t i = 0; i < GH_COUNT(names); i++)
        if (strcmp(names[i], name) == 0) {
            *out = (reduction)i;
            return GH_OK;
        }
    return gh_io_fail(io, GH_FORMAT, "reduction is \"%.40s\"; none, sum and mean are known", name);
}

static gh_status infer(gh_io *io)
{
    reduction r;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    const gh_shape *x = &io->in[0].shape;
    if (x->rank < 2)
        return gh_io_fail(io, GH_FORMAT, "scores have %d dimensions; at least 2 are needed", x->rank);
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, x->rank - 1));
    if (io->in[1].type != GH_I32)
        GH_TRY(gh_io_need(io, 1, GH_I64, -1));
    gh_shape labels = {.rank = x->rank - 1, .dims = {x->dims[0]}};
    for (int d = 1; d < labels.rank; d++)
        labels.dims[d] = x->dims[d + 1];
    if (!gh_shape_equal(&labels, &io->in[1].shape))
        return gh_io_fail(io, GH_FORMAT, "there is not one label for each row of scores");
    if (gh_has(io, 2)) {
        GH_TRY(gh_io_need(io, 2, GH_F32, 1));
        if (io->in[2].shape.dims[0] != x->dims[1])
            return gh_io_fail(io, GH_FORMAT, "there is not one weight for each class");
    }
    GH_TRY(reduction_of(io, &r));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = r == NONE ? labels : (gh_shape){.rank = 0}};
    if (io->nout > 1)
        io->out[1] = (gh_tensor){.type = GH_F32, .shape = *x};
    return GH_OK;
}

/* The logarithm of the sum of the exponentials of one place's scores; 0 where they are logarithms already. */
static double log_sum(const job *j, const float *scores)
{
    double most = -INFINITY, sum = 0;
    for (size_t c = 0; j->cross && c < j->classes; c++)
        most = scores[c * j->places] > most ? scores[c * j->places] : most;
    for (size_t c = 0; j->cross && c < j->classes; c++)
        sum += exp(scores[c * j->places] - most);
    return j->cross ? most + log(sum) : 0;
}

/* Loss and weight of place `at`. Both are 0 where the label is to be ignored; GH_ARG for one that is no
 * class. */
static gh_status one(const job *j, size_t at, double *loss, double *weight)
{
    size_t first = at / j->places * j->classes * j->places + at % j->places;
    const float *scores = (const float *)j->scores->data + first;
    int64_t label = gh_int_at(j->labels, at);
    double log_of_sum = log_sum(j, scores);
    *loss = *weight = 0;
    for (size_t c = 0; j->logs && c < j->classes; c++)
        j->logs[first + c * j->places] = (float)(scores[c * j->places] - log_of_sum);
    if (j->has_ignored && label == j->ignored)
        return GH_OK;
    if (label < 0 || (uint64_t)label >= j->classes)
        return GH_ARG;
    *weight = j->weights ? ((const float *)j->weights->data)[label] : 1;
    *loss = (log_of_sum - scores[(size_t)label * j->places]) * *weight;
    return GH_OK;
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    const gh_shape *s = &x->in[0].shape;
    job j = {.scores = &x->in[0],
             .labels = &x->in[1],
             .weights = gh_has(&io, 2) ? &x->in[2] : NULL,
             .pictures = (size_t)s->dims[0],
             .classes = (size_t)s->dims[1],
             .places = gh_shape_span(s, 2, s->rank),
             .ignored = gh_node_int(x->node, "ignore_index", 0),
             .has_ignored = gh_node_attr(x->node, "ignore_index") != NULL,
             .cross = x->node->type[0] == 'S',
             .logs = x->nout > 1 ? x->out[1].data : NULL};
    double sum = 0, weights = 0, loss, weight;
    reduction r;
    GH_TRY(reduction_of(&io, &r));
    for (size_t i = 0; i < j.pictures * j.places; i++) {
        if (one(&j, i, &loss, &weight))
            return gh_io_fail(&io, GH_ARG, "label %lld is none of %zu classes",
                              (long long)gh_int_at(j.labels, i), j.classes);
        sum += loss;
        weights += weight;
        if (r == NONE)
            ((float *)x->out[0].data)[i] = (float)loss;
    }
    if (r != NONE)
        *(float *)x->out[0].data = (float)(r == MEAN ? sum / weights : sum);
    return GH_OK;
}

const gh_op gh_ops_loss[] = {
    {"NegativeLogLikelihoodLoss", "", 12, 0, 0, 2, 3, 1, infer, run, NULL, NULL},
    {"SoftmaxCrossEntropyLoss", "", 12, 0, 0, 2, 3, 2, infer, run, NULL, NULL},
};
const size_t gh_ops_loss_count = GH_COUNT(gh_ops_loss);
