/* Probing: which format the bytes are (by their content, never by a label), what its header says, and whether
 * that is within the limits. Nothing is decoded and nothing is allocated. */
#include "image/codec.h"

#include <stdio.h>
#include <string.h>

static bool starts(const uint8_t *data, size_t len, const char *with, size_t with_len)
{
    return len >= with_len && memcmp(data, with, with_len) == 0;
}

/* 0 when it is none of ours. Signatures are matched by the bytes that survive common damage, so that a PNG
 * whose line ends were converted is called a broken PNG. */
static gh_image_format sniff(const uint8_t *data, size_t len)
{
    if (starts(data, len, "\xff\xd8\xff", 3) || (len == 2 && starts(data, len, "\xff\xd8", 2)))
        return GH_IMAGE_JPEG;
    if (starts(data, len, "\x89PNG", 4))
        return GH_IMAGE_PNG;
    if (starts(data, len, "RIFF", 4) && len >= 12 && memcmp(data + 8, "WEBP", 4) == 0)
        return GH_IMAGE_WEBP;
    return 0;
}

static gh_status fail_foreign(const uint8_t *data, size_t len, gh_err *e)
{
    const char *name = gh_sniff_foreign(data, len);
    if (name != NULL)
        return gh_fail(e, GH_UNSUPPORTED, "this is %s; pictures may be JPEG, PNG or WebP", name);
    char start[3 * 8 + 1] = "";
    for (size_t i = 0; i < len && i < 8; i++)
        snprintf(start + 3 * i, 4, " %02x", data[i]);
    return gh_fail(
        e, GH_UNSUPPORTED,
        "not a picture that can be read: %zu bytes that begin with%s; pictures may be JPEG, PNG or WebP", len,
        start);
}

static gh_status probe_format(gh_image_info *info, const uint8_t *data, size_t len, gh_err *e)
{
    switch (info->format) {
    case GH_IMAGE_JPEG:
        return gh_jpeg_probe(info, data, len, e);
    case GH_IMAGE_PNG:
        return gh_png_probe(info, data, len, e);
    case GH_IMAGE_WEBP:
        return gh_webp_probe(info, data, len, e);
    }
    return fail_foreign(data, len, e);
}

static gh_status check_limits(const gh_image_info *info, gh_err *e)
{
    const char *name = gh_image_format_name(info->format);
    uint64_t pixels = (uint64_t)info->width * (uint64_t)info->height;
    if (pixels > info->limits.max_pixels)
        return gh_fail(e, GH_LIMIT, "the %s has %d x %d = %llu pixels; at most %llu are accepted", name,
                       info->width, info->height, (unsigned long long)pixels,
                       (unsigned long long)info->limits.max_pixels);
    if (info->scans > info->limits.max_jpeg_scans)
        return gh_fail(e, GH_LIMIT, "the JPEG is stored in %d scans; at most %d are accepted", info->scans,
                       info->limits.max_jpeg_scans);
    if (info->work_bytes > info->limits.max_work)
        return gh_fail(e, GH_LIMIT,
                       "decoding the %s of %d x %d pixels takes about %llu MB of memory; at most %llu MB are "
                       "accepted",
                       name, info->width, info->height, (unsigned long long)(info->work_bytes / 1000000),
                       (unsigned long long)(info->limits.max_work / 1000000));
    return GH_OK;
}

gh_status gh_image_probe(gh_image_info *out, const uint8_t *data, size_t len, const gh_image_limits *limits,
                         gh_err *e)
{
    gh_image_info info = {.orientation = 1, .scans = 1};
    if (len == 0)
        return gh_fail(e, GH_ARG, "the picture is empty (0 bytes); send a JPEG, PNG or WebP");
    info.limits = limits != NULL ? *limits : gh_image_limits_default();
    info.format = sniff(data, len);
    GH_TRY(probe_format(&info, data, len, e));
    if (info.coded_width < 1 || info.coded_height < 1)
        return gh_fail(e, GH_FORMAT, "the %s says its size is %d x %d pixels; both must be at least 1",
                       gh_image_format_name(info.format), info.coded_width, info.coded_height);
    bool swap = info.orientation >= 5;
    info.width = swap ? info.coded_height : info.coded_width;
    info.height = swap ? info.coded_width : info.coded_height;
    if (info.orientation != 1)
        info.work_bytes += (uint64_t)info.width * (uint64_t)info.height * 3;
    GH_TRY(check_limits(&info, e));
    *out = info;
    return GH_OK;
}
