/* Typed reading of one JSON object by a table of its keys. A missing key, a wrong type or a value out of
 * range is an error that names the key, says what came and what is accepted; a key that no row knows is a
 * warning in the log. */
#ifndef GH_TASKS_KEYS_H
#define GH_TASKS_KEYS_H

#include "base/arena.h"
#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct gh_keys_reader {
    gh_arena *arena;  /* copies of strings live here */
    const char *file; /* what messages call the file: "model.json" */
    const char *folder;
} gh_keys_reader;

typedef enum gh_key_kind {
    GH_KEY_INT,    /* int, min..max */
    GH_KEY_REAL,   /* double, min..max */
    GH_KEY_BOOL,   /* bool */
    GH_KEY_STRING, /* char * in the arena, 1 to `max` bytes (0 = 256), no control characters */
    GH_KEY_WORD,   /* int: the place in `words` (ended by NULL) */
    GH_KEY_OBJECT, /* the nested struct at `offset`, read by `keys` */
    GH_KEY_CUSTOM, /* `read` does it */
    GH_KEY_IGNORE, /* known, not looked at */
} gh_key_kind;

typedef struct gh_key gh_key;
/* `out` is the struct of the table, `name` the key's full name for messages. */
typedef gh_status (*gh_key_fn)(void *out, const json_t *value, const char *name, gh_keys_reader *r,
                               gh_err *e);

struct gh_key {
    const char *name;
    gh_key_kind kind;
    bool required;
    size_t offset; /* of the field; left as it is when the key is absent */
    double min, max;
    const char *const *words;
    const gh_key *keys; /* ended by a row whose name is NULL */
    gh_key_fn read;
};

/* `prefix` stands before the key in messages ("input."). */
GH_MUST_CHECK gh_status gh_keys_read(void *out, const json_t *object, const char *prefix, const gh_key *keys,
                                     gh_keys_reader *r, gh_err *e);
/* Fails with GH_FORMAT: file: "name" is <value>, it takes <accepted>. */
gh_status gh_key_fail(const gh_keys_reader *r, const char *name, const json_t *value, gh_err *e,
                      const char *accepted);
/* A string without control characters, of 1 to max bytes, copied into the arena. */
GH_MUST_CHECK gh_status gh_key_string(char **out, const json_t *value, size_t max, const char *name,
                                      gh_keys_reader *r, gh_err *e);
/* A file's name inside the folder: a string without slash that is neither "." nor "..". */
GH_MUST_CHECK gh_status gh_key_filename(char **out, const json_t *value, const char *name, gh_keys_reader *r,
                                        gh_err *e);

#endif
