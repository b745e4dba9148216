/* Which pictures a run of predict takes: those of its shard that the output of an earlier run does not have.
 */
#ifndef GH_CLI_TODO_H
#define GH_CLI_TODO_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct gh_todo gh_todo;

/* shard: "I/N", part I (from 0) of N; resume: the file with the lines of an earlier run, made where it is
 * missing, to which standard output goes from here on. A half line at its end is cut off. NULL for neither.
 * GH_ARG, GH_FORMAT: the file holds something else, and stays as it is; GH_IO, GH_NOMEM. */
GH_MUST_CHECK gh_status gh_todo_open(gh_todo **out, const char *shard, const char *resume, gh_err *e);
void gh_todo_free(gh_todo **todo);
/* A line of an earlier run answers for one picture: the second of two with one name is taken. */
bool gh_todo_takes(gh_todo *todo, const char *picture);
/* How many pictures had been done before. */
size_t gh_todo_done_before(const gh_todo *todo);

#endif
