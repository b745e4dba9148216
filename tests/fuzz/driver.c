/* Replays inputs through a fuzz target without a fuzzing engine: each argument is a file, or a folder whose
 * files are taken in turn. Each input is copied into a block of exactly its size, so that a sanitizer sees
 * any byte read beyond it. */
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 64 << 20 };

static bool replay(const char *path)
{
    gh_map map = {0};
    gh_err e = {0};
    if (gh_map_open(&map, path, LARGEST, &e) != GH_OK) {
        fprintf(stderr, "%s\n", e.text);
        return false;
    }
    uint8_t *copy = gh_alloc(map.size);
    bool ok = copy != NULL;
    if (ok) {
        if (map.size)
            memcpy(copy, map.data, map.size);
        fprintf(stderr, "%s\n", path); /* before the run: the last line names the input that crashed */
        LLVMFuzzerTestOneInput(copy, map.size);
    }
    gh_free(copy);
    gh_map_close(&map);
    return ok;
}

static bool replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    bool ok = true;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat st;
        char *path = gh_path_join(folder, entry->d_name);
        if (!path || stat(path, &st) != 0)
            ok = false;
        else if (S_ISREG(st.st_mode))
            ok = replay(path) && ok;
        gh_free(path);
    }
    closedir(dir);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        ok = (folder ? replay_folder(argv[i]) : replay(argv[i])) && ok;
    }
    return ok ? 0 : 1;
}
