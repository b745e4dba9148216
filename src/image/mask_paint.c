/* Masks as pictures, a row at a time; regions and run lengths are fed on the way. */
#include "image/mask.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <string.h>

const char *const gh_mask_output_words[] = {"palette", "index", "soft", "cutout", "overlay", NULL};

static const struct output {
    gh_png_colour colour;
    int depth; /* bytes a pixel */
    bool soft, picture;
} outputs[GH_MASK_OUTPUTS] = {
    [GH_MASK_PALETTE] = {GH_PNG_PALETTE, 1, false, false}, [GH_MASK_INDEX] = {GH_PNG_GREY, 1, false, false},
    [GH_MASK_SOFT] = {GH_PNG_SMOOTH, 1, true, false},      [GH_MASK_CUTOUT] = {GH_PNG_RGBA, 4, true, true},
    [GH_MASK_OVERLAY] = {GH_PNG_RGB, 3, false, true},
};

bool gh_mask_shows_picture(gh_mask_output output)
{
    return output < GH_MASK_OUTPUTS && outputs[output].picture;
}

int gh_mask_depth(gh_mask_output output)
{
    return output < GH_MASK_OUTPUTS ? outputs[output].depth : 0;
}

gh_status gh_mask_new(gh_mask **out, int channels, int width, int height, gh_err *e)
{
    size_t cells;
    GH_ASSERT(channels >= 1 && width >= 1 && height >= 1);
    if (!gh_mul_size(&cells, (size_t)width, (size_t)height) || !gh_mul_size(&cells, cells, (size_t)channels))
        return gh_fail(e, GH_LIMIT, "a mask of %d x %d x %d values does not fit in memory", channels, height,
                       width);
    gh_mask *m = gh_calloc(1, sizeof *m);
    float *values = m ? gh_realloc(NULL, cells, sizeof *values) : NULL;
    if (!values) {
        gh_free(m);
        return gh_fail(e, GH_NOMEM, "memory ran out at a mask of %d x %d x %d values", channels, height,
                       width);
    }
    *m = (gh_mask){.values = values,
                   .channels = channels,
                   .width = width,
                   .height = height,
                   .across = {0, width},
                   .down = {0, height},
                   .classes = channels == 1 ? 2 : channels,
                   .background = channels == 1};
    *out = m;
    return GH_OK;
}

void gh_mask_free(gh_mask **m)
{
    if (!*m)
        return;
    gh_free((*m)->values);
    gh_free(*m);
    *m = NULL;
}

/* One pass over the rows. */
typedef struct painter {
    const gh_mask *mask;
    const gh_mask_job *job;
    gh_mask_rows *rows;
    gh_mask_clean *clean;
    gh_png_writer *png;
    uint8_t *classes, *soft, *pixels; /* owned: a byte a pixel; the same; what the PNG has a pixel */
    bool soft_too, picture;
} painter;

/* Half the picture, half the class's colour; background stays as it is. */
static void overlay_row(uint8_t *dst, const painter *p, const uint8_t *rgb)
{
    for (int x = 0; x < p->job->width; x++, dst += 3, rgb += 3) {
        const uint8_t *colour = p->job->palette[p->classes[x]];
        bool plain = p->mask->background && p->classes[x] == 0;
        for (int i = 0; i < 3; i++)
            dst[i] = plain ? rgb[i] : (uint8_t)((rgb[i] + colour[i] + 1) / 2);
    }
}

/* Row y as the PNG wants it; its classes and confidences are there. */
static const uint8_t *paint_row(painter *p, int y)
{
    if (!p->picture)
        return p->soft_too ? p->soft : p->classes;
    const uint8_t *rgb = p->job->image->pixels + (size_t)y * (size_t)p->job->width * 3;
    if (p->clean)
        gh_mask_clean_row(p->pixels, p->clean, y, rgb, p->soft);
    else
        overlay_row(p->pixels, p, rgb);
    return p->pixels;
}

static gh_status open_png(painter *p, gh_buf *png, gh_err *e)
{
    const gh_mask_job *job = p->job;
    const struct output *o = &outputs[job->output];
    gh_png_layout layout = {.width = job->width, .height = job->height, .colour = o->colour};
    if (o->colour == GH_PNG_PALETTE) {
        layout.palette = job->palette;
        layout.ncolours = p->mask->classes;
    }
    if (job->output == GH_MASK_CUTOUT)
        GH_TRY(gh_mask_clean_new(&p->clean, job->image, p->mask, e));
    return gh_png_open(&p->png, png, &layout, e);
}

static gh_status open_painter(painter *p, gh_buf *png, gh_err *e)
{
    const gh_mask_job *job = p->job;
    bool to_png = job->output < GH_MASK_OUTPUTS;
    p->soft_too = to_png && outputs[job->output].soft;
    p->picture = gh_mask_shows_picture(job->output);
    GH_ASSERT(!job->image == !p->picture);
    GH_ASSERT(!job->image || (job->image->width == job->width && job->image->height == job->height));
    if (!p->soft_too || job->regions || job->runs)
        p->classes = gh_alloc((size_t)job->width);
    p->soft = gh_alloc(p->soft_too ? (size_t)job->width : 1);
    p->pixels = gh_calloc(p->picture ? (size_t)job->width : 1, 4);
    if ((!p->classes && (!p->soft_too || job->regions || job->runs)) || !p->soft || !p->pixels)
        return gh_fail(e, GH_NOMEM, "memory ran out at a mask of %d x %d pixels", job->width, job->height);
    GH_TRY(gh_mask_rows_new(&p->rows, p->mask, job->width, job->height, e));
    return to_png ? open_png(p, png, e) : GH_OK;
}

static gh_status do_row(painter *p, int y, gh_err *e)
{
    const gh_mask_job *job = p->job;
    if (p->classes)
        gh_mask_row_classes(p->classes, p->rows, y);
    if (p->soft_too)
        gh_mask_row_soft(p->soft, p->rows, y);
    if (job->regions)
        gh_regions_row(job->regions, p->classes);
    if (job->runs)
        gh_mask_runs_row(job->runs, p->classes);
    if (job->deadline_ns && y % 64 == 0 && gh_now_ns() > job->deadline_ns)
        return gh_fail(e, GH_TIMEOUT, "the deadline passed at row %d of %d of the mask", y, job->height);
    return p->png ? gh_png_row(p->png, paint_row(p, y), e) : GH_OK;
}

gh_status gh_mask_run(gh_buf *png, const gh_mask *m, const gh_mask_job *job, gh_err *e)
{
    painter p = {.mask = m, .job = job};
    gh_status status = open_painter(&p, png, e);
    for (int y = 0; y < job->height && status == GH_OK; y++)
        status = do_row(&p, y, e);
    if (status == GH_OK && p.png)
        status = gh_png_end(p.png, e);
    gh_png_close(&p.png);
    gh_mask_clean_free(&p.clean);
    gh_mask_rows_free(&p.rows);
    gh_free(p.classes);
    gh_free(p.soft);
    gh_free(p.pixels);
    return status;
}
