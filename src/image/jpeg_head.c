/* The header of a JPEG: a walk over its marker segments (ITU-T T.81 annex B) that finds the frame's size and
 * kind, the EXIF orientation, and how many scans there are. Entropy-coded data is skipped, not decoded. */
#include "image/codec.h"

#include <string.h>

enum {
    M_TEM = 0x01,
    M_SOF0 = 0xc0,
    M_DHT = 0xc4,
    M_JPG = 0xc8,
    M_DAC = 0xcc,
    M_SOF15 = 0xcf,
    M_RST0 = 0xd0,
    M_RST7 = 0xd7,
    M_SOI = 0xd8,
    M_EOI = 0xd9,
    M_SOS = 0xda,
    M_DHP = 0xde,
    M_APP1 = 0xe1,
    M_JPEG_LS = 0xf7,
    DCT_BLOCK_BYTES = 64 * 2, /* coefficients are 16 bits */
};

typedef struct marker_walk {
    const uint8_t *data;
    size_t len, at;
    const uint8_t *body; /* of the segment just read, without its length */
    size_t body_len;
    bool short_body; /* the file ends inside this segment */
} marker_walk;

typedef struct frame {
    bool seen, progressive;
    int components;
    uint64_t coefficient_bytes; /* of all components, for a file stored in several scans */
} frame;

static bool has_segment(int marker)
{
    return marker != M_TEM && !(marker >= M_RST0 && marker <= M_EOI);
}

/* The next marker, its segment read, or -1 at the end of the file. Stuffed zeros, restart markers and fill
 * bytes are passed over, so this also finds the end of entropy-coded data. */
static int next_marker(marker_walk *w)
{
    for (;;) {
        const uint8_t *ff = w->at < w->len ? memchr(w->data + w->at, 0xff, w->len - w->at) : NULL;
        if (ff == NULL)
            return -1;
        w->at = (size_t)(ff - w->data);
        while (w->at < w->len && w->data[w->at] == 0xff)
            w->at++;
        if (w->at >= w->len)
            return -1;
        int marker = w->data[w->at++];
        if (marker == 0 || (marker >= M_RST0 && marker <= M_RST7))
            continue;
        w->body = w->data + w->at;
        w->body_len = 0;
        w->short_body = false;
        if (!has_segment(marker))
            return marker;
        size_t left = w->len - w->at, size = left >= 2 ? gh_be16(w->body) : 0;
        w->short_body = left < 2 || size > left;
        w->body += w->short_body ? 0 : 2;
        w->body_len = w->short_body || size < 2 ? 0 : size - 2;
        w->at += w->short_body ? left : size < 2 ? 2 : size;
        return marker;
    }
}

/* Adjectives of the frame kinds that are not read, by marker; NULL for those that are (T.81 table B.1). */
static const char *unread_kind(int marker)
{
    switch (marker) {
    case 0xc0:
    case 0xc1:
    case 0xc2:
        return NULL;
    case 0xc3:
        return "a lossless";
    case 0xc5:
    case 0xc6:
    case 0xc7:
    case M_DHP:
        return "a hierarchical";
    case 0xc9:
    case 0xca:
        return "an arithmetic-coded";
    case 0xcb:
        return "a lossless arithmetic-coded";
    case M_JPEG_LS:
        return "a near-lossless (JPEG-LS)";
    default:
        return "a hierarchical arithmetic-coded";
    }
}

static bool is_frame(int marker)
{
    return (marker >= M_SOF0 && marker <= M_SOF15 && marker != M_DHT && marker != M_JPG && marker != M_DAC) ||
           marker == M_DHP || marker == M_JPEG_LS;
}

