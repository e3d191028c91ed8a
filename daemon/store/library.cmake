# Gives the library of functions.lua a name that says its content, and writes OUTPUT, which is INPUT with the name put in,
# and HEADER, which tells the name to C. The hash is of INPUT, where the name is not yet in.
file(SHA256 ${INPUT} sha256)
string(SUBSTRING ${sha256} 0 12 hash)
set(LIBRARY minuted_${hash})
configure_file(${INPUT} ${OUTPUT} @ONLY)
file(WRITE ${HEADER} "#pragma once\n#define STORE_LIBRARY \"${LIBRARY}\"\n")
