/* A tiny detector for tests: each 4 x 4 pixels are one cell, red ones are boxes of 8 x 8 around it. Its file
 * declares a stand-in size, 10 x 3 x 32 x 32, as CenterFace does. */
#ifndef GH_TEST_RED_H
#define GH_TEST_RED_H

#define RED_CELL 4

/* Writes red/model.onnx in the test's folder. */
void red_network(void);
/* Writes red/model.json with this "output" and this end of its "input", and `more` before the closing brace.
 */
void red_manifest(const char *output, const char *input, const char *more);
/* Both, for any size. */
void red_model(void);

#endif
