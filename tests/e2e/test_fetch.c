/* models/fetch.sh without a network: in a copy of the project's models folder, with packages made here. pip
 * is the real one, told to look into a folder; npm is a script that hands out files. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/status.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], sums[2][80]; /* of the packages one (a wheel) and two (an npm package) */
static char file_sum[80];
static gh_buf text;

/* `slow` makes it stop in the middle of a file; `asked` lists what was asked for. */
static const char fake_npm[] =
    "#!/bin/sh\n"
    "to=$4 want=$5 file=registry/${5%@*}-${5##*@}.tgz\n"
    "echo \"$want\" >>asked\n"
    "[ -f \"$file\" ] || { echo \"npm ERR! 404 $want is not in this registry\" >&2; exit 1; }\n"
    "[ ! -f slow ] || { head -c 100 \"$file\" >\"$to/half.tgz\"; : >started; exec sleep 60; }\n"
    "cp \"$file\" \"$to/\"\n";

static const char *path_of(const char *name)
{
    return path_in(dir, name);
}

static bool is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

__attribute__((format(printf, 1, 2))) static void shell(const char *fmt, ...)
{
    char command[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    ck_assert(n > 0 && (size_t)n < sizeof command);
    ck_assert_msg(system(command) == 0, "%s", command);
}

/* The first word that the command prints. */
static void read_word(char word[80], const char *command)
{
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_msg(fscanf(pipe, "%79s", word) == 1, "%s", command);
    ck_assert_int_eq(pclose(pipe), 0);
}

static void make_package(char sum[80], const char *kind, const char *name)
{
    char command[400];
    snprintf(command, sizeof command, "python3 tests/e2e/package.py %s %s/registry %s 1.0 %s/tiny/model.onnx",
             kind, dir, name, models_dir());
    read_word(sum, command);
}

static void write_text(const char *name, const char *content)
{
    gh_err e = {0};
    ck_assert_msg(gh_file_write(path_of(name), content, strlen(content), &e) == GH_OK, "%s", e.text);
}

/* The manifest of the model, with where it comes from. */
static void write_manifest(const char *name, const char *sum, const char *wanted_file_sum)
{
    char path[200];
    bool wheel = strcmp(name, "one") == 0;
    snprintf(path, sizeof path, "%s/tiny/model.json", models_dir());
    json_t *o = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(o);
    json_object_set_new(o, "name", json_string(name));
    json_object_set_new(o, "source",
                        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "registry", wheel ? "PyPI" : "npm",
                                  "package", name, "version", "1.0", "sha256", sum, "file",
                                  wheel ? "one/model.onnx" : "package/model.onnx", "file_sha256",
                                  wanted_file_sum, "format", "onnx"));
    snprintf(path, sizeof path, "models/%s/model.json", name);
    ck_assert_int_eq(json_dump_file(o, path_of(path), 0), 0);
    json_decref(o);
}

static void start(void)
{
    char command[256];
    strcpy(dir, "/tmp/gharial-fetch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_msg(access(".build/venv/bin/pip", X_OK) == 0,
                  "there is no pip in .build/venv; `make photos` makes it");
    shell("mkdir -p %s/models/one %s/models/two %s/registry %s/bin %s/.build", dir, dir, dir, dir, dir);
    shell("cp models/fetch.sh models/fetch.py %s/models/", dir);
    shell("ln -s \"$(realpath .build/venv)\" %s/.build/venv", dir);
    write_text("bin/npm", fake_npm);
    ck_assert_int_eq(chmod(path_of("bin/npm"), 0755), 0);
    make_package(sums[0], "wheel", "one");
    make_package(sums[1], "tarball", "two");
    snprintf(command, sizeof command, "sha256sum %s/tiny/model.onnx", models_dir());
    read_word(file_sum, command);
    write_manifest("one", sums[0], file_sum);
    write_manifest("two", sums[1], file_sum);
}

static void done(void)
{
    gh_buf_free(&text);
    shell("rm -rf %s", dir);
}

