/* Synthetic pictures for tests. */
#include "unit/picture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

gh_image *gh_test_picture(int width, int height)
{
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_msg(gh_image_new(&image, width, height, &e) == GH_OK, "%s", e.text);
    uint8_t *p = image->pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, p += 3) {
            p[0] = (uint8_t)(x * 255 / (width > 1 ? width - 1 : 1));
            p[1] = (uint8_t)(y * 255 / (height > 1 ? height - 1 : 1));
            p[2] = (uint8_t)((x * 37 + y * 91) % 256);
            if (x >= width / 4 && x < width / 2 && y >= height / 4 && y < height / 2) {
                p[0] = 250;
                p[1] = 20;
                p[2] = 30;
            }
        }
    return image;
}

int gh_test_max_diff(const uint8_t *a, const uint8_t *b, size_t len)
{
    int most = 0;
    for (size_t i = 0; i < len; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* CRC-32 as in PNG annex D, bit by bit. */
static uint32_t crc32(const uint8_t *p, size_t len)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    }
    return ~c;
}

static uint32_t adler32(const uint8_t *p, size_t len)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < len; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

void gh_test_png_chunk(gh_buf *out, const char *type, const void *body, size_t len)
{
    uint8_t word[4];
    put_be32(word, (uint32_t)len);
    gh_buf_add(out, word, 4);
    size_t start = out->len;
    gh_buf_add(out, type, 4);
    if (len > 0)
        gh_buf_add(out, body, len);
    ck_assert(!out->failed);
    put_be32(word, crc32(out->data + start, out->len - start));
    gh_buf_add(out, word, 4);
}

int gh_test_png_channels(int colour)
{
    return (colour & 2 && colour != 3 ? 3 : 1) + (colour & 4 ? 1 : 0);
}

/* The rows of one pass: pixels x0, x0 + dx, ... of rows y0, y0 + dy, ..., each row after a filter byte 0. */
static void put_pass(gh_buf *raw, const gh_test_png *png, const int pass[4])
{
    int channels = gh_test_png_channels(png->colour);
    if (pass[0] >= png->width)
        return;
    for (int y = pass[1]; y < png->height; y += pass[3]) {
        unsigned bits = 0, held = 0;
        gh_buf_add(raw, "", 1);
        for (int x = pass[0]; x < png->width; x += pass[2])
            for (int c = 0; c < channels; c++) {
                bits = bits << png->depth | png->samples[(y * png->width + x) * channels + c];
                for (held += (unsigned)png->depth; held >= 8; held -= 8)
                    gh_buf_add(raw, &(uint8_t){(uint8_t)(bits >> (held - 8))}, 1);
            }
        if (held > 0)
            gh_buf_add(raw, &(uint8_t){(uint8_t)(bits << (8 - held))}, 1);
    }
}

/* x0, y0, dx, dy of the Adam7 passes (PNG section 8.2), and of the one pass of a plain file. */
static const int adam7[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
static const int plain[4] = {0, 0, 1, 1};

/* A zlib stream of stored blocks. */
static void put_zlib(gh_buf *out, const gh_buf *raw)
{
    uint8_t word[4];
    gh_buf_add(out, "\x78\x01", 2);
    for (size_t at = 0; at < raw->len;) {
        size_t n = raw->len - at < 65535 ? raw->len - at : 65535;
        uint8_t head[5] = {at + n == raw->len, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
                           (uint8_t)(~n >> 8)};
        gh_buf_add(out, head, 5);
        gh_buf_add(out, raw->data + at, n);
        at += n;
    }
    put_be32(word, adler32(raw->data, raw->len));
    gh_buf_add(out, word, 4);
}

void gh_test_png_write(gh_buf *out, const gh_test_png *png)
{
    gh_buf raw = {0}, packed = {0};
    uint8_t ihdr[13] = {[8] = (uint8_t)png->depth, [9] = (uint8_t)png->colour, [12] = png->interlaced};
    put_be32(ihdr, (uint32_t)png->width);
    put_be32(ihdr + 4, (uint32_t)png->height);
    for (int i = 0; i < (png->interlaced ? 7 : 1); i++)
        put_pass(&raw, png, png->interlaced ? adam7[i] : plain);
    put_zlib(&packed, &raw);
    ck_assert(!raw.failed && !packed.failed);
    gh_buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    gh_test_png_chunk(out, "IHDR", ihdr, sizeof ihdr);
    if (png->palette != NULL)
        gh_test_png_chunk(out, "PLTE", png->palette, png->palette_len);
    if (png->trns != NULL)
        gh_test_png_chunk(out, "tRNS", png->trns, png->trns_len);
    gh_test_png_chunk(out, "IDAT", packed.data, packed.len);
    gh_test_png_chunk(out, "IEND", NULL, 0);
    gh_buf_free(&raw);
    gh_buf_free(&packed);
}

static void put16(gh_buf *out, unsigned v, bool big)
{
    uint8_t b[2] = {(uint8_t)(big ? v >> 8 : v), (uint8_t)(big ? v : v >> 8)};
    gh_buf_add(out, b, 2);
}

static void put32(gh_buf *out, unsigned v, bool big)
{
    put16(out, big ? v >> 16 : v & 0xffff, big);
    put16(out, big ? v & 0xffff : v >> 16, big);
}

static void put_entry(gh_buf *out, unsigned tag, unsigned type, unsigned value, bool big)
{
    put16(out, tag, big);
    put16(out, type, big);
    put32(out, 1, big);
    if (type == 3) {
        put16(out, value, big);
        put16(out, 0, big);
    } else {
        put32(out, value, big);
    }
}

void gh_test_tiff(gh_buf *out, int orientation, bool big_endian)
{
    gh_buf_add(out, big_endian ? "MM\0*" : "II*\0", 4);
    put32(out, 8, big_endian);
    put16(out, 3, big_endian);
    put_entry(out, 0x0100, 4, 77, big_endian);
    put_entry(out, 0x0101, 3, 88, big_endian);
    put_entry(out, 0x0112, 3, (unsigned)orientation, big_endian);
    put32(out, 0, big_endian);
}

void gh_test_jpeg_turn(gh_buf *out, const uint8_t *jpeg, size_t len, int orientation, bool big_endian)
{
    gh_buf tiff = {0};
    gh_test_tiff(&tiff, orientation, big_endian);
    gh_buf_add(out, jpeg, 2);
    gh_buf_add(out, "\xff\xe1", 2);
    put16(out, (unsigned)tiff.len + 8, true);
    gh_buf_add(out, "Exif\0", 6);
    gh_buf_add(out, tiff.data, tiff.len);
    gh_buf_add(out, jpeg + 2, len - 2);
    ck_assert(!out->failed && !tiff.failed);
    gh_buf_free(&tiff);
}

gh_status gh_test_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_limits *limits,
                         gh_err *e)
{
    gh_image_info info;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    if (len > 0)
        memcpy(copy, data, len);
    *out = NULL;
    *e = (gh_err){0};
    gh_status status = gh_image_probe(&info, copy, len, limits, e);
    if (status == GH_OK)
        status = gh_image_decode(out, copy, len, &info, 0, 0, e);
    ck_assert_int_eq(status == GH_OK, *out != NULL);
    if (status != GH_OK) {
        ck_assert_int_eq(status, e->status);
        ck_assert_uint_gt(strlen(e->text), 10);
    }
    free(copy);
    return status;
}
