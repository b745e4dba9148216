/* gharial version: what this binary is and what it runs on. */
#include "cli/cli.h"

#include "base/cpu.h"

#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct values {
    bool json;
} values;

static const gh_option options[] = {
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "one JSON object"},
    {0},
};

static const gh_usage usage = {
    .command = "version",
    .args = "",
    .about = "Shows version, build, compiler, processor level and the libraries that are loaded.",
    .example = "gharial version --json",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .quiet = true,
};

/* A loaded library that we link: its file's name behind all links carries the version. */
static int add_library(struct dl_phdr_info *info, size_t size, void *list)
{
    static const char *const ours[] = {"libmicrohttpd.", "libjansson.", "libjpeg.", "libspng.",
                                       "libwebp.",       "libopenblas", "libc."};
    char real[PATH_MAX];
    (void)size;
    if (!info->dlpi_name || !realpath(info->dlpi_name, real))
        return 0;
    const char *slash = strrchr(info->dlpi_name, '/'), *base = slash ? slash + 1 : info->dlpi_name;
    const char *real_base = strrchr(real, '/') + 1;
    for (size_t i = 0; i < GH_COUNT(ours); i++)
        if (strncmp(base, ours[i], strlen(ours[i])) == 0)
            json_array_append_new(list, json_string(real_base));
    return 0;
}

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

int gh_cmd_version(int argc, char **argv)
{
    values v = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    json_t *libraries = json_array(), *library;
    size_t i;
    dl_iterate_phdr(add_library, libraries);
    if (v.json)
        return gh_cli_print_json("version",
                                 json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "version", gh_version(), "build",
                                           gh_build(), "compiler", COMPILER, "cpu", gh_cpu_level(), "cores",
                                           gh_cpu_count(), "libraries", libraries),
                                 false);
    printf("gharial %s (%s)\ncompiler   %s\nprocessor  %s, %d cores usable\nlibraries ", gh_version(),
           gh_build(), COMPILER, gh_cpu_level(), gh_cpu_count());
    json_array_foreach(libraries, i, library) printf(" %s", json_string_value(library));
    puts("");
    json_decref(libraries);
    return gh_cli_flush("version", 0);
}
