/* The affine change of place: one interpolation for pixels, the nearest value for masks, corners for boxes.
 * Places are those of pixels' middles: pixel u covers u .. u + 1. */
#include "train/augment/parts.h"

#include <math.h>
#include <string.h>

/* Samples a pixel of the result and side, at most: beyond, details alias, as nothing is gained from them. */
#define MOST_SAMPLES 6
/* Of a box, so much of its area must be in the result, and so many pixels of each side. */
#define LEAST_SEEN 0.3
#define LEAST_SIDE 2.0

static void sample(float sum[3], const gh_image *im, double x, double y)
{
    double fx = floor(x - 0.5), fy = floor(y - 0.5);
    float tx = (float)(x - 0.5 - fx), ty = (float)(y - 0.5 - fy);
    int x0 = (int)fx, y0 = (int)fy, x1 = x0 + 1, y1 = y0 + 1;
    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 >= im->width ? im->width - 1 : x1;
    y1 = y1 >= im->height ? im->height - 1 : y1;
    const uint8_t *up = im->pixels + (size_t)y0 * (size_t)im->width * 3,
                  *low = im->pixels + (size_t)y1 * (size_t)im->width * 3;
    for (int c = 0; c < 3; c++) {
        float a = (float)up[x0 * 3 + c], b = (float)up[x1 * 3 + c];
        float d = (float)low[x0 * 3 + c], f = (float)low[x1 * 3 + c];
        float top = a + (b - a) * tx, bottom = d + (f - d) * tx;
        sum[c] += top + (bottom - top) * ty;
    }
}

static int samples_for(double step)
{
    double n = ceil(step - 1e-6);
    return n < 1 ? 1 : n > MOST_SAMPLES ? MOST_SAMPLES : (int)n;
}

void gh_warp_pixels(uint8_t *dst, int width, int height, const gh_image *image, const gh_affine *t,
                    const uint8_t fill[3])
{
    double kx = (double)image->width / image->full_width, ky = (double)image->height / image->full_height;
    double ax = t->a[0] * kx, bx = t->a[1] * kx, cx = t->a[2] * kx;
    double ay = t->a[3] * ky, by = t->a[4] * ky, cy = t->a[5] * ky;
    int nu = samples_for(hypot(ax, ay)), nv = samples_for(hypot(bx, by));
    for (int v = 0; v < height; v++)
        for (int u = 0; u < width; u++) {
            float sum[3] = {0};
            for (int j = 0; j < nv; j++)
                for (int i = 0; i < nu; i++) {
                    double pu = u + (i + 0.5) / nu, pv = v + (j + 0.5) / nv;
                    double x = ax * pu + bx * pv + cx, y = ay * pu + by * pv + cy;
                    if (x >= 0 && y >= 0 && x < image->width && y < image->height)
                        sample(sum, image, x, y);
                    else
                        for (int c = 0; c < 3; c++)
                            sum[c] += (float)fill[c];
                }
            uint8_t *p = dst + ((size_t)v * (size_t)width + (size_t)u) * 3;
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)(sum[c] / (float)(nu * nv) + 0.5f);
        }
}

void gh_warp_mask(uint8_t *dst, int width, int height, const uint8_t *mask, int mask_width, int mask_height,
                  const gh_affine *t)
{
    for (int v = 0; v < height; v++)
        for (int u = 0; u < width; u++) {
            double x = floor(t->a[0] * (u + 0.5) + t->a[1] * (v + 0.5) + t->a[2]);
            double y = floor(t->a[3] * (u + 0.5) + t->a[4] * (v + 0.5) + t->a[5]);
            bool inside = x >= 0 && y >= 0 && x < mask_width && y < mask_height;
            dst[(size_t)v * (size_t)width + (size_t)u] =
                inside ? mask[(size_t)y * (size_t)mask_width + (size_t)x] : GH_AUGMENT_VOID;
        }
}

void gh_warp_box(gh_augment_box *out, const gh_ap_rect *box, int width, int height, const gh_affine *t)
{
    const double *a = t->a;
    double det = a[0] * a[4] - a[1] * a[3];
    double i0 = a[4] / det, i1 = -a[1] / det, i2 = -a[3] / det, i3 = a[0] / det; /* the way back */
    double mx = box->x + box->w / 2 - a[2], my = box->y + box->h / 2 - a[5];
    double u = i0 * mx + i1 * my, v = i2 * mx + i3 * my;
    double hw = hypot(i0 * box->w / 2, i1 * box->h / 2), hh = hypot(i2 * box->w / 2, i3 * box->h / 2);
    double x0 = fmax(0, u - hw), y0 = fmax(0, v - hh), x1 = fmin(width, u + hw), y1 = fmin(height, v + hh);
    out->box = (gh_ap_rect){x0, y0, x1 - x0, y1 - y0};
    out->kept =
        x1 - x0 >= LEAST_SIDE && y1 - y0 >= LEAST_SIDE && (x1 - x0) * (y1 - y0) >= LEAST_SEEN * 4 * hw * hh;
}
