/* From the attributes of a tree ensemble to flat trees. A node is named by its tree's number and its own; the
 * file may list nodes in any order. Each node but a root has one parent, and a tree's nodes hang together, so
 * that no walk can be longer than the tree has nodes. */
#include "engine/ops/trees.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MOST_NODES   ((size_t)1 << 24)
#define MOST_CLASSES 65536

/* A node's name and where it stands in the attributes. */
typedef struct name {
    int64_t tree, node;
    uint32_t at;
} name;

typedef struct build {
    const gh_io *io;
    bool classifier;
    size_t n, nweights;
    const int64_t *trees, *ids, *features, *yes, *no, *missing; /* missing may be NULL */
    const float *values;
    const char *const *modes;
    const int64_t *weight_trees, *weight_nodes, *weight_targets;
    const float *weights;
    const float *base;
    uint32_t targets, nbase;
    name *names; /* sorted */
    uint8_t *mode;
    uint32_t *child; /* [n][2] as positions in the attributes */
    uint32_t *place; /* of each node in the flat trees */
    uint32_t *first; /* [n + 2] see sort_weights */
    uint32_t *stack;
    uint8_t *parents; /* 0, 1, or 2 for more */
    size_t ntrees;
} build;

/* ---- attributes ---- */

static gh_status list(const gh_io *io, const gh_attr **out, const char *attr, gh_attr_type type, size_t count,
                      bool needed)
{
    const gh_attr *a = gh_node_attr(io->node, attr);
    *out = NULL;
    if (!a || (a->type == type && a->count == 0 && !needed))
        return needed ? gh_io_fail(io, GH_FORMAT, "attribute %s is missing", attr) : GH_OK;
    if (a->type != type)
        return gh_io_fail(io, GH_FORMAT, "attribute %s is of another type", attr);
    if (count != SIZE_MAX && a->count != count)
        return gh_io_fail(io, GH_FORMAT, "attribute %s has %zu values; %zu were expected", attr, a->count,
                          count);
    *out = a;
    return GH_OK;
}

static gh_status ints(const gh_io *io, const int64_t **out, const char *attr, size_t count, bool needed)
{
    const gh_attr *a;
    GH_TRY(list(io, &a, attr, GH_ATTR_INTS, count, needed));
    *out = a ? a->ints : NULL;
    return GH_OK;
}

static gh_status floats(const gh_io *io, const float **out, const char *attr, size_t count)
{
    const gh_attr *a;
    GH_TRY(list(io, &a, attr, GH_ATTR_FLOATS, count, true));
    *out = a->floats;
    return GH_OK;
}

static bool is_classifier(const gh_io *io)
{
    return strcmp(io->node->type, "TreeEnsembleClassifier") == 0;
}

gh_status gh_trees_targets(const gh_io *io, uint32_t *targets)
{
    const gh_attr *a;
    int64_t n;
    if (is_classifier(io)) {
        GH_TRY(list(io, &a, "classlabels_int64s", GH_ATTR_INTS, SIZE_MAX, false));
        if (!a)
            GH_TRY(list(io, &a, "classlabels_strings", GH_ATTR_STRINGS, SIZE_MAX, false));
        n = a ? (int64_t)a->count : 0;
    } else {
        n = gh_node_int(io->node, "n_targets", 1);
    }
    if (n < 1 || n > MOST_CLASSES)
        return gh_io_fail(io, GH_FORMAT, "it has %lld classes or targets; 1 to %d are accepted", (long long)n,
                          MOST_CLASSES);
    *targets = (uint32_t)n;
    return GH_OK;
}

