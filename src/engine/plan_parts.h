/* A plan in the making; shared by the files plan*.c only. */
#ifndef GH_ENGINE_PLAN_PARTS_H
#define GH_ENGINE_PLAN_PARTS_H

#include "engine/operands.h"
#include "engine/passes/passes.h"
#include "engine/plan.h"

/* Where a value stands: its buffer in each layout, GH_NONE where it is not. */
typedef struct gh_plan_place {
    uint32_t plain, blocked;
} gh_plan_place;

typedef struct gh_plan_builder {
    gh_plan *plan;
    gh_net *net;
    gh_graph *g;
    gh_tensor *values; /* type, shape and, where known, elements */
    gh_plan_place *places;
    uint32_t *uses;
    uint32_t *joined; /* of an addition: the convolution that computes it; of that convolution: itself */
    gh_operands at;   /* the node at hand */
    bool *blocked;    /* of its inputs: it stands blocked */
    gh_budget budget;
    gh_err *e;
} gh_plan_builder;

/* plan.c */
gh_status gh_plan_no_memory(const gh_plan_builder *b);

/* plan_shapes.c. Shapes and types of all values, and the elements of those that are known; `inputs`: a shape
 * each. */
GH_MUST_CHECK gh_status gh_plan_shapes(gh_plan_builder *b, const gh_shape *inputs);
/* True for a value whose shape only a run tells. */
bool gh_plan_counted(const gh_plan_builder *b, uint32_t v);
/* GH_UNSUPPORTED: the elements of v are needed, but it was packed and given up. Only where sizes decide
 * whether a node reads the picture at all. */
GH_MUST_CHECK gh_status gh_plan_gone(const gh_plan_builder *b, uint32_t v);

/* plan_join.c. Fills `joined`. */
void gh_plan_join(gh_plan_builder *b);
/* True for an input that is left out or has the same elements in every plan: what is packed is packed once.
 */
bool gh_plan_constant(const gh_plan_builder *b, uint32_t v);

#endif
