/* Labelled boxes: any bytes as Pascal VOC's XML, as YOLO's text, and as the files that name YOLO's classes.
 */
#include "train/data/boxset_parts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(gh_boxset_maker *m, const char *layout, bool by_name)
{
    gh_boxset *set = NULL;
    const gh_boxset_picture picture = {.path = "p"};
    gh_err e = {0};
    if (gh_boxset_picture_add(m, &picture, &e) != GH_OK ||
        gh_boxset_finish(&set, m, layout, by_name, &e) != GH_OK)
        return;
    for (size_t i = 0; i < set->ntruths; i++) {
        GH_ASSERT(set->truths[i].picture == 0 && set->truths[i].category < set->ncategories);
        GH_ASSERT(set->truths[i].box.w > 0 && set->truths[i].box.h > 0);
    }
    for (size_t c = 1; by_name && c < set->ncategories; c++)
        GH_ASSERT(strcmp(set->categories[c - 1], set->categories[c]) < 0);
    gh_boxset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    gh_boxset_maker m = {0};
    gh_voc_page page;
    uint32_t c;
    gh_err e = {0};
    if (gh_boxset_begin(&m, &e) == GH_OK && gh_voc_parse(&page, &m, "f", text, len, &e) == GH_OK)
        check(&m, "voc", true);
    gh_boxset_drop(&m);
    if (gh_boxset_begin(&m, &e) == GH_OK && gh_boxset_category(&c, &m, "cat", 3, &e) == GH_OK &&
        gh_yolo_parse(&m, "f", text, len, 640, 480, &e) == GH_OK)
        check(&m, "yolo", false);
    gh_boxset_drop(&m);
    for (int yaml = 0; yaml < 2; yaml++) {
        if (gh_boxset_begin(&m, &e) == GH_OK && gh_yolo_names(&m, "f", text, len, yaml, &e) == GH_OK)
            check(&m, "names", true);
        gh_boxset_drop(&m);
    }
    return 0;
}
