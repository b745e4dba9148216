/* Names and folders of a training run. */
#include "train/output/place.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "tasks/manifest.h"

#include <string.h>

#define MOST_COPIED ((size_t)64 << 20)

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out in the training run");
}

gh_status gh_place_name(char **name, const char *out, const char *const *patterns, gh_err *e)
{
    char *last = NULL;
    GH_TRY(gh_folder_name(&last, out, e));
    gh_status status =
        gh_model_name_ok(last)
            ? gh_folder_check(out, patterns, e)
            : gh_fail(e, GH_ARG,
                      "the last part of '%.200s' is to be the model's name; a name has 1 to 64 letters, "
                      "digits, '.', '_' or '-'",
                      out);
    if (status == GH_OK)
        *name = last;
    else
        gh_free(last);
    return status;
}

gh_status gh_place_run(char **run, const char *out, const char *name, gh_err *e)
{
    gh_buf path = {0};
    size_t len = strlen(out);
    while (len && out[len - 1] == '/')
        len--;
    gh_buf_add(&path, out, len - strlen(name));
    gh_buf_printf(&path, ".%s.run", name);
    gh_buf_add(&path, "", 1);
    char *text = path.failed ? NULL : gh_strdup((const char *)path.data);
    gh_buf_free(&path);
    if (!text)
        return no_memory(e);
    *run = text;
    return GH_OK;
}

static gh_status copy(const char *run, const char *file, const char *staged, const char *as, gh_err *e)
{
    gh_buf bytes = {0};
    char *from = gh_path_join(run, file), *to = gh_path_join(staged, as);
    gh_status status = from && to ? gh_file_read(&bytes, from, MOST_COPIED, e) : no_memory(e);
    if (status == GH_OK)
        status = gh_file_write(to, bytes.data, bytes.len, e);
    gh_buf_free(&bytes);
    gh_free(from);
    gh_free(to);
    return status == GH_NOTFOUND ? GH_OK : status;
}

gh_status gh_place_keep(const char *run, const char *staged, const char *report, gh_err *e)
{
    GH_TRY(copy(run, "history.csv", staged, "history.csv", e));
    return copy(run, "report.html", staged, report, e);
}
