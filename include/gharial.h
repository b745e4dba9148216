/* gharial: vision inference in C. The public interface of libgharial.
 *
 * Open a model folder, run it on the bytes of a picture, read typed results, free them. Every handle is
 * opaque. Functions that can fail return a gh_status and write their out parameter only on success; the last
 * argument, which may be NULL, receives the sentence that a person reads. A handle may be used by one thread
 * at a time; different handles may be used at the same time.
 */
#ifndef GHARIAL_H
#define GHARIAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GH_VERSION "0.1.0"

/* A loaded model with the memory to run it. */
typedef struct gh_predictor gh_predictor;
/* The answer for one picture. */
typedef struct gh_result gh_result;

/* Result of every function that can fail. */
typedef enum gh_status {
    GH_OK = 0,
    GH_NOMEM,       /* memory ran out */
    GH_ARG,         /* the caller's argument is wrong */
    GH_NOTFOUND,    /* no such file, model or route */
    GH_IO,          /* reading or writing failed */
    GH_FORMAT,      /* the bytes are not what they claim to be */
    GH_UNSUPPORTED, /* well formed, but a kind that we do not read or run */
    GH_LIMIT,       /* over a limit */
    GH_BUSY,        /* the queue is full */
    GH_UNAVAILABLE, /* not ready, or shutting down */
    GH_TIMEOUT,     /* the deadline passed */
    GH_INTERRUPTED, /* a signal asked to stop */
    GH_INTERNAL,    /* a fault of ours */
    GH_STATUS_COUNT
} gh_status;

/* What went wrong, for a person. Zero it before use; `text` is always terminated. */
typedef struct gh_err {
    gh_status status;
    char text[508];
} gh_err;

#if defined(__GNUC__)
#define GH_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GH_MUST_CHECK
#endif

/* ---- version ---- */

/* "0.1.0": the version of the library that is linked (GH_VERSION is the header's). */
const char *gh_version(void);
/* The commit it was built from as `git describe` names it, or "unknown". */
const char *gh_build(void);
/* Short name of a status: "ok", "format", ... Never NULL. */
const char *gh_status_name(gh_status status);

/* ---- predictor ---- */

typedef struct gh_predictor_options {
    size_t size;  /* of this struct, set by the initialiser */
    int threads;  /* that share the work of one picture; 0 (default) = the cores that the process may use */
    int selftest; /* not 0 (default): the model's self-test has to pass */
    /* Folders of models where the parts of a pipeline or the body of a head are looked for, beside the folder
     * that holds it; NULL and 0 (default) = only there. They are copied. */
    const char *const *model_dirs;
    size_t model_dir_count;
} gh_predictor_options;

/* Sets every field to its default. */
void gh_predictor_options_init(gh_predictor_options *options);

/* Opens a model folder (model.json and model.onnx, or a pipeline that names other models) or a bare .onnx
 * file (1 x 3 x height x width float32 in, 1 x classes out, values 0..1, centre crop; classes are called by
 * their numbers). `options` may be NULL. *out is the caller's: gh_predictor_close. GH_NOTFOUND: nothing
 * there; GH_FORMAT, GH_LIMIT: a broken or absurd file; GH_UNSUPPORTED: an operator or task that this version
 * does not run, named in `e`; GH_INTERNAL: the self-test failed; GH_NOMEM. */
GH_MUST_CHECK gh_status gh_predictor_open(gh_predictor **out, const char *path,
                                          const gh_predictor_options *options, gh_err *e);
/* Opens one more model, with the same options: a result has the boxes of all of them, the largest first. All
 * models are of the task "localize"; at most 16. What gh_predictor_name and its like say is of the first. */
GH_MUST_CHECK gh_status gh_predictor_add(gh_predictor *predictor, const char *path, gh_err *e);
/* One more predictor of the same models, for one more thread: they share weights and threads. Whichever runs
 * alone has all threads; of several that run at the same time, each has its caller's. *out is the caller's;
 * in which order they are closed does not matter. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_predictor_share(gh_predictor **out, const gh_predictor *predictor, gh_err *e);
/* Frees it and sets *predictor to NULL; NULL is fine. Results stay valid. */
void gh_predictor_close(gh_predictor **predictor);

/* Name, version, task ("classify", "localize" or "segment") and manifest (a JSON object) of the model;
 * borrowed from the predictor. */
const char *gh_predictor_name(const gh_predictor *predictor);
const char *gh_predictor_version(const gh_predictor *predictor);
const char *gh_predictor_task(const gh_predictor *predictor);
const char *gh_predictor_manifest(const gh_predictor *predictor);
/* Number of classes, and the label of one of them; NULL when index is not 0 .. count - 1. */
size_t gh_predictor_class_count(const gh_predictor *predictor);
const char *gh_predictor_class_label(const gh_predictor *predictor, int index);

typedef struct gh_predict_options {
    size_t size;         /* of this struct, set by the initialiser */
    int top;             /* most labels; 0 (default) = 5; over the number of classes = all */
    int limit;           /* most results of any kind; 0 (default) = no further limit */
    double threshold;    /* least score, 0..1; 0 (default) = what the manifest says */
    uint64_t max_pixels; /* larger pictures are refused from their header; 0 (default) = 50 million */
    double nms;   /* localize: of two boxes that overlap (IoU) this much the weaker goes; 0 = the model's */
    int max_side; /* localize: larger pictures are scaled to this longest side, 32 to 2048; 0 = 1280 */
    int no_emotions;    /* not 0: steps of a pipeline whose key is "emotion" are left out */
    int rle;            /* segment, not 0: the JSON has run lengths, and there is no picture */
    const char *output; /* segment: the picture that is made: "palette" (as NULL), "index", "soft", "cutout",
                           "overlay"; gh_result_png says what they are. "none": no picture */
} gh_predict_options;

