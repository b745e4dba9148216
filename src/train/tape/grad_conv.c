/* Gradients of Conv and ConvTranspose, whose products are those of convolve.c. */
#include "train/products/convolve.h"
#include "train/tape/grad.h"

static bool is_transposed(const gh_node *n)
{
    return n->type[4] == 'T';
}

static gh_status shape_of(const gh_io *io, gh_conv_shape *s)
{
    gh_conv_shape t;
    if (!is_transposed(io->node))
        return gh_conv_shape_of(io, s);
    GH_TRY(gh_conv_transpose_shape_of(io, &t));
    *s = gh_conv_reversed(&t);
    return GH_OK;
}

static size_t scratch(const gh_io *io, int threads)
{
    gh_conv_shape s;
    return shape_of(io, &s) ? 0 : gh_convolve_scratch(&s, gh_kernels_get(), threads);
}

static gh_status start(const gh_grad_exec *x, gh_convolve *c)
{
    gh_io io = gh_grad_io(x);
    *c = (gh_convolve){.weights = x->in[1].data, .pool = x->pool, .k = x->k, .scratch = x->scratch};
    return shape_of(&io, &c->s);
}

static gh_status forward(gh_grad_exec *x)
{
    gh_convolve c;
    const float *bias = x->nin > 2 ? x->in[2].data : NULL;
    GH_TRY(start(x, &c));
    if (is_transposed(x->node))
        gh_convolve_input(&c, x->in[0].data, bias, x->out[0].data);
    else
        gh_convolve_forward(&c, x->in[0].data, bias, x->out[0].data);
    return GH_OK;
}

static void needs(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    (void)n;
    (void)out;
    *in = (wanted & 1 ? 2u : 0u) | (wanted & 2 ? 1u : 0u);
}

typedef struct bias_job {
    const float *dy;
    float *db;
    int n, channels;
    size_t plane;
} bias_job;

/* Units are channels. */
static void bias_units(const void *arg, int begin, int end)
{
    const bias_job *j = arg;
    for (int c = begin; c < end; c++) {
        double sum = 0;
        for (int i = 0; i < j->n; i++) {
            const float *dy = j->dy + ((size_t)i * (size_t)j->channels + (size_t)c) * j->plane;
            for (size_t p = 0; p < j->plane; p++)
                sum += dy[p];
        }
        j->db[c] = (float)sum;
    }
}

static gh_status backward(gh_grad_exec *x)
{
    gh_convolve c;
    const float *dy = x->dout[0].data;
    GH_TRY(start(x, &c));
    if (x->nin > 2 && x->din[2].data) {
        const gh_shape *s = &x->out[0].shape;
        bias_job b = {dy, x->din[2].data, (int)s->dims[0], (int)s->dims[1], gh_shape_span(s, 2, s->rank)};
        gh_grad_for(x, b.channels, bias_units, &b);
    }
    bool transposed = is_transposed(x->node);
    if (x->din[1].data && transposed)
        gh_convolve_weights(&c, dy, x->in[0].data, x->din[1].data);
    else if (x->din[1].data)
        gh_convolve_weights(&c, x->in[0].data, dy, x->din[1].data);
    if (x->din[0].data && transposed)
        gh_convolve_forward(&c, dy, NULL, x->din[0].data);
    else if (x->din[0].data)
        gh_convolve_input(&c, dy, NULL, x->din[0].data);
    return GH_OK;
}

#define ROW(type)                                                                                            \
    {                                                                                                        \
        type, 0, 6, 2, needs, forward, backward, NULL, scratch                                               \
    }

const gh_grad gh_grads_conv[] = {ROW("Conv"), ROW("ConvTranspose")};
const size_t gh_grads_conv_count = GH_COUNT(gh_grads_conv);
