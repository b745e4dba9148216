/* COCO's JSON: what is read, what is wrong, and limits. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/data/boxset.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>

static gh_boxset *set;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
}

static void teardown(void)
{
    gh_boxset_free(&set);
    tiny_remove();
}

static gh_status parse(const char *text)
{
    gh_boxset_free(&set);
    return gh_boxset_parse(&set, "d", text, strlen(text), &e);
}

#define IMAGES                                                                                               \
    "\"images\": [{\"id\": 7, \"file_name\": \"b/7.jpg\", \"width\": 5, \"height\": 6}, {\"id\": -3, "       \
    "\"file_name\": \"3.png\"}]"
#define CATEGORIES                                                                                           \
    "\"categories\": [{\"id\": 90, \"name\": \"toothbrush\"}, {\"id\": 1, \"name\": \"person\"}]"
#define TRUTH "{\"image_id\": 7, \"category_id\": 90, \"bbox\": [1, 2.5, 3, 4]"
#define GOOD  "{" IMAGES ", " CATEGORIES ", \"annotations\": [" TRUTH "}, "
static const char good[] = GOOD TRUTH ", \"iscrowd\": 1, \"segmentation\": [[1, 2, 3, 4]]}, " TRUTH
                                      ", \"ignore\": true, \"iscrowd\": 0}], \"info\": {}}";

START_TEST(test_what_is_read)
{
    ck_assert_msg(parse(good) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(set->npictures, 2);
    ck_assert_str_eq(set->pictures[0].path, "d/3.png"); /* by id */
    ck_assert_str_eq(set->pictures[1].path, "d/b/7.jpg");
    ck_assert_int_eq(set->pictures[1].height, 6);
    ck_assert_int_eq(set->pictures[0].height, 0);
    ck_assert_uint_eq(set->pictures[1].truths, 3);
    ck_assert_uint_eq(set->ncategories, 2);
    ck_assert_str_eq(set->categories[0], "person");
    ck_assert_uint_eq(set->ntruths, 3);
    ck_assert_uint_eq(set->truths[0].picture, 1);
    ck_assert_uint_eq(set->truths[0].category, 1);
    ck_assert_double_eq(set->truths[0].box.y, 2.5);
    ck_assert(!set->truths[0].crowd && !set->truths[0].ignored);
    ck_assert(set->truths[1].crowd && !set->truths[1].ignored);
    ck_assert(!set->truths[2].crowd && set->truths[2].ignored);
}
END_TEST

#define WITH(truth)  "{" IMAGES ", " CATEGORIES ", \"annotations\": [" truth "]}"
#define IMAGE(image) "{\"images\": [" image "], " CATEGORIES ", \"annotations\": []}"
static const struct {
    const char *text, *says;
} wrong[] = {
    {"", "not JSON"},
    {"{", "not JSON: line 1"},
    {"[]", "no list \"images\""},
    {"{}", "no list \"images\""},
    {"{\"images\": {}}", "no list \"images\""},
    {IMAGE(""), "\"images\" is empty"},
    {IMAGE("{}"), "images[0] has no \"id\""},
    {IMAGE("3"), "images[0] has no \"id\""},
    {IMAGE("{\"id\": 1}"), "images[0] has no \"file_name\""},
    {IMAGE("{\"id\": 1, \"file_name\": \"\"}"), "below the folder"},
    {IMAGE("{\"id\": 1, \"file_name\": \"/etc/x.png\"}"), "below the folder"},
    {IMAGE("{\"id\": 1, \"file_name\": \"a/../../x.png\"}"), "below the folder"},
    {IMAGE("{\"id\": 1, \"file_name\": \"..\"}"), "below the folder"},
    {IMAGE("{\"id\": 1, \"file_name\": \"a\"}, {\"id\": 1, \"file_name\": \"b\"}"),
     "images[0] and images[1] have the same id, 1"},
    {"{" IMAGES "}", "no list \"categories\""},
    {"{" IMAGES ", \"categories\": [{\"id\": 1}]}", "categories[0] has no \"name\""},
    {"{" IMAGES ", " CATEGORIES "}", "no list \"annotations\""},
    {WITH("null"), "annotations[0] has no \"image_id\""},
    {WITH("{\"image_id\": 8, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}"), "\"image_id\" that is the id"},
    {WITH("{\"image_id\": 7, \"category_id\": 2, \"bbox\": [1, 2, 3, 4]}"), "\"category_id\" that is the id"},
    {WITH("{\"image_id\": 7, \"category_id\": 1}"), "annotations[0] has no \"bbox\""},
    {WITH("{\"image_id\": 7, \"category_id\": 1, \"bbox\": [1, 2, 3]}"), "\"bbox\" of four numbers"},
    {WITH("{\"image_id\": 7, \"category_id\": 1, \"bbox\": [1, 2, -3, 4]}"), "\"bbox\" of four numbers"},
    {WITH("{\"image_id\": 7, \"category_id\": 1, \"bbox\": [1, 2, 3, 1e300]}"), "\"bbox\" of four numbers"},
    {WITH("{\"image_id\": 7, \"category_id\": 1, \"bbox\": [1, 2, 3, \"4\"]}"), "\"bbox\" of four numbers"},
    {"{\"images\": [[[[[[[[[[]]]]]]]]]]}", "nest deeper than 8"},
};

START_TEST(test_what_is_wrong_is_told)
{
    ck_assert_int_ne(parse(wrong[_i].text), GH_OK);
    ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL, "%s: %s", wrong[_i].text, e.text);
    ck_assert_ptr_null(set);
}
END_TEST

/* Every beginning of a good file is refused. */
START_TEST(test_cut_short)
{
    for (size_t len = 0; len + 1 < sizeof good - 1; len++) {
        ck_assert_int_eq(gh_boxset_parse(&set, "d", good, len, &e), GH_FORMAT);
        ck_assert_ptr_null(set);
    }
}
END_TEST

START_TEST(test_folders_and_files)
{
    tiny_text("annotations.json", good);
    ck_assert_msg(gh_boxset_open(&set, tiny_path(""), &e) == GH_OK, "%s", e.text);
    ck_assert_ptr_null(strstr(set->pictures[0].path, "images/"));
    gh_boxset_free(&set);
    tiny_text("images/3.png", "");
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path("annotations.json"), &e), GH_OK);
    ck_assert_ptr_nonnull(strstr(set->pictures[0].path, "/images/3.png"));
    gh_boxset_free(&set);
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path("images"), &e), GH_NOTFOUND);
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path("nowhere"), &e), GH_NOTFOUND);
    tiny_text("annotations.json", "{}");
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path(""), &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "annotations.json: "));
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    gh_status status = GH_NOMEM;
    int i = 0;
    for (; i < 200 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = parse(good);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, e.text);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 4);
}
END_TEST

Suite *gh_suite_boxset(void)
{
    Suite *s = suite_create("boxset");
    TCase *t = tcase_create("boxset");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_what_is_read);
    tcase_add_loop_test(t, test_what_is_wrong_is_told, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(t, test_cut_short);
    tcase_add_test(t, test_folders_and_files);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
