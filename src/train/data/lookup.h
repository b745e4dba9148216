/* Where a table's picture is: as its path says, or, for a bare file name, below the table's folder in split
 * and class folders. */
#ifndef GH_TRAIN_DATA_LOOKUP_H
#define GH_TRAIN_DATA_LOOKUP_H

#include "base/status.h"

typedef struct gh_lookup gh_lookup;

/* For tables in `folder`; it is searched only when a name needs it. */
GH_MUST_CHECK gh_status gh_lookup_new(gh_lookup **out, const char *folder, gh_err *e);
void gh_lookup_free(gh_lookup **l);
/* A path to open in a new string: `name` itself, folder/name, folder/split/label/name, folder/split/name,
 * folder/label/name, or the one file of that name below the folder, and below folder/split where there are
 * several; folder/name when there is no such file. `split` and `label` may be "". */
GH_MUST_CHECK gh_status gh_lookup_find(char **out, gh_lookup *l, const char *name, const char *split,
                                       const char *label, gh_err *e);

#endif