/* Bytes of coefficients, whole MCUs (T.81 A.2): what libjpeg keeps when it cannot decode in one pass. */
static gh_status count_coefficients(frame *f, const gh_image_info *info, const uint8_t *body, gh_err *e)
{
    uint32_t h[4], v[4], h_max = 1, v_max = 1;
    for (int i = 0; i < f->components; i++) {
        h[i] = body[6 + 3 * i + 1] >> 4;
        v[i] = body[6 + 3 * i + 1] & 15;
        if (h[i] < 1 || h[i] > 4 || v[i] < 1 || v[i] > 4)
            return gh_fail(e, GH_FORMAT, "the JPEG has a sampling factor of %u x %u; each may be 1 to 4",
                           h[i], v[i]);
        h_max = h[i] > h_max ? h[i] : h_max;
        v_max = v[i] > v_max ? v[i] : v_max;
    }
    uint64_t across = ((uint32_t)info->coded_width + 8 * h_max - 1) / (8 * h_max);
    uint64_t down = ((uint32_t)info->coded_height + 8 * v_max - 1) / (8 * v_max);
    f->coefficient_bytes = 0;
    for (int i = 0; i < f->components; i++)
        f->coefficient_bytes += across * h[i] * down * v[i] * DCT_BLOCK_BYTES;
    return GH_OK;
}

static gh_status read_frame(frame *f, gh_image_info *info, int marker, const marker_walk *w, gh_err *e)
{
    if (unread_kind(marker) != NULL)
        return gh_fail(e, GH_UNSUPPORTED,
                       "%s JPEG; baseline, extended and progressive JPEG with Huffman coding are accepted",
                       unread_kind(marker));
    if (f->seen)
        return gh_fail(e, GH_FORMAT, "the JPEG has more than one frame header");
    if (w->body_len < 6 || w->body_len < 6 + 3 * (size_t)w->body[5])
        return gh_fail(e, GH_FORMAT, "the JPEG's frame header is too short");
    if (w->body[0] != 8)
        return gh_fail(e, GH_UNSUPPORTED, "a JPEG of %d bits a sample; 8 are accepted", w->body[0]);
    info->coded_height = (int)gh_be16(w->body + 1);
    info->coded_width = (int)gh_be16(w->body + 3);
    info->progressive = f->progressive = marker == 0xc2;
    f->components = w->body[5];
    f->seen = true;
    if (f->components != 1 && f->components != 3 && f->components != 4)
        return gh_fail(e, GH_UNSUPPORTED, "a JPEG of %d colour components; 1, 3 or 4 are accepted",
                       f->components);
    return count_coefficients(f, info, w->body, e);
}

static gh_status fail_cut(const marker_walk *w, gh_err *e)
{
    return gh_fail(e, GH_FORMAT, "the JPEG ends inside its header, after %zu bytes", w->len);
}

/* Segments up to and including the first start of scan. */
static gh_status read_header(frame *f, gh_image_info *info, marker_walk *w, gh_err *e)
{
    bool oriented = false;
    for (;;) {
        int marker = next_marker(w);
        if (marker < 0 || w->short_body)
            return fail_cut(w, e);
        if (marker == M_EOI)
            return gh_fail(e, GH_FORMAT, "the JPEG ends before any picture data");
        if (is_frame(marker))
            GH_TRY(read_frame(f, info, marker, w, e));
        if (marker == M_SOS)
            return f->seen ? GH_OK : gh_fail(e, GH_FORMAT, "the JPEG has a scan before its frame header");
        if (marker == M_APP1 && !oriented && w->body_len >= 6 && memcmp(w->body, "Exif\0", 5) == 0) {
            info->orientation = gh_exif_orientation(w->body, w->body_len);
            oriented = true;
        }
    }
}

/* Scans in the whole file, the first included; stops counting past the limit. */
static int count_scans(marker_walk *w, int limit)
{
    int scans = 1;
    for (int marker; scans <= limit && (marker = next_marker(w)) >= 0 && marker != M_EOI;)
        scans += marker == M_SOS;
    return scans;
}

gh_status gh_jpeg_probe(gh_image_info *out, const uint8_t *data, size_t len, gh_err *e)
{
    marker_walk w = {.data = data, .len = len, .at = 2};
    frame f = {0};
    GH_TRY(read_header(&f, out, &w, e));
    uint64_t pixels = (uint64_t)out->coded_width * (uint64_t)out->coded_height;
    /* RGB, and rows of up to 4 x 8 lines of every component before and after upsampling. */
    out->work_bytes = pixels * 3 + (uint64_t)out->coded_width * 4 * 64 + 65536;
    bool one_pass = !f.progressive && w.body_len >= 1 && w.body[0] == f.components;
    if (!one_pass) {
        out->work_bytes += f.coefficient_bytes;
        out->scans = count_scans(&w, out->limits.max_jpeg_scans);
    }
    return GH_OK;
}
