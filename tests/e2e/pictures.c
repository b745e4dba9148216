/* Pictures and bodies for the tests, made from the real photos. */
#include "e2e/harness.h"

#include "base/file.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const gh_buf *photo(const char *name)
{
    static struct {
        char name[32];
        gh_buf bytes;
    } kept[8];
    char path[128];
    gh_err e = {0};
    size_t i = 0;
    while (i < 8 && kept[i].name[0] && strcmp(kept[i].name, name) != 0)
        i++;
    ck_assert_uint_lt(i, 8);
    if (kept[i].name[0])
        return &kept[i].bytes;
    snprintf(path, sizeof path, ".build/photos/%s", name);
    if (gh_file_read(&kept[i].bytes, path, (size_t)64 << 20, &e) != GH_OK)
        ck_abort_msg("%s; `make photos` fetches them", e.text);
    snprintf(kept[i].name, sizeof kept[i].name, "%s", name);
    return &kept[i].bytes;
}

/* Where the stored pixel (x, y) belongs in the upright picture of w * h (EXIF 2.32, section 4.6.5). */
static size_t upright_place(int orientation, int x, int y, int w, int h)
{
    int px = orientation <= 4 ? x : y, py = orientation <= 4 ? y : x;
    if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7)
        px = w - 1 - px;
    if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8)
        py = h - 1 - py;
    return ((size_t)py * (size_t)w + (size_t)px) * 3;
}

/* An APP1 segment that holds one TIFF entry, the orientation. */
static void add_exif(gh_buf *out, int orientation)
{
    const uint8_t app1[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
                            'M',  'M',  0, 42, 0,   0,   0,   8,   0, 1,
                            0x01, 0x12, 0, 3,  0,   0,   0,   1,   0, (uint8_t)orientation,
                            0,    0,    0, 0,  0,   0};
    gh_buf_add(out, app1, sizeof app1);
}

void photo_turned(gh_buf *out, const char *name, int orientation)
{
    const gh_buf *bytes = photo(name);
    gh_image_limits limits = gh_image_limits_default();
    gh_image_info info;
    gh_image *up = NULL, *stored = NULL;
    gh_buf jpeg = {0};
    gh_err e = {0};
    ck_assert_int_eq(gh_image_probe(&info, bytes->data, bytes->len, &limits, &e), GH_OK);
    ck_assert_int_eq(gh_image_decode(&up, bytes->data, bytes->len, &info, 0, 0, &e), GH_OK);
    int w = orientation <= 4 ? up->width : up->height, h = orientation <= 4 ? up->height : up->width;
    ck_assert_int_eq(gh_image_new(&stored, w, h, &e), GH_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            memcpy(stored->pixels + ((size_t)y * (size_t)w + (size_t)x) * 3,
                   up->pixels + upright_place(orientation, x, y, up->width, up->height), 3);
    ck_assert_int_eq(gh_jpeg_encode_rgb(&jpeg, stored->pixels, w, h, 95, &e), GH_OK);
    gh_buf_add(out, jpeg.data, 2);
    add_exif(out, orientation);
    gh_buf_add(out, jpeg.data + 2, jpeg.len - 2);
    gh_buf_free(&jpeg);
    gh_image_free(&up);
    gh_image_free(&stored);
}

void photo_crew(gh_buf *png)
{
    gh_image_info info;
    gh_image *one = NULL;
    gh_err e = {0};
    const gh_buf *file = photo("astronaut.png");
    ck_assert_int_eq(gh_image_probe(&info, file->data, file->len, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_image_decode(&one, file->data, file->len, &info, 0, 0, &e), GH_OK);
    int side = one->width, width = 2 * side + side / 2;
    uint8_t *all = calloc((size_t)width * (size_t)side, 3);
    ck_assert_ptr_nonnull(all);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < width; x++) {
            int scale = x < 2 * side ? 1 : 2, fx = x < 2 * side ? x % side : 2 * (x - 2 * side),
                fy = y * scale;
            if (fy < side)
                memcpy(all + ((size_t)y * (size_t)width + (size_t)x) * 3,
                       one->pixels + ((size_t)fy * (size_t)side + (size_t)fx) * 3, 3);
        }
    ck_assert_int_eq(gh_png_encode_rgb(png, all, width, side, &e), GH_OK);
    free(all);
    gh_image_free(&one);
}

void add_base64(gh_buf *out, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        unsigned v =
            (unsigned)b[i] << 16 | (have > 1 ? (unsigned)b[i + 1] << 8 : 0) | (have > 2 ? b[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], have > 1 ? digits[v >> 6 & 63] : '=',
                        have > 2 ? digits[v & 63] : '='};
        gh_buf_add(out, four, 4);
    }
}

