/* gharial train localize: a head that finds boxes on a body, from pictures with boxes to a model folder. */
#include "cli/cmd_train.h"
#include "cli/train_flags.h"

#include "base/mem.h"
#include "train/localize/localize.h"

#include <stdio.h>
#include <string.h>

typedef struct values {
    const char *data, *out, *body, *cut, *head, *size, *fit, *augment, *show;
    gh_opt_list models;
    int64_t width, hidden, stride, unfreeze;
    double body_rate, unfreeze_rate, share;
    bool strict;
    gh_train_flags flags;
} values;

static const gh_option options[] = {
    {"data", GH_OPT_STRING, offsetof(values, data), "DIR", NULL, 0, 0},
    {"out", GH_OPT_STRING, offsetof(values, out), "DIR", "pictures with boxes; model folder to write", 0, 0},
    {"head", GH_OPT_STRING, offsetof(values, head), "NAME",
     "box: one a picture, by dense layers; detect: any number (detect)", 0, 0},
    {"body", GH_OPT_STRING, offsetof(values, body), "NAME", NULL, 0, 0},
    {"cut", GH_OPT_STRING, offsetof(values, cut), "NAME", "pretrained model (the default one); where it ends",
     0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"unfreeze", GH_OPT_INT, offsetof(values, unfreeze), "N",
     "then as many epochs in which the body learns too (0)", 0, 2000},
    {"unfreeze-rate", GH_OPT_REAL, offsetof(values, unfreeze_rate), "X", NULL, 0.0001, 100},
    {"body-rate", GH_OPT_REAL, offsetof(values, body_rate), "X",
     "their share of the rate (0.3), and of that the body's (0.3)", 0, 100},
    {"size", GH_OPT_STRING, offsetof(values, size), "WxH", NULL, 0, 0},
    {"fit", GH_OPT_STRING, offsetof(values, fit), "HOW",
     "network's input (256x256); stretch or letterbox (stretch)", 0, 0},
    {"width", GH_OPT_INT, offsetof(values, width), "N", NULL, 8, 1024},
    {"hidden", GH_OPT_INT, offsetof(values, hidden), "N",
     "channels of the head (64); box: units of its dense layer (256)", 8, 8192},
    {"stride", GH_OPT_INT, offsetof(values, stride), "N", "detect: pixels a cell, 4, 8 or 16 (8)", 4, 16},
    {"augment", GH_OPT_STRING, offsetof(values, augment), "LIST",
     "flip,scale=.5,ratio,crop,rotate=10,colour,blur,cutout,grey,small (default)", 0, 0},
    {"show-augment", GH_OPT_STRING, offsetof(values, show), "PNG", "draw what the network would see, and end",
     0, 0},
    {"val-share", GH_OPT_REAL, offsetof(values, share), "X",
     "held out to judge by, where there is no part val (0.2)", 0.01, 0.9},
    GH_TRAIN_FLAGS_ROWS(values, flags),
    {"strict", GH_OPT_FLAG, offsetof(values, strict),
     .help = "a picture or box that cannot be used ends the run"},
    {0},
};

static const gh_usage usage = {
    .command = "train localize",
    .args = "",
    .about =
        "Puts a head on a body and teaches it to find boxes. COCO: DIR/annotations.json and DIR/images; "
        "Pascal\n"
        "VOC: DIR/Annotations/*.xml and DIR/JPEGImages; YOLO: DIR/images, DIR/labels/*.txt, DIR/classes.txt\n"
        "or data.yaml. Folders train and val on the way are kept to; else files are held out by their name.",
    .example = "gharial train localize --data raccoon/ --out models/raccoon --unfreeze 20",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .quiet = true,
};

static gh_status read_size(gh_size *out, const char *text, gh_err *e)
{
    gh_size s = {0};
    char rest = 0;
    if (sscanf(text, "%5dx%5d%c", &s.width, &s.height, &rest) != 2 || s.width < 1 || s.height < 1)
        return gh_fail(e, GH_ARG, "--size is '%.40s'; it takes WIDTHxHEIGHT in pixels", text);
    *out = s;
    return GH_OK;
}

