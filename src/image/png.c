/* PNG pixels by libspng; the only file that includes spng.h. The library sees a PNG of critical chunks and
 * tRNS alone: text, profiles and the rest of the metadata never reach it, so none of them can cost memory or
 * spoil a picture. */
#include "image/codec.h"

#include "base/mem.h"

#include <string.h>

#include <spng.h>

enum { SIGNATURE = 8, CHUNK_FRAME = 12, CHUNK_LIMIT = 1 << 16 /* PLTE and tRNS need 768 */ };

/* zlib, called by libspng, may report a failed allocation as broken data; so it is noted here. */
static _Thread_local bool memory_short;

static void *noted(void *p)
{
    memory_short |= p == NULL;
    return p;
}

static void *noted_alloc(size_t size)
{
    return noted(gh_alloc(size));
}

static void *noted_realloc(void *p, size_t size)
{
    return noted(gh_realloc(p, size, 1));
}

static void *noted_calloc(size_t n, size_t size)
{
    return noted(gh_calloc(n, size));
}

static spng_ctx *new_context(int flags)
{
    struct spng_alloc alloc = {noted_alloc, noted_realloc, noted_calloc, gh_free};
    memory_short = false;
    return spng_ctx_new2(&alloc, flags);
}

/* Serves the file without its ancillary chunks. */
typedef struct source {
    const uint8_t *data;
    size_t len, at, end; /* [at, end) is being served; the next chunk begins at `end` */
} source;

static bool is_wanted(const uint8_t *type)
{
    return (type[0] & 0x20) == 0 || memcmp(type, "tRNS", 4) == 0;
}

/* Moves to the next chunk that is wanted; one that the file cuts short is served as far as it goes. */
static bool next_chunk(source *s)
{
    while (s->len - s->end >= SIGNATURE) {
        size_t left = s->len - s->end, size = (size_t)gh_be32(s->data + s->end) + CHUNK_FRAME;
        size = size < left ? size : left;
        s->at = s->end;
        s->end += size;
        if (is_wanted(s->data + s->at + 4))
            return true;
    }
    return false;
}

static int source_read(spng_ctx *ctx, void *user, void *dest, size_t length)
{
    source *s = user;
    uint8_t *d = dest;
    (void)ctx;
    while (length > 0) {
        if (s->at == s->end && !next_chunk(s))
            return SPNG_IO_EOF;
        size_t n = s->end - s->at < length ? s->end - s->at : length;
        memcpy(d, s->data + s->at, n);
        s->at += n;
        d += n;
        length -= n;
    }
    return 0;
}

static gh_status fail_spng(int code, const char *doing, gh_err *e)
{
    if (memory_short || code == SPNG_EMEM)
        return gh_fail(e, GH_NOMEM, "memory ran out %s the PNG", doing);
    if (code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT)
        return gh_fail(e, GH_FORMAT, "the PNG ends before its picture is complete");
    return gh_fail(e, GH_FORMAT, "%s the PNG failed: %s", doing, spng_strerror(code));
}

/* Reads on to the end, past the checksum of the last pixels, which the library has not looked at yet. A file
 * that stops before its end marker is let pass: the picture is whole. */
static int check_rest(spng_ctx *ctx)
{
    int code = spng_decode_chunks(ctx);
    return code == SPNG_IO_EOF ? 0 : code;
}

/* All pixels in libspng's `format`, which take `have` bytes. */
static int decode_pixels(uint8_t *pixels, size_t have, source *s, spng_ctx *ctx, const gh_image_info *info,
                         int format)
{
    size_t need;
    int code = spng_set_image_limits(ctx, (uint32_t)info->coded_width, (uint32_t)info->coded_height);
    if (code == 0)
        code = spng_set_chunk_limits(ctx, CHUNK_LIMIT, CHUNK_LIMIT);
    if (code == 0)
        code = spng_set_png_stream(ctx, source_read, s);
    if (code == 0)
        code = spng_decoded_image_size(ctx, format, &need);
    if (code == 0 && need != have)
        code = SPNG_EBUFSIZ;
    if (code == 0)
        code = spng_decode_image(ctx, pixels, have, format, format == SPNG_FMT_RGBA8 ? SPNG_DECODE_TRNS : 0);
    if (code == 0)
        code = check_rest(ctx);
    return code;
}

