/* Colours of cut-outs. A pixel at the edge of a mask mixes foreground and background, I = a F + (1 - a) B.
 * Both colours are estimated around it, from pixels weighted by how surely they belong to one or the other,
 * and F is what is left of I when the background is taken out. (The idea is blur fusion, Forte 2021; here the
 * estimates live on a coarse grid of about the mask's own cells, which no mask is finer than.) */
#include "image/mask.h"

#include "base/mem.h"

#include <math.h>

enum {
    MAX_GRID = 256, /* cells a side */
    SAMPLES = 4,    /* pixels looked at along each side of a cell */
    REACH = 3,      /* cells around a pixel that tell its colours; edges of masks are two to three wide */
};

/* Sums of colours times weight, and of weights. */
typedef struct mix {
    float rgb[3], weight;
} mix;

struct gh_mask_clean {
    int width, height;   /* pixels */
    int columns, rows;   /* cells */
    mix *front, *behind; /* owned; a mix for each cell */
};

void gh_mask_clean_free(gh_mask_clean **c)
{
    if (!*c)
        return;
    gh_free((*c)->front);
    gh_free((*c)->behind);
    gh_free(*c);
    *c = NULL;
}

static void add_sample(mix *m, const uint8_t *rgb, float weight)
{
    for (int i = 0; i < 3; i++)
        m->rgb[i] += weight * (float)rgb[i];
    m->weight += weight;
}

/* The fourth power of the confidence: a pixel that is half background hardly counts as foreground. */
static float sure(float a)
{
    return a * a * a * a;
}

static gh_status sample(gh_mask_clean *c, const gh_image *image, const gh_mask *m, gh_err *e)
{
    int down = c->rows * SAMPLES < c->height ? c->rows * SAMPLES : c->height;
    int across = c->columns * SAMPLES < c->width ? c->columns * SAMPLES : c->width;
    gh_mask_rows *rows = NULL;
    uint8_t *alpha = gh_alloc((size_t)c->width);
    gh_status status =
        alpha ? gh_mask_rows_new(&rows, m, c->width, c->height, e) : gh_fail(e, GH_NOMEM, "memory ran out");
    for (int j = 0; status == GH_OK && j < down; j++) {
        int y = (int)((2 * (int64_t)j + 1) * c->height / (2 * down));
        gh_mask_row_soft(alpha, rows, y);
        for (int i = 0; i < across; i++) {
            int x = (int)((2 * (int64_t)i + 1) * c->width / (2 * across));
            size_t cell = (size_t)((int64_t)y * c->rows / c->height) * (size_t)c->columns +
                          (size_t)((int64_t)x * c->columns / c->width);
            const uint8_t *rgb = image->pixels + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
            float a = (float)alpha[x] / 255;
            add_sample(&c->front[cell], rgb, sure(a));
            add_sample(&c->behind[cell], rgb, sure(1 - a));
        }
    }
    gh_mask_rows_free(&rows);
    gh_free(alpha);
    return status;
}

/* Sums over REACH cells to both sides along a line of n cells that lie `step` apart. */
static void blur_line(mix *cells, mix *copy, int n, size_t step)
{
    for (int i = 0; i < n; i++)
        copy[i] = cells[(size_t)i * step];
    for (int i = 0; i < n; i++) {
        mix sum = {0};
        for (int k = i - REACH < 0 ? 0 : i - REACH; k <= i + REACH && k < n; k++) {
            for (int j = 0; j < 3; j++)
                sum.rgb[j] += copy[k].rgb[j];
            sum.weight += copy[k].weight;
        }
        cells[(size_t)i * step] = sum;
    }
}

static void blur(mix *cells, int columns, int rows)
{
    mix copy[MAX_GRID];
    for (int y = 0; y < rows; y++)
        blur_line(cells + (size_t)y * (size_t)columns, copy, columns, 1);
    for (int x = 0; x < columns; x++)
        blur_line(cells + x, copy, rows, (size_t)columns);
}

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

