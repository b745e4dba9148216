/* JPEG pixels by libjpeg-turbo; the only file that includes jpeglib.h. The library reports errors by calling
 * back, so each use runs under one setjmp, with everything that must survive kept in a struct behind a
 * pointer. */
#include "image/codec.h"

#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* Error state of one use of the library, compressing or not. */
typedef struct guard {
    struct jpeg_error_mgr mgr; /* first: the library hands back a pointer to it */
    jmp_buf jump;
    gh_status status;
    int warnings;
    bool ended; /* the data ran out */
    char text[JMSG_LENGTH_MAX];
} guard;

typedef struct decoder {
    struct jpeg_decompress_struct c;
    struct jpeg_progress_mgr progress;
    guard guard;
    const gh_image_info *info;
    gh_image *image;
    uint8_t *cmyk; /* one row, the library's */
} decoder;

static void on_error(j_common_ptr c)
{
    guard *g = (guard *)c->err;
    int code = g->mgr.msg_code;
    g->status = code == JERR_OUT_OF_MEMORY ? GH_NOMEM : code == JERR_NO_BACKING_STORE ? GH_LIMIT : GH_FORMAT;
    g->mgr.format_message(c, g->text);
    longjmp(g->jump, 1);
}

/* Level -1 is a fault in the data that the library passes over; other levels are traces. */
static void on_message(j_common_ptr c, int level)
{
    guard *g = (guard *)c->err;
    if (level >= 0)
        return;
    g->warnings++;
    if (g->mgr.msg_code == JWRN_JPEG_EOF)
        g->ended = true;
}

static struct jpeg_error_mgr *guard_init(guard *g)
{
    struct jpeg_error_mgr *mgr = jpeg_std_error(&g->mgr);
    mgr->error_exit = on_error;
    mgr->emit_message = on_message;
    return mgr;
}

static gh_status guard_fail(const guard *g, const char *doing, gh_err *e)
{
    if (g->status == GH_NOMEM)
        return gh_fail(e, GH_NOMEM, "memory ran out %s the JPEG", doing);
    if (g->status == GH_LIMIT)
        return gh_fail(e, GH_LIMIT, "%s the JPEG takes more memory than is accepted", doing);
    return gh_fail(e, g->status, "%s the JPEG failed: %s", doing, g->text);
}

/* A progressive file of a few kilobytes can ask for any number of passes over all coefficients. The probe has
 * counted the scans; this holds even where the library sees the markers differently. */
static void on_progress(j_common_ptr c)
{
    decoder *d = (decoder *)(void *)c->client_data;
    guard *g = &d->guard;
    if (d->c.input_scan_number <= d->info->limits.max_jpeg_scans)
        return;
    g->status = GH_FORMAT;
    snprintf(g->text, sizeof g->text, "it has more than %d scans", d->info->limits.max_jpeg_scans);
    longjmp(g->jump, 1);
}

/* Size at `eighths` / 8, as the library rounds it. */
static int scaled(int size, int eighths)
{
    return (int)(((int64_t)size * eighths + 7) / 8);
}

static int choose_scale(const gh_image_info *info, int min_width, int min_height)
{
    if (min_width == 0 || min_height == 0)
        return 8;
    int eighths = 1;
    while (eighths < 8 && (scaled(info->coded_width, eighths) < min_width ||
                           scaled(info->coded_height, eighths) < min_height))
        eighths *= 2;
    return eighths;
}

/* Four components are taken as Adobe writes them, inverted (255 = no ink), whether marked or not: so do
 * Pillow and the browsers. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, int width)
{
    for (int x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int i = 0; i < 3; i++) {
            unsigned v = (255u - cmyk[i]) * cmyk[3] + 128;
            rgb[i] = (uint8_t)(cmyk[3] - ((v + (v >> 8)) >> 8));
        }
}

static void read_rows(decoder *d)
{
    struct jpeg_decompress_struct *c = &d->c;
    size_t stride = (size_t)d->image->width * 3;
    while (c->output_scanline < c->output_height) {
        uint8_t *row = d->image->pixels + stride * c->output_scanline;
        JSAMPROW target = d->cmyk != NULL ? d->cmyk : row;
        if (jpeg_read_scanlines(c, &target, 1) == 1 && d->cmyk != NULL)
            cmyk_to_rgb(row, d->cmyk, d->image->width);
    }
}

/* Runs under the guard's setjmp; `d->image` holds what was made when it fails. */
static gh_status decode_guarded(decoder *d, const uint8_t *data, size_t len, int min_width, int min_height,
                                gh_err *e)
{
    struct jpeg_decompress_struct *c = &d->c;
    uint64_t max_work = d->info->limits.max_work;
    if (setjmp(d->guard.jump) != 0)
        return guard_fail(&d->guard, "decoding", e);
    jpeg_create_decompress(c);
    c->mem->max_memory_to_use = max_work < LONG_MAX ? (long)max_work : LONG_MAX;
    c->progress = &d->progress;
    c->client_data = d;
    jpeg_mem_src(c, data, len);
    (void)jpeg_read_header(c, TRUE);
    if ((int)c->image_width != d->info->coded_width || (int)c->image_height != d->info->coded_height)
        return gh_fail(e, GH_FORMAT, "the JPEG gives two sizes, %d x %d and %u x %u", d->info->coded_width,
                       d->info->coded_height, c->image_width, c->image_height);
    c->scale_num = (unsigned)choose_scale(d->info, min_width, min_height);
    c->scale_denom = 8;
    c->out_color_space = c->num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_calc_output_dimensions(c);
    GH_TRY(gh_image_new(&d->image, (int)c->output_width, (int)c->output_height, e));
    (void)jpeg_start_decompress(c);
    if (c->out_color_space == JCS_CMYK)
        d->cmyk = c->mem->alloc_large((j_common_ptr)c, JPOOL_IMAGE, (size_t)c->output_width * 4);
    read_rows(d);
    return GH_OK;
}

