/* The page of a report: all its parts, hostile names, thumbnails. */
#include "unit/report_case.h"
#include "unit/suites.h"

#include "http/base64.h"
#include "image/image.h"
#include "train/report/html.h"
#include "unit/tiny.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static report_case c;
static gh_err e;

static void setup(void)
{
    tiny_setup();
    report_case_make(&c);
    e = (gh_err){0};
}

static void teardown(void)
{
    report_case_free(&c);
    tiny_remove();
}

static bool has(const char *text)
{
    return report_case_has(&c, text);
}

static size_t count(const char *text)
{
    return report_case_count(&c, text);
}

/* ---- text ---- */

static void assert_text(void (*put)(gh_buf *, const char *, size_t), const char *s, size_t most,
                        const char *want)
{
    gh_buf b = {0};
    put(&b, s, most);
    gh_buf_add(&b, "", 1);
    ck_assert_str_eq((char *)b.data, want);
    gh_buf_free(&b);
}

#define BAD "\xEF\xBF\xBD"

START_TEST(test_text_is_made_harmless)
{
    assert_text(gh_html_cut, "a<b> & \"c\" 'd'", 100, "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
    assert_text(gh_plain_cut, "a<b>\tc\nd", 100, "a<b> c d");
    assert_text(gh_plain_cut, "1234567", 7, "1234567");
    assert_text(gh_plain_cut, "12345678", 7, "123456\xE2\x80\xA6");
    assert_text(gh_plain_cut, "\xC3\xA9\xC3\xA9\xC3\xA9", 2, "\xC3\xA9\xE2\x80\xA6");
    assert_text(gh_plain_cut, "\xF0\x9F\x90\x8A", 5, "\xF0\x9F\x90\x8A"); /* a crocodile */
    assert_text(gh_plain_cut, "a\xFF\xC3", 9, "a" BAD BAD);               /* no UTF-8; cut short */
    assert_text(gh_plain_cut, "\xC0\xAF", 9, BAD BAD);                    /* overlong */
    assert_text(gh_plain_cut, "\xED\xA0\x80", 9, BAD BAD BAD);            /* a surrogate */
    assert_text(gh_plain_cut, "\xF4\x90\x80\x80", 9, BAD BAD BAD BAD);    /* beyond U+10FFFF */
    assert_text(gh_plain_cut, "\x7F\xC2\x85\xE2\x80\xAE\xEF\xBF\xBE", 9, BAD BAD BAD BAD);
}
END_TEST

static void assert_figure(void (*put)(gh_buf *, uint64_t), uint64_t n, const char *want)
{
    gh_buf b = {0};
    put(&b, n);
    gh_buf_add(&b, "", 1);
    ck_assert_str_eq((char *)b.data, want);
    gh_buf_free(&b);
}

static void assert_real(void (*put)(gh_buf *, double), double v, const char *want)
{
    gh_buf b = {0};
    put(&b, v);
    gh_buf_add(&b, "", 1);
    ck_assert_str_eq((char *)b.data, want);
    gh_buf_free(&b);
}

START_TEST(test_figures)
{
    assert_figure(gh_text_count, 0, "0");
    assert_figure(gh_text_count, 999, "999");
    assert_figure(gh_text_count, 1000, "1,000");
    assert_figure(gh_text_count, 1002003, "1,002,003");
    assert_figure(gh_text_count, UINT64_MAX, "18,446,744,073,709,551,615");
    assert_figure(gh_text_short, 999, "999");
    assert_figure(gh_text_short, 1234, "1.2k");
    assert_figure(gh_text_short, 12345, "12k");
    assert_figure(gh_text_short, 999999, "1.0M");
    assert_real(gh_text_share, 0, "0 %");
    assert_real(gh_text_share, .9216, "92.2 %");
    assert_real(gh_html_share, 1, "100&#160;%");
    assert_real(gh_text_share, (double)NAN, "?");
    assert_real(gh_text_seconds, .04, "0.0 s");
    assert_real(gh_text_seconds, 65, "65 s");
    assert_real(gh_text_seconds, 200, "3 min 20 s");
}
END_TEST

/* ---- report.html ---- */

START_TEST(test_page_is_well_formed_and_harmless)
{
    report_case_write(&c);
    report_case_check(&c);
    ck_assert(has("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    ck_assert(has("&quot;quoted&quot; &amp; &#39;odd&#39;"));
    /* not UTF-8, a control character, and one that turns the direction of writing */
    ck_assert(has(">caf\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD<"));
    ck_assert(has("prefers-color-scheme:dark"));
    ck_assert(has("default-src &#39;none&#39;"));
}
END_TEST

START_TEST(test_page_has_every_part)
{
    static const char *const ids[] = {"next",   "classes", "confusion", "mistakes", "curve",
                                      "scores", "heads",   "features",  "run",      "problems"};
    report_case_write(&c);
    char id[40];
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        snprintf(id, sizeof id, "<section id=\"%s\">", ids[i]);
        ck_assert_msg(has(id), "no %s", ids[i]);
    }
    ck_assert_uint_eq(count("<tr><th scope=\"row\">"), 6); /* 5 classes and the other head */
    ck_assert_uint_eq(count("<tr class=\"chosen\">"), 1);
    ck_assert_uint_eq(count("<rect class=\"right\""), 5);
    ck_assert_uint_eq(count("<rect class=\"wrong\""), 9);
    const char *cat = strstr((char *)c.page.data, "<th scope=\"row\">cat"); /* worst recall first */
    const char *dog = strstr((char *)c.page.data, "<th scope=\"row\">dog");
    ck_assert(cat && dog && cat < dog);
    ck_assert(has("a&lt;b&gt;.jpg is empty") && has("d.jpg: broken at byte 200"));
    ck_assert(has("<dt>out of bag accuracy</dt><dd>0.875</dd>"));
}
END_TEST

/* ---- thumbnails ---- */

static void assert_thumbnail(size_t which, int width, int height)
{
    const char *p = (char *)c.page.data, *data = "data:image/jpeg;base64,";
    for (size_t i = 0; i <= which; i++)
        ck_assert_ptr_nonnull(p = strstr(p + 1, data));
    size_t len = strcspn(p, "\""), n = 0;
    uint8_t *bytes = malloc(len + 3);
    gh_image_info info;
    ck_assert_ptr_nonnull(bytes);
    ck_assert_msg(gh_base64_decode(&n, bytes, p, len, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_image_probe(&info, bytes, n, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(info.width, width);
    ck_assert_int_eq(info.height, height);
    gh_image *image = NULL;
    ck_assert_int_eq(gh_image_decode(&image, bytes, n, &info, 0, 0, &e), GH_OK);
    const uint8_t *red = image->pixels + ((size_t)height * 3 / 8 * (size_t)width + (size_t)width * 3 / 8) * 3;
    ck_assert_int_gt(red[0], 220); /* the square in the picture */
    ck_assert_int_lt(red[1], 60);
    gh_image_free(&image);
    free(bytes);
}

/* Of the first twelve mistakes the second has no file, and the third's is no picture. */
START_TEST(test_thumbnails)
{
    report_case_write(&c);
    ck_assert_uint_eq(count("<figure>"), 12);
    ck_assert_uint_eq(count("<img "), 10);
    ck_assert_uint_eq(count("class=\"gone\""), 2);
    assert_thumbnail(0, 160, 100);
    assert_thumbnail(1, 160, 100); /* the fourth */
    assert_thumbnail(2, 40, 30);
    assert_thumbnail(3, 40, 160);
    ck_assert(has(">picture&lt;0&gt;.jpg<"));
    ck_assert(has("99.0&#160;%"));
}
END_TEST

Suite *gh_suite_report_page(void)
{
    Suite *s = suite_create("report_page");
    TCase *t = tcase_create("report_page");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_text_is_made_harmless);
    tcase_add_test(t, test_figures);
    tcase_add_test(t, test_page_is_well_formed_and_harmless);
    tcase_add_test(t, test_page_has_every_part);
    tcase_add_test(t, test_thumbnails);
    suite_add_tcase(s, t);
    return s;
}