static int decode_file(uint8_t *pixels, size_t have, const uint8_t *data, size_t len,
                       const gh_image_info *info, int format)
{
    source s = {.data = data, .len = len, .at = 0, .end = SIGNATURE};
    spng_ctx *ctx = new_context(0);
    int code = ctx ? decode_pixels(pixels, have, &s, ctx, info, format) : SPNG_EMEM;
    spng_ctx_free(ctx);
    return code;
}

gh_status gh_png_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_info *info, gh_err *e)
{
    gh_image *image = NULL;
    int channels = info->alpha ? 4 : 3;
    size_t have = (size_t)info->coded_width * (size_t)info->coded_height * (size_t)channels;
    GH_TRY(gh_image_new_deep(&image, info->coded_width, info->coded_height, channels, e));
    int code =
        decode_file(image->pixels, have, data, len, info, info->alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8);
    if (code != 0) {
        gh_image_free(&image);
        return fail_spng(code, "decoding", e);
    }
    if (info->alpha)
        gh_image_flatten(image);
    *out = image;
    return GH_OK;
}

/* ---- samples as they are stored: masks ---- */

/* Samples of `depth` bits, the first in the highest bits, rows beginning at whole bytes. */
static void unpack(uint8_t *dst, const uint8_t *packed, const gh_image_info *info, int depth)
{
    size_t width = (size_t)info->coded_width, row = (width * (size_t)depth + 7) / 8;
    unsigned mask = (1u << depth) - 1;
    for (int y = 0; y < info->coded_height; y++, packed += row)
        for (size_t x = 0; x < width; x++) {
            size_t bit = x * (size_t)depth;
            *dst++ = (uint8_t)(packed[bit / 8] >> (8 - (size_t)depth - bit % 8) & mask);
        }
}

gh_status gh_png_decode_index(uint8_t **out, const uint8_t *data, size_t len, const gh_image_info *info,
                              gh_err *e)
{
    int depth = data[24], colour = data[25]; /* of the header that was probed */
    size_t row = ((size_t)info->coded_width * (size_t)depth + 7) / 8, rows = (size_t)info->coded_height;
    if ((colour != SPNG_COLOR_TYPE_GRAYSCALE && colour != SPNG_COLOR_TYPE_INDEXED) || depth > 8)
        return gh_fail(e, GH_UNSUPPORTED,
                       "the PNG has %s of %d bits; a mask is an indexed or grey PNG of at most 8 bits, whose "
                       "values are classes",
                       colour == SPNG_COLOR_TYPE_GRAYSCALE         ? "grey"
                       : colour == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ? "grey and transparency"
                                                                   : "colours",
                       depth);
    /* zeroed: where a file is interlaced, libspng puts samples of less than a byte to the bits that are there
     */
    uint8_t *packed = gh_calloc(row * rows, 1), *pixels = packed;
    int code = packed ? decode_file(packed, row * rows, data, len, info, SPNG_FMT_PNG) : SPNG_EMEM;
    if (code == 0 && depth < 8) {
        pixels = gh_alloc((size_t)info->coded_width * rows);
        if (pixels)
            unpack(pixels, packed, info, depth);
        gh_free(packed);
        packed = NULL;
        code = pixels ? 0 : SPNG_EMEM;
    }
    if (code != 0) {
        gh_free(packed);
        return fail_spng(code, "decoding", e);
    }
    *out = pixels;
    return GH_OK;
}

static int target_write(spng_ctx *ctx, void *user, void *src, size_t length)
{
    gh_buf *out = user;
    (void)ctx;
    gh_buf_add(out, src, length);
    return out->failed ? SPNG_IO_ERROR : 0;
}

