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

static int decode_into(gh_image *image, source *s, spng_ctx *ctx, int channels)
{
    size_t need, have = (size_t)image->width * (size_t)image->height * (size_t)channels;
    int format = channels == 4 ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    int code = spng_set_image_limits(ctx, (uint32_t)image->width, (uint32_t)image->height);
    if (code == 0)
        code = spng_set_chunk_limits(ctx, CHUNK_LIMIT, CHUNK_LIMIT);
    if (code == 0)
        code = spng_set_png_stream(ctx, source_read, s);
    if (code == 0)
        code = spng_decoded_image_size(ctx, format, &need);
    if (code == 0 && need != have)
        code = SPNG_EBUFSIZ;
    if (code == 0)
        code = spng_decode_image(ctx, image->pixels, have, format, channels == 4 ? SPNG_DECODE_TRNS : 0);
    if (code == 0)
        code = check_rest(ctx);
    return code;
}

gh_status gh_png_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_info *info, gh_err *e)
{
    source s = {.data = data, .len = len, .at = 0, .end = SIGNATURE};
    gh_image *image = NULL;
    int channels = info->alpha ? 4 : 3, code = SPNG_EMEM;
    gh_status status = gh_image_new_deep(&image, info->coded_width, info->coded_height, channels, e);
    if (status != GH_OK)
        return status;
    spng_ctx *ctx = new_context(0);
    if (ctx != NULL)
        code = decode_into(image, &s, ctx, channels);
    spng_ctx_free(ctx);
    if (code != 0) {
        gh_image_free(&image);
        return fail_spng(code, "decoding", e);
    }
    if (info->alpha)
        gh_image_flatten(image);
    *out = image;
    return GH_OK;
}

static int target_write(spng_ctx *ctx, void *user, void *src, size_t length)
{
    gh_buf *out = user;
    (void)ctx;
    gh_buf_add(out, src, length);
    return out->failed ? SPNG_IO_ERROR : 0;
}

/* A photo of 1280 x 864 takes 100 ms so, and 320 ms at zlib's own level with all filters tried, for a tenth
 * less in size (one core, zlib 1.2.13); an answer is sent once, so time counts more. */
enum { DEFLATE_LEVEL = 2 };

static int encode_with(spng_ctx *ctx, gh_buf *out, const uint8_t *pixels, struct spng_ihdr *ihdr)
{
    size_t bytes = (size_t)ihdr->width * ihdr->height * 3;
    int code = spng_set_png_stream(ctx, target_write, out);
    if (code == 0)
        code = spng_set_ihdr(ctx, ihdr);
    if (code == 0)
        code = spng_set_option(ctx, SPNG_IMG_COMPRESSION_LEVEL, DEFLATE_LEVEL);
    if (code == 0)
        code = spng_set_option(ctx, SPNG_FILTER_CHOICE, SPNG_FILTER_CHOICE_PAETH);
    if (code == 0)
        code = spng_encode_image(ctx, pixels, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    return code;
}

gh_status gh_png_encode_rgb(gh_buf *out, const uint8_t *pixels, int width, int height, gh_err *e)
{
    size_t start = out->len;
    int code = SPNG_EMEM;
    if (width < 1 || height < 1)
        return gh_fail(e, GH_ARG, "a picture of %d x %d pixels is no PNG; each side must be at least 1",
                       width, height);
    struct spng_ihdr ihdr = {.width = (uint32_t)width,
                             .height = (uint32_t)height,
                             .bit_depth = 8,
                             .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    spng_ctx *ctx = new_context(SPNG_CTX_ENCODER);
    if (ctx != NULL)
        code = encode_with(ctx, out, pixels, &ihdr);
    spng_ctx_free(ctx);
    if (out->failed)
        code = SPNG_EMEM;
    if (code == 0)
        return GH_OK;
    if (out->len > start)
        out->len = start;
    return fail_spng(code, "encoding", e);
}
