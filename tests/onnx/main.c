/* The conformance runner: the ONNX project's own vectors through our engine, at every level of kernels.
 * tests/onnx/expected.txt holds one line a case; any drift from it fails.
 *   onnx            a Check program      onnx --write    writes expected.txt anew
 *   onnx CASE...    says how these go (node/test_relu)
 *   onnx --light    runs the light models with the kernels of GHARIAL_CPU
 *   onnx --random FOLDER COUNT FIRST   networks for tests/onnx/ort.py
 *   onnx --archs FOLDER                networks from checkpoints, for the same */
#include "base/cpu.h"
#include "base/mem.h"
#include "onnx/case.h"
#include "onnx/light.h"
#include "onnx/random.h"
#include "unit/random_net.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VECTORS  ".build/onnx-vectors"
#define EXPECTED "tests/onnx/expected.txt"
/* A drift is told of this often, then only counted. */
#define MOST_TOLD 40

static const char *const folders[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};
static const char *const levels[] = {"ref", "avx2", "avx512"};

typedef void (*visit)(void *arg, const char *name);

/* Calls fn("node/test_abs") for every case, in order of names; gives their number. */
static int each_case(visit fn, void *arg)
{
    int count = 0;
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        char path[300], name[600];
        struct dirent **entries;
        snprintf(path, sizeof path, VECTORS "/%s", folders[f]);
        int n = scandir(path, &entries, NULL, alphasort);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "%s/%s", folders[f], entries[i]->d_name);
            if (entries[i]->d_name[0] != '.') {
                fn(arg, name);
                count++;
            }
            free(entries[i]);
        }
        if (n >= 0)
            free(entries);
    }
    return count;
}

/* Vectors that contradict the standard; ONNX Runtime 1.32 gives our answer (seen for float32). */
static const struct {
    const char *name, *why;
} disputed[] = {
#define SATURATES "the vector wraps where ONNX says that the output saturates"
    {"node/test_qlinearmatmul_2D_int8_float16", SATURATES},
    {"node/test_qlinearmatmul_2D_int8_float32", SATURATES},
    {"node/test_qlinearmatmul_3D_int8_float16", SATURATES},
    {"node/test_qlinearmatmul_3D_int8_float32", SATURATES},
};

static void outcome_of(char *text, int size, const char *name)
{
    char dir[700];
    oc_outcome o;
    snprintf(dir, sizeof dir, VECTORS "/%s", name);
    oc_run(&o, dir);
    for (size_t i = 0; i < sizeof disputed / sizeof *disputed; i++)
        if (o.kind == OC_WRONG && strcmp(disputed[i].name, name) == 0) {
            o.kind = OC_SKIP;
            snprintf(o.why, sizeof o.why, "%s", disputed[i].why);
        }
    oc_text(text, size, &o);
}

static void write_line(void *arg, const char *name)
{
    char text[800];
    outcome_of(text, sizeof text, name);
    fprintf(arg, "%s %s\n", name, text);
    if (strncmp(text, "WRONG", 5) == 0)
        fprintf(stderr, "%s %s\n", name, text);
}