void from_base64(gh_buf *out, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    ck_assert_uint_eq(strlen(text) % 4, 0);
    for (; *text; text += 4) {
        unsigned v = 0;
        size_t have = text[2] == '=' ? 1 : text[3] == '=' ? 2 : 3;
        for (size_t i = 0; i < 4; i++) {
            const char *digit = i <= have ? strchr(digits, text[i]) : digits;
            ck_assert_msg(digit && text[i], "'%c' in base64", text[i]);
            v = v << 6 | (unsigned)(digit - digits);
        }
        const uint8_t three[] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        gh_buf_add(out, three, have);
    }
}

void add_part(gh_buf *out, const char *name, const void *data, size_t len)
{
    gh_buf_printf(out, "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n", name);
    gh_buf_add(out, data, len);
    gh_buf_str(out, "\r\n");
}

void end_parts(gh_buf *out)
{
    gh_buf_str(out, "--b--\r\n");
}

void check_problem(const reply *r, int status, const char *text)
{
    static const char *const keys[] = {"type", "title", "detail", "instance", "request_id", "error"};
    ck_assert_msg(r->status == status, "got %d, not %d: %s", r->status, status,
                  r->body.data ? (char *)r->body.data : "");
    ck_assert_str_eq(reply_header(r, "Content-Type"), "application/problem+json");
    json_t *o = reply_json(r);
    for (size_t i = 0; i < GH_COUNT(keys); i++)
        ck_assert_msg(json_is_string(json_object_get(o, keys[i])), "no \"%s\"", keys[i]);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "status")), status);
    ck_assert_uint_eq(json_object_size(o), GH_COUNT(keys) + 1);
    const char *detail = json_string_value(json_object_get(o, "detail"));
    ck_assert_msg(strstr(detail, text) != NULL, "\"%s\" is not in: %s", text, detail);
    ck_assert_str_eq(json_string_value(json_object_get(o, "error")), detail);
    ck_assert_msg(!strstr(detail, "/tmp/") && !strstr(detail, "/work/") && !strstr(detail, "0x"), "%s",
                  detail);
    ck_assert_str_eq(reply_header(r, "X-Request-ID"), json_string_value(json_object_get(o, "request_id")));
    json_decref(o);
}

const char *first_label(const json_t *o)
{
    static char label[128];
    const char *text =
        json_string_value(json_object_get(json_array_get(json_object_get(o, "labels"), 0), "label"));
    snprintf(label, sizeof label, "%s", text ? text : "");
    return label;
}

/* A square piece of the photo as a JPEG file. */
static void write_piece(const gh_image *image, int x, int y, int side, const char *path)
{
    gh_image *piece = NULL;
    gh_buf jpeg = {0};
    gh_err e = {0};
    ck_assert_int_eq(gh_image_new(&piece, side, side, &e), GH_OK);
    for (int row = 0; row < side; row++)
        memcpy(piece->pixels + (size_t)row * (size_t)side * 3,
               image->pixels + ((size_t)(y + row) * (size_t)image->width + (size_t)x) * 3, (size_t)side * 3);
    ck_assert_int_eq(gh_jpeg_encode_rgb(&jpeg, piece->pixels, side, side, 90, &e), GH_OK);
    ck_assert_msg(gh_file_write(path, jpeg.data, jpeg.len, &e) == GH_OK, "%s", e.text);
    gh_buf_free(&jpeg);
    gh_image_free(&piece);
}

void photo_pieces(const char *folder, const char *name)
{
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    char path[256];
    const gh_buf *bytes = photo(name);
    ck_assert_int_eq(gh_image_probe(&info, bytes->data, bytes->len, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, bytes->data, bytes->len, &info, 0, 0, &e), GH_OK);
    ck_assert_int_eq(gh_dir_make(folder, &e), GH_OK);
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "%s/%d.jpg", folder, i);
        write_piece(image, 10 + 20 * i, 5 + 10 * i, 200, path);
    }
    gh_image_free(&image);
}
