/* Files: mapping, reading, and writing that is all or nothing. Works in a folder of its own below /tmp. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[PATH_MAX];

static void setup(void)
{
    strcpy(dir, "/tmp/gharial-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put_file(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

static void assert_holds(const char *name, const char *text)
{
    gh_buf buf = {0};
    ck_assert_int_eq(gh_file_read(&buf, in_dir(name), 1 << 20, NULL), GH_OK);
    ck_assert_uint_eq(buf.len, strlen(text));
    ck_assert(buf.len == 0 || memcmp(buf.data, text, buf.len) == 0);
    gh_buf_free(&buf);
}

static int count_files(void)
{
    DIR *d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    closedir(d);
    return n;
}

START_TEST(test_map_reads_and_closes)
{
    gh_map map = {0};
    put_file("a", "crocodylia");
    ck_assert_int_eq(gh_map_open(&map, in_dir("a"), 10, NULL), GH_OK);
    ck_assert_uint_eq(map.size, 10);
    ck_assert_int_eq(memcmp(map.data, "crocodylia", 10), 0);
    gh_map_close(&map);
    ck_assert_ptr_null(map.data);
    gh_map_close(&map);
    put_file("empty", "");
    ck_assert_int_eq(gh_map_open(&map, in_dir("empty"), 0, NULL), GH_OK);
    ck_assert_uint_eq(map.size, 0);
    gh_map_close(&map);
}
END_TEST

/* Each refusal names the path, and leaves the out parameter as it was. */
START_TEST(test_map_refuses)
{
    put_file("a", "crocodylia");
    ck_assert_int_eq(mkfifo(in_dir("fifo"), 0600), 0);
    ck_assert_int_eq(symlink("gone", in_dir("dangling")), 0);
    static char longest[PATH_MAX * 2];
    memset(longest, 'x', sizeof longest - 1);
    const struct {
        const char *name; /* below the folder of this test, unless it starts with '/' or is `longest` */
        size_t limit;
        gh_status want;
    } cases[] = {
        {"a", 9, GH_LIMIT},         {"a/b", 100, GH_NOTFOUND},
        {"fifo", 100, GH_ARG},      {"dangling", 100, GH_NOTFOUND},
        {"/dev/null", 100, GH_ARG}, {"/nowhere/file", 100, GH_NOTFOUND},
        {".", 100, GH_ARG},         {longest, 100, GH_ARG},
    };
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_map map = {.size = 77};
        gh_err e = {0};
        const char *name = cases[i].name;
        if (name[0] != '/' && name != longest)
            name = in_dir(name);
        ck_assert_int_eq(gh_map_open(&map, name, cases[i].limit, &e), cases[i].want);
        ck_assert_uint_eq(map.size, 77);
        ck_assert_int_eq(e.status, cases[i].want);
        ck_assert_ptr_nonnull(strstr(e.text, name == longest ? "xxxxxx" : name));
    }
}
END_TEST

START_TEST(test_read_appends)
{
    gh_buf buf = {0};
    put_file("a", "crocodylia");
    gh_buf_str(&buf, "<");
    ck_assert_int_eq(gh_file_read(&buf, in_dir("a"), 10, NULL), GH_OK);
    gh_buf_str(&buf, ">");
    ck_assert_uint_eq(buf.len, 12);
    ck_assert_int_eq(memcmp(buf.data, "<crocodylia>", 12), 0);
    gh_err e = {0};
    ck_assert_int_eq(gh_file_read(&buf, in_dir("a"), 9, &e), GH_LIMIT);
    ck_assert_int_eq(gh_file_read(&buf, in_dir("b"), 9, &e), GH_NOTFOUND);
    ck_assert_int_eq(gh_file_read(&buf, dir, 9, &e), GH_ARG);
    ck_assert_int_eq(gh_file_read(&buf, "/dev/zero", 100000, &e), GH_LIMIT); /* a size of 0 proves nothing */
    ck_assert_uint_eq(buf.len, 12);
    gh_buf_free(&buf);
    gh_buf small = {.limit = 4};
    ck_assert_int_eq(gh_file_read(&small, in_dir("a"), 100, &e), GH_LIMIT);
    ck_assert_uint_eq(small.len, 0);
    gh_buf_free(&small);
}
END_TEST