struct gh_png_writer {
    spng_ctx *ctx;
    gh_buf *out;
    size_t start; /* of the file in `out` */
    int width, depth, channels;
    bool whole;
    uint8_t packed[]; /* a row of less than 8 bits a pixel, with room for a last group of 8 pixels */
};

/* What each kind is encoded with; the strategy, zlib's Z_RLE, looks for repeated bytes alone. Measured (zlib
 * 1.2.13, one core; ms with all that makes the mask, and bytes):
 *   mask of 640 x 480, one bit:   no filter 0.28, 2,041; with the default strategy 0.31, 2,283
 *   the same as 8-bit grey:       no filter 0.54, 2,013; 0.57, 4,620; filter Up 0.75, 2,649
 *   its confidence:               no filter 1.05, 33,056; Up 1.25, 24,419; Up, default strategy 1.40, 27,689
 *   cut-out, RGBA:                Paeth 20, 351,618; Paeth, default strategy, level 2: 26, 370,371
 *   photo of 640 x 480, RGB:      Paeth 10 to 15, 360,638; the same 14 to 21, 386,034
 * An answer is sent once, so time counts before size. */
enum { RUNS_ONLY = 3 };

static const struct recipe {
    uint8_t type;
    int channels, level, filter, strategy;
} recipes[] = {
    [GH_PNG_GREY] = {SPNG_COLOR_TYPE_GRAYSCALE, 1, 1, SPNG_FILTER_CHOICE_NONE, RUNS_ONLY},
    [GH_PNG_SMOOTH] = {SPNG_COLOR_TYPE_GRAYSCALE, 1, 1, SPNG_FILTER_CHOICE_UP, RUNS_ONLY},
    [GH_PNG_PALETTE] = {SPNG_COLOR_TYPE_INDEXED, 1, 1, SPNG_FILTER_CHOICE_NONE, RUNS_ONLY},
    [GH_PNG_RGB] = {SPNG_COLOR_TYPE_TRUECOLOR, 3, 1, SPNG_FILTER_CHOICE_PAETH, RUNS_ONLY},
    [GH_PNG_RGBA] = {SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 4, 1, SPNG_FILTER_CHOICE_PAETH, RUNS_ONLY},
};

static int bits_for(int colours)
{
    return colours <= 2 ? 1 : colours <= 4 ? 2 : colours <= 16 ? 4 : 8;
}

static int start_file(gh_png_writer *w, const gh_png_layout *l)
{
    const struct recipe *r = &recipes[l->colour];
    struct spng_ihdr ihdr = {.width = (uint32_t)l->width,
                             .height = (uint32_t)l->height,
                             .bit_depth = (uint8_t)w->depth,
                             .color_type = r->type};
    struct spng_plte plte = {.n_entries = (uint32_t)l->ncolours};
    for (int i = 0; i < l->ncolours; i++)
        plte.entries[i] = (struct spng_plte_entry){l->palette[i][0], l->palette[i][1], l->palette[i][2], 255};
    int code = spng_set_png_stream(w->ctx, target_write, w->out);
    if (code == 0)
        code = spng_set_ihdr(w->ctx, &ihdr);
    if (code == 0 && l->ncolours > 0)
        code = spng_set_plte(w->ctx, &plte);
    if (code == 0)
        code = spng_set_option(w->ctx, SPNG_IMG_COMPRESSION_LEVEL, r->level);
    if (code == 0)
        code = spng_set_option(w->ctx, SPNG_IMG_COMPRESSION_STRATEGY, r->strategy);
    if (code == 0)
        code = spng_set_option(w->ctx, SPNG_FILTER_CHOICE, r->filter);
    if (code == 0)
        code = spng_encode_image(w->ctx, NULL, 0, SPNG_FMT_PNG, SPNG_ENCODE_PROGRESSIVE);
    return code;
}

