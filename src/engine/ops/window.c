/* Window geometry of convolution and pooling, from attributes and input size. */
#include "engine/ops.h"

#include <string.h>

gh_status gh_io_list(const gh_io *io, const char *name, int64_t *values, size_t n, int64_t fallback,
                     int64_t least)
{
    const gh_attr *a = gh_node_attr(io->node, name);
    for (size_t i = 0; i < n; i++)
        values[i] = fallback;
    if (!a)
        return GH_OK;
    if (a->type != GH_ATTR_INTS || a->count != n)
        return gh_io_fail(io, GH_FORMAT, "attribute %s must hold %zu integers", name, n);
    for (size_t i = 0; i < n; i++) {
        if (a->ints[i] < least || a->ints[i] > GH_MAX_WINDOW)
            return gh_io_fail(io, GH_FORMAT, "attribute %s holds %lld; %lld to %d is accepted", name,
                              (long long)a->ints[i], (long long)least, GH_MAX_WINDOW);
        values[i] = a->ints[i];
    }
    return GH_OK;
}

/* Output size of one axis, filling the padding that auto_pad asks for. `pad` is begin, end. */
static gh_status axis_out(const gh_io *io, int64_t *out, int64_t in, int64_t window, int64_t stride,
                          int64_t dilation, int64_t pad[2], const char *auto_pad, bool ceil_mode)
{
    int64_t reach = dilation * (window - 1) + 1;
    if (strncmp(auto_pad, "SAME_", 5) == 0) {
        *out = (in + stride - 1) / stride;
        int64_t total = (*out - 1) * stride + reach - in;
        total = total < 0 ? 0 : total;
        if (total > GH_MAX_WINDOW)
            return gh_io_fail(io, GH_FORMAT, "auto_pad would add %lld pixels; at most %d are accepted",
                              (long long)total, GH_MAX_WINDOW);
        pad[0] = auto_pad[5] == 'U' ? total / 2 : total - total / 2;
        pad[1] = total - pad[0];
        return GH_OK;
    }
    int64_t room = in + pad[0] + pad[1] - reach;
    if (room < 0)
        return gh_io_fail(io, GH_FORMAT, "a window of %lld is larger than the padded input of %lld",
                          (long long)reach, (long long)(in + pad[0] + pad[1]));
    *out = room / stride + 1;
    if (ceil_mode && room % stride && *out * stride < in + pad[0])
        *out += 1; /* the last window must start inside the input or its left padding (ONNX, MaxPool-22) */
    return GH_OK;
}

gh_status gh_window(const gh_io *io, gh_conv_shape *s, int pads_end[2], const int64_t window[2],
                    bool ceil_mode)
{
    const gh_shape *in = &io->in[0].shape;
    size_t spatial = (size_t)in->rank - 2;
    const char *auto_pad = gh_node_string(io->node, "auto_pad", "NOTSET");
    int64_t stride[2], dilation[2], pads[4], out[2], size[2] = {1, 1};
    if (in->rank != 3 && in->rank != 4)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 3 and 4", in->rank);
    GH_TRY(gh_io_list(io, "strides", stride, spatial, 1, 1));
    GH_TRY(gh_io_list(io, "dilations", dilation, spatial, 1, 1));
    GH_TRY(gh_io_list(io, "pads", pads, 2 * spatial, 0, 0));
    bool notset = strcmp(auto_pad, "NOTSET") == 0, valid = strcmp(auto_pad, "VALID") == 0;
    if (!notset && !valid && strcmp(auto_pad, "SAME_UPPER") != 0 && strcmp(auto_pad, "SAME_LOWER") != 0)
        return gh_io_fail(io, GH_FORMAT,
                          "auto_pad is \"%.40s\"; NOTSET, VALID, SAME_UPPER or SAME_LOWER are known",
                          auto_pad);
    if (valid)
        memset(pads, 0, sizeof pads);
    if (spatial == 1) { /* one axis: the other is a height of 1 */
        stride[1] = stride[0];
        dilation[1] = dilation[0];
        stride[0] = dilation[0] = 1;
        pads[3] = pads[1];
        pads[1] = pads[0];
        pads[0] = pads[2] = 0;
    }
    for (size_t a = 0; a < 2; a++) {
        size[a] = spatial == 2 ? in->dims[2 + a] : a ? in->dims[2] : 1;
        if (window[a] < 1 || window[a] > GH_MAX_WINDOW)
            return gh_io_fail(io, GH_FORMAT, "a window side is %lld; 1 to %d is accepted",
                              (long long)window[a], GH_MAX_WINDOW);
        int64_t pad[2] = {pads[a], pads[a + 2]};
        GH_TRY(axis_out(io, &out[a], size[a], window[a], stride[a], dilation[a], pad, auto_pad, ceil_mode));
        pads[a] = pad[0];
        pads[a + 2] = pad[1];
    }
    *s = (gh_conv_shape){.n = (int)in->dims[0],
                         .ic = (int)in->dims[1],
                         .ih = (int)size[0],
                         .iw = (int)size[1],
                         .oc = (int)in->dims[1],
                         .oh = (int)out[0],
                         .ow = (int)out[1],
                         .kh = (int)window[0],
                         .kw = (int)window[1],
                         .sh = (int)stride[0],
                         .sw = (int)stride[1],
                         .dh = (int)dilation[0],
                         .dw = (int)dilation[1],
                         .pt = (int)pads[0],
                         .pl = (int)pads[1],
                         .groups = 1};
    pads_end[0] = (int)pads[2];
    pads_end[1] = (int)pads[3];
    return GH_OK;
}

void gh_exec_range(const gh_exec *x, int units, gh_range_fn fn, const void *job)
{
    gh_pool_range(x->pool, units, fn, job);
}
