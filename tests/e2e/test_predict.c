/* gharial predict --annotate --out DIR: a drawn picture for each, whatever the pictures are called and
 * wherever they lie; nothing half-written, no picture of the user's overwritten. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/status.h"
#include "image/image.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DETECTOR "faces-detector"

static char dir[64], in[96], to[96];
static gh_buf out, err;

static void start(void)
{
    static const char *const names[][2] = {
        {"x/a.png", "astronaut.png"}, {"x/a.jpg", "rocket.jpg"}, {"y/a.png", "astronaut.png"}};
    strcpy(dir, "/tmp/gharial-predict-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(in, sizeof in, "%s/in", dir);
    snprintf(to, sizeof to, "%s/made/for/it", dir);
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        char path[160];
        gh_err e = {0};
        snprintf(path, sizeof path, "%s/%.1s", in, names[i][0]);
        ck_assert_int_eq(gh_dir_make(path, &e), GH_OK);
        snprintf(path, sizeof path, "%s/%s", in, names[i][0]);
        const gh_buf *file = photo(names[i][1]);
        ck_assert_msg(gh_file_write(path, file->data, file->len, &e) == GH_OK, "%s", e.text);
    }
}

static void done(void)
{
    char command[192];
    gh_buf_free(&out);
    gh_buf_free(&err);
    snprintf(command, sizeof command, "chmod -R u+w '%s'; rm -rf -- '%s'", dir, dir);
    ck_assert_int_eq(system(command), 0);
}

static int run(const char *const *args)
{
    out.len = err.len = 0;
    return run_binary(&out, &err, args);
}

#define DRAW(...)                                                                                            \
    ARGS("predict", "--models", "models", "--model", DETECTOR, "--annotate", "--out", __VA_ARGS__)

static void check_run(int code, const char *text, const char *const *args)
{
    int got = run(args);
    ck_assert_msg(got == code, "%d: %s", got, (char *)err.data);
    ck_assert_msg(strstr((char *)err.data, text) != NULL, "\"%s\" is not in: %s", text, (char *)err.data);
}

static int count_files(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *f; (f = readdir(d));)
        n += strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* A drawn picture, which has to be a whole JPEG; the caller's. */
