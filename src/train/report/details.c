/* What a head tells about itself, read from its JSON: single values for the page, importances for the chart.
 */
#include "train/report/parts.h"

#include "tasks/jsontext.h"

#include <stdio.h>

/* "oob_score" within "forest" as "forest oob score" */
static void set_name(char *out, size_t size, const char *group, const char *name)
{
    snprintf(out, size, "%s%s%s", group ? group : "", group ? " " : "", name);
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = ' ';
}

static bool set_text(char *out, size_t size, const json_t *v)
{
    if (json_is_integer(v))
        snprintf(out, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(out, size, "%.4g", json_real_value(v));
    else if (json_is_string(v))
        snprintf(out, size, "%s", json_string_value(v));
    else if (json_is_boolean(v))
        snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
    else
        return false;
    return true;
}

static void add_detail(gh_facts *f, const char *group, const char *name, const json_t *v)
{
    if (f->ndetails < GH_COUNT(f->details) &&
        set_text(f->details[f->ndetails].text, sizeof f->details->text, v))
        set_name(f->details[f->ndetails++].name, sizeof f->details->name, group, name);
}

/* Single values, also those of groups. */
static void read_details(gh_facts *f)
{
    json_t *v, *inner;
    const char *name, *inner_name;
    json_object_foreach(f->head, name, v)
    {
        add_detail(f, NULL, name, v);
        json_object_foreach(v, inner_name, inner)
        {
            add_detail(f, name, inner_name, inner);
        }
    }
}

/* Importances are an array of {"feature": number, "share": of all}, most used first. */
static void read_importances(gh_facts *f)
{
    const json_t *list = json_object_get(f->head, "importances"), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        json_int_t feature = json_integer_value(json_object_get(v, "feature"));
        double share = json_number_value(json_object_get(v, "share"));
        if (f->nfeatures == GH_COUNT(f->features) || feature < 0 || feature > UINT32_MAX || !(share > 0) ||
            !(share <= 1))
            return;
        f->features[f->nfeatures].feature = (uint32_t)feature;
        f->features[f->nfeatures++].share = share;
    }
}

gh_status gh_facts_details(gh_facts *f, gh_err *e)
{
    f->head = f->r->details ? json_loads(f->r->details, 0, NULL) : NULL;
    if (f->r->details && !f->head) /* it is JSON of ours */
        return gh_fail(e, GH_NOMEM, "memory ran out at what the head tells about itself");
    read_details(f);
    if (!f->r->importances)
        read_importances(f);
    return GH_OK;
}

void gh_facts_details_free(gh_facts *f)
{
    json_decref(f->head);
    f->head = NULL;
}
