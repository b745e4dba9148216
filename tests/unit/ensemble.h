/* Tree ensembles for tests, built from their attributes. */
#ifndef GH_TEST_ENSEMBLE_H
#define GH_TEST_ENSEMBLE_H

#include "engine/graph.h"

enum { MOST = 32 }; /* nodes, and weights */

/* An ensemble as its attributes; `skip` leaves one out. */
typedef struct ensemble {
    bool classifier;
    size_t n, weights;
    int64_t tree[MOST], node[MOST], feature[MOST], yes[MOST], no[MOST], missing[MOST];
    const char *mode[MOST];
    float value[MOST];
    int64_t wtree[MOST], wnode[MOST], wtarget[MOST];
    float weight[MOST];
    int64_t labels[8];
    size_t targets, nbase;
    float base[4];
    const char *post, *sum, *skip;
    bool text_labels, track_missing;
} ensemble;

void ensemble_node(ensemble *t, int64_t tree, int64_t node, const char *mode, int64_t feature, float value,
                   int64_t yes, int64_t no);
void ensemble_weight(ensemble *t, int64_t tree, int64_t node, int64_t target, float weight);
/* One cut: node 0 compares feature 0 with `value`; yes gives node 1, no node 2. */
void ensemble_stump(ensemble *t, int64_t tree, const char *mode, float value);
/* A network of one node: scores, then labels. */
gh_graph *ensemble_graph(const ensemble *t, int64_t columns, int64_t opset);
/* Runs it prepared and plain, which must agree in every bit: scores [rows][targets], labels [rows]. */
gh_status ensemble_run(const ensemble *t, const float *x, int64_t rows, int64_t columns, float *scores,
                       int64_t *labels, gh_err *e);

#endif