static gh_status read_words(gh_localize_options *o, const values *v, gh_err *e)
{
    int level = 0;
    while (1 << level < v->stride)
        level++;
    if (1 << level != v->stride)
        return gh_fail(e, GH_ARG, "--stride is %d; it takes 4, 8 or 16", (int)v->stride);
    o->head.level = level;
    if (strcmp(v->fit, "stretch") != 0 && strcmp(v->fit, "letterbox") != 0)
        return gh_fail(e, GH_ARG, "--fit is '%.40s'; it takes stretch or letterbox", v->fit);
    o->fit = v->fit[0] == 's' ? GH_FIT_STRETCH : GH_FIT_LETTERBOX;
    GH_TRY(gh_box_head_kind_of(&o->head.kind, v->head, e));
    GH_TRY(read_size(&o->size, v->size, e));
    GH_TRY(gh_augment_read(&o->augment, v->augment, e));
    return gh_train_flags_read(&o->learn, &v->flags, e);
}

static gh_status read_values(gh_localize_options *o, const values *v, gh_err *e)
{
    if (!v->data || !v->out)
        return gh_fail(e, GH_ARG, "%s is needed; see gharial train localize --help",
                       v->data ? "--out DIR" : "--data DIR");
    *o = (gh_localize_options){.data = v->data,
                               .out = v->out,
                               .cut = v->cut,
                               .show_augment = v->show,
                               .share = v->share,
                               .batch = (uint32_t)v->flags.batch,
                               .unfreeze = (uint32_t)v->unfreeze,
                               .unfreeze_rate = v->unfreeze_rate,
                               .body_rate = v->body_rate,
                               .strict = v->strict,
                               .checkpointing = v->flags.checkpointing};
    o->head = (gh_box_head_options){.width = (int)v->width, .hidden = (int)v->hidden};
    return read_words(o, v, e);
}

static gh_status train(gh_localize_summary *s, gh_localize_options *o, const values *v, gh_err *e)
{
    gh_train_means means = {0};
    gh_status status = read_values(o, v, e);
    if (status == GH_OK)
        status = gh_train_means_open(&means, &o->learn, &v->flags, v->body, false, &v->models, e);
    if (status == GH_OK) {
        o->body = means.body;
        status = gh_train_localize(s, o, e);
    }
    gh_train_means_close(&means);
    return status;
}

static int print_summary(const values *v, const gh_localize_summary *s)
{
    if (v->show)
        return gh_cli_flush("train localize", 0);
    if (v->flags.json)
        return gh_cli_print_json(
            "train localize",
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:f}",
                      "out", v->out, "pictures", (json_int_t)s->learnt, "boxes", (json_int_t)s->boxes,
                      "judged", (json_int_t)s->judged, "classes", (json_int_t)s->classes, "left_out",
                      (json_int_t)s->left_out, "boxes_left_out", (json_int_t)s->boxes_left_out, "mean_iou",
                      s->iou, "ap50", s->ap50, "ap50_95", s->ap, "right", (json_int_t)s->right, "wrong",
                      (json_int_t)s->wrong, "epochs", (json_int_t)s->epochs, "best_epoch",
                      (json_int_t)s->best_epoch, "learnt", (json_int_t)s->trained, "seconds", s->seconds,
                      "cpu_seconds", s->cpu_seconds),
            false);
    printf("pictures     %u with %zu boxes learnt from, %u judged by, %u left out; %u class%s\n", s->learnt,
           s->boxes, s->judged, s->left_out, s->classes, s->classes == 1 ? "" : "es");
    if (s->boxes_left_out)
        printf("left out     %u boxes that lie outside of their picture\n", s->boxes_left_out);
    printf("boxes        mean IoU of the best box %.3f   AP50 %.3f   AP50:95 %.3f\n", s->iou, s->ap50, s->ap);
    printf("found        %zu of %zu, and %zu that are none\n", s->right, s->truths, s->wrong);
    printf("epochs       %u, the best was %u%s; %.2f million weights learnt\n", s->epochs, s->best_epoch,
           s->best_epoch ? "" : ": what there was before the first step", (double)s->trained / 1e6);
    printf("time         %.1f s, of the processor %.1f s\n", s->seconds, s->cpu_seconds);
    printf("written      %s   (gharial eval --model %s --data %s gives more)\n", v->out, v->out, v->data);
    return gh_cli_flush("train localize", 0);
}

int gh_cmd_train_localize(int argc, char **argv)
{
    values v = {.head = "detect",
                .size = "256x256",
                .fit = "stretch",
                .augment = "default",
                .stride = 8,
                .body_rate = 0.3,
                .unfreeze_rate = 0.3,
                .share = 0.2,
                .flags = GH_TRAIN_FLAGS_DEFAULT};
    gh_localize_options o = {0};
    gh_localize_summary s = {0};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    gh_status status = train(&s, &o, &v, &e);
    return status ? gh_cli_fail("train localize", status, &e) : print_summary(&v, &s);
}
