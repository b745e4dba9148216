/* Declares every suite of suites.inc. */
#ifndef GH_TEST_SUITES_H
#define GH_TEST_SUITES_H

#include <check.h>

#define GH_SUITE(name) Suite *gh_suite_##name(void);
#include "unit/suites.inc"
#undef GH_SUITE

#endif
