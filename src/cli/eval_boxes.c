/* gharial eval of models that find boxes: COCO's average precision, recall at fixed false alarms, and what is
 * right and wrong at the score that requests get, each class with its counts. */
#include "cli/eval_boxes.h"
#include "cli/eval_report.h"

#include "base/progress.h"
#include "cli/cli.h"
#include "tasks/jsontext.h"

#include <stdio.h>

typedef struct report {
    const gh_eval_boxes *v;
    const gh_model *model;
    const gh_boxset *set;
    const gh_boxes_evaluation *ev;
} report;

static void print_row(const char *name, const gh_ap_class *c)
{
    const gh_ap_at *a = &c->at[GH_AP_30], *b = &c->at[GH_AP_50];
    printf("%-16.16s %7zu %7.3f %6.3f %6.3f   %5.3f %5.3f %5.3f   %5.3f %5.3f %5.3f   %6zu %6zu\n", name,
           c->truths, c->ap, b->ap, a->ap, b->recall[0], b->recall[1], b->recall[2], a->recall[0],
           a->recall[1], a->recall[2], b->right, b->wrong);
}

static bool is_shown(const gh_boxes_evaluation *ev, size_t c)
{
    return ev->known[c] && (ev->classes[c].truths || ev->classes[c].found);
}

static void print_notes(const report *r)
{
    const gh_boxes_evaluation *ev = r->ev;
    if (ev->crowds)
        printf("ignored      %zu boxes that are crowds or to be ignored\n", ev->crowds);
    if (ev->other_sizes)
        printf("warning      %zu pictures have another size than the annotations say\n", ev->other_sizes);
    const char *before = "left out     classes that the model does not know: ";
    for (size_t c = 0; c < r->set->ncategories; c++)
        if (!ev->known[c]) {
            printf("%s%s", before, r->set->categories[c]);
            before = ", ";
        }
    if (ev->nknown < r->set->ncategories)
        putchar('\n');
}

static void print_text(const report *r)
{
    const gh_boxes_evaluation *ev = r->ev;
    const gh_ap_class *all = &ev->classes[r->set->ncategories];
    printf("model        %s version %s\n", r->model->manifest->name, r->model->manifest->version);
    printf("data         %s (%s), %zu boxes of %zu class%s\n", r->v->data, r->set->layout, ev->truths,
           ev->nknown, ev->nknown == 1 ? "" : "es");
    printf("pictures     %zu, not read %zu\n", ev->count, ev->failed);
    print_notes(r);
    printf("time         %.2f s, %.1f pictures a second\n\n", ev->seconds, (double)ev->count / ev->seconds);
    printf("%16s %7s %7s %6s %6s   %-17s   %-17s   at score %.2f\n", "", "", "", "", "", "recall at IoU 0.5",
           "recall at IoU 0.3", ev->cut);
    printf("%-16s %7s %7s %6s %6s   %5s %5s %5s   %5s %5s %5s   %6s %6s\n", "class", "boxes", "AP50:95",
           "AP50", "AP30", "fa 0", "10", "50", "fa 0", "10", "50", "right", "wrong");
    print_row("all", all);
    for (size_t c = 0; r->set->ncategories > 1 && c < r->set->ncategories; c++)
        if (is_shown(ev, c))
            print_row(r->set->categories[c], &ev->classes[c]);
    printf("\nrecall by size  ");
    for (int i = 0; i < GH_BOXES_SIZES; i++)
        printf(" %s %zu of %zu%s", gh_boxes_size_name(i), ev->sizes[i].right, ev->sizes[i].truths,
               i + 1 < GH_BOXES_SIZES ? "," : "");
    printf(" (under 32 x 32 pixels, under 96 x 96, larger)\nbest box         mean IoU %.3f\n", ev->iou);
    puts("\nfa = false alarms in all pictures together; right and wrong at IoU 0.5; AP of all = mean of the "
         "classes");
}

static json_t *at_json(const gh_ap_at *a)
{
    json_t *recall = json_object();
    for (int i = 0; i < GH_AP_ALARMS; i++) {
        char alarms[12];
        snprintf(alarms, sizeof alarms, "%d", gh_ap_alarms(i));
        json_object_set_new(recall, alarms, json_real(a->recall[i]));
    }
    return json_pack("{s:f, s:o, s:I, s:I}", "ap", a->ap, "recall_at_false_alarms", recall, "right",
                     (json_int_t)a->right, "wrong", (json_int_t)a->wrong);
}