gh_status gh_png_open(gh_png_writer **out, gh_buf *buf, const gh_png_layout *l, gh_err *e)
{
    GH_ASSERT(l->colour == GH_PNG_PALETTE ? l->ncolours >= 1 && l->ncolours <= 256 : l->ncolours == 0);
    if (l->width < 1 || l->height < 1)
        return gh_fail(e, GH_ARG, "a picture of %d x %d pixels is no PNG; each side must be at least 1",
                       l->width, l->height);
    gh_png_writer *w = gh_calloc(1, sizeof *w + (size_t)l->width + 8);
    if (!w)
        return fail_spng(SPNG_EMEM, "encoding", e);
    w->out = buf;
    w->start = buf->len;
    w->width = l->width;
    w->depth = l->colour == GH_PNG_PALETTE ? bits_for(l->ncolours) : 8;
    w->channels = recipes[l->colour].channels;
    w->ctx = new_context(SPNG_CTX_ENCODER);
    int code = w->ctx ? start_file(w, l) : SPNG_EMEM;
    if (code == 0)
        *out = w;
    else
        gh_png_close(&w);
    return code == 0 ? GH_OK : fail_spng(buf->failed ? SPNG_EMEM : code, "encoding", e);
}

/* Pixels into 1, 2 or 4 bits each, the first in the highest bits (PNG 1.2, section 2.3). Eight pixels of one
 * bit at a time: the product moves bit 0 of byte i (in memory order) to bit 63 - i. */
static void pack(uint8_t *dst, const uint8_t *row, int width, int depth)
{
    int x = 0, per_byte = 8 / depth;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; depth == 1 && x + 8 <= width; x += 8) {
        uint64_t eight;
        memcpy(&eight, row + x, 8);
        *dst++ = (uint8_t)((eight * UINT64_C(0x8040201008040201)) >> 56);
    }
#endif
    while (x < width) {
        unsigned byte = 0;
        for (int i = 0; i < per_byte; i++, x++)
            byte = byte << depth | (x < width ? row[x] : 0);
        *dst++ = (uint8_t)byte;
    }
}

gh_status gh_png_row(gh_png_writer *w, const uint8_t *row, gh_err *e)
{
    size_t len = ((size_t)w->width * (size_t)(w->channels * w->depth) + 7) / 8;
    GH_ASSERT(!w->whole);
    if (w->depth < 8) {
        pack(w->packed, row, w->width, w->depth);
        row = w->packed;
    }
    int code = spng_encode_row(w->ctx, row, len);
    w->whole = code == SPNG_EOI;
    return code == 0 || w->whole ? GH_OK : fail_spng(w->out->failed ? SPNG_EMEM : code, "encoding", e);
}

gh_status gh_png_end(gh_png_writer *w, gh_err *e)
{
    GH_ASSERT(w->whole);
    int code = spng_encode_chunks(w->ctx);
    if (code == 0 && !w->out->failed)
        w->start = w->out->len;
    else
        return fail_spng(w->out->failed ? SPNG_EMEM : code, "encoding", e);
    return GH_OK;
}

void gh_png_close(gh_png_writer **w)
{
    if (!*w)
        return;
    spng_ctx_free((*w)->ctx);
    if ((*w)->out->len > (*w)->start)
        (*w)->out->len = (*w)->start;
    gh_free(*w);
    *w = NULL;
}

gh_status gh_png_encode_rgb(gh_buf *out, const uint8_t *pixels, int width, int height, gh_err *e)
{
    const gh_png_layout layout = {.width = width, .height = height, .colour = GH_PNG_RGB};
    gh_png_writer *w = NULL;
    GH_TRY(gh_png_open(&w, out, &layout, e));
    gh_status status = GH_OK;
    for (int y = 0; y < height && status == GH_OK; y++)
        status = gh_png_row(w, pixels + (size_t)y * (size_t)width * 3, e);
    if (status == GH_OK)
        status = gh_png_end(w, e);
    gh_png_close(&w);
    return status;
}