gh_status gh_mask_clean_new(gh_mask_clean **out, const gh_image *image, const gh_mask *m, gh_err *e)
{
    gh_mask_clean *c = gh_calloc(1, sizeof *c);
    if (!c)
        return gh_fail(e, GH_NOMEM, "memory ran out at a cut-out");
    c->width = image->width;
    c->height = image->height;
    c->columns = least(MAX_GRID, m->width, image->width);
    c->rows = least(MAX_GRID, m->height, image->height);
    size_t n = (size_t)c->columns * (size_t)c->rows;
    c->front = gh_calloc(n, sizeof *c->front);
    c->behind = gh_calloc(n, sizeof *c->behind);
    gh_status status =
        c->front && c->behind ? sample(c, image, m, e) : gh_fail(e, GH_NOMEM, "memory ran out at a cut-out");
    if (status != GH_OK) {
        gh_mask_clean_free(&c);
        return status;
    }
    blur(c->front, c->columns, c->rows);
    blur(c->behind, c->columns, c->rows);
    *out = c;
    return GH_OK;
}

/* The colour at a pixel between four cells: sums are blended, so that cells that saw more count more. False
 * where nothing of the kind was seen around. */
static bool colour_at(float rgb[3], const gh_mask_clean *c, const mix *cells, int x, int y)
{
    float at_x = ((float)x + 0.5f) * (float)c->columns / (float)c->width - 0.5f;
    float at_y = ((float)y + 0.5f) * (float)c->rows / (float)c->height - 0.5f;
    at_x = fminf(fmaxf(at_x, 0), (float)(c->columns - 1));
    at_y = fminf(fmaxf(at_y, 0), (float)(c->rows - 1));
    int cx = (int)at_x, cy = (int)at_y;
    float fx = at_x - (float)cx, fy = at_y - (float)cy;
    const mix *upper = cells + (size_t)cy * (size_t)c->columns + cx;
    const mix *lower = upper + (cy + 1 < c->rows ? c->columns : 0);
    int right = cx + 1 < c->columns;
    float w[4] = {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy};
    const mix *from[4] = {upper, upper + right, lower, lower + right};
    float weight = 0, sum[3] = {0};
    for (int i = 0; i < 4; i++) {
        weight += w[i] * from[i]->weight;
        for (int j = 0; j < 3; j++)
            sum[j] += w[i] * from[i]->rgb[j];
    }
    if (weight < 1e-3f)
        return false;
    for (int j = 0; j < 3; j++)
        rgb[j] = sum[j] / weight;
    return true;
}

static void clean_pixel(uint8_t *rgba, const gh_mask_clean *c, int x, int y, const uint8_t *rgb, float a)
{
    float front[3], back[3];
    bool known = colour_at(front, c, c->front, x, y);
    bool known_back = colour_at(back, c, c->behind, x, y);
    for (int i = 0; i < 3; i++) {
        float v = (float)rgb[i];
        if (known && known_back)
            v = front[i] + a * (v - a * front[i] - (1 - a) * back[i]);
        rgba[i] = (uint8_t)(fminf(fmaxf(v, 0), 255) + 0.5f);
    }
}

void gh_mask_clean_row(uint8_t *rgba, const gh_mask_clean *c, int y, const uint8_t *rgb, const uint8_t *alpha)
{
    for (int x = 0; x < c->width; x++, rgba += 4, rgb += 3) {
        rgba[0] = rgba[1] = rgba[2] = 0; /* what is clear has no colour, and packs well */
        rgba[3] = alpha[x];
        if (alpha[x] == 255)
            for (int i = 0; i < 3; i++)
                rgba[i] = rgb[i];
        else if (alpha[x] > 0)
            clean_pixel(rgba, c, x, y, rgb, (float)alpha[x] / 255);
    }
}
