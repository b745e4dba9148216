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

#ifdef __cplusplus
}
#endif
#endif
