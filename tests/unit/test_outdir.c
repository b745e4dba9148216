/* The folder of --out: names by stems, numbered where they meet, cut where they are long. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/status.h"
#include "cli/outdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static gh_outdir *o;
static gh_err e;

static void start(void)
{
    strcpy(dir, "/tmp/gharial-outdir-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_msg(gh_outdir_open(&o, dir, &e) == GH_OK, "%s", e.text);
}

static void done(void)
{
    char command[96];
    gh_outdir_free(&o);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void check_written(const char *picture, const char *name)
{
    char path[512];
    ck_assert_msg(gh_outdir_write(o, picture, "jpg", "x", 1, &e) == GH_OK, "%s", e.text);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(access(path, R_OK) == 0, "%s gave no %s", picture, name);
}

START_TEST(test_names)
{
    char name[300], want[300];
    check_written("a.png", "a.jpg");
    check_written("./a.jpeg", "a-2.jpg");
    check_written("/no/such/folder/a-2.webp", "a-2-2.jpg");
    check_written("x/a", "a-3.jpg");
    check_written("x.y/b", "b.jpg");
    check_written("x/two.dots.png", "two.dots.jpg");
    check_written("x/.png", ".png.jpg");
    check_written("-", "stdin.jpg");
    memset(name, 'n', 250);
    strcpy(name + 250, ".png");
    snprintf(want, sizeof want, "%.190s.jpg", name);
    check_written(name, want);
    for (int i = 0; i < 125; i++) /* 190 falls between two of these, and 189 within one: none is cut */
        memcpy(name + 1 + 2 * i, "\xc3\xa4", 2);
    strcpy(name + 251, ".png");
    snprintf(want, sizeof want, "%.189s.jpg", name);
    check_written(name, want);
}
END_TEST

START_TEST(test_many_with_one_name)
{
    char want[32];
    check_written("0/p.png", "p.jpg");
    for (int i = 2; i < 200; i++) {
        snprintf(want, sizeof want, "p-%d.jpg", i);
        check_written("p.png", want);
    }
}
END_TEST

START_TEST(test_a_picture_of_the_folder_is_refused)
{
    char path[160];
    snprintf(path, sizeof path, "%s/a.png", dir);
    ck_assert(gh_outdir_holds(o, path));
    ck_assert_int_eq(gh_outdir_write(o, path, "jpg", "x", 1, &e), GH_ARG);
    snprintf(path, sizeof path, "%s/../%s/a.png", dir, strrchr(dir, '/') + 1);
    ck_assert(gh_outdir_holds(o, path));
    snprintf(path, sizeof path, "%s/deeper/a.png", dir);
    ck_assert(!gh_outdir_holds(o, path));
    ck_assert(!gh_outdir_holds(o, "/a.png"));
    ck_assert(!gh_outdir_holds(o, "a.png"));
}
END_TEST

START_TEST(test_memory_that_runs_out)
{
    for (int64_t n = 0; n < 8; n++) {
        gh_mem_fail_after(n);
        gh_status status = gh_outdir_write(o, "q.png", "jpg", "x", 1, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || status == GH_NOMEM);
    }
    gh_outdir *other = NULL;
    gh_mem_fail_after(0);
    gh_status status = gh_outdir_open(&other, dir, &e);
    gh_mem_fail_after(-1);
    ck_assert(status == GH_NOMEM && !other);
}
END_TEST

Suite *gh_suite_outdir(void)
{
    Suite *s = suite_create("outdir");
    TCase *t = tcase_create("outdir");
    tcase_add_checked_fixture(t, start, done);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_many_with_one_name);
    tcase_add_test(t, test_a_picture_of_the_folder_is_refused);
    tcase_add_test(t, test_memory_that_runs_out);
    suite_add_tcase(s, t);
    return s;
}
