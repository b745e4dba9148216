/* The zip directory: end record, zip64 end record, central directory, local headers. Layouts: PKWARE's
 * APPNOTE, sections 4.3 and 4.5.3. */
#include "import/zip.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56, CENTRAL_SIZE = 46, LOCAL_SIZE = 30 };
enum { FLAG_ENCRYPTED = 1, EXTRA_ZIP64 = 1 };

typedef struct directory {
    uint64_t entries, size, offset;
} directory;

static uint64_t number(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static bool signature(const uint8_t *p, uint8_t third, uint8_t fourth)
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == third && p[3] == fourth;
}

static gh_status broken(gh_err *e, const char *why)
{
    return gh_fail(e, GH_FORMAT, "the zip archive is broken: %s", why);
}

bool gh_zip_sniff(const uint8_t *data, size_t len)
{
    return len >= 4 && (signature(data, 3, 4) || signature(data, 5, 6));
}

/* Position of the end record, which a comment of up to 65535 bytes may follow; or len when there is none. */
static size_t find_end(const uint8_t *data, size_t len)
{
    for (size_t back = END_SIZE; back <= len && back <= END_SIZE + 65535u; back++) {
        const uint8_t *p = data + (len - back);
        if (signature(p, 5, 6) && number(p + 20, 2) == back - END_SIZE)
            return len - back;
    }
    return len;
}

/* The 64-bit end record, which a locator just before the end record points to. */
static gh_status read_end64(directory *d, const uint8_t *data, size_t end, gh_err *e)
{
    if (end < LOCATOR_SIZE + END64_SIZE || !signature(data + end - LOCATOR_SIZE, 6, 7))
        return broken(e, "its directory has sizes of 64 bits, but no record of them");
    uint64_t at = number(data + end - LOCATOR_SIZE + 8, 8);
    if (at > end - LOCATOR_SIZE - END64_SIZE || !signature(data + at, 6, 6))
        return broken(e, "the record of its 64-bit sizes is not where it says");
    d->entries = number(data + at + 32, 8);
    d->size = number(data + at + 40, 8);
    d->offset = number(data + at + 48, 8);
    return GH_OK;
}

static gh_status read_end(directory *d, const uint8_t *data, size_t len, gh_err *e)
{
    size_t end = find_end(data, len);
    if (end == len)
        return broken(e, "its directory is missing; the file may be truncated");
    d->entries = number(data + end + 10, 2);
    d->size = number(data + end + 12, 4);
    d->offset = number(data + end + 16, 4);
    if (d->entries == UINT16_MAX || d->size == UINT32_MAX || d->offset == UINT32_MAX)
        GH_TRY(read_end64(d, data, end, e));
    if (d->offset > end || d->size > end - d->offset)
        return broken(e, "its directory lies outside the file");
    if (d->entries > GH_ZIP_MAX_ENTRIES)
        return gh_fail(e, GH_LIMIT, "the zip archive has %llu entries; gharial reads up to %u",
                       (unsigned long long)d->entries, GH_ZIP_MAX_ENTRIES);
    if (d->entries > d->size / CENTRAL_SIZE)
        return broken(e, "its directory is smaller than its entries");
    return GH_OK;
}

/* Takes the 64-bit values that stand in the extra field for those of `values` (size, stored size, offset)
 * that are full. */
static gh_status read_zip64(uint64_t values[3], const uint8_t *extra, size_t len, gh_err *e)
{
    while (len >= 4) {
        size_t id = number(extra, 2), size = number(extra + 2, 2);
        if (size > len - 4)
            break;
        const uint8_t *at = extra + 4;
        for (int i = 0; id == EXTRA_ZIP64 && i < 3; i++) {
            if (values[i] != UINT32_MAX)
                continue;
            if (size < 8)
                return broken(e, "an entry has no 64-bit size where it says so");
            values[i] = number(at, 8);
            at += 8;
            size -= 8;
        }
        if (id == EXTRA_ZIP64)
            return GH_OK;
        extra += 4 + size;
        len -= 4 + size;
    }
    return broken(e, "an entry has no 64-bit size where it says so");
}