/* Sets every field to its default. */
void gh_predict_options_init(gh_predict_options *options);

/* Runs the model on the `len` bytes of a JPEG, PNG or WebP file; `options` may be NULL. The bytes are not
 * kept. *out is the caller's: gh_result_free. GH_ARG: no bytes, or an option out of range; GH_UNSUPPORTED: no
 * format that we read; GH_FORMAT: such a format, but broken; GH_LIMIT: too many pixels; GH_NOMEM. */
GH_MUST_CHECK gh_status gh_predictor_run(gh_result **out, gh_predictor *predictor, const void *data,
                                         size_t len, const gh_predict_options *options, gh_err *e);

/* ---- result ---- */

/* Frees it and sets *result to NULL; NULL is fine. */
void gh_result_free(gh_result **result);

/* Size of the upright picture (EXIF orientation applied) in pixels. */
int gh_result_width(const gh_result *result);
int gh_result_height(const gh_result *result);
/* Not 0: the picture's file ended early and the rest of it was made up. */
int gh_result_truncated(const gh_result *result);
/* Not 0: the model's own rule says that the picture shows none of its classes. */
int gh_result_unknown(const gh_result *result);

/* Labels, best first: how many, and of the i-th (0 .. count - 1) the text (borrowed from the result), the
 * class index, and the score 0..1. Beyond the last: NULL, -1, 0. */
size_t gh_result_label_count(const gh_result *result);
const char *gh_result_label(const gh_result *result, size_t i);
int gh_result_index(const gh_result *result, size_t i);
double gh_result_score(const gh_result *result, size_t i);

/* A box of a localize model in whole pixels of the upright picture, clipped to it: top left corner and size.
 * Landmarks of a face: eyes, nose, corners of the mouth as x, y; the picture's left first. */
typedef struct gh_box_result {
    size_t size;       /* of this struct, set by the caller */
    const char *label; /* borrowed from the result */
    int index;
    double score; /* 0..1 */
    int x, y, w, h;
    int landmark_count; /* 0 or 5 */
    int landmarks[5][2];
} gh_box_result;

/* Boxes, faces the largest first, other things the best first: how many, and the i-th (0 .. count - 1).
 * Beyond the last: GH_ARG. */
size_t gh_result_box_count(const gh_result *result);
GH_MUST_CHECK gh_status gh_result_box(gh_box_result *out, const gh_result *result, size_t i);

/* What the steps of a pipeline say of a box, such as the emotion of a face. */
typedef struct gh_fact_result {
    size_t size;       /* of this struct, set by the caller */
    const char *key;   /* "emotion"; this and all below is borrowed from the result */
    const char *label; /* the best one; NULL when the step's model rejects the box */
    double score;      /* of the best one, 0..1 */
    size_t label_count;
    const char *const *labels; /* all of them, and their scores */
    const double *scores;
} gh_fact_result;

/* The i-th fact of a box. Beyond the last box or fact: GH_ARG. */
GH_MUST_CHECK gh_status gh_result_fact(gh_fact_result *out, const gh_result *result, size_t box, size_t i);

/* A class that the mask of a segment model shows. */
typedef struct gh_area_result {
    size_t size;       /* of this struct, set by the caller */
    const char *label; /* borrowed from the result */
    int index;
    int64_t pixels;
    size_t region_count; /* its connected parts, at most the options' limit or 100 */
} gh_area_result;

/* A connected part of it: its box and its pixels. */
typedef struct gh_region_result {
    size_t size; /* of this struct, set by the caller */
    int x, y, w, h;
    int64_t pixels;
} gh_region_result;

/* The i-th class but the background, that of most pixels first; of it the i-th region, the largest first.
 * Beyond the last: GH_ARG. */
GH_MUST_CHECK gh_status gh_result_area(gh_area_result *out, const gh_result *result, size_t i);
GH_MUST_CHECK gh_status gh_result_region(gh_region_result *out, const gh_result *result, size_t area,
                                         size_t i);
/* The mask as a PNG file of the upright picture's size, borrowed from the result; NULL and 0 for other tasks.
 * palette: indexed, in the classes' colours; index: 8-bit grey, value = class; soft: 8-bit grey, confidence
 * of the foreground; cutout: RGBA, the background clear; overlay: the picture tinted in the colours. */
const void *gh_result_png(size_t *len, const gh_result *result);

/* The whole result as one JSON object, the reply of POST /classify, /localize or /segment; `file` (NULL =
 * none) is added as "file". *out is the caller's: gh_string_free. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_result_to_json(char **out, const gh_result *result, const char *file, gh_err *e);
/* The picture with its boxes, labels, landmarks and facts drawn on it: the upright picture at its full size,
 * as "image/jpeg" or "image/png". `data` are the bytes that gave the result, which must have boxes (task
 * "localize"). *out, of *out_len bytes, is the caller's: gh_bytes_free. GH_ARG: another task or type, or a
 * picture too large for a JPEG; GH_NOMEM; and what gh_predictor_run says of bytes. */
GH_MUST_CHECK gh_status gh_result_annotate(void **out, size_t *out_len, gh_result *result, const void *data,
                                           size_t len, const char *type, gh_err *e);
/* Frees it and sets *bytes to NULL; NULL is fine. */
void gh_bytes_free(void **bytes);
/* Frees it and sets *string to NULL; NULL is fine. */
void gh_string_free(char **string);

#ifdef __cplusplus
}
#endif
#endif
