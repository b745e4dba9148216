/* End-to-end tests: the real binary, real sockets, real photos. `e2e NAME` runs one suite; `e2e soak [N]`
 * measures memory over N requests. */
#include "e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
    {"soak", suite_soak},
#define E2E_SUITE(name) {#name, suite_##name},
#include "e2e/suites.inc"
#undef E2E_SUITE
};

/* The first row runs only when it is named: it takes minutes. */
int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    soak_requests = argc > 2 ? atoi(argv[2]) : 10000;
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (argc < 2 ? i > 0 : strcmp(argv[1], suites[i].name) == 0)
            srunner_add_suite(runner, suites[i].make());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