static gh_status read_nodes(build *b)
{
    const gh_io *io = b->io;
    const gh_attr *a;
    GH_TRY(list(io, &a, "nodes_treeids", GH_ATTR_INTS, SIZE_MAX, true));
    b->n = a->count;
    b->trees = a->ints;
    if (b->n < 1 || b->n > MOST_NODES)
        return gh_io_fail(io, GH_LIMIT, "it has %zu nodes; 1 to %zu are accepted", b->n, MOST_NODES);
    GH_TRY(ints(io, &b->ids, "nodes_nodeids", b->n, true));
    GH_TRY(ints(io, &b->features, "nodes_featureids", b->n, true));
    GH_TRY(ints(io, &b->yes, "nodes_truenodeids", b->n, true));
    GH_TRY(ints(io, &b->no, "nodes_falsenodeids", b->n, true));
    GH_TRY(ints(io, &b->missing, "nodes_missing_value_tracks_true", b->n, false));
    if (gh_node_attr(io->node, "nodes_values_as_tensor") || gh_node_attr(io->node, "base_values_as_tensor"))
        return gh_io_fail(io, GH_UNSUPPORTED, "its values are float64 tensors; float32 ones are run");
    GH_TRY(floats(io, &b->values, "nodes_values", b->n));
    GH_TRY(list(io, &a, "nodes_modes", GH_ATTR_STRINGS, b->n, true));
    b->modes = a->strings;
    return GH_OK;
}