static gh_image *open_drawn(const char *name)
{
    char path[192];
    gh_buf file = {0};
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    snprintf(path, sizeof path, "%s/%s", to, name);
    ck_assert_msg(gh_file_read(&file, path, 1 << 24, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_image_probe(&info, file.data, file.len, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(info.format, GH_IMAGE_JPEG);
    ck_assert_int_eq(gh_image_decode(&image, file.data, file.len, &info, 0, 0, &e), GH_OK);
    ck_assert(!image->truncated);
    gh_buf_free(&file);
    return image;
}

static void check_drawn(const char *name, int width, int height)
{
    gh_image *image = open_drawn(name);
    ck_assert_int_eq(image->width, width);
    ck_assert_int_eq(image->height, height);
    gh_image_free(&image);
}

START_TEST(test_same_names_do_not_meet)
{
    for (int round = 0; round < 2; round++) { /* the second run replaces what the first wrote */
        check_run(0, "x/a.png becomes", DRAW(to, "--json", in));
        ck_assert_ptr_nonnull(strstr((char *)out.data, "\"encode\":"));
        ck_assert_int_eq(count_files(to), 3);
        check_drawn("a.jpg", 640, 427);
        check_drawn("a-2.jpg", 512, 512);
        check_drawn("a-3.jpg", 512, 512);
    }
}
END_TEST

START_TEST(test_a_broken_picture_leaves_no_file)
{
    char path[160];
    gh_err e = {0};
    snprintf(path, sizeof path, "%s/x/b.png", in);
    ck_assert_int_eq(gh_file_write(path, photo("astronaut.png")->data, 3000, &e), GH_OK);
    check_run(3, "1 of 4 pictures failed", DRAW(to, in));
    ck_assert_int_eq(count_files(to), 3);
}
END_TEST

/* --out among the pictures: none of them is touched, and what an earlier run drew is no picture of the next.
 */
START_TEST(test_pictures_are_not_overwritten)
{
    char x[128], file[160];
    struct stat before, after;
    snprintf(x, sizeof x, "%s/x", in);
    snprintf(file, sizeof file, "%s/x/a.jpg", in);
    ck_assert_int_eq(stat(file, &before), 0);
    check_run(3, "lies in the folder of --out", DRAW(x, file));
    check_run(0, "2 pictures in the folder of --out were left out", DRAW(x, x));
    ck_assert_int_eq(stat(file, &after), 0);
    ck_assert(before.st_ino == after.st_ino && before.st_size == after.st_size);
    ck_assert_int_eq(count_files(x), 2);
}
END_TEST

START_TEST(test_what_cannot_be_written)
{
    char file[192];
    snprintf(file, sizeof file, "%s/y/a.png", in);
    check_run(2, "a file of this name is there", DRAW(file, file));
    snprintf(file, sizeof file, "mkdir -p %s/a.jpg", to); /* a folder where a file should go */
    ck_assert_int_eq(system(file), 0);
    snprintf(file, sizeof file, "%s/y/a.png", in);
    check_run(3, "is not a regular file", DRAW(to, file));
    ck_assert_int_eq(count_files(to), 1);
    if (geteuid() == 0)
        return; /* whom no permission stops */
    ck_assert_int_eq(chmod(to, 0500), 0);
    snprintf(file, sizeof file, "%s/x/a.png", in);
    check_run(1, "cannot write", DRAW(to, file));
}
END_TEST

START_TEST(test_usage)
{
    check_run(2, "--out DIR, the folder for them, is missing",
              ARGS("predict", "--models", "models", "--model", DETECTOR, "--annotate", in));
    check_run(2, "there are none without --annotate",
              ARGS("predict", "--models", "models", "--model", DETECTOR, "--out", to, in));
    check_run(2, "is for the task classify",
              ARGS("predict", "--models", "models", "--model", REAL, "--annotate", "--out", to, in));
    check_run(2, "classify, localize and segment are accepted", ARGS("predict", "--task", "draw", in));
    check_run(2, "give one of them", ARGS("predict", "--task", "localize", "--model", DETECTOR, in));
    ck_assert_int_ne(access(to, F_OK), 0);
}
END_TEST

/* The astronaut's face ends at x = 270; the bars of eight emotions stand to its right, on a dark ground, and
 * the longest of them, happiness, in the colour of the box. */
static void check_bars(void)
{
    gh_image *drawn = open_drawn("a.jpg");
    int darker = 0, pink = 0;
    for (int y = 62; y < 166; y++)
        for (int x = 300; x < 370; x++) {
            const uint8_t *p = drawn->pixels + ((size_t)y * 512 + (size_t)x) * 3;
            darker += p[0] + p[1] + p[2] < 3 * 100; /* the wall there is light grey */
            pink += p[0] > p[1] + 50;
        }
    ck_assert_msg(darker > 3500 && pink > 100 && pink < 1000, "%d dark pixels, %d pink ones", darker, pink);
    gh_image_free(&drawn);
}

START_TEST(test_the_task_has_a_default)
{
    char file[160];
    snprintf(file, sizeof file, "%s/y/a.png", in);
    check_run(0, "",
              ARGS("predict", "--models", "models", "--task", "localize", "--annotate", "--out", to, file));
    ck_assert_ptr_nonnull(strstr((char *)out.data, ": face 0.9"));
    check_drawn("a.jpg", 512, 512);
    check_bars();
}
END_TEST

START_TEST(test_standard_input)
{
    char command[400];
    snprintf(command, sizeof command,
             "%s predict --model " DETECTOR " --annotate --out %s - <.build/photos/astronaut.png >/dev/null",
             binary(), to);
    ck_assert_int_eq(system(command), 0);
    check_drawn("stdin.jpg", 512, 512);
}
END_TEST

/* A signal ends the run between two pictures: exit code 130, whole files, no temporary ones. */
START_TEST(test_interrupted)
{
    char command[320];
    snprintf(command, sizeof command,
             "i=0; while [ $i -lt 300 ]; do ln %s/x/a.jpg %s/y/$i.jpg; i=$((i+1)); done", in, in);
    ck_assert_int_eq(system(command), 0);
    pid_t pid = fork();
    if (pid == 0) {
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
        execl(binary(), "gharial", "predict", "--model", DETECTOR, "--annotate", "--out", to, in, NULL);
        _exit(127);
    }
    for (int i = 0; i < 300 && (access(to, F_OK) != 0 || count_files(to) < 2); i++)
        usleep(100000);
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 130);
    ck_assert_int_lt(count_files(to), 300);
    snprintf(command, sizeof command, "ls %s | grep -v 'jpg$'", to);
    ck_assert_int_ne(system(command), 0);
    check_drawn("a.jpg", 640, 427);
}
END_TEST

#define LINES(...) ARGS("predict", "--models", "models", "--model", DETECTOR, __VA_ARGS__)

/* Three pictures in two parts: each in one of them, whatever else is there. */
START_TEST(test_shards)
{
    size_t lines = 0;
    gh_buf all = {0};
    for (int i = 0; i < 3; i++) {
        char shard[8];
        snprintf(shard, sizeof shard, "%d/3", i);
        ck_assert_int_eq(run(LINES("--json", "--shard", shard, in)), 0);
        gh_buf_str(&all, (char *)out.data);
    }
    gh_buf_add(&all, "", 1);
    for (const char *c = (char *)all.data; *c; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, 3);
    ck_assert_ptr_nonnull(strstr((char *)all.data, "x/a.png"));
    ck_assert_ptr_nonnull(strstr((char *)all.data, "x/a.jpg"));
    ck_assert_ptr_nonnull(strstr((char *)all.data, "y/a.png"));
    gh_buf_free(&all);
    check_run(2, "--shard is \"3/3\"; I/N is accepted", LINES("--shard", "3/3", in));
}
END_TEST

/* What `path` holds, which is the caller's. */
static gh_buf read_all(const char *path)
{
    gh_buf file = {0};
    gh_err e = {0};
    ck_assert_msg(gh_file_read(&file, path, 1 << 24, &e) == GH_OK, "%s", e.text);
    return file;
}

/* A run that lost its end, in the middle of a line, is gone on with to the same bytes. */
START_TEST(test_resume)
{
    char path[128], broken[160], command[512];
    snprintf(path, sizeof path, "%s/out.jsonl", dir);
    snprintf(broken, sizeof broken, "%s/y/b.png", in);
    snprintf(command, sizeof command, "echo no picture >%s", broken);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(run(LINES("--resume", path, in)), 3);
    ck_assert_str_eq((char *)out.data, "");
    snprintf(command, sizeof command, "test $(wc -l <%s) = 4 && truncate -s -100 %s", path, path);
    ck_assert_int_eq(system(command), 0);
    check_run(3, "3 pictures had been done before", LINES("--resume", path, in));
    snprintf(command, sizeof command,
             "sed 's/.*\"file\": *\"\\([^\"]*\\)\".*/\\1/' %s | sort | uniq | wc -l | grep -qx 4", path);
    ck_assert_int_eq(system(command), 0);
    check_run(0, "4 pictures had been done before", LINES("--resume", path, in));
}
END_TEST

/* A file that is not ours stays as it is. */
START_TEST(test_resume_leaves_other_files)
{
    static const char *const texts[] = {"my notes", "my notes\n", "{\"name\": 1}", "{\"file\": \"a\"}\n\n"};
    char path[128];
    snprintf(path, sizeof path, "%s/notes", dir);
    for (size_t i = 0; i < GH_COUNT(texts); i++) {
        gh_err e = {0};
        ck_assert_int_eq(gh_file_write(path, texts[i], strlen(texts[i]), &e), GH_OK);
        check_run(3, "is none of predict --json", LINES("--resume", path, in));
        gh_buf file = read_all(path);
        ck_assert_uint_eq(file.len, strlen(texts[i]));
        ck_assert_mem_eq(file.data, texts[i], file.len);
        gh_buf_free(&file);
    }
    check_run(2, "--resume: /dev/null is no regular file", LINES("--resume", "/dev/null", in));
    check_run(2, "give one of them", LINES("--resume", path, "--annotate", "--out", to, in));
}
END_TEST

Suite *suite_predict(void)
{
    Suite *suite = suite_create("predict");
    TCase *c = tcase_create("annotate");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, start, done);
    tcase_add_test(c, test_same_names_do_not_meet);
    tcase_add_test(c, test_a_broken_picture_leaves_no_file);
    tcase_add_test(c, test_pictures_are_not_overwritten);
    tcase_add_test(c, test_what_cannot_be_written);
    tcase_add_test(c, test_usage);
    tcase_add_test(c, test_the_task_has_a_default);
    tcase_add_test(c, test_standard_input);
    tcase_add_test(c, test_interrupted);
    tcase_add_test(c, test_shards);
    tcase_add_test(c, test_resume);
    tcase_add_test(c, test_resume_leaves_other_files);
    suite_add_tcase(suite, c);
    return suite;
}
