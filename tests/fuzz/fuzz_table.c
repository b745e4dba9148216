/* Tables of labelled pictures: any bytes as a .csv and as a .tsv. */
#include "base/file.h"
#include "train/data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const endings[] = {"csv", "tsv"};
    char folder[] = "/tmp/gharial-fuzz-XXXXXX", path[64];
    if (len > 4096 || !mkdtemp(folder))
        return 0;
    for (size_t i = 0; i < 2; i++) {
        gh_dataset *d = NULL;
        gh_err e = {0};
        snprintf(path, sizeof path, "%s/t.%s", folder, endings[i]);
        if (gh_file_write(path, data, len, &e) == GH_OK && gh_dataset_open(&d, path, &e) == GH_OK) {
            GH_ASSERT(d->count > 0);
            for (size_t k = 0; k < d->count; k++)
                GH_ASSERT(d->samples[k].path && d->samples[k].label);
        }
        gh_dataset_free(&d);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}
