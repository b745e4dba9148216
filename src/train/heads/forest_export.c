/* A forest as TreeEnsembleClassifier of ai.onnx.ml. Each attribute is a list over all nodes, or over all
 * shares of all leaves; one walk over the forest writes one list. */
#include "base/mem.h"
#include "train/heads/forest.h"

#include <string.h>

/* With two classes ONNX Runtime takes a row whose leaves name the first class alone for a margin; so every
 * leaf names both then. */
static bool names_all(const gh_forest *f)
{
    return f->classes == 2;
}

static size_t count_nodes(const gh_forest *f)
{
    size_t n = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        n += f->trees[t].nnodes;
    return n;
}

static size_t leaf_entries(const gh_forest *f, const gh_tree_node *leaf)
{
    return names_all(f) ? f->classes : leaf->count;
}

static size_t count_entries(const gh_forest *f)
{
    size_t n = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++)
            if (f->trees[t].nodes[i].feature == GH_LEAF)
                n += leaf_entries(f, &f->trees[t].nodes[i]);
    return n;
}

/* ---- lists over nodes ---- */

typedef enum node_list { TREE, NODE, FEATURE, YES, NO } node_list;

static int64_t node_number(const gh_tree_node *n, uint32_t tree, uint32_t at, node_list what)
{
    bool leaf = n->feature == GH_LEAF;
    switch (what) {
    case TREE:
        return tree;
    case NODE:
        return at;
    case FEATURE:
        return leaf ? 0 : n->feature;
    case YES:
        return leaf ? 0 : n->next;
    default:
        return leaf ? 0 : n->next + 1;
    }
}

static void set_node_ints(gh_graph *g, uint32_t value, const gh_forest *f, const char *name, node_list what,
                          int64_t *space)
{
    size_t n = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++)
            space[n++] = node_number(&f->trees[t].nodes[i], t, i, what);
    gh_graph_set_ints(g, value, name, space, n);
}

static void set_thresholds(gh_graph *g, uint32_t value, const gh_forest *f, float *space)
{
    size_t n = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++)
            space[n++] = f->trees[t].nodes[i].threshold;
    gh_graph_set_floats(g, value, "nodes_values", space, n);
}

static void set_modes(gh_graph *g, uint32_t value, const gh_forest *f, const char **space)
{
    size_t n = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++)
            space[n++] = f->trees[t].nodes[i].feature == GH_LEAF ? "LEAF" : "BRANCH_LEQ";
    gh_graph_set_strings(g, value, "nodes_modes", space, n);
}

/* ---- lists over shares ---- */

typedef enum entry_list { ENTRY_TREE, ENTRY_NODE, ENTRY_CLASS } entry_list;

/* The k-th entry of a leaf: its class, and the class's share. */
static gh_tree_share entry_of(const gh_forest *f, const gh_tree *t, const gh_tree_node *leaf, uint32_t k)
{
    if (!names_all(f))
        return t->shares[leaf->next + k];
    for (uint32_t i = 0; i < leaf->count; i++)
        if (t->shares[leaf->next + i].class_ == k)
            return t->shares[leaf->next + i];
    return (gh_tree_share){k, 0};
}

static void set_entry_ints(gh_graph *g, uint32_t value, const gh_forest *f, const char *name, entry_list what,
                           int64_t *space)
{
    size_t n = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++) {
            const gh_tree_node *leaf = &f->trees[t].nodes[i];
            for (uint32_t k = 0; leaf->feature == GH_LEAF && k < leaf_entries(f, leaf); k++)
                space[n++] = what == ENTRY_TREE   ? t
                             : what == ENTRY_NODE ? i
                                                  : entry_of(f, &f->trees[t], leaf, k).class_;
        }
    gh_graph_set_ints(g, value, name, space, n);
}

static void set_weights(gh_graph *g, uint32_t value, const gh_forest *f, float *space)
{
    size_t n = 0;
    float one = 1 / (float)f->ntrees;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++) {
            const gh_tree_node *leaf = &f->trees[t].nodes[i];
            for (uint32_t k = 0; leaf->feature == GH_LEAF && k < leaf_entries(f, leaf); k++)
                space[n++] = entry_of(f, &f->trees[t], leaf, k).share * one;
        }
    gh_graph_set_floats(g, value, "class_weights", space, n);
}

static void set_labels(gh_graph *g, uint32_t value, uint32_t classes, int64_t *space)
{
    for (uint32_t c = 0; c < classes; c++)
        space[c] = c;
    gh_graph_set_ints(g, value, "classlabels_int64s", space, classes);
}

uint32_t gh_forest_export(gh_graph *g, const gh_forest *f, uint32_t features)
{
    size_t nodes = count_nodes(f), entries = count_entries(f), most = nodes > entries ? nodes : entries;
    int64_t *space = gh_calloc(most > f->classes ? most : f->classes, sizeof *space);
    uint32_t out[2] = {gh_graph_value(g, "head/label", GH_I64, (gh_shape){.rank = -1}),
                       gh_graph_value(g, "head/probabilities", GH_F32, (gh_shape){.rank = -1})};
    if (!space && !g->failed) {
        g->failed = GH_NOMEM;
        g->failure = "no memory to write the forest";
    }
    if (gh_graph_node(g, "TreeEnsembleClassifier", "head/forest", &features, 1, out, 2) != GH_NONE && space) {
        gh_graph_set_domain(g, out[1], "ai.onnx.ml", 3);
        set_node_ints(g, out[1], f, "nodes_treeids", TREE, space);
        set_node_ints(g, out[1], f, "nodes_nodeids", NODE, space);
        set_node_ints(g, out[1], f, "nodes_featureids", FEATURE, space);
        set_node_ints(g, out[1], f, "nodes_truenodeids", YES, space);
        set_node_ints(g, out[1], f, "nodes_falsenodeids", NO, space);
        set_thresholds(g, out[1], f, (float *)space);
        set_modes(g, out[1], f, (const char **)space);
        set_entry_ints(g, out[1], f, "class_treeids", ENTRY_TREE, space);
        set_entry_ints(g, out[1], f, "class_nodeids", ENTRY_NODE, space);
        set_entry_ints(g, out[1], f, "class_ids", ENTRY_CLASS, space);
        set_weights(g, out[1], f, (float *)space);
        set_labels(g, out[1], f->classes, space);
        gh_graph_set_string(g, out[1], "post_transform", "NONE");
    }
    gh_free(space);
    return g->failed ? GH_NONE : out[1];
}
