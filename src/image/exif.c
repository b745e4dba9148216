/* EXIF: the orientation tag of a TIFF block, and nothing else. Every offset comes from the file and is
 * checked before it is followed; what does not hold means "as stored", since a picture with bad metadata is
 * still a picture. */
#include "image/codec.h"

#include <string.h>

/* TIFF 6.0 section 2 (field layout and types); Exif 2.3 table 3 (tag 0x0112 in the first directory). */
enum { TIFF_HEADER = 8, TIFF_ENTRY = 12, TIFF_SHORT = 3, TIFF_LONG = 4, TAG_ORIENTATION = 0x0112 };

static uint32_t read16(const uint8_t *p, bool big)
{
    return big ? gh_be16(p) : gh_le16(p);
}

static uint32_t read32(const uint8_t *p, bool big)
{
    return big ? gh_be32(p) : gh_le32(p);
}

static int entry_value(const uint8_t *entry, bool big)
{
    uint32_t type = read16(entry + 2, big), count = read32(entry + 4, big), value = 0;
    if (count != 1)
        return 1;
    if (type == TIFF_SHORT)
        value = read16(entry + 8, big);
    else if (type == TIFF_LONG)
        value = read32(entry + 8, big);
    return value >= 1 && value <= 8 ? (int)value : 1;
}

int gh_exif_orientation(const uint8_t *data, size_t len)
{
    if (len >= 6 && memcmp(data, "Exif\0", 5) == 0) {
        data += 6;
        len -= 6;
    }
    if (len < TIFF_HEADER)
        return 1;
    bool big = memcmp(data, "MM\0*", 4) == 0;
    if (!big && memcmp(data, "II*\0", 4) != 0)
        return 1;
    size_t at = read32(data + 4, big);
    if (at > len - 2)
        return 1;
    size_t entries = read16(data + at, big);
    at += 2;
    for (size_t i = 0; i < entries && len - at >= TIFF_ENTRY; i++, at += TIFF_ENTRY)
        if (read16(data + at, big) == TAG_ORIENTATION)
            return entry_value(data + at, big);
    return 1;
}
