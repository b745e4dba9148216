/* Writes the report: first what follows from the numbers, then both files. */
#include "train/report/report.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/report/parts.h"

/* The page is made before the first file is written: what can fail but the disk has been done by then. */
static gh_status write_both(const gh_facts *f, const char *json, const char *html, gh_err *e)
{
    gh_buf page = {0};
    gh_status status = gh_report_html(&page, f, e);
    if (status == GH_OK)
        status = gh_report_json(f, json, e);
    if (status == GH_OK)
        status = gh_file_write(html, page.data, page.len, e);
    gh_buf_free(&page);
    return status;
}

gh_status gh_report_write(const gh_report *r, const char *folder, gh_err *e)
{
    gh_facts f;
    GH_TRY(gh_facts_of(&f, r, e));
    char *json = gh_path_join(folder, "report.json"), *html = gh_path_join(folder, "report.html");
    gh_status status = GH_OK;
    if (json && html)
        status = write_both(&f, json, html, e);
    else
        status = gh_fail(e, GH_NOMEM, "memory ran out at the report");
    gh_free(json);
    gh_free(html);
    gh_facts_free(&f);
    return status;
}
