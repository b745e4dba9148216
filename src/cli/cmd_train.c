/* gharial train [TASK]: the table of tasks. Without a task it is classify. */
#include "cli/cmd_train.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} tasks[] = {
    {"classify", gh_cmd_train_classify},
    {"segment", gh_cmd_train_segment},
    {"localize", gh_cmd_train_localize},
};

static volatile bool stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = true;
}

volatile const bool *gh_train_stop(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &stop;
}

gh_status gh_balance_of(gh_balance *out, const char *text, gh_err *e)
{
    for (gh_balance b = GH_BALANCE_NONE; b < GH_BALANCES; b++)
        if (strcmp(text, gh_balance_name(b)) == 0) {
            *out = b;
            return GH_OK;
        }
    return gh_fail(e, GH_ARG, "--balance is '%.40s'; none, sqrt and weights are known", text);
}

/* "classify, segment and localize", from the table. */
static const char *task_list(char text[120])
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < GH_COUNT(tasks) && at < 120; i++)
        at += (size_t)snprintf(text + at, 120 - at, "%s%s",
                               i == 0                     ? ""
                               : i + 1 == GH_COUNT(tasks) ? " and "
                                                          : ", ",
                               tasks[i].name);
    return text;
}

static int unknown_task(const char *word)
{
    const char *names[GH_COUNT(tasks)];
    char list[120];
    for (size_t i = 0; i < GH_COUNT(tasks); i++)
        names[i] = tasks[i].name;
    const char *near = gh_nearest(word, names, GH_COUNT(names));
    fprintf(stderr, "gharial train: no task '%.60s'%s%s%s; there is %s (--data DIR names the pictures)\n",
            word, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", task_list(list));
    return gh_status_exit(GH_ARG);
}

int gh_cmd_train(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-')
        return tasks[0].run(argc, argv);
    for (size_t i = 0; i < GH_COUNT(tasks); i++)
        if (strcmp(argv[1], tasks[i].name) == 0)
            return tasks[i].run(argc - 1, argv + 1);
    return unknown_task(argv[1]);
}
