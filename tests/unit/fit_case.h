/* Training runs of classifiers: three classes of tiny pictures, a tiny body, and what the written model says.
 * Everything asserts on failure. */
#ifndef GH_TEST_FIT_CASE_H
#define GH_TEST_FIT_CASE_H

#include "base/buf.h"
#include "tasks/run.h"
#include "train/classify/fit.h"

/* Pictures a class. */
#define FT_A_CLASS 12

/* The run of the test at hand. Paths lie in the folder of tiny_setup; `out` is "models/mine". */
typedef struct ft_case {
    gh_train_options o; /* a softmax head on `body`, four folds, no report, no cache; a test may change it */
    gh_train_summary s; /* of the last run */
    gh_pool *pool;      /* ft_teardown frees it */
    gh_err e;
    char body[256], data[256], out[256], cache[256];
} ft_case;
extern ft_case ft;

/* Fixtures, tiny_setup and tiny_remove in them. Classes are warm, cold and grey; no picture equals another.
 */
void ft_setup(void);
void ft_teardown(void);

gh_status ft_train(void);
void ft_must_train(void);
/* The run fails with this status and a sentence that holds `says`. */
void ft_must_refuse(gh_status status, const char *says);

/* What the model in `folder` says of a picture of one colour; the caller frees it. */
gh_result *ft_ask(const char *folder, int red, int green, int blue);
/* The same: the best label is `label`. */
void ft_check_answer(const char *folder, int red, int green, int blue, const char *label);
/* Appends a file of a model folder. */
void ft_read_model(gh_buf *to, const char *folder, const char *name);

#endif