/* fetch.sh with these arguments, in a process group of its own. */
static pid_t begin(const char *args)
{
    char command[1024], *program = realpath(binary(), NULL);
    ck_assert_ptr_nonnull(program);
    snprintf(command, sizeof command,
             "cd %s && export GHARIAL=%s PIP_NO_INDEX=1 PIP_FIND_LINKS=registry PATH=%s/bin:$PATH && "
             "exec sh models/fetch.sh %s >log 2>&1",
             dir, program, dir, args);
    free(program);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    setpgid(pid, pid);
    return pid;
}

/* The exit code; -1 of one that was killed. What it printed is in `text`. */
static int end(pid_t pid)
{
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    text.len = 0;
    ck_assert_int_eq(gh_file_read(&text, path_of("log"), 1 << 20, NULL), GH_OK);
    gh_buf_add(&text, "", 1);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_fetch(int code, const char *says, const char *args)
{
    int got = end(begin(args));
    ck_assert_msg(got == code, "%d: %s", got, (char *)text.data);
    ck_assert_msg(strstr((char *)text.data, says) != NULL, "\"%s\" is not in: %s", says, (char *)text.data);
}

static int count_lines(void)
{
    int n = 0;
    for (const char *c = (const char *)text.data; (c = strchr(c, '\n')); c++)
        n++;
    return n;
}

/* Entries of a folder. */
static int count_entries(const char *name)
{
    int n = 0;
    DIR *d = opendir(path_of(name));
    ck_assert_ptr_nonnull(d);
    for (struct dirent *f; (f = readdir(d));)
        n += f->d_name[0] != '.';
    closedir(d);
    return n;
}

START_TEST(test_fetched_once)
{
    struct stat first, second;
    check_fetch(0, "models: two is ready", "");
    ck_assert_ptr_nonnull(strstr((char *)text.data, "models: one is ready"));
    ck_assert(is_there("models/one/model.onnx") && is_there("models/two/model.onnx"));
    ck_assert_int_eq(count_entries(".build/packages"), 2);
    ck_assert_int_eq(count_entries(".build/models"), 2); /* stamps */
    ck_assert_int_eq(stat(path_of("models/one/model.onnx"), &first), 0);
    shell("rm -r %s/registry", dir); /* nothing is asked for any more */
    check_fetch(0, "", "");
    ck_assert_int_eq(count_lines(), 0);
    ck_assert_int_eq(stat(path_of("models/one/model.onnx"), &second), 0);
    ck_assert(first.st_ino == second.st_ino && first.st_mtim.tv_nsec == second.st_mtim.tv_nsec);
    shell("rm %s/models/one/model.onnx", dir); /* its package is still here */
    check_fetch(0, "models: one is ready", "one");
    ck_assert_int_eq(count_lines(), 1);
}
END_TEST

/* Of packages and of the file within; said in one sentence after "downloading". */
START_TEST(test_wrong_checksums)
{
    static const char wrong[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char *const names[] = {"one", "two"};
    for (int i = 0; i < 2; i++) {
        write_manifest(names[i], wrong, file_sum);
        check_fetch(1, " 1.0 has the wrong checksum", names[i]);
        ck_assert_ptr_nonnull(strstr((char *)text.data, "nothing was kept"));
        ck_assert_int_eq(count_lines(), 2);
        ck_assert_int_eq(count_entries(".build/packages"), 0);
        ck_assert_int_eq(count_entries(".build/models"), 0);
        ck_assert(!is_there(i ? "models/two/model.onnx" : "models/one/model.onnx"));
    }
    write_manifest("two", sums[1], wrong);
    check_fetch(1, "package/model.onnx of two 1.0 has the wrong checksum", "two");
    ck_assert(!is_there("models/two/model.onnx"));
    ck_assert_int_eq(count_entries(".build/models"), 0);
}
END_TEST

/* A half file that a crash of the machine left under the package's own name. */
START_TEST(test_a_broken_package_is_fetched_anew)
{
    check_fetch(0, "two is ready", "two");
    shell("cd %s; rm models/two/model.onnx; truncate -s 100 .build/packages/two-1.0.pkg", dir);
    check_fetch(0, "downloading two 1.0", "two");
    ck_assert(is_there("models/two/model.onnx"));
}
END_TEST

static void interrupt(int sig)
{
    write_text("slow", "");
    pid_t pid = begin("two");
    for (int i = 0; i < 200 && !is_there("started"); i++)
        usleep(100000);
    ck_assert(is_there("started"));
    ck_assert_int_eq(kill(-pid, sig), 0);
    int code = end(pid);
    ck_assert_int_eq(code, sig == SIGKILL ? -1 : 130);
    ck_assert(!is_there("models/two/model.onnx"));
    shell("rm %s/slow %s/started", dir, dir);
}

START_TEST(test_interrupted_in_the_middle_of_a_file)
{
    interrupt(SIGTERM);
    ck_assert_int_eq(count_entries(".build/packages"), 0);
    interrupt(SIGINT);
    ck_assert_int_eq(count_entries(".build/packages"), 0);
    check_fetch(0, "two is ready", "two");
    ck_assert_int_eq(count_entries(".build/packages"), 1);
}
END_TEST

START_TEST(test_killed_in_the_middle_of_a_file)
{
    interrupt(SIGKILL);
    ck_assert_int_eq(count_entries(".build/packages"), 1); /* nobody could clean up */
    check_fetch(0, "two is ready", "two");
    ck_assert_int_eq(count_entries(".build/packages"), 1); /* the package alone */
    ck_assert(is_there(".build/packages/two-1.0.pkg"));
}
END_TEST

START_TEST(test_no_such_model)
{
    check_fetch(1, "models: no model is called three; there are one, two\n", "two three");
    ck_assert_int_eq(count_lines(), 1);
    ck_assert(!is_there("asked") && !is_there("models/two/model.onnx"));
    shell("rm %s/registry/two-1.0.tgz", dir);
    check_fetch(1, "cannot download two 1.0 from npm; is the network there? npm ERR! 404", "two");
    ck_assert_int_eq(count_lines(), 2);
}
END_TEST

/* The others come nevertheless, and the next run fetches what is missing alone. */
START_TEST(test_one_of_several_fails)
{
    shell("mv %s/registry/one-1.0-py3-none-any.whl %s/away", dir, dir);
    check_fetch(1, "models: these models failed: one\n", "");
    ck_assert_ptr_nonnull(strstr((char *)text.data, "cannot download one 1.0 from PyPI"));
    ck_assert(!is_there("models/one/model.onnx") && is_there("models/two/model.onnx"));
    shell("mv %s/away %s/registry/one-1.0-py3-none-any.whl; rm %s/asked", dir, dir, dir);
    check_fetch(0, "one is ready", "");
    ck_assert(is_there("models/one/model.onnx") && !is_there("asked"));
}
END_TEST

/* The old network stays where a new one cannot be imported. */
START_TEST(test_what_cannot_be_imported)
{
    check_fetch(0, "two is ready", "two");
    write_text("registry/model.onnx", "this is no network");
    shell("cd %s/registry; sha256sum model.onnx | cut -c 1-64 >sum; tar czf two-1.0.tgz --transform "
          "s,^,package/, model.onnx; sha256sum two-1.0.tgz | cut -c 1-64 >>sum",
          dir);
    char sum[2][80];
    FILE *f = fopen(path_of("registry/sum"), "r");
    ck_assert_int_eq(fscanf(f, "%79s %79s", sum[0], sum[1]), 2);
    fclose(f);
    write_manifest("two", sum[1], sum[0]);
    check_fetch(1, "models: cannot import two\n", "two");
    ck_assert(is_there("models/two/model.onnx"));
    ck_assert_int_eq(count_entries("models/two"), 2);
}
END_TEST

Suite *suite_fetch(void)
{
    Suite *suite = suite_create("fetch");
    TCase *c = tcase_create("fetch");
    tcase_set_timeout(c, 60);
    tcase_add_unchecked_fixture(c, models_make, NULL);
    tcase_add_checked_fixture(c, start, done);
    tcase_add_test(c, test_fetched_once);
    tcase_add_test(c, test_wrong_checksums);
    tcase_add_test(c, test_a_broken_package_is_fetched_anew);
    tcase_add_test(c, test_interrupted_in_the_middle_of_a_file);
    tcase_add_test(c, test_killed_in_the_middle_of_a_file);
    tcase_add_test(c, test_no_such_model);
    tcase_add_test(c, test_one_of_several_fails);
    tcase_add_test(c, test_what_cannot_be_imported);
    suite_add_tcase(suite, c);
    return suite;
}
