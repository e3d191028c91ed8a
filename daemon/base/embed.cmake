# Writes OUTPUT.c and OUTPUT.h that hold the bytes of INPUT as SYMBOL; run by minuted_embed().
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(SIZE ${INPUT} size)
file(WRITE ${OUTPUT}.h "#pragma once\n#include <stddef.h>\n\
extern const unsigned char ${SYMBOL}[${size} + 1];\nextern const size_t ${SYMBOL}_len;\n")
file(WRITE ${OUTPUT}.c "#include \"embedded/${SYMBOL}.h\"\n\
const unsigned char ${SYMBOL}[${size} + 1] = {${bytes}0x00};\nconst size_t ${SYMBOL}_len = ${size};\n")
