/* What a network wants of a picture, guessed from its first layers: whether it normalises by itself, and if
 * not, how large the numbers are that its first weights are made for. */
#include "cli/draft.h"

#include "base/mem.h"
#include "tasks/preproc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this a first layer would drown in numbers of 0..255: such a network takes them smaller. Weights for
 * numbers of about 1 give each filter a length of some tenths and more, those for 0..255 some hundredths. */
#define LENGTH_OF_BYTES 0.1

/* The first node that reads value v, or NULL. */
static const gh_node *reader_of(const gh_graph *g, uint32_t v)
{
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] == v)
                return &g->nodes[i];
    return NULL;
}

/* The mean of a small float constant. */
static bool constant_mean(double *out, const gh_graph *g, uint32_t v)
{
    size_t count = 0;
    if (v == GH_NONE || !g->values[v].data || g->values[v].type != GH_F32 ||
        !gh_shape_count(&count, &g->values[v].shape) || count < 1 || count > 16)
        return false;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        float f;
        memcpy(&f, (const char *)g->values[v].data + i * sizeof f, sizeof f);
        *out += f / (double)count;
    }
    return true;
}

/* What the network does to the numbers before its first layer that is more: x becomes x * scale + shift. */
typedef struct start {
    double scale, shift;
    bool own; /* it does something */
    const gh_node *first;
} start;

static bool step(start *s, const gh_graph *g, const gh_node *n, uint32_t in)
{
    double c = 0;
    uint32_t other = n->ninputs == 2 ? n->inputs[n->inputs[0] == in] : GH_NONE;
    if (strcmp(n->type, "Identity") == 0 || strcmp(n->type, "Cast") == 0)
        return true;
    if (!constant_mean(&c, g, other))
        return false;
    if (strcmp(n->type, "Add") == 0 || strcmp(n->type, "Sub") == 0) {
        s->shift += *n->type == 'A' ? c : -c;
    } else if (strcmp(n->type, "Mul") == 0 || (strcmp(n->type, "Div") == 0 && c != 0)) {
        c = *n->type == 'M' ? c : 1 / c;
        s->scale *= c;
        s->shift *= c;
    } else {
        return false;
    }
    s->own = true;
    return true;
}

static start start_of(const gh_graph *g)
{
    start s = {.scale = 1};
    uint32_t v = g->inputs[0];
    s.first = reader_of(g, v);
    while (s.first && step(&s, g, s.first, v)) {
        v = s.first->outputs[0];
        s.first = reader_of(g, v);
    }
    return s;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median length of the first layer's filters, or 0 where it is no convolution with constant weights. */
static double filter_length(const gh_graph *g, const gh_node *n)
{
    size_t count = 0, filters;
    if (!n || strcmp(n->type, "Conv") != 0 || !g->values[n->inputs[1]].data || g->values[n->inputs[1]].gone ||
        !gh_shape_count(&count, &g->values[n->inputs[1]].shape) || count == 0)
        return 0;
    filters = (size_t)g->values[n->inputs[1]].shape.dims[0];
    double *lengths = gh_calloc(filters, sizeof *lengths), median = 0;
    if (!lengths)
        return 0;
    for (size_t i = 0; i < count; i++) {
        float f;
        memcpy(&f, (const char *)g->values[n->inputs[1]].data + i * sizeof f, sizeof f);
        lengths[i / (count / filters)] += (double)f * f;
    }
    qsort(lengths, filters, sizeof *lengths, by_size);
    median = sqrt(lengths[filters / 2]);
    gh_free(lengths);
    return median;
}

/* The ways of normalising that are common: mean and scale of v in 0..255. */
static const struct {
    const char *mean, *scale, *colour, *what;
} ways[] = {
    {"0", "1", "rgb", "numbers of 0 to 255"},
    {"0", "0.00392156863", "rgb", "numbers of 0 to 1"},
    {"[123.675, 116.28, 103.53]", "[0.0171247538, 0.0175070028, 0.0174291939]", "rgb",
     "ImageNet's mean and deviation taken off, as torchvision does"},
    {"127.5", "0.00784313725", "rgb", "numbers of -1 to 1, as TensorFlow's models take"},
    {"[104, 117, 123]", "1", "bgr", "blue first, ImageNet's mean taken off, as Caffe's models take"},
};
enum { BYTES, UNIT, TORCH, TENSORFLOW, CAFFE };

static bool names(const char *producer, const char *part)
{
    return producer && strstr(producer, part);
}

static int way_of(gh_draft *d, const gh_graph *g, const char *producer)
{
    start s = start_of(g);
    if (s.own) {
        double from_bytes = fabs(255 * s.scale + s.shift), from_unit = fabs(s.scale + s.shift);
        int way = from_bytes <= 8 && (from_unit < 0.05 || from_bytes <= 4) ? BYTES : UNIT;
        gh_draft_note(d, "the network normalises by itself (x * %.4g %+.4g): it is given %s", s.scale,
                      s.shift, ways[way].what);
        return way;
    }
    double length = filter_length(g, s.first);
    bool bytes = length > 0 && length < LENGTH_OF_BYTES;
    int way = bytes                                               ? (names(producer, "caffe") ? CAFFE : BYTES)
              : names(producer, "pytorch")                        ? TORCH
              : names(producer, "tf") || names(producer, "keras") ? TENSORFLOW
                                                                  : UNIT;
    gh_draft_note(
        d,
        "mean and scale are a guess: %s%s%s; the network does not say (its first filters have a length "
        "of %.3g, its producer is '%s'). Look up how it was trained",
        ways[way].what, way == UNIT ? ", for want of any hint" : "",
        way == BYTES ? ", perhaps less a mean, perhaps blue first" : "", length, producer ? producer : "");
    return way;
}

static json_t *numbers(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

json_t *gh_draft_input(gh_draft *d, const gh_network *n, const char *producer, gh_task task)
{
    const gh_shape *declared = &gh_net_input(n->net, 0)->shape;
    bool open = declared->dims[2] < 0 || declared->dims[3] < 0;
    int way = way_of(d, gh_net_graph(n->net), producer);
    json_t *o = json_object();
    json_object_set_new(o, "width", json_integer(n->size.width));
    json_object_set_new(o, "height", json_integer(n->size.height));
    if (open)
        gh_draft_note(d, "the network leaves its size open; %d x %d is what was tried (--size)",
                      n->size.width, n->size.height);
    if (open && task != GH_TASK_CLASSIFY && task != GH_TASK_EMBED)
        json_object_set_new(o, "stride", json_integer(32));
    json_object_set_new(o, "colour", json_string(ways[way].colour));
    json_object_set_new(o, "mean", numbers(ways[way].mean));
    json_object_set_new(o, "scale", numbers(ways[way].scale));
    json_object_set_new(o, "fit", json_string(task == GH_TASK_CLASSIFY ? "crop" : "stretch"));
    if (task == GH_TASK_CLASSIFY)
        json_object_set_new(o, "crop", json_real(0.875));
    json_object_set_new(o, "filter", json_string("bilinear"));
    return o;
}
