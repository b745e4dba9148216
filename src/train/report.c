/* Writes the report: first what follows from the numbers, then both files. */
#include "train/report.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/report_parts.h"

static gh_status write_html(const gh_facts *f, const char *path, gh_err *e)
{
    gh_buf page = {0};
    gh_status status = gh_report_html(&page, f, e);
    if (status == GH_OK)
        status = gh_file_write(path, page.data, page.len, e);
    gh_buf_free(&page);
    return status;
}

gh_status gh_report_write(const gh_report *r, const char *folder, gh_err *e)
{
    gh_facts f;
    GH_TRY(gh_facts_of(&f, r, e));
    char *json = gh_path_join(folder, "report.json"), *html = gh_path_join(folder, "report.html");
    gh_status status = json && html ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the report");
    if (status == GH_OK)
        status = gh_report_json(&f, json, e);
    if (status == GH_OK)
        status = write_html(&f, html, e);
    gh_free(json);
    gh_free(html);
    gh_facts_free(&f);
    return status;
}