static gh_status read_weights(build *b)
{
    static const char *const attrs[2][4] = {
        {"target_treeids", "target_nodeids", "target_ids", "target_weights"},
        {"class_treeids", "class_nodeids", "class_ids", "class_weights"}};
    const char *const *attr = attrs[b->classifier];
    const gh_attr *a;
    GH_TRY(list(b->io, &a, attr[0], GH_ATTR_INTS, SIZE_MAX, true));
    b->nweights = a->count;
    b->weight_trees = a->ints;
    if (b->nweights > MOST_NODES)
        return gh_io_fail(b->io, GH_LIMIT, "it has %zu weights; at most %zu are accepted", b->nweights,
                          MOST_NODES);
    GH_TRY(ints(b->io, &b->weight_nodes, attr[1], b->nweights, true));
    GH_TRY(ints(b->io, &b->weight_targets, attr[2], b->nweights, true));
    GH_TRY(floats(b->io, &b->weights, attr[3], b->nweights));
    GH_TRY(list(b->io, &a, "base_values", GH_ATTR_FLOATS, SIZE_MAX, false));
    b->nbase = a ? (uint32_t)a->count : 0;
    b->base = a ? a->floats : NULL;
    if (a && a->count != b->targets && !(b->targets == 2 && b->classifier && a->count == 1))
        return gh_io_fail(b->io, GH_FORMAT, "it has %zu base values for %u classes or targets", a->count,
                          b->targets);
    return GH_OK;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    const name *x = a, *y = b;
    if (x->tree != y->tree)
        return x->tree < y->tree ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

/* Sorts the names, which most files have in order already, and refuses two equal ones. */
static gh_status sort_names(build *b)
{
    bool sorted = true;
    for (size_t i = 0; i < b->n; i++) {
        b->names[i] = (name){b->trees[i], b->ids[i], (uint32_t)i};
        sorted = sorted && (i == 0 || by_name(&b->names[i - 1], &b->names[i]) < 0);
    }
    if (!sorted)
        qsort(b->names, b->n, sizeof *b->names, by_name);
    b->ntrees = 1;
    for (size_t i = 1; i < b->n; i++) {
        if (by_name(&b->names[i - 1], &b->names[i]) == 0)
            return gh_io_fail(b->io, GH_FORMAT, "node %lld of tree %lld is there twice",
                              (long long)b->names[i].node, (long long)b->names[i].tree);
        b->ntrees += b->names[i].tree != b->names[i - 1].tree;
    }
    return GH_OK;
}

/* Position of a node in the attributes, or UINT32_MAX. `near` is a place in the sorted names to look from:
 * numbers without gaps make the first guess right. */
static uint32_t find(const build *b, int64_t tree, int64_t node, size_t near)
{
    const name key = {tree, node, 0};
    if (near < b->n && b->names[near].tree == tree) {
        int64_t guess;
        if (!__builtin_sub_overflow(node, b->names[near].node, &guess) &&
            !__builtin_add_overflow(guess, (int64_t)near, &guess) && guess >= 0 && guess < (int64_t)b->n &&
            by_name(&b->names[guess], &key) == 0)
            return b->names[guess].at;
    }
    const name *found = bsearch(&key, b->names, b->n, sizeof *b->names, by_name);
    return found ? found->at : UINT32_MAX;
}

/* ---- structure ---- */

static bool mode_of(uint8_t *out, const char *text)
{
    static const char *const modes[] = {
        [GH_TREE_LEAF] = "LEAF",      [GH_TREE_LEQ] = "BRANCH_LEQ", [GH_TREE_LT] = "BRANCH_LT",
        [GH_TREE_GTE] = "BRANCH_GTE", [GH_TREE_GT] = "BRANCH_GT",   [GH_TREE_EQ] = "BRANCH_EQ",
        [GH_TREE_NEQ] = "BRANCH_NEQ",
    };
    for (size_t i = 0; i < GH_COUNT(modes); i++)
        if (strcmp(text, modes[i]) == 0) {
            *out = (uint8_t)i;
            return true;
        }
    return false;
}

static gh_status link_child(build *b, size_t near, int64_t id, uint32_t *out)
{
    uint32_t at = b->names[near].at, child = find(b, b->trees[at], id, near);
    if (child == UINT32_MAX)
        return gh_io_fail(b->io, GH_FORMAT, "node %lld of tree %lld points to node %lld, which is not there",
                          (long long)b->ids[at], (long long)b->trees[at], (long long)id);
    b->parents[child] += b->parents[child] < 2;
    *out = child;
    return GH_OK;
}

static gh_status link_nodes(build *b)
{
    for (size_t i = 0; i < b->n; i++) {
        uint32_t at = b->names[i].at;
        if (!mode_of(&b->mode[at], b->modes[at]))
            return gh_io_fail(b->io, GH_FORMAT, "'%.40s' is no mode of a node", b->modes[at]);
        if (b->mode[at] == GH_TREE_LEAF)
            continue;
        if (b->features[at] < 0 || b->features[at] >= INT32_MAX)
            return gh_io_fail(b->io, GH_FORMAT, "node %lld of tree %lld reads feature %lld",
                              (long long)b->ids[at], (long long)b->trees[at], (long long)b->features[at]);
        GH_TRY(link_child(b, i, b->yes[at], &b->child[2 * (size_t)at]));
        GH_TRY(link_child(b, i, b->no[at], &b->child[2 * (size_t)at + 1]));
    }
    for (size_t i = 0; i < b->n; i++)
        if (b->parents[i] > 1)
            return gh_io_fail(b->io, GH_FORMAT, "node %lld of tree %lld has two parents",
                              (long long)b->ids[i], (long long)b->trees[i]);
    return GH_OK;
}

/* Gives the nodes of one tree, names [from, to), their places from *next on, the root first. */
static gh_status place_tree(build *b, size_t from, size_t to, uint32_t *root, uint32_t *next)
{
    uint32_t start = *next, depth = 0;
    *root = UINT32_MAX;
    for (size_t i = from; i < to; i++) {
        uint32_t at = b->names[i].at;
        if (b->parents[at])
            continue;
        if (*root != UINT32_MAX)
            return gh_io_fail(b->io, GH_FORMAT, "tree %lld has two roots, nodes %lld and %lld",
                              (long long)b->trees[at], (long long)b->ids[*root], (long long)b->ids[at]);
        *root = at;
    }
    if (*root != UINT32_MAX)
        b->stack[depth++] = *root;
    while (depth) {
        uint32_t at = b->stack[--depth];
        b->place[at] = (*next)++;
        if (b->mode[at] == GH_TREE_LEAF)
            continue;
        b->stack[depth++] = b->child[2 * (size_t)at + 1];
        b->stack[depth++] = b->child[2 * (size_t)at];
    }
    if (*next - start != to - from)
        return gh_io_fail(b->io, GH_FORMAT, "the nodes of tree %lld form a cycle",
                          (long long)b->names[from].tree);
    return GH_OK;
}

/* ---- weights ---- */

/* Sorts the weights by leaf, in their old order within one: `order` says which weight comes when, and those
 * of the node at position i begin at first[i + 1]. Weights of inner nodes mean nothing. */
static gh_status sort_weights(build *b, uint32_t *order)
{
    size_t near = 0;
    uint32_t *leaf = order + b->nweights; /* of each weight */
    for (size_t i = 0; i < b->nweights; i++) {
        leaf[i] = find(b, b->weight_trees[i], b->weight_nodes[i], near);
        if (leaf[i] == UINT32_MAX)
            return gh_io_fail(b->io, GH_FORMAT,
                              "a weight belongs to node %lld of tree %lld, which is not there",
                              (long long)b->weight_nodes[i], (long long)b->weight_trees[i]);
        if (b->weight_targets[i] < 0 || b->weight_targets[i] >= b->targets)
            return gh_io_fail(b->io, GH_FORMAT, "a weight is for class or target %lld of %u",
                              (long long)b->weight_targets[i], b->targets);
        b->first[leaf[i] + 1]++;
        near = leaf[i]; /* positions are places too where the names were in order */
    }
    for (size_t i = 0; i < b->n; i++)
        b->first[i + 1] += b->first[i];
    b->first[b->n + 1] = (uint32_t)b->nweights;
    for (size_t i = b->nweights; i-- > 0;)
        order[--b->first[leaf[i] + 1]] = (uint32_t)i;
    return GH_OK;
}

/* ---- the block ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static gh_status new_block(gh_flat_trees **out, const build *b, size_t most)
{
    gh_flat_trees head = {.ntrees = (uint32_t)b->ntrees,
                          .nnodes = (uint32_t)b->n,
                          .nweights = (uint32_t)b->nweights,
                          .targets = b->targets,
                          .classifier = b->classifier,
                          .nbase = b->nbase};
    size_t roots = round_up(sizeof head), nodes = roots + round_up(b->ntrees * sizeof *head.roots);
    size_t weights = nodes + round_up(b->n * sizeof *head.nodes);
    size_t base = weights + round_up(b->nweights * sizeof *head.weights);
    size_t labels = base + round_up(b->nbase * sizeof *head.base);
    head.bytes = labels + b->targets * sizeof *head.labels;
    if (head.bytes > most)
        return gh_io_fail(b->io, GH_LIMIT,
                          "its %zu nodes and %zu weights take %zu MB, more than this model may", b->n,
                          b->nweights, head.bytes >> 20);
    char *block = gh_alloc_aligned(head.bytes);
    if (!block)
        return gh_io_fail(b->io, GH_NOMEM, "no memory for %zu nodes", b->n);
    memset(block, 0, head.bytes);
    head.roots = (uint32_t *)(block + roots);
    head.nodes = (gh_flat_node *)(block + nodes);
    head.weights = (gh_flat_weight *)(block + weights);
    head.base = (float *)(block + base);
    head.labels = (int64_t *)(block + labels);
    memcpy(block, &head, sizeof head);
    *out = (gh_flat_trees *)(void *)block;
    return GH_OK;
}

static void fill_nodes(gh_flat_trees *t, const build *b)
{
    for (size_t i = 0; i < b->n; i++) {
        gh_flat_node *n = &t->nodes[b->place[i]];
        n->mode = b->mode[i];
        if (n->mode == GH_TREE_LEAF) {
            n->yes = b->first[i + 1];
            n->no = b->first[i + 2] - n->yes;
            continue;
        }
        n->value = b->values[i];
        n->feature = (uint32_t)b->features[i];
        n->yes = b->place[b->child[2 * i]];
        n->no = b->place[b->child[2 * i + 1]];
        n->missing_yes = b->missing && b->missing[i] != 0;
        t->features = n->feature + 1 > t->features ? n->feature + 1 : t->features;
    }
}

static void fill_weights(gh_flat_trees *t, const build *b, const uint32_t *order)
{
    bool seen[2] = {false};
    for (size_t i = 0; i < b->nweights; i++) {
        t->weights[i] = (gh_flat_weight){(uint32_t)b->weight_targets[order[i]], b->weights[order[i]]};
        t->negative |= t->weights[i].weight < 0;
        seen[t->weights[i].target != 0] = true;
    }
    t->one_sided = t->classifier && t->targets == 2 && !(seen[0] && seen[1]);
    t->side = seen[1];
    if (b->nbase)
        memcpy(t->base, b->base, b->nbase * sizeof *t->base);
}

static gh_status choice(const gh_io *io, int *out, const char *attr, const char *const *names, int count)
{
    const char *text = gh_node_string(io->node, attr, names[0]);
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return GH_OK;
        }
    return gh_io_fail(io, GH_FORMAT, "attribute %s is '%.40s'", attr, text);
}

gh_status gh_trees_post(const gh_io *io, gh_tree_post *out)
{
    static const char *const posts[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    int post = 0;
    GH_TRY(choice(io, &post, "post_transform", posts, (int)GH_COUNT(posts)));
    *out = (gh_tree_post)post;
    return GH_OK;
}

static gh_status fill_rest(gh_flat_trees *t, const gh_io *io)
{
    static const char *const sums[] = {"SUM", "AVERAGE", "MIN", "MAX"};
    const gh_attr *labels = gh_node_attr(io->node, "classlabels_int64s");
    int sum = 0;
    if (!t->classifier)
        GH_TRY(choice(io, &sum, "aggregate_function", sums, (int)GH_COUNT(sums)));
    GH_TRY(gh_trees_post(io, &t->post));
    t->sum = (gh_tree_sum)sum;
    for (uint32_t c = 0; c < t->targets; c++)
        t->labels[c] = t->classifier && labels && labels->count ? labels->ints[c] : c;
    return GH_OK;
}

/* Everything but the memory of `b`. */
static gh_status build_block(gh_flat_trees **t, build *b, uint32_t *order, size_t most)
{
    uint32_t next = 0, tree = 0, root = 0;
    GH_TRY(sort_names(b));
    GH_TRY(new_block(t, b, most));
    GH_TRY(link_nodes(b));
    for (size_t from = 0, to = 0; from < b->n; from = to) {
        while (to < b->n && b->names[to].tree == b->names[from].tree)
            to++;
        GH_TRY(place_tree(b, from, to, &root, &next));
        (*t)->roots[tree++] = b->place[root];
    }
    GH_TRY(sort_weights(b, order));
    fill_nodes(*t, b);
    fill_weights(*t, b, order);
    return fill_rest(*t, b->io);
}

gh_status gh_trees_build(gh_flat_trees **out, const gh_io *io, size_t most)
{
    build b = {.io = io, .classifier = is_classifier(io)};
    gh_flat_trees *t = NULL;
    GH_TRY(gh_trees_targets(io, &b.targets));
    GH_TRY(read_nodes(&b));
    GH_TRY(read_weights(&b));
    b.names = gh_calloc(b.n, sizeof *b.names);
    b.mode = gh_calloc(b.n, sizeof *b.mode);
    b.child = gh_calloc(b.n, 2 * sizeof *b.child);
    b.place = gh_calloc(b.n, sizeof *b.place);
    b.first = gh_calloc(b.n + 2, sizeof *b.first);
    b.stack = gh_calloc(b.n + 1, sizeof *b.stack);
    b.parents = gh_calloc(b.n, sizeof *b.parents);
    uint32_t *order = gh_calloc(b.nweights + 1, 2 * sizeof *order);
    bool whole = b.names && b.mode && b.child && b.place && b.first && b.stack && b.parents && order;
    gh_status status =
        whole ? build_block(&t, &b, order, most) : gh_io_fail(io, GH_NOMEM, "no memory for %zu nodes", b.n);
    gh_free(b.names);
    gh_free(b.mode);
    gh_free(b.child);
    gh_free(b.place);
    gh_free(b.first);
    gh_free(b.stack);
    gh_free(b.parents);
    gh_free(order);
    if (status)
        gh_free(t);
    else
        *out = t;
    return status;
}
