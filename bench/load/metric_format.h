/* Figures as people read them. */
#pragma once

enum metric_unit { UNIT_COUNT, UNIT_US, UNIT_PER_S, UNIT_BYTES, UNIT_RATIO };

/* VALUE as people read it, such as "1.25 ms" or "20,000/s". TEXT has at least 32 bytes. Returns TEXT. */
char *load_metric_format(enum metric_unit unit, double value, char text[static 32]);
