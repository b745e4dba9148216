/* Private to the pickle reader: input, stack, marks, cells and memo. Every function that fails has recorded
 * its sentence in the reader's error. */
#ifndef GH_IMPORT_PICKLE_VM_H
#define GH_IMPORT_PICKLE_VM_H

#include "import/pickle.h"

typedef struct gh_pkl_table {
    uint32_t *items;
    size_t count, cap;
} gh_pkl_table;

typedef struct gh_pkl_reader {
    gh_pickle *p;
    const uint8_t *start, *at, *end;
    size_t cap_nodes, cap_cells;
    gh_pkl_table stack, marks; /* node numbers; heights of the stack */
    gh_pkl_table memo;         /* node numbers, GH_PICKLE_NONE = unset; count = entries set, for MEMOIZE */
    bool clipped;              /* `end` is the limit, not the end of the input */
    bool stopped;
    gh_err *e;
} gh_pkl_reader;

/* Borrows the bytes; its pickle is empty at first. GH_NOMEM. */
gh_status gh_pkl_open(gh_pkl_reader *out, const uint8_t *data, size_t len, gh_err *e);
/* Frees everything that r->p still holds. */
void gh_pkl_close(gh_pkl_reader *r);

/* GH_FORMAT, with the place in the bytes and `why`. */
gh_status gh_pkl_broken(const gh_pkl_reader *r, const char *why);
/* The next n bytes. */
gh_status gh_pkl_take(gh_pkl_reader *r, size_t n, const uint8_t **out);
/* A little-endian number of `width` bytes, 1 to 8. */
gh_status gh_pkl_uint(gh_pkl_reader *r, unsigned width, uint64_t *out);
/* A line without its newline. */
gh_status gh_pkl_line(gh_pkl_reader *r, const uint8_t **text, size_t *len);

/* The stack: a node that is there, a new one, and the top taken off. GH_LIMIT, GH_FORMAT, GH_NOMEM. */
gh_status gh_pkl_push(gh_pkl_reader *r, uint32_t node);
gh_status gh_pkl_push_new(gh_pkl_reader *r, gh_pickle_node node);
gh_status gh_pkl_pop(gh_pkl_reader *r, uint32_t *out);
/* The node on top of the stack, below `above` others; it must be of `kind`. */
gh_status gh_pkl_peek(const gh_pkl_reader *r, size_t above, gh_pickle_kind kind, gh_pickle_node **out);
/* True when n values can be taken from the stack, down to the latest mark. */
bool gh_pkl_has(const gh_pkl_reader *r, size_t n);
gh_status gh_pkl_mark(gh_pkl_reader *r);
gh_status gh_pkl_pop_mark(gh_pkl_reader *r, size_t *height);

/* A list, tuple, dict or the like without items, and its next item. */
gh_pickle_node gh_pkl_container(gh_pickle_kind kind);
gh_status gh_pkl_add_cell(gh_pkl_reader *r, gh_pickle_node *to, uint32_t node);
/* Moves the stack from `height` up into the container `to`. */
gh_status gh_pkl_add_cells(gh_pkl_reader *r, gh_pickle_node *to, size_t height);

/* Keeps the top of the stack as memo entry `index`; pushes it. */
gh_status gh_pkl_set_memo(gh_pkl_reader *r, uint64_t index);
gh_status gh_pkl_get_memo(gh_pkl_reader *r, uint64_t index);

#endif
