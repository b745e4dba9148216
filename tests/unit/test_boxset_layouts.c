/* Pascal VOC's XML and YOLO's text: what is read, what is wrong, and where. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/data/boxset_parts.h"
#include "unit/tiny.h"

#include <stdlib.h>
#include <string.h>

static gh_boxset *set;
static gh_boxset_maker maker;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
}

static void teardown(void)
{
    gh_boxset_free(&set);
    gh_boxset_drop(&maker);
    tiny_remove();
}

#define SIZE          "<size><width>40</width><height>30</height><depth>3</depth></size>"
#define CORNERS(a, b) "<bndbox><xmax> 20.5 </xmax><xmin>" a "</xmin><ymin>2</ymin><ymax>" b "</ymax></bndbox>"
#define OBJECT(more)  "<object><pose/>" more CORNERS("10", "8") "</object>"
#define VOC(more)     "<annotation><filename>C:\\x\\7.png</filename>" SIZE more "</annotation>"
static const char voc[] = "<?xml version=\"1.0\"?>\n" VOC(
    OBJECT("<name>a &amp; b</name><part><name>head</name>" CORNERS("1", "3") "</part>")
        OBJECT("<name>\n zebra </name><difficult>1</difficult>"));

static gh_status parse_voc(const char *text, size_t len, gh_voc_page *page)
{
    gh_boxset_drop(&maker);
    gh_status status = gh_boxset_begin(&maker, &e);
    return status ? status : gh_voc_parse(page, &maker, "f.xml", text, len, &e);
}

START_TEST(test_voc_is_read)
{
    gh_voc_page page = {0};
    ck_assert_msg(parse_voc(voc, strlen(voc), &page) == GH_OK, "%s", e.text);
    ck_assert_str_eq(page.picture, "7.png");
    ck_assert_int_eq(page.width, 40);
    ck_assert_int_eq(page.height, 30);
    ck_assert_uint_eq(maker.ntruths, 2);
    ck_assert_str_eq(maker.categories[0], "a & b");
    ck_assert_str_eq(maker.categories[1], "zebra");
    ck_assert_double_eq(maker.truths[0].box.x, 10);
    ck_assert_double_eq(maker.truths[0].box.w, 10.5);
    ck_assert_double_eq(maker.truths[0].box.h, 6);
    ck_assert(!maker.truths[0].ignored && maker.truths[1].ignored);
}
END_TEST

#define BILLION "<!DOCTYPE a [<!ENTITY x \"y\">]>"
static const struct {
    const char *text, *says;
} wrong_voc[] = {
    {"", "line 1: no well-formed XML"},
    {"<annotation>", "line 1: no well-formed XML"},
    {"\n<html></html>", "line 2: the file is a <html>"},
    {BILLION "<annotation/>", "document type"},
    {VOC("\n<object/>"), "line 2: an object without <name>"},
    {VOC("<object><name>c</name>\n\n</object>"), "line 3: the c has no <bndbox>"},
    {VOC("<object><name>c</name><bndbox><xmin>1</xmin></bndbox></object>"), "the c has no <bndbox>"},
    {VOC("<object><name>c</name>" CORNERS("10", "1") "</object>"), "the box of the c is 10.5 x -1 pixels"},
    {VOC("<object><name>c</name>" CORNERS("20.5", "8") "</object>"), "0 x 6 pixels"},
    {VOC("<object><name>c</name>" CORNERS("ten", "8") "</object>"), "'ten' is no number of pixels"},
    {VOC("<object><name>c</name>" CORNERS("nan", "8") "</object>"), "'nan' is no number of pixels"},
    {VOC("<object><name>c</name>" CORNERS("-1e30", "8") "</object>"), "'-1e30' is no number of pixels"},
    {VOC("<object><name>c</name>" CORNERS("", "8") "</object>"), "'' is no number of pixels"},
    {"<annotation><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"
     "<a><a>",
     "elements nest deeper than 32"},
};

START_TEST(test_voc_that_is_wrong)
{
    gh_voc_page page = {0};
    const char *text = wrong_voc[_i].text;
    ck_assert_int_ne(parse_voc(text, strlen(text), &page), GH_OK);
    ck_assert_msg(strstr(e.text, wrong_voc[_i].says) != NULL, "%s: %s", text, e.text);
    ck_assert_ptr_nonnull(strstr(e.text, "f.xml line "));
}
END_TEST

START_TEST(test_voc_long_text)
{
    static char text[4096];
    gh_voc_page page = {0};
    strcpy(text, "<annotation><filename>");
    memset(text + strlen(text), 'x', GH_MAX_BOX_NAME + 1);
    strcat(text, "</filename></annotation>");
    ck_assert_int_eq(parse_voc(text, strlen(text), &page), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "longer than 255 bytes"));
    memmove(text + 30, text + 31, strlen(text + 30));
    ck_assert_int_eq(parse_voc(text, strlen(text), &page), GH_OK);
    ck_assert_uint_eq(strlen(page.picture), GH_MAX_BOX_NAME);
}
END_TEST

/* Every beginning of a good file is refused. */
START_TEST(test_voc_cut_short)
{
    gh_voc_page page = {0};
    for (size_t len = 0; len < strlen(voc); len++)
        ck_assert_int_eq(parse_voc(voc, len, &page), GH_FORMAT);
}
END_TEST

