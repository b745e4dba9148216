/* The manifest, model.json: what a model folder says of itself. Read by jansson; an unknown key is a warning
 * in the log, a wrong type or a missing key an error that names it. The format is described at the
 * head of manifest.c. */
#ifndef GH_TASKS_MANIFEST_H
#define GH_TASKS_MANIFEST_H

#include "base/arena.h"
#include "engine/net.h"
#include "image/resize.h"
#include "tasks/manifest_output.h"

/* Limits of a manifest: bytes of the file, depth of nesting, number of labels. */
#define GH_MAX_MANIFEST_BYTES ((size_t)1 << 20)
#define GH_MAX_MANIFEST_DEPTH 8
#define GH_MAX_LABELS         65536
#define GH_MAX_SIDE           4096 /* pixels of a network's input */

typedef enum gh_task {
    GH_TASK_CLASSIFY,
    GH_TASK_LOCALIZE,
    GH_TASK_SEGMENT,
    GH_TASK_EMBED,
    GH_TASK_COUNT
} gh_task;

typedef enum gh_fit {
    GH_FIT_CROP,      /* short side to size / crop, centre crop */
    GH_FIT_LETTERBOX, /* long side to size, centred, the rest filled with the mean */
    GH_FIT_STRETCH,   /* both sides to size */
    GH_FIT_PAD,       /* long side to size, at the top left, the rest filled with the mean; with a stride the
                       * picture keeps its size and is padded to the next multiple */
} gh_fit;

typedef enum gh_order { GH_ORDER_RGB, GH_ORDER_BGR } gh_order;

typedef enum gh_levels {
    GH_LEVELS_PLAIN,     /* 0..255 as they are */
    GH_LEVELS_STRETCHED, /* so that the largest of the input, as resized, counts as 255 */
} gh_levels;

typedef struct gh_size {
    int width, height; /* pixels */
} gh_size;

#define GH_MAX_SIZES 8

typedef struct gh_manifest_input {
    int width, height;       /* pixels */
    gh_order order;          /* colour order of the network */
    float mean[3], scale[3]; /* network's order: (v - mean) * scale, v in 0..255 */
    gh_fit fit;
    double crop; /* 0..1, the share that the centre crop keeps; 0.875 is usual, 1 = all */
    gh_filter filter;
    gh_levels levels;
    gh_size sizes[GH_MAX_SIZES]; /* further sizes that the network takes */
    int nsizes;
    int stride;      /* sides may be any multiple of it; 0 = only the sizes named */
    gh_size content; /* pad: what the picture fills; 0, 0 = as much as fits */
} gh_manifest_input;

typedef enum gh_decoder {
    GH_DECODE_SOFTMAX,       /* logits, one a class */
    GH_DECODE_PROBABILITIES, /* 0..1 already, one a class, summing to 1 */
    GH_DECODE_SIGMOID,       /* logits of independent classes */
    GH_DECODE_ANCHORS,
    GH_DECODE_CENTERNET,
    GH_DECODE_MASK,
    GH_DECODE_BOX,
    GH_DECODE_FEATURES, /* a vector, as it is */
} gh_decoder;

typedef struct gh_selftest {
    char *input; /* picture in the folder, or NULL: no self-test */
    int index;   /* expected best class */
    double score, tolerance;
} gh_selftest;

/* What of a box a step of a pipeline sees. */
typedef struct gh_crop {
    double margin; /* added on each side, in shares of that side's length; negative takes away */
    bool square;   /* the shorter side becomes as long as the longer, about the same centre */
    bool align;    /* turned so that the first two landmarks, the eyes, stand level */
} gh_crop;

#define GH_MAX_STEPS 8

typedef struct gh_manifest_step {
    char *model, *key; /* the classifier's name; what its answer is called in a reply */
    gh_crop crop;
} gh_manifest_step;

typedef struct gh_manifest {
    gh_arena *arena; /* holds everything below */
    char *folder;    /* as given */
    char *name, *version;
    char *description, *license; /* or NULL */
    gh_task task;
    bool is_default, internal;
    gh_precision precision;
    gh_manifest_input input;
    gh_decoder decoder;
    gh_manifest_boxes boxes;
    bool background; /* segment with a channel a class: class 0 is what belongs to no other */
    char **labels;   /* of localize may be empty: a class that is never reported */
    size_t nlabels;
    double threshold;       /* least score when a request names none */
    double reject_below;    /* best score under it: the answer is "unknown"; 0 = no rule */
    double reject_distance; /* the network's second output over it: "unknown"; 0 = no rule */
    gh_selftest selftest;
    char *features;        /* the value of the network that is its feature vector; NULL = not said */
    char *cut, *body;      /* where a head was cut off; hash or name of the body it needs; or NULL */
    uint8_t (*colours)[3]; /* RGB, one a label, or NULL */
    char *detector;        /* of a pipeline: the model that finds the boxes; else NULL */
    gh_manifest_step *steps;
    size_t nsteps;
    const char *json; /* the manifest as served by GET /models/{name}: compact JSON, without paths */
} gh_manifest;

/* Reads folder/model.json. GH_NOTFOUND, GH_FORMAT (names the key, what came and what is accepted), GH_LIMIT.
 */
GH_MUST_CHECK gh_status gh_manifest_read(gh_manifest **out, const char *folder, gh_err *e);
/* The same from bytes; label files are looked for in `folder`. */
GH_MUST_CHECK gh_status gh_manifest_parse(gh_manifest **out, const char *folder, const char *text, size_t len,
                                          gh_err *e);
void gh_manifest_free(gh_manifest **m);
const char *gh_task_name(gh_task task);
/* True for [A-Za-z0-9._-]{1,64} that is neither "." nor "..". */
bool gh_model_name_ok(const char *name);

#endif
