/* minuted --republish: asks for everything to be published anew, and shows how far it is. */
#pragma once

struct config;
struct options;

/*
 * Asks whoever publishes to publish anew all that Redis holds (publish/republish.h), and waits until that is
 * done, telling its progress on standard output. If it was asked for already, it waits for that. What was
 * asked for goes on when this process ends. Returns an exit status, after an error was printed.
 */
int republish_command(const struct config *config, const struct options *options);