START_TEST(test_voc_folder)
{
    tiny_text("Annotations/b.xml", voc);
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path(""), &e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "its picture '7.png' is neither"));
    tiny_picture("JPEGImages/7.png", 40, 30, 1, 2, 3);
    tiny_text("Annotations/val/a.xml", VOC(OBJECT("<name>Z</name>")));
    tiny_picture("images/a.png", 4, 3, 1, 2, 3); /* by its own name only where the named one is missing */
    ck_assert_msg(gh_boxset_open(&set, tiny_path(""), &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(set->layout, "Pascal VOC");
    ck_assert_uint_eq(set->npictures, 2);
    ck_assert_ptr_nonnull(strstr(set->pictures[0].path, "JPEGImages/7.png"));
    ck_assert_int_eq(set->pictures[0].split, GH_SPLIT_NONE);
    ck_assert_int_eq(set->pictures[1].split, GH_SPLIT_VAL);
    ck_assert_uint_eq(set->pictures[0].truths, 2);
    ck_assert_uint_eq(set->ncategories, 3);
    ck_assert_str_eq(set->categories[0], "Z"); /* sorted */
    ck_assert_uint_eq(set->truths[2].category, 0);
    ck_assert_uint_eq(set->truths[2].picture, 1);
    ck_assert_uint_eq(set->truths[0].category, 1);
}
END_TEST

/* ---- YOLO ---- */

static gh_status parse_yolo(const char *text)
{
    uint32_t c;
    gh_boxset_drop(&maker);
    gh_status status = gh_boxset_begin(&maker, &e);
    if (status == GH_OK)
        status = gh_boxset_category(&c, &maker, "cat", 3, &e);
    if (status == GH_OK)
        status = gh_boxset_category(&c, &maker, "dog", 3, &e);
    return status ? status : gh_yolo_parse(&maker, "f.txt", text, strlen(text), 200, 100, &e);
}

START_TEST(test_yolo_is_read)
{
    ck_assert_msg(parse_yolo("1 0.5 0.5 0.25\t0.5\r\n\n 0  0.1 .2  .3 .2 .3 .6 \n") == GH_OK, "%s", e.text);
    ck_assert_uint_eq(maker.ntruths, 2);
    ck_assert_uint_eq(maker.truths[0].category, 1);
    ck_assert_double_eq_tol(maker.truths[0].box.x, 75, 1e-9);
    ck_assert_double_eq_tol(maker.truths[0].box.y, 25, 1e-9);
    ck_assert_double_eq_tol(maker.truths[0].box.w, 50, 1e-9);
    ck_assert_double_eq_tol(maker.truths[0].box.h, 50, 1e-9);
    ck_assert_double_eq_tol(maker.truths[1].box.x, 20, 1e-9); /* the polygon's frame */
    ck_assert_double_eq_tol(maker.truths[1].box.y, 20, 1e-9);
    ck_assert_double_eq_tol(maker.truths[1].box.w, 40, 1e-9);
    ck_assert_double_eq_tol(maker.truths[1].box.h, 40, 1e-9);
    ck_assert_int_eq(parse_yolo(""), GH_OK);
    ck_assert_uint_eq(maker.ntruths, 0);
}
END_TEST

static const struct {
    const char *text, *says;
} wrong_yolo[] = {
    {"0 .5 .5 .5", "f.txt line 1: a box is five numbers"},
    {"0 .5 .5 .5 .5\n0 .5 .5 .5 .5 .9", "f.txt line 2: a box is five numbers"},
    {"0 .5 .5 .5 .5 .9 .9 .9", "a box is five numbers"},
    {"cat .5 .5 .5 .5", "a box is five numbers"},
    {"0 .5 .5 nan .5", "a box is five numbers"},
    {"2 .5 .5 .5 .5", "class 2; the classes are 0 to 1"},
    {"-1 .5 .5 .5 .5", "class -1;"},
    {"0.5 .5 .5 .5 .5", "class 0.5;"},
    {"0 50 50 20 20", "shares of the picture"},
    {"0 .5 .5 0 .5", "sizes over 0"},
    {"0 .5 .5 .5 -.5", "shares of the picture"},
};

START_TEST(test_yolo_that_is_wrong)
{
    ck_assert_int_eq(parse_yolo(wrong_yolo[_i].text), GH_FORMAT);
    ck_assert_msg(strstr(e.text, wrong_yolo[_i].says) != NULL, "%s: %s", wrong_yolo[_i].text, e.text);
}
END_TEST

static const struct {
    const char *text;
    bool yaml;
    const char *names; /* joined, or what the sentence says */
    gh_status status;
} names[] = {
    {"cat\r\n\n big dog \n", false, "cat|big dog|", GH_OK},
    {"path: ..\nnc: 2\nnames: ['cat', \"big, dog\"]\nx: [1]\n", true, "cat|big, dog|", GH_OK},
    {"names: [\n  cat,\n  dog\n]", true, "cat|dog|", GH_OK},
    {"names:\n- cat\n  - 'dog' # loud\n\nval: images\n", true, "cat|dog|", GH_OK},
    {"names: # from 0 on\n  0: cat\n  1: dog\n", true, "cat|dog|", GH_OK},
    {"cat\ncat\n", false, "line 2: there are two classes 'cat'", GH_FORMAT},
    {"", false, "names no classes", GH_FORMAT},
    {"nc: 2\n", true, "stand behind \"names:\"", GH_FORMAT},
    {"names: [cat, ", true, "no closing bracket", GH_FORMAT},
    {"names: [cat, , dog]", true, "a class's name has 1 to 255", GH_FORMAT},
    {"names:\n  0: cat\n  2: dog\n", true, "line 3: names are a list", GH_FORMAT},
};

START_TEST(test_yolo_names)
{
    char joined[256] = "";
    ck_assert_int_eq(gh_boxset_begin(&maker, &e), GH_OK);
    ck_assert_int_eq(gh_yolo_names(&maker, "n", names[_i].text, strlen(names[_i].text), names[_i].yaml, &e),
                     names[_i].status);
    for (size_t c = 0; c < maker.ncategories; c++)
        strcat(strcat(joined, maker.categories[c]), "|");
    if (names[_i].status == GH_OK)
        ck_assert_str_eq(joined, names[_i].names);
    else
        ck_assert_msg(strstr(e.text, names[_i].names) != NULL, "%s", e.text);
}
END_TEST

START_TEST(test_yolo_folder)
{
    tiny_picture("images/train/a.png", 20, 10, 1, 2, 3);
    tiny_picture("images/b.png", 20, 10, 1, 2, 3);
    tiny_text("images/c.png", "no picture");
    tiny_text("labels/train/a.txt", "1 .5 .5 1 1\n");
    tiny_text("labels/c.txt", "1 .5 .5 1 1\n");
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path(""), &e), GH_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(e.text, "no names for its classes"));
    tiny_text("classes.txt", "z\ny\n");
    ck_assert_msg(gh_boxset_open(&set, tiny_path(""), &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(set->layout, "YOLO");
    ck_assert_uint_eq(set->npictures, 3);
    ck_assert_uint_eq(set->ntruths, 1); /* one that cannot be read has no place for boxes */
    ck_assert_str_eq(set->categories[1], "y");
    const gh_boxset_picture *p = &set->pictures[set->truths[0].picture];
    ck_assert_ptr_nonnull(strstr(p->path, "train/a.png"));
    ck_assert_int_eq(p->split, GH_SPLIT_TRAIN);
    ck_assert_uint_eq(p->truths, 1);
    ck_assert_double_eq(set->truths[0].box.w, 20);
    gh_boxset_free(&set);
    tiny_text("data.yaml", "names: [p]\n");
    ck_assert_int_eq(gh_boxset_open(&set, tiny_path("data.yaml"), &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "labels/train/a.txt line 1: class 1; the classes are 0 to 0"));
}
END_TEST

START_TEST(test_yolo_parts)
{
    tiny_picture("train/images/a.png", 20, 10, 1, 2, 3);
    tiny_text("train/labels/a.txt", "0 .5 .5 1 1\n");
    tiny_picture("valid/images/a.png", 20, 10, 1, 2, 3);
    tiny_text("data.yaml", "names: [p]\n");
    ck_assert_msg(gh_boxset_open(&set, tiny_path("data.yaml"), &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(set->npictures, 2);
    ck_assert_int_eq(set->pictures[0].split, GH_SPLIT_TRAIN);
    ck_assert_int_eq(set->pictures[1].split, GH_SPLIT_VAL);
    ck_assert_uint_eq(set->pictures[0].truths, 1);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    gh_status status = GH_NOMEM;
    int i = 0;
    tiny_picture("7.png", 40, 30, 1, 2, 3);
    tiny_text("7.xml", voc);
    for (; i < 400 && status != GH_OK; i++) {
        gh_mem_fail_after(i);
        status = gh_boxset_open(&set, tiny_path(""), &e);
        gh_mem_fail_after(-1);
        /* a folder whose name could not be put together counts as absent */
        ck_assert_msg(status == GH_OK || status == GH_NOMEM || status == GH_NOTFOUND, "allocation %d: %s", i,
                      e.text);
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(i, 10);
}
END_TEST

Suite *gh_suite_boxset_layouts(void)
{
    Suite *s = suite_create("boxset_layouts");
    TCase *t = tcase_create("boxset_layouts");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_voc_is_read);
    tcase_add_loop_test(t, test_voc_that_is_wrong, 0, (int)(sizeof wrong_voc / sizeof *wrong_voc));
    tcase_add_test(t, test_voc_long_text);
    tcase_add_test(t, test_voc_cut_short);
    tcase_add_test(t, test_voc_folder);
    tcase_add_test(t, test_yolo_is_read);
    tcase_add_loop_test(t, test_yolo_that_is_wrong, 0, (int)(sizeof wrong_yolo / sizeof *wrong_yolo));
    tcase_add_loop_test(t, test_yolo_names, 0, (int)(sizeof names / sizeof *names));
    tcase_add_test(t, test_yolo_folder);
    tcase_add_test(t, test_yolo_parts);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
