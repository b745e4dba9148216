/* The Check runner: each test file registers one suite in suites.inc. With a name as argument only that suite
 * runs. */
#include "unit/suites.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
#define GH_SUITE(name) {#name, gh_suite_##name},
#include "unit/suites.inc"
#undef GH_SUITE
};

int main(int argc, char **argv)
{
    setenv("CK_DEFAULT_TIMEOUT", "60", 0); /* Check's own 4 s are short where others use the processor, too */
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (argc < 2 || strcmp(argv[1], suites[i].name) == 0)
            srunner_add_suite(runner, suites[i].make());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
