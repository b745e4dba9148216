/* gharial train segment: a decoder on a body, from pictures with masks to a model folder. */
#include "cli/cmd_train.h"
#include "cli/train_flags.h"

#include "base/mem.h"
#include "train/segment/segment.h"

#include <stdio.h>
#include <string.h>

typedef struct values {
    const char *data, *out, *body, *cut, *scratch, *decoder, *unpool, *size, *window, *augment, *show,
        *balance;
    gh_opt_list models;
    int64_t width, level, some;
    double body_rate, dice, share;
    bool frozen, strict;
    gh_train_flags flags;
} values;

static const gh_option options[] = {
    {"data", GH_OPT_STRING, offsetof(values, data), "DIR", NULL, 0, 0},
    {"out", GH_OPT_STRING, offsetof(values, out), "DIR", "pictures with masks; model folder to write", 0, 0},
    {"body", GH_OPT_STRING, offsetof(values, body), "NAME", NULL, 0, 0},
    {"cut", GH_OPT_STRING, offsetof(values, cut), "NAME", "pretrained model (the default one); where it ends",
     0, 0},
    {"models", GH_OPT_LIST, offsetof(values, models), "DIR", "where names are looked up (models)", 0, 0},
    {"frozen", GH_OPT_FLAG, offsetof(values, frozen), .help = NULL},
    {"body-rate", GH_OPT_REAL, offsetof(values, body_rate), "X",
     "the body stays as it is; or learns at this share of the rate (0.2)", 0, 100},
    {"from-scratch", GH_OPT_STRING, offsetof(values, scratch), "NET", "no pretrained body: unet or segnet", 0,
     0},
    {"decoder", GH_OPT_STRING, offsetof(values, decoder), "NAME",
     "unet, segnet, fcn (= fcn-8), fcn-16, fcn-32; own: the body's (unet)", 0, 0},
    {"unpool", GH_OPT_STRING, offsetof(values, unpool), "NAME",
     "nearest, learned, or max: by the body's indices (nearest)", 0, 0},
    {"width", GH_OPT_INT, offsetof(values, width), "N", NULL, 8, 1024},
    {"scores", GH_OPT_INT, offsetof(values, level), "N",
     "decoder's channels at stride 4 (48); scores at stride 2^N (1)", 0, 3},
    {"size", GH_OPT_STRING, offsetof(values, size), "WxH", NULL, 0, 0},
    {"window", GH_OPT_STRING, offsetof(values, window), "WxH",
     "network's input (256x256); the part of it a step sees (all)", 0, 0},
    {"augment", GH_OPT_STRING, offsetof(values, augment), "LIST",
     "flip,scale=.5,ratio,crop,rotate=10,colour,blur,cutout,grey,small (default)", 0, 0},
    {"show-augment", GH_OPT_STRING, offsetof(values, show), "PNG", "draw what the network would see, and end",
     0, 0},
    {"balance", GH_OPT_STRING, offsetof(values, balance), "HOW",
     "rare classes count more: none, sqrt or weights (none)", 0, 0},
    {"dice", GH_OPT_REAL, offsetof(values, dice), "X", "share of the Dice loss beside the cross entropy (0)",
     0, 1},
    {"val-share", GH_OPT_REAL, offsetof(values, share), "X", NULL, 0.01, 0.9},
    {"val-some", GH_OPT_INT, offsetof(values, some), "N",
     "held out where there is no part val (0.2); judge an epoch by N of it (all)", 1, 1000000},
    GH_TRAIN_FLAGS_ROWS(values, flags),
    {"strict", GH_OPT_FLAG, offsetof(values, strict),
     .help = "a picture or mask that cannot be used ends the run"},
    {0},
};

static const gh_usage usage = {
    .command = "train segment",
    .args = "",
    .about =
        "Puts a decoder on a body and teaches both to give each pixel its class. DIR/images/NAME.jpg with\n"
        "DIR/masks/NAME.png (value = class, named by a line each in DIR/classes.txt; 255 and void count\n"
        "nowhere), or with COCO's DIR/annotations.json; or these in DIR/train and DIR/val.",
    .example = "gharial train segment --data street/ --out models/street --size 480x352 --window 256x192",
    .options = options,
    .min_args = 0,
    .max_args = 0,
    .quiet = true,
};