/* Standard input, which is a pipe here: nothing states its size, and it comes in pieces. */
START_TEST(test_read_standard_input)
{
    int fd[2], old = dup(STDIN_FILENO);
    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(write(fd[1], "in two ", 7), 7);
    ck_assert_int_eq(write(fd[1], "pieces", 6), 6);
    close(fd[1]);
    ck_assert_int_eq(dup2(fd[0], STDIN_FILENO), STDIN_FILENO);
    close(fd[0]);
    gh_buf buf = {0};
    gh_status status = gh_file_read(&buf, "-", 13, NULL);
    dup2(old, STDIN_FILENO);
    close(old);
    ck_assert_int_eq(status, GH_OK);
    ck_assert_uint_eq(buf.len, 13);
    ck_assert_int_eq(memcmp(buf.data, "in two pieces", 13), 0);
    gh_buf_free(&buf);
}
END_TEST

START_TEST(test_write_replaces_whole)
{
    mode_t old = umask(027);
    ck_assert_int_eq(gh_file_write(in_dir("a"), "one", 3, NULL), GH_OK);
    umask(old);
    struct stat st;
    ck_assert_int_eq(stat(in_dir("a"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640); /* as the umask says, not mkstemp's 0600 */
    assert_holds("a", "one");
    ck_assert_int_eq(gh_file_write(in_dir("a"), "twotwo", 6, NULL), GH_OK);
    assert_holds("a", "twotwo");
    ck_assert_int_eq(gh_file_write(in_dir("a"), NULL, 0, NULL), GH_OK);
    assert_holds("a", "");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* A reader that has the old file open keeps it whole; until commit the name shows the old one. */
START_TEST(test_old_file_stays_until_commit)
{
    put_file("a", "old");
    gh_map map = {0};
    gh_writer *w = NULL;
    ck_assert_int_eq(gh_map_open(&map, in_dir("a"), 100, NULL), GH_OK);
    ck_assert_int_eq(gh_writer_open(&w, in_dir("a"), NULL), GH_OK);
    ck_assert_int_eq(gh_writer_add(w, "new", 3, NULL), GH_OK);
    assert_holds("a", "old");
    ck_assert_int_eq(gh_writer_commit(&w, NULL), GH_OK);
    ck_assert_ptr_null(w);
    assert_holds("a", "new");
    ck_assert_int_eq(memcmp(map.data, "old", 3), 0);
    gh_map_close(&map);
    ck_assert_int_eq(gh_writer_open(&w, in_dir("a"), NULL), GH_OK);
    ck_assert_int_eq(gh_writer_add(w, "never", 5, NULL), GH_OK);
    gh_writer_discard(&w);
    ck_assert_ptr_null(w);
    gh_writer_discard(&w);
    assert_holds("a", "new");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(test_writer_joins_pieces)
{
    gh_writer *w = NULL;
    gh_buf want = {0}, got = {0};
    ck_assert_int_eq(gh_writer_open(&w, in_dir("a"), NULL), GH_OK);
    uint8_t piece[100000];
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (uint8_t)(i * 7 + i / 256);
    static const size_t sizes[] = {1, 0, 32767, 1, 32768, 5, 32769, 100000, 3, 40000, 32767, 32767};
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        ck_assert_int_eq(gh_writer_add(w, piece, sizes[i], NULL), GH_OK);
        gh_buf_add(&want, piece, sizes[i]);
    }
    ck_assert_int_eq(gh_writer_commit(&w, NULL), GH_OK);
    ck_assert_int_eq(gh_file_read(&got, in_dir("a"), 1 << 20, NULL), GH_OK);
    ck_assert_uint_eq(got.len, want.len);
    ck_assert_int_eq(memcmp(got.data, want.data, got.len), 0);
    gh_buf_free(&want);
    gh_buf_free(&got);
}
END_TEST

/* A disk that is full, as a limit on the size of files shows it: the write fails with EFBIG. */
START_TEST(test_failing_write_leaves_the_old_file)
{
    put_file("a", "old");
    static char big[100000];
    struct rlimit limit, tight;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    tight = (struct rlimit){.rlim_cur = 50000, .rlim_max = limit.rlim_max};
    for (int pieces = 0; pieces < 3; pieces++) {
        gh_err e = {0};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
        gh_status status = GH_OK, after = GH_IO;
        if (pieces == 0) {
            status = gh_file_write(in_dir("a"), big, sizeof big, &e);
        } else {
            gh_writer *w = NULL;
            status = gh_writer_open(&w, in_dir("a"), &e);
            for (int i = 0; i < 100 && status == GH_OK; i++)
                status = gh_writer_add(w, big, 1000, &e);
            /* The failure sticks: a caller that overlooked it cannot commit a file with a hole. */
            if (pieces == 1)
                after = gh_writer_commit(&w, NULL);
            else
                gh_writer_discard(&w);
        }
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(status, GH_IO);
        ck_assert_int_eq(after, GH_IO);
        ck_assert_ptr_nonnull(strstr(e.text, in_dir("a")));
        assert_holds("a", "old");
        ck_assert_int_eq(count_files(), 1);
    }
    signal(SIGXFSZ, SIG_DFL);
}
END_TEST

/* The failure may also come at the end, when the last buffered bytes are flushed. */
START_TEST(test_failing_commit_leaves_the_old_file)
{
    put_file("a", "old");
    struct rlimit limit, tight;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    tight = (struct rlimit){.rlim_cur = 2, .rlim_max = limit.rlim_max};
    gh_err e = {0};
    gh_writer *w = NULL;
    ck_assert_int_eq(gh_writer_open(&w, in_dir("a"), NULL), GH_OK);
    ck_assert_int_eq(gh_writer_add(w, "newer", 5, NULL), GH_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    gh_status status = gh_writer_commit(&w, &e);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    ck_assert_int_eq(status, GH_IO);
    ck_assert_ptr_null(w);
    ck_assert_ptr_nonnull(strstr(e.text, "cannot write"));
    assert_holds("a", "old");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(test_write_follows_links_and_spares_devices)
{
    put_file("real", "old");
    ck_assert_int_eq(symlink("real", in_dir("link")), 0);
    ck_assert_int_eq(gh_file_write(in_dir("link"), "new", 3, NULL), GH_OK);
    struct stat st;
    ck_assert_int_eq(lstat(in_dir("link"), &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    assert_holds("real", "new");
    ck_assert_int_eq(count_files(), 2);

    gh_err e = {0};
    ck_assert_int_eq(gh_file_write("/dev/full", "x", 1, &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "/dev/full"));
    ck_assert_int_eq(lstat("/dev/full", &st), 0);
    ck_assert(S_ISCHR(st.st_mode));
    ck_assert_int_eq(gh_file_write(dir, "x", 1, &e), GH_ARG);
    ck_assert_int_eq(gh_file_write("", "x", 1, &e), GH_ARG);
    ck_assert_int_eq(gh_file_write(in_dir("new/"), "x", 1, &e), GH_ARG);
    ck_assert_int_eq(gh_file_write(in_dir("none/a"), "x", 1, &e), GH_NOTFOUND);
    ck_assert_int_eq(gh_file_write(in_dir("real/a"), "x", 1, &e), GH_NOTFOUND);
}
END_TEST

START_TEST(test_write_without_a_slash)
{
    char old[PATH_MAX];
    ck_assert_ptr_nonnull(getcwd(old, sizeof old));
    ck_assert_int_eq(chdir(dir), 0);
    gh_status status = gh_file_write("plain", "x", 1, NULL);
    ck_assert_int_eq(chdir(old), 0);
    ck_assert_int_eq(status, GH_OK);
    assert_holds("plain", "x");
}
END_TEST

START_TEST(test_paths_join)
{
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}, {"a/b", "c.d", "a/b/c.d"}};
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char *joined = gh_path_join(cases[i][0], cases[i][1]);
        ck_assert_str_eq(joined, cases[i][2]);
        gh_free(joined);
    }
}
END_TEST

START_TEST(test_folders_are_made)
{
    struct stat st;
    gh_err e = {0};
    ck_assert_int_eq(gh_dir_make(in_dir("x/y//z/"), &e), GH_OK);
    ck_assert_int_eq(stat(in_dir("x/y/z"), &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    ck_assert_int_eq(gh_dir_make(in_dir("x/y"), &e), GH_OK);
    ck_assert_int_eq(gh_dir_make("/", &e), GH_OK);
    ck_assert_int_eq(symlink("x", in_dir("link")), 0);
    ck_assert_int_eq(gh_dir_make(in_dir("link/w"), &e), GH_OK);
    ck_assert_int_eq(stat(in_dir("x/w"), &st), 0);
    put_file("file", "");
    ck_assert_int_eq(gh_dir_make(in_dir("file"), &e), GH_ARG);
    ck_assert_int_eq(gh_dir_make(in_dir("file/sub"), &e), GH_ARG);
    ck_assert_int_eq(gh_dir_make("", &e), GH_ARG);
}
END_TEST

/* Every allocation of a write fails in turn: the old file stays, nothing is left beside it. The last one is
 * made after the rename, where only the syncing of the folder is lost. */
START_TEST(test_every_failing_allocation)
{
    put_file("real", "old");
    ck_assert_int_eq(symlink("real", in_dir("link")), 0);
    gh_status status = GH_NOMEM;
    int64_t n = 0;
    for (; status == GH_NOMEM; n++) {
        gh_mem_fail_after(n);
        gh_err e = {0};
        status = gh_file_write(in_dir("link"), "new", 3, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || strlen(e.text) > 0);
        ck_assert_int_eq(count_files(), 2);
        if (n < 4)
            assert_holds("real", "old");
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(n, 4);
    assert_holds("real", "new");

    gh_buf buf = {0};
    gh_mem_fail_after(0);
    ck_assert_int_eq(gh_file_read(&buf, in_dir("real"), 100, NULL), GH_NOMEM);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_int_eq(gh_file_read(&buf, in_dir("real"), 100, NULL),
                     GH_NOMEM); /* the buffer's failure sticks */
    gh_buf_free(&buf);
    gh_mem_fail_after(0);
    ck_assert_int_eq(gh_dir_make(in_dir("d"), NULL), GH_NOMEM);
    gh_mem_fail_after(0);
    ck_assert_ptr_null(gh_path_join("a", "b"));
}
END_TEST

Suite *gh_suite_file(void)
{
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_map_reads_and_closes);
    tcase_add_test(t, test_map_refuses);
    tcase_add_test(t, test_read_appends);
    tcase_add_test(t, test_read_standard_input);
    tcase_add_test(t, test_write_replaces_whole);
    tcase_add_test(t, test_old_file_stays_until_commit);
    tcase_add_test(t, test_writer_joins_pieces);
    tcase_add_test(t, test_failing_write_leaves_the_old_file);
    tcase_add_test(t, test_failing_commit_leaves_the_old_file);
    tcase_add_test(t, test_write_follows_links_and_spares_devices);
    tcase_add_test(t, test_write_without_a_slash);
    tcase_add_test(t, test_paths_join);
    tcase_add_test(t, test_folders_are_made);
    tcase_add_test(t, test_every_failing_allocation);
    suite_add_tcase(s, t);
    return s;
}
