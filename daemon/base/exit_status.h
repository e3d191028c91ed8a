/* How the programs end. */
#pragma once

/* EXIT_FAILED also says that a check which the program was asked for was not passed. */
enum exit_status { EXIT_GOOD, EXIT_FAILED, EXIT_USAGE };
