/* gharial: one binary, a table of commands. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "answer over HTTP", gh_cmd_serve},
    {"predict", "run a model on pictures", gh_cmd_predict},
    {"train", "put a new head on a pretrained body, from your own pictures", gh_cmd_train},
    {"eval", "measure a model on labelled pictures", gh_cmd_eval},
    {"bench", "measure a model's speed", gh_cmd_bench},
    {"inspect", "show what is in a model", gh_cmd_inspect},
    {"import", "turn a foreign weight file into a model", gh_cmd_import},
    {"health", "ask a running server whether it is ready", gh_cmd_health},
    {"version", "show version, processor level and libraries", gh_cmd_version},
};

static void print_help(FILE *to)
{
    fputs("usage: gharial COMMAND [OPTION]... [ARGUMENT]...\n\n", to);
    for (size_t i = 0; i < GH_COUNT(commands); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    fputs("\n'gharial COMMAND --help' shows a command's options and an example.\n"
          "\nexample: gharial predict --model efficientnet-lite0 cat.jpg\n",
          to);
}

static int unknown_command(const char *name)
{
    const char *names[GH_COUNT(commands)];
    for (size_t i = 0; i < GH_COUNT(commands); i++)
        names[i] = commands[i].name;
    const char *near = gh_nearest(name, names, GH_COUNT(names));
    fprintf(stderr, "gharial: no command '%.60s'%s%s%s; 'gharial --help' lists them\n", name,
            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return gh_status_exit(GH_ARG);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return gh_status_exit(GH_ARG);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < GH_COUNT(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(name);
}
