/* Folders of models on disk. */
#ifndef GH_TASKS_SCAN_H
#define GH_TASKS_SCAN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Every model folder (a model.json and a model.onnx, or a head.onnx, or a pipeline) directly below each of
 * `dirs`, or `dirs[i]` itself when it is one; each folder's entries sorted by name. Without model.onnx,
 * or standing on a model beside it that is without: skipped with a log line. The caller frees with
 * gh_scan_free. GH_NOTFOUND when one of `dirs` cannot be read.
 */
GH_MUST_CHECK gh_status gh_scan_models(char ***out, size_t *count, const char *const *dirs, size_t ndirs,
                                       gh_err *e);
/* True for a folder without a network whose model.json has a pipeline, be it right or wrong. */
bool gh_scan_is_pipeline(const char *folder);
void gh_scan_free(char ***folders, size_t count);

#endif