static json_t *class_json(const gh_ap_class *c)
{
    json_t *o = json_pack("{s:I, s:I, s:f}", "boxes", (json_int_t)c->truths, "found", (json_int_t)c->found,
                          "ap50_95", c->ap);
    json_t *overlaps = json_object();
    for (int i = 0; i < GH_AP_OVERLAPS; i++) {
        char name[12];
        snprintf(name, sizeof name, "%.2f", gh_ap_overlap(i));
        json_object_set_new(overlaps, name, at_json(&c->at[i]));
    }
    json_object_set_new(o, "ap50", json_real(c->at[GH_AP_50].ap));
    json_object_set_new(o, "ap30", json_real(c->at[GH_AP_30].ap));
    json_object_set_new(o, "iou", overlaps);
    return o;
}

static json_t *classes_json(const report *r)
{
    json_t *list = json_array();
    for (size_t c = 0; c < r->set->ncategories; c++)
        if (is_shown(r->ev, c)) {
            json_t *one = class_json(&r->ev->classes[c]);
            json_object_set_new(one, "label", gh_json_text(r->set->categories[c]));
            json_array_append_new(list, one);
        }
    return list;
}

static json_t *sizes_json(const gh_boxes_evaluation *ev)
{
    json_t *o = json_object();
    for (int i = 0; i < GH_BOXES_SIZES; i++)
        json_object_set_new(o, gh_boxes_size_name(i),
                            json_pack("{s:I, s:I}", "boxes", (json_int_t)ev->sizes[i].truths, "right",
                                      (json_int_t)ev->sizes[i].right));
    return o;
}

static json_t *unknown_json(const report *r)
{
    json_t *list = json_array();
    for (size_t c = 0; c < r->set->ncategories; c++)
        if (!r->ev->known[c])
            json_array_append_new(list, gh_json_text(r->set->categories[c]));
    return list;
}

static json_t *failed_json(const report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->ev->count; i++)
        gh_eval_failure_json(list, r->set->pictures[i].path, r->ev->outcomes[i].error);
    return list;
}

static int print_json(const report *r)
{
    const gh_boxes_evaluation *ev = r->ev;
    json_t *o = json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:f}", "model", r->model->manifest->name,
                          "version", r->model->manifest->version, "data", gh_json_text(r->v->data), "layout",
                          r->set->layout, "count", (json_int_t)ev->count, "boxes", (json_int_t)ev->truths,
                          "ignored", (json_int_t)ev->crowds, "threshold", ev->cut);
    json_object_set_new(o, "all", class_json(&ev->classes[r->set->ncategories]));
    json_object_set_new(o, "mean_iou", json_real(ev->iou));
    json_object_set_new(o, "sizes", sizes_json(ev));
    json_object_set_new(o, "classes", classes_json(r));
    json_object_set_new(o, "unknown", unknown_json(r));
    json_object_set_new(o, "other_sizes", json_integer((json_int_t)ev->other_sizes));
    json_object_set_new(o, "failed", failed_json(r));
    json_object_set_new(o, "seconds", json_real(ev->seconds));
    return gh_cli_print_json("eval", o, false);
}

static int print_report(const report *r)
{
    const gh_boxes_evaluation *ev = r->ev;
    int code = 0;
    for (size_t i = 0; i < ev->count; i++)
        gh_eval_failure(r->set->pictures[i].path, ev->outcomes[i].error);
    if (r->v->json)
        code = print_json(r);
    else
        print_text(r);
    return gh_eval_exit(code, ev->failed, ev->count, r->v->strict);
}

gh_status gh_cli_eval_boxes(int *code, gh_model *model, const gh_eval_boxes *v, gh_err *e)
{
    gh_boxset *set = NULL;
    gh_boxes_evaluation *ev = NULL;
    gh_progress progress;
    gh_status status = gh_boxset_open(&set, v->data, e);
    gh_progress_start(&progress, "eval", set ? set->npictures : 0);
    if (status == GH_OK)
        status = gh_evaluate_boxes(&ev, model, set, &v->options, gh_eval_progress, &progress, e);
    gh_progress_end(&progress);
    if (status == GH_OK)
        *code = print_report(&(report){v, model, set, ev});
    gh_boxes_evaluation_free(&ev);
    gh_boxset_free(&set);
    return status;
}