static int write_expected(void)
{
    FILE *f = fopen(EXPECTED ".tmp", "w");
    if (!f || !each_case(write_line, f) || fclose(f) != 0 || rename(EXPECTED ".tmp", EXPECTED) != 0) {
        fprintf(stderr, "cannot write " EXPECTED ", or no vectors in " VECTORS "\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* expected.txt while the cases are walked: its lines stand in the same order. */
typedef struct check {
    FILE *file;
    const char *level;
    int cases, passed, drifts;
} check;

static void drift(check *c, const char *fmt, const char *a, const char *b, const char *d)
{
    if (c->drifts++ < MOST_TOLD) {
        fprintf(stderr, "[%s] ", c->level);
        fprintf(stderr, fmt, a, b, d);
    }
}

static void check_line(void *arg, const char *name)
{
    check *c = arg;
    char line[1500] = "", text[800], want[1500];
    if (!fgets(line, sizeof line, c->file))
        line[0] = 0;
    line[strcspn(line, "\n")] = 0;
    outcome_of(text, sizeof text, name);
    snprintf(want, sizeof want, "%s %s", name, text);
    c->cases++;
    c->passed += strncmp(text, "pass", 4) == 0 || strncmp(text, "constants", 9) == 0;
    if (strcmp(line, want) != 0)
        drift(c, "%s is now\n    %s\n  listed is\n    %s\n", name, text, line);
    else if (strncmp(text, "WRONG", 5) == 0)
        drift(c, "%s %s%s\n", name, text, "");
}

static int check_light(const char *level)
{
    char text[800];
    int wrong = 0;
    for (int i = 0; i < ol_count; i++) {
        bool same = ol_run(VECTORS "/light", ol_names[i], text, sizeof text);
        fprintf(stderr, "light model %s at %s: %s\n", ol_names[i], level, text);
        wrong += !same;
    }
    return wrong;
}

static int check_level(const char *level)
{
    char rest[1500];
    check c = {.file = fopen(EXPECTED, "r"), .level = level};
    if (!c.file) {
        fprintf(stderr, "cannot open " EXPECTED "\n");
        return 1;
    }
    int cases = each_case(check_line, &c);
    if (fgets(rest, sizeof rest, c.file))
        drift(&c, "no case is left for the line\n    %s%s%s", rest, "", "");
    fclose(c.file);
    fprintf(stderr, "ONNX vectors at %s: %d of %d pass, %d drift\n", level, c.passed, cases, c.drifts);
    return cases == 0 || c.drifts > 0;
}

/* In a process of its own, since the kernels are chosen once in each. */
static void at_level(const char *level, int (*work)(const char *level), const char *failure)
{
    ck_assert_msg(access(VECTORS "/complete", R_OK) == 0,
                  "the ONNX vectors are not there: run sh tests/onnx/fetch.sh");
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setenv("GHARIAL_CPU", level, 1);
        bool there = strcmp(gh_cpu_level(), level) == 0;
        _exit(there ? work(level) != 0 : 0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s at %s; see above", failure, level);
}

START_TEST(test_vectors_at_level)
{
    at_level(levels[_i], check_level, "the vectors drifted from " EXPECTED);
}
END_TEST

START_TEST(test_light_models_at_level)
{
    at_level(levels[_i], check_light, "a light model differs");
}
END_TEST

static int run_checks(void)
{
    Suite *s = suite_create("onnx vectors");
    TCase *t = tcase_create("vectors");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_vectors_at_level, 0, (int)(sizeof levels / sizeof *levels));
    suite_add_tcase(s, t);
    t = tcase_create("light");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_light_models_at_level, 0, (int)(sizeof levels / sizeof *levels));
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    char text[800];
    if (argc == 2 && strcmp(argv[1], "--write") == 0)
        return write_expected();
    if (argc == 3 && strcmp(argv[1], "--archs") == 0)
        return or_write_archs(argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
    bool wide = argc == 5 && strcmp(argv[1], "--wide") == 0;
    if (wide || (argc == 5 && strcmp(argv[1], "--random") == 0)) {
        uint64_t count = strtoull(argv[3], NULL, 10), first = strtoull(argv[4], NULL, 10);
        return or_write(argv[2], first, count, wide ? RN_WIDE : 0) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc == 2 && strcmp(argv[1], "--light") == 0)
        return check_light(gh_cpu_level()) ? EXIT_FAILURE : EXIT_SUCCESS;
    for (int i = 1; i < argc; i++) {
        outcome_of(text, sizeof text, argv[i]);
        printf("%s %s\n", argv[i], text);
    }
    return argc > 1 ? EXIT_SUCCESS : run_checks();
}
