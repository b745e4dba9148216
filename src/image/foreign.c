/* Names for what is often sent instead of a JPEG, PNG or WebP, so that the refusal can say what came. */
#include "image/codec.h"

#include <string.h>
#include <strings.h>

#define SIG(offset, bytes, name)                                                                             \
    {                                                                                                        \
        offset, sizeof bytes - 1, bytes, name                                                                \
    }

/* Brands of ISO base media files (ISO/IEC 14496-12, 23008-12) stand before the catch-all "ftyp". */
static const struct {
    uint8_t offset, len;
    const char *bytes, *name;
} signatures[] = {
    SIG(0, "GIF87a", "a GIF"),
    SIG(0, "GIF89a", "a GIF"),
    SIG(0, "II*\0", "a TIFF (or a camera's raw file)"),
    SIG(0, "MM\0*", "a TIFF (or a camera's raw file)"),
    SIG(0, "II+\0", "a BigTIFF"),
    SIG(0, "MM\0+", "a BigTIFF"),
    SIG(4, "ftypavif", "an AVIF"),
    SIG(4, "ftypavis", "an AVIF sequence"),
    SIG(4, "ftyphei", "a HEIC"),
    SIG(4, "ftyphev", "a HEIC sequence"),
    SIG(4, "ftypmif1", "a HEIF (HEIC or AVIF)"),
    SIG(4, "ftypmsf1", "a HEIF sequence"),
    SIG(4, "ftypcrx", "a Canon raw file"),
    SIG(4, "ftyp", "a video (MP4 or QuickTime)"),
    SIG(0, "\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    SIG(8, "AVI ", "a video (AVI)"),
    SIG(8, "WAVE", "a sound file (WAV)"),
    SIG(0, "\xff\x0a", "a JPEG XL"),
    SIG(4, "JXL \r\n", "a JPEG XL"),
    SIG(4, "jP  \r\n", "a JPEG 2000"),
    SIG(0, "\xff\x4f\xff\x51", "a JPEG 2000"),
    SIG(0, "\x8aMNG", "an MNG"),
    SIG(0, "\x8bJNG", "a JNG"),
    SIG(0, "8BPS", "a Photoshop file"),
    SIG(0, "gimp xcf", "a GIMP file"),
    SIG(0, "\0\0\1\0", "a Windows icon"),
    SIG(0, "%PDF-", "a PDF"),
    SIG(0, "%!PS", "PostScript"),
    SIG(0, "qoif", "a QOI"),
    SIG(0, "\x76\x2f\x31\x01", "an OpenEXR"),
    SIG(0, "DDS ", "a DDS texture"),
    SIG(0, "PK\3\4", "a ZIP archive (or an office document)"),
    SIG(0, "\x1f\x8b", "a gzip file"),
    SIG(0, "\x93NUMPY", "a NumPy array"),
    SIG(0, "data:", "a data: URL in text; send the bytes themselves, or JSON"),
};

/* What text looks like at its first tag; compared without regard to case. */
static const struct {
    const char *start, *name;
} texts[] = {
    {"<svg", "an SVG"}, {"<!doctype svg", "an SVG"}, {"<!doctype html", "HTML"}, {"<html", "HTML"},
    {"<head", "HTML"},  {"<body", "HTML"},           {"<?xml", "XML"},           {"{", "JSON"},
    {"[", "JSON"},
};

/* A Windows bitmap: the size of its second header, and reserved fields that must be zero. */
static bool is_bmp(const uint8_t *data, size_t len)
{
    return len >= 18 && memcmp(data, "BM", 2) == 0 && gh_le32(data + 6) == 0 && gh_le32(data + 14) >= 12 &&
           gh_le32(data + 14) <= 124;
}

/* PBM, PGM, PPM and PAM: 'P', a digit, white space. */
static bool is_pnm(const uint8_t *data, size_t len)
{
    return len >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7' &&
           (data[2] == '\n' || data[2] == ' ' || data[2] == '\r' || data[2] == '\t');
}

/* Whether "<svg" stands within the first kilobyte: an XML that draws. */
static bool holds_svg(const uint8_t *data, size_t len)
{
    return memmem(data, len < 1024 ? len : 1024, "<svg", 4) != NULL;
}

static const char *sniff_text(const uint8_t *data, size_t len)
{
    size_t at = len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < len && (data[at] == ' ' || data[at] == '\t' || data[at] == '\r' || data[at] == '\n'))
        at++;
    for (size_t i = 0; i < GH_COUNT(texts); i++) {
        size_t n = strlen(texts[i].start);
        if (len - at < n || strncasecmp((const char *)data + at, texts[i].start, n) != 0)
            continue;
        bool xml = strcmp(texts[i].name, "XML") == 0;
        return xml && holds_svg(data, len) ? "an SVG" : texts[i].name;
    }
    return NULL;
}

const char *gh_sniff_foreign(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < GH_COUNT(signatures); i++) {
        size_t offset = signatures[i].offset, n = signatures[i].len;
        if (len >= offset + n && memcmp(data + offset, signatures[i].bytes, n) == 0)
            return signatures[i].name;
    }
    if (is_bmp(data, len))
        return "a BMP";
    if (is_pnm(data, len))
        return "a PNM (PBM, PGM or PPM)";
    return sniff_text(data, len);
}
