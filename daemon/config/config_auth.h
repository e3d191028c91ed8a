/*
 * Readers of secrets: the section `auth`, that is the keys of session tokens and who vouches for learners,
 * and Redis's password.
 */
#pragma once

#include "config/config_reading.h"

/* The bytes of one key; a file, or a list of files, that hold one each. */
config_reader config_read_session_key;
config_reader config_read_session_key_file;
/* A list of maps, each an issuer and its keys. */
config_reader config_read_issuers;
/* The password itself; the file that holds it. */
config_reader config_read_password;
config_reader config_read_password_file;

/* Wipes and frees what the secrets and issuers have allocated. */
void config_free_auth(struct config *config);
