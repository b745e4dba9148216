/* Cells side by side with a thin gap, drawn straight into one picture. */
#include "train/report/sheet.h"

#include "base/file.h"
#include "base/mem.h"
#include "tasks/segment.h"

#include <string.h>

#define GAP     4
#define QUALITY 85
#define VOID    255

gh_status gh_sheet_new(gh_sheet *out, int columns, int rows, int width, int height, gh_err *e)
{
    gh_sheet s = {columns, rows, width, height, NULL};
    int64_t w = (int64_t)columns * (width + GAP) + GAP, h = (int64_t)rows * (height + GAP) + GAP;
    if (columns < 1 || rows < 1 || w > GH_MAX_SHEET_SIDE || h > GH_MAX_SHEET_SIDE)
        return gh_fail(e, GH_LIMIT, "a sheet of %d x %d pictures of %d x %d pixels is too large", columns,
                       rows, width, height);
    GH_TRY(gh_image_new(&s.image, (int)w, (int)h, e));
    memset(s.image->pixels, 24, (size_t)w * (size_t)h * 3);
    *out = s;
    return GH_OK;
}

void gh_sheet_free(gh_sheet *s)
{
    gh_image_free(&s->image);
}

static int left(const gh_sheet *s, int column)
{
    return GAP + column * (s->width + GAP);
}

static int top(const gh_sheet *s, int row)
{
    return GAP + row * (s->height + GAP);
}

static void tint(uint8_t *p, uint8_t class, int x, int y, bool background, bool all)
{
    uint8_t colour[3];
    if (class == VOID) {
        for (int c = 0; c < 3; c++)
            p[c] = (x + y) % 6 < 2 ? 255 : (uint8_t)(all ? 0 : p[c] / 2);
        return;
    }
    gh_segment_colour(colour, class, background);
    for (int c = 0; c < 3 && (all || class || !background); c++)
        p[c] = all ? colour[c] : (uint8_t)((p[c] + colour[c]) / 2);
}

static void put(gh_sheet *s, int column, int row, const uint8_t *pixels, const uint8_t *mask, bool background)
{
    for (int y = 0; y < s->height; y++) {
        uint8_t *dst = s->image->pixels +
                       ((size_t)(top(s, row) + y) * (size_t)s->image->width + (size_t)left(s, column)) * 3;
        if (pixels)
            memcpy(dst, pixels + (size_t)y * (size_t)s->width * 3, (size_t)s->width * 3);
        for (int x = 0; mask && x < s->width; x++)
            tint(dst + (size_t)x * 3, mask[(size_t)y * (size_t)s->width + (size_t)x], x, y, background,
                 !pixels);
    }
}

void gh_sheet_put(gh_sheet *s, int column, int row, const uint8_t *pixels, const uint8_t *mask,
                  bool background)
{
    put(s, column, row, pixels, mask, background);
}

void gh_sheet_put_mask(gh_sheet *s, int column, int row, const uint8_t *mask, bool background)
{
    put(s, column, row, NULL, mask, background);
}

/* Text in white on a dark strip. */
static void label(gh_sheet *s, double x, double y, const char *text)
{
    double size = s->height < 120 ? 9 : 12;
    gh_draw_fill(s->image, (gh_rect){x, y, gh_text_width(text, size) + 6, size + 3}, 0,
                 (gh_colour){0, 0, 0, 170});
    gh_draw_text(s->image, x + 3, y + size, text, size, (gh_colour){255, 255, 255, 255});
}

void gh_sheet_box(gh_sheet *s, int column, int row, const gh_ap_rect *box, unsigned class, const char *name)
{
    gh_rect r = {left(s, column) + box->x, top(s, row) + box->y, box->w, box->h};
    gh_draw_frame(s->image, r, 0, 2, gh_colour_of(class));
    if (name)
        label(s, r.x, r.y, name);
}

void gh_sheet_title(gh_sheet *s, int column, int row, const char *text)
{
    label(s, left(s, column), top(s, row), text);
}

gh_status gh_sheet_write(const gh_sheet *s, const char *path, gh_err *e)
{
    gh_buf png = {0};
    gh_status status = gh_png_encode_rgb(&png, s->image->pixels, s->image->width, s->image->height, e);
    if (status == GH_OK)
        status = gh_file_write(path, png.data, png.len, e);
    gh_buf_free(&png);
    return status;
}

gh_status gh_sheet_html(gh_buf *html, const gh_sheet *s, const char *alt, gh_err *e)
{
    gh_buf jpeg = {0};
    gh_status status =
        gh_jpeg_encode_rgb(&jpeg, s->image->pixels, s->image->width, s->image->height, QUALITY, e);
    if (status == GH_OK) {
        gh_buf_printf(html, "<img alt=\"%s\" src=\"data:image/jpeg;base64,", alt);
        gh_buf_base64(html, jpeg.data, jpeg.len);
        gh_buf_str(html, "\"/>");
    }
    gh_buf_free(&jpeg);
    return status;
}
