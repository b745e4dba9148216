/* Masks as pictures, a row at a time. */
#include "tasks/mask.h"

#include "base/mem.h"

#include <string.h>

static const char *const output_words[GH_MASK_OUTPUTS] = {"palette", "index", "soft", "cutout", "overlay"};

gh_mask_output gh_mask_output_of(const char *word)
{
    int i = 0;
    while (i < GH_MASK_OUTPUTS && strcmp(output_words[i], word) != 0)
        i++;
    return (gh_mask_output)i;
}

const char *gh_mask_output_name(gh_mask_output output)
{
    return (unsigned)output < GH_MASK_OUTPUTS ? output_words[output] : "?";
}

bool gh_mask_shows_picture(gh_mask_output output)
{
    return output == GH_MASK_CUTOUT || output == GH_MASK_OVERLAY;
}

void gh_mask_free(gh_mask **m)
{
    if (!*m)
        return;
    gh_free((*m)->values);
    gh_image_free(&(*m)->image);
    gh_free(*m);
    *m = NULL;
}

const char *gh_mask_label(const gh_manifest *mf, int class)
{
    if (mf->nlabels == 1)
        return class ? mf->labels[0] : "background";
    return (size_t) class < mf->nlabels ? mf->labels[class] : "?";
}

/* Sixteen colours that differ in hue and brightness, the first few the most; used again beyond. */
static const uint8_t hues[16][3] = {{46, 204, 113}, {231, 76, 60},   {52, 120, 246}, {241, 196, 15},
                                    {155, 89, 182}, {26, 188, 196},  {230, 126, 34}, {149, 165, 166},
                                    {233, 90, 160}, {0, 110, 84},    {120, 66, 18},  {140, 200, 255},
                                    {96, 96, 0},    {255, 190, 160}, {60, 60, 140},  {200, 230, 120}};

/* The manifest's; else black for class 0 and a hue for each of the others. */
void gh_mask_colour(uint8_t rgb[3], const gh_manifest *mf, int class)
{
    static const uint8_t black[3];
    int row = mf->nlabels == 1 ? class - 1 : class;
    const uint8_t *colour = class ? hues[(class - 1) % 16] : black;
    if (mf->colours && row >= 0 && (size_t)row < mf->nlabels)
        colour = mf->colours[row];
    memcpy(rgb, colour, 3);
}

typedef struct painter {
    const gh_mask *mask;
    gh_mask_rows *rows;
    gh_mask_clean *clean;
    gh_png_writer *png;
    uint8_t *line, *pixels; /* owned: a byte a pixel; four bytes a pixel */
    uint8_t palette[GH_MAX_MASK_CLASSES][3];
    int width, height;
} painter;

/* Half the picture, half the class's colour; background stays as it is. */
static void overlay_row(uint8_t *dst, const painter *p, const uint8_t *rgb)
{
    for (int x = 0; x < p->width; x++, dst += 3, rgb += 3) {
        const uint8_t *colour = p->palette[p->line[x]];
        bool plain = p->mask->background && p->line[x] == 0;
        for (int i = 0; i < 3; i++)
            dst[i] = plain ? rgb[i] : (uint8_t)((rgb[i] + colour[i] + 1) / 2);
    }
}

/* Row y as the PNG wants it. */
static const uint8_t *paint_row(painter *p, int y)
{
    const gh_mask *m = p->mask;
    const uint8_t *rgb = m->image ? m->image->pixels + (size_t)y * (size_t)p->width * 3 : NULL;
    if (m->output == GH_MASK_SOFT || m->output == GH_MASK_CUTOUT)
        gh_mask_row_soft(p->line, p->rows, y);
    else
        gh_mask_row_classes(p->line, p->rows, y);
    if (!gh_mask_shows_picture(m->output))
        return p->line;
    if (m->output == GH_MASK_CUTOUT)
        gh_mask_clean_row(p->pixels, p->clean, y, rgb, p->line);
    else
        overlay_row(p->pixels, p, rgb);
    return p->pixels;
}

static gh_status open_painter(painter *p, gh_buf *out, const gh_manifest *mf, gh_err *e)
{
    static const gh_png_colour colours[GH_MASK_OUTPUTS] = {GH_PNG_PALETTE, GH_PNG_GREY, GH_PNG_GREY,
                                                           GH_PNG_RGBA, GH_PNG_RGB};
    const gh_mask *m = p->mask;
    gh_png_layout layout = {.width = p->width, .height = p->height, .colour = colours[m->output]};
    for (int i = 0; i < m->classes; i++)
        gh_mask_colour(p->palette[i], mf, i);
    if (layout.colour == GH_PNG_PALETTE) {
        layout.palette = (const uint8_t(*)[3])p->palette;
        layout.ncolours = m->classes;
    }
    p->line = gh_alloc((size_t)p->width);
    p->pixels = gh_mask_shows_picture(m->output) ? gh_calloc((size_t)p->width, 4) : NULL;
    if (!p->line || (gh_mask_shows_picture(m->output) && !p->pixels))
        return gh_fail(e, GH_NOMEM, "memory ran out at a mask of %d x %d pixels", p->width, p->height);
    GH_TRY(gh_mask_rows_new(&p->rows, m, p->width, p->height, e));
    if (m->output == GH_MASK_CUTOUT)
        GH_TRY(gh_mask_clean_new(&p->clean, m->image, m, e));
    return gh_png_open(&p->png, out, &layout, e);
}

gh_status gh_mask_png(gh_buf *out, const gh_mask *m, const gh_manifest *mf, int width, int height, gh_err *e)
{
    painter p = {.mask = m, .width = width, .height = height};
    GH_ASSERT(!m->image == !gh_mask_shows_picture(m->output));
    GH_ASSERT(!m->image || (m->image->width == width && m->image->height == height));
    gh_status status = open_painter(&p, out, mf, e);
    for (int y = 0; y < height && status == GH_OK; y++)
        status = gh_png_row(p.png, paint_row(&p, y), e);
    if (status == GH_OK)
        status = gh_png_end(p.png, e);
    gh_png_close(&p.png);
    gh_mask_clean_free(&p.clean);
    gh_mask_rows_free(&p.rows);
    gh_free(p.line);
    gh_free(p.pixels);
    return status;
}
