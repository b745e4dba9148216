/* One element as a number, whatever its type. For operators that are rare or small. */
#ifndef GH_ENGINE_OPS_NUMBER_H
#define GH_ENGINE_OPS_NUMBER_H

#include "engine/tensor.h"

/* float32, float64, integers of 8 to 64 bits, bool. */
bool gh_number_type(gh_dtype type);
double gh_number_at(const gh_tensor *t, size_t i);
/* Towards zero for integers; what does not fit saturates for 32 and 64 bits and wraps for fewer. */
void gh_number_store(gh_tensor *t, size_t i, double v);
/* The same for integers and bool without a way through floating point; the low bits are kept. */
int64_t gh_int_at(const gh_tensor *t, size_t i);
void gh_int_store(gh_tensor *t, size_t i, int64_t v);
bool gh_is_float(gh_dtype type);

#endif
