/*
 * How long a test waits for what must come. The patience only bounds a hang: a test that has waited so long
 * has failed, and nothing else is judged by it, so it is far longer than a busy machine needs.
 */
#pragma once

enum { PATIENCE_MS = 120000 };
