/*
 * functions.lua as C knows it: the library, for the monitor, and the names of its functions, for whoever
 * calls them. The build names the library by its content (library.cmake), and each function by the library.
 */
#pragma once

#include "embedded/store_library.h" /* STORE_LIBRARY */
#include "redis/library.h"

/* The name of a function, as FCALL takes it. */
#define STORE_FUNCTION(name) STORE_LIBRARY "_" name

extern const struct redis_library functions_library;
