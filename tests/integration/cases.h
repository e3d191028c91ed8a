/*
 * Runs the cases of a test program side by side, each in a process of its own. It is for programs whose cases
 * start servers of their own and spend most of their time waiting for them.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * What main() returns. Without arguments all N cases run; with one, those run whose names match it ("*" and
 * "?" are wildcards), one after another in this process, where a debugger can follow them.
 */
int cases_run(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

#define CASES_RUN(argc, argv, tests) cases_run(argc, argv, tests, sizeof(tests) / sizeof((tests)[0]))
