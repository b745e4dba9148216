/* gharial eval of models that segment: IoU of each class over all pixels and picture by picture, and the F1
 * of edges. */
#include "cli/eval_masks.h"
#include "cli/eval_report.h"

#include "base/progress.h"
#include "cli/cli.h"
#include "tasks/jsontext.h"
#include "tasks/segment.h"

#include <stdio.h>

typedef struct report {
    const gh_eval_masks *v;
    const gh_model *model;
    const gh_masks_evaluation *ev;
} report;

static double accuracy_of(const gh_mask_scores *s)
{
    return s->counted ? (double)s->right / (double)s->counted : 0;
}

static double share_of(const gh_mask_scores *s, int64_t pixels)
{
    return s->counted ? (double)pixels / (double)s->counted : 0;
}

/* Classes of the set that the model does not know, those that mean no class aside. */
static bool is_left_out(const report *r, size_t i)
{
    return !r->ev->known[i] && !gh_maskset_is_void(r->v->set->classes[i]);
}

static void print_notes(const report *r)
{
    const gh_maskset *set = r->v->set;
    const char *before = "left out     classes that the model does not know: ";
    bool any = false;
    if (r->ev->rest)
        printf("taken as     the data's %s = the model's %s\n", r->ev->rest, r->ev->rest_as);
    if (set->unlabelled)
        printf("unlabelled   %zu pictures of the data have no mask\n", set->unlabelled);
    for (size_t i = 0; i < set->nclasses; i++)
        if (is_left_out(r, i)) {
            printf("%s%s", before, set->classes[i]);
            before = ", ";
            any = true;
        }
    if (any)
        putchar('\n');
}

static void print_classes(const report *r)
{
    const gh_mask_scores *s = &r->ev->scores;
    printf("%-24s %6s   %8s %7s   %7s   %8s   %8s\n", "class", "IoU", "mean IoU", "median", "edge F1",
           "pictures", "pixels");
    for (size_t i = 0; i < s->nclasses; i++) {
        const gh_mask_class *c = &s->classes[i];
        if (c->pictures)
            printf("%-24.24s %6.3f   %8.3f %7.3f   %7.3f   %8zu   %6.2f %%\n",
                   gh_segment_label(r->model->manifest, (int)i), c->iou, c->mean_iou, c->median_iou, c->edge,
                   c->pictures, 100 * share_of(s, c->truth));
    }
    printf("%-24s %6.3f   %8s %7s   %7.3f\n", "mean of the classes", s->miou, "", "", s->edge);
}

static void print_text(const report *r)
{
    const gh_masks_evaluation *ev = r->ev;
    printf("model        %s version %s\n", r->model->manifest->name, r->model->manifest->version);
    printf("data         %s (masks, split %s)\n", r->v->data, r->v->split);
    printf("pictures     %zu, not read %zu\n", ev->count, ev->failed);
    print_notes(r);
    printf("time         %.2f s, %.1f pictures a second\n", ev->seconds, (double)ev->count / ev->seconds);
    printf("pixels right %.2f %%\n\n", 100 * accuracy_of(&ev->scores));
    print_classes(r);
    printf(
        "\nIoU = of the pixels of all pictures together; mean and median = of the pictures that have the "
        "class;\nedge F1 = share of edge pixels within %.2f %% of the diagonal of the other mask's, mean of "
        "the pictures\nlabelled with the class\n",
        100 * GH_EDGE_TOLERANCE);
}

static json_t *classes_json(const report *r)
{
    const gh_mask_scores *s = &r->ev->scores;
    json_t *list = json_array();
    for (size_t i = 0; i < s->nclasses; i++) {
        const gh_mask_class *c = &s->classes[i];
        if (c->pictures)
            json_array_append_new(
                list, json_pack("{s:o, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:I}", "label",
                                gh_json_text(gh_segment_label(r->model->manifest, (int)i)), "index",
                                (json_int_t)i, "pixels", (json_int_t)c->truth, "found", (json_int_t)c->found,
                                "both", (json_int_t)c->both, "iou", c->iou, "mean_iou", c->mean_iou,
                                "median_iou", c->median_iou, "boundary_f1", c->edge, "pictures",
                                (json_int_t)c->pictures, "labelled", (json_int_t)c->labelled));
    }
    return list;
}

static json_t *unknown_json(const report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->v->set->nclasses; i++)
        if (is_left_out(r, i))
            json_array_append_new(list, gh_json_text(r->v->set->classes[i]));
    return list;
}

static json_t *failed_json(const report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->ev->count; i++)
        gh_eval_failure_json(list, r->v->set->pictures[i].path, r->ev->outcomes[i].error);
    return list;
}

static int print_json(const report *r)
{
    const gh_masks_evaluation *ev = r->ev;
    json_t *o = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:I, s:f, s:f, s:f, s:f}", "model", r->model->manifest->name, "version",
        r->model->manifest->version, "data", gh_json_text(r->v->data), "layout", "masks", "split",
        r->v->split, "count", (json_int_t)ev->count, "pixel_accuracy", accuracy_of(&ev->scores), "miou",
        ev->scores.miou, "boundary_f1", ev->scores.edge, "boundary_tolerance", GH_EDGE_TOLERANCE);
    json_object_set_new(o, "classes", classes_json(r));
    json_object_set_new(o, "unknown", unknown_json(r));
    if (ev->rest)
        json_object_set_new(
            o, "taken_as",
            json_pack("{s:o, s:o}", "data", gh_json_text(ev->rest), "model", gh_json_text(ev->rest_as)));
    json_object_set_new(o, "unlabelled", json_integer((json_int_t)r->v->set->unlabelled));
    json_object_set_new(o, "failed", failed_json(r));
    json_object_set_new(o, "seconds", json_real(ev->seconds));
    return gh_cli_print_json("eval", o, false);
}

static int print_report(const report *r)
{
    const gh_masks_evaluation *ev = r->ev;
    int code = 0;
    for (size_t i = 0; i < ev->count; i++)
        gh_eval_failure(r->v->set->pictures[i].path, ev->outcomes[i].error);
    if (r->v->json)
        code = print_json(r);
    else
        print_text(r);
    return gh_eval_exit(code, ev->failed, ev->count, r->v->strict);
}

gh_status gh_cli_eval_masks(int *code, gh_model *model, const gh_eval_masks *v, gh_err *e)
{
    gh_masks_evaluation *ev = NULL;
    gh_progress progress;
    gh_progress_start(&progress, "eval", v->set->npictures);
    gh_status status =
        gh_evaluate_masks(&ev, model, v->set, v->threshold, v->threads, gh_eval_progress, &progress, e);
    gh_progress_end(&progress);
    if (status == GH_OK)
        *code = print_report(&(report){v, model, ev});
    gh_masks_evaluation_free(&ev);
    return status;
}