/* One entry of the central directory at p (`left` bytes); *used = its length there. */
static gh_status read_entry(gh_zip_entry *out, size_t *used, const uint8_t *p, size_t left,
                            const uint8_t *data, size_t len, gh_err *e)
{
    if (left < CENTRAL_SIZE || !signature(p, 1, 2))
        return broken(e, "its directory ends too early");
    uint64_t values[3] = {number(p + 24, 4), number(p + 20, 4), number(p + 42, 4)};
    size_t name_len = number(p + 28, 2), extra_len = number(p + 30, 2), comment_len = number(p + 32, 2);
    if (name_len + extra_len + comment_len > left - CENTRAL_SIZE)
        return broken(e, "its directory ends too early");
    if (values[0] == UINT32_MAX || values[1] == UINT32_MAX || values[2] == UINT32_MAX)
        GH_TRY(read_zip64(values, p + CENTRAL_SIZE + name_len, extra_len, e));
    if (number(p + 8, 2) & FLAG_ENCRYPTED)
        return gh_fail(e, GH_UNSUPPORTED, "the zip archive is encrypted, which no PyTorch checkpoint is");
    if (number(p + 10, 2) != 0 || values[0] != values[1])
        return gh_fail(e, GH_UNSUPPORTED,
                       "the zip archive has compressed entries; PyTorch stores them as they are, and only "
                       "such archives are read");
    uint64_t local = values[2];
    if (local > len || len - local < LOCAL_SIZE || !signature(data + local, 3, 4))
        return broken(e, "an entry is not where the directory says");
    size_t head = LOCAL_SIZE + number(data + local + 26, 2) + number(data + local + 28, 2);
    if (head > len - local || values[0] > len - local - head)
        return broken(e, "an entry ends outside the file; the file may be truncated");
    *out = (gh_zip_entry){p + CENTRAL_SIZE, name_len, data + local + head, (size_t)values[0]};
    *used = CENTRAL_SIZE + name_len + extra_len + comment_len;
    return GH_OK;
}

static int by_name(const void *a, const void *b)
{
    const gh_zip_entry *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->name_len < y->name_len ? x->name_len : y->name_len);
    return order ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

static gh_status read_entries(gh_zip *zip, const directory *d, const uint8_t *data, size_t len, gh_err *e)
{
    const uint8_t *at = data + d->offset;
    size_t left = (size_t)d->size;
    for (size_t i = 0; i < d->entries; i++) {
        size_t used = 0;
        GH_TRY(read_entry(&zip->entries[i], &used, at, left, data, len, e));
        at += used;
        left -= used;
        zip->count++;
    }
    qsort(zip->entries, zip->count, sizeof *zip->entries, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return broken(e, "two entries have the same name");
    return GH_OK;
}

gh_status gh_zip_open(gh_zip *out, const uint8_t *data, size_t len, gh_err *e)
{
    directory d = {0};
    GH_TRY(read_end(&d, data, len, e));
    gh_zip zip = {.entries = gh_calloc(d.entries ? (size_t)d.entries : 1, sizeof *zip.entries)};
    if (!zip.entries)
        return gh_fail(e, GH_NOMEM, "no memory for the zip directory");
    gh_status status = read_entries(&zip, &d, data, len, e);
    if (status == GH_OK)
        *out = zip;
    else
        gh_zip_close(&zip);
    return status;
}

void gh_zip_close(gh_zip *zip)
{
    gh_free(zip->entries);
    *zip = (gh_zip){0};
}

/* Order of `name` and the text that prefix and rest make. */
static int compare(const gh_zip_entry *entry, const uint8_t *prefix, size_t prefix_len, const uint8_t *rest,
                   size_t rest_len)
{
    size_t n = entry->name_len < prefix_len ? entry->name_len : prefix_len;
    int order = n ? memcmp(entry->name, prefix, n) : 0;
    if (order || entry->name_len < prefix_len)
        return order ? order : -1;
    size_t left = entry->name_len - prefix_len;
    n = left < rest_len ? left : rest_len;
    order = n ? memcmp(entry->name + prefix_len, rest, n) : 0;
    return order ? order : (left > rest_len) - (left < rest_len);
}

const gh_zip_entry *gh_zip_find(const gh_zip *zip, const uint8_t *prefix, size_t prefix_len,
                                const uint8_t *name, size_t name_len)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare(&zip->entries[mid], prefix, prefix_len, name, name_len);
        if (order == 0)
            return &zip->entries[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