static gh_status read_size(gh_size *out, const char *option, const char *text, gh_err *e)
{
    gh_size s = {0};
    char rest = 0;
    if (sscanf(text, "%5dx%5d%c", &s.width, &s.height, &rest) != 2 || s.width < 1 || s.height < 1 ||
        s.width > GH_MAX_SIDE || s.height > GH_MAX_SIDE)
        return gh_fail(e, GH_ARG, "--%s is '%.40s'; it takes WIDTHxHEIGHT in pixels, up to %d each", option,
                       text, GH_MAX_SIDE);
    *out = s;
    return GH_OK;
}

static gh_status read_values(gh_segment_options *o, const values *v, gh_err *e)
{
    if (!v->data || !v->out)
        return gh_fail(e, GH_ARG, "%s is needed; see gharial train segment --help",
                       v->data ? "--out DIR" : "--data DIR");
    *o = (gh_segment_options){.data = v->data,
                              .out = v->out,
                              .cut = v->cut,
                              .scratch = v->scratch,
                              .frozen = v->frozen,
                              .body_rate = v->scratch ? 1 : v->body_rate,
                              .show_augment = v->show,
                              .dice = v->dice,
                              .share = v->share,
                              .some = (uint32_t)v->some,
                              .batch = (uint32_t)v->flags.batch,
                              .strict = v->strict,
                              .checkpointing = v->flags.checkpointing};
    o->decoder = (gh_decoder_options){.width = (int)v->width, .level = (int)v->level};
    GH_TRY(gh_decoder_kind_of(&o->decoder.kind, v->decoder, e));
    GH_TRY(gh_unpool_of(&o->decoder.unpool, v->unpool, e));
    GH_TRY(read_size(&o->size, "size", v->size, e));
    if (v->window)
        GH_TRY(read_size(&o->window, "window", v->window, e));
    GH_TRY(gh_augment_read(&o->augment, v->augment, e));
    GH_TRY(gh_balance_of(&o->balance, v->balance, e));
    return gh_train_flags_read(&o->learn, &v->flags, e);
}

static gh_status train(gh_segment_summary *s, gh_segment_options *o, const values *v, gh_err *e)
{
    gh_train_means means = {0};
    gh_status status = read_values(o, v, e);
    if (status == GH_OK)
        status =
            gh_train_means_open(&means, &o->learn, &v->flags, v->body, v->scratch != NULL, &v->models, e);
    if (status == GH_OK) {
        o->body = means.body;
        status = gh_train_segment(s, o, e);
    }
    gh_train_means_close(&means);
    return status;
}

static int print_summary(const values *v, const gh_segment_summary *s)
{
    if (v->show)
        return gh_cli_flush("train segment", 0);
    if (v->flags.json)
        return gh_cli_print_json(
            "train segment",
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:f}", "out", v->out,
                      "pictures", (json_int_t)s->learnt, "judged", (json_int_t)s->judged, "classes",
                      (json_int_t)s->classes, "left_out", (json_int_t)s->left_out, "miou", s->miou,
                      "pixel_accuracy", s->pixel_accuracy, "boundary_f1", s->edge, "epochs",
                      (json_int_t)s->epochs, "best_epoch", (json_int_t)s->best_epoch, "parameters",
                      (json_int_t)s->parameters, "learnt", (json_int_t)s->trained, "seconds", s->seconds,
                      "cpu_seconds", s->cpu_seconds),
            false);
    printf("pictures     %u learnt from, %u judged by, %u left out; %u classes\n", s->learnt, s->judged,
           s->left_out, s->classes);
    printf("mIoU         %.1f %%   pixels right %.1f %%   boundary F1 %.3f\n", 100 * s->miou,
           100 * s->pixel_accuracy, s->edge);
    printf("epochs       %u, the best was %u%s\n", s->epochs, s->best_epoch,
           s->best_epoch ? "" : ": what there was before the first step");
    printf("weights      %.2f million, of which %.2f million learnt\n", (double)s->parameters / 1e6,
           (double)s->trained / 1e6);
    printf("time         %.1f s, of the processor %.1f s\n", s->seconds, s->cpu_seconds);
    printf("written      %s   (gharial eval --model %s --data %s gives each class)\n", v->out, v->out,
           v->data);
    return gh_cli_flush("train segment", 0);
}

int gh_cmd_train_segment(int argc, char **argv)
{
    values v = {.decoder = "unet",
                .unpool = "nearest",
                .size = "256x256",
                .augment = "default",
                .balance = "none",
                .level = -1,
                .body_rate = 0.2,
                .share = 0.2,
                .flags = GH_TRAIN_FLAGS_DEFAULT};
    gh_segment_options o = {0};
    gh_segment_summary s = {0};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    gh_status status = train(&s, &o, &v, &e);
    return status ? gh_cli_fail("train segment", status, &e) : print_summary(&v, &s);
}