gh_status gh_jpeg_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_info *info,
                         int min_coded_width, int min_coded_height, gh_err *e)
{
    decoder d = {.info = info, .progress.progress_monitor = on_progress};
    d.c.err = guard_init(&d.guard);
    gh_status status = decode_guarded(&d, data, len, min_coded_width, min_coded_height, e);
    if (status == GH_OK) {
        d.image->full_width = info->coded_width;
        d.image->full_height = info->coded_height;
        d.image->warnings = d.guard.warnings;
        d.image->truncated = d.guard.ended;
        *out = d.image;
    } else {
        gh_image_free(&d.image);
    }
    jpeg_destroy_decompress(&d.c);
    return status;
}

/* Encoding: the library fills `bytes`, which is appended to the caller's buffer whenever it is full. */
typedef struct encoder {
    struct jpeg_compress_struct c;
    struct jpeg_destination_mgr target;
    guard guard;
    gh_buf *out;
    uint8_t bytes[16384];
} encoder;

static void target_reset(j_compress_ptr c)
{
    encoder *n = (encoder *)c->client_data;
    n->target.next_output_byte = n->bytes;
    n->target.free_in_buffer = sizeof n->bytes;
}

static boolean target_full(j_compress_ptr c)
{
    encoder *n = (encoder *)c->client_data;
    gh_buf_add(n->out, n->bytes, sizeof n->bytes);
    target_reset(c);
    return TRUE;
}

static void target_end(j_compress_ptr c)
{
    encoder *n = (encoder *)c->client_data;
    gh_buf_add(n->out, n->bytes, sizeof n->bytes - n->target.free_in_buffer);
}

static gh_status encode_guarded(encoder *n, const uint8_t *pixels, int width, int height, int quality,
                                gh_err *e)
{
    struct jpeg_compress_struct *c = &n->c;
    if (setjmp(n->guard.jump) != 0)
        return guard_fail(&n->guard, "encoding", e);
    jpeg_create_compress(c);
    c->client_data = n;
    c->dest = &n->target;
    c->image_width = (unsigned)width;
    c->image_height = (unsigned)height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, quality, TRUE);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        /* The library's rows are not const, but it only reads them. */
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)c->next_scanline * (size_t)width * 3);
        (void)jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
    return GH_OK;
}

gh_status gh_jpeg_encode_rgb(gh_buf *out, const uint8_t *pixels, int width, int height, int quality,
                             gh_err *e)
{
    encoder n;
    size_t start = out->len;
    if (width < 1 || height < 1 || width > JPEG_MAX_DIMENSION || height > JPEG_MAX_DIMENSION)
        return gh_fail(e, GH_ARG, "a picture of %d x %d pixels is no JPEG; each side may be 1 to %ld", width,
                       height, JPEG_MAX_DIMENSION);
    if (quality < 1 || quality > 100)
        return gh_fail(e, GH_ARG, "a JPEG quality of %d; 1 to 100 are accepted", quality);
    memset(&n.c, 0, sizeof n.c);
    n.out = out;
    n.target = (struct jpeg_destination_mgr){
        .init_destination = target_reset, .empty_output_buffer = target_full, .term_destination = target_end};
    n.guard.warnings = 0;
    n.c.err = guard_init(&n.guard);
    gh_status status = encode_guarded(&n, pixels, width, height, quality, e);
    if (status == GH_OK && out->failed)
        status = gh_fail(e, GH_NOMEM, "memory ran out encoding a JPEG of %d x %d pixels", width, height);
    if (status != GH_OK && out->len > start)
        out->len = start;
    jpeg_destroy_compress(&n.c);
    return status;
}
