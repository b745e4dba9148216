/* One case of the ONNX project's test vectors: a model, inputs, and the outputs that have to come. */
#ifndef GH_TEST_ONNX_CASE_H
#define GH_TEST_ONNX_CASE_H

#include <stdbool.h>

typedef enum oc_kind {
    OC_PASS,      /* every output as the vectors say */
    OC_CONSTANTS, /* refused as it stands, passes once all inputs but the first are constants */
    OC_SKIP,      /* refused with a reason, before anything was computed */
    OC_WRONG      /* it ran, and gave something else */
} oc_kind;

typedef struct oc_outcome {
    oc_kind kind;
    char why[600]; /* one line; "" for OC_PASS */
} oc_outcome;

/* Runs the case in folder `dir` with every choice of passes that is worth trying, and once more with all
 * inputs but the first turned into constants, which is what packs weights and fuses. */
void oc_run(oc_outcome *out, const char *dir);
/* "pass", "constants: why", "skip: why" or "WRONG: why". */
void oc_text(char *text, int size, const oc_outcome *o);

#endif
