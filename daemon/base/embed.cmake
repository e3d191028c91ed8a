# Writes OUTPUT.c and OUTPUT.h that hold the bytes of INPUT as SYMBOL; run by minuted_embed(). The assembler reads
# them: a compiler takes seconds for a megabyte of numbers.
file(SIZE ${INPUT} size)
file(SHA256 ${INPUT} sha256)
file(WRITE ${OUTPUT}.h "#pragma once\n#include <stddef.h>\n\
extern const unsigned char ${SYMBOL}[${size} + 1];\nextern const size_t ${SYMBOL}_len;\n\
#define ${SYMBOL}_sha256 \"${sha256}\"\n")
file(WRITE ${OUTPUT}.c "#include \"embedded/${SYMBOL}.h\"\n\
__asm__(\".pushsection .rodata, \\\"a\\\"\\n\"\n\
        \".balign 16\\n\"\n\
        \".globl ${SYMBOL}\\n\"\n\
        \".type ${SYMBOL}, %object\\n\"\n\
        \".size ${SYMBOL}, ${size} + 1\\n\"\n\
        \"${SYMBOL}:\\n\"\n\
        \".incbin \\\"${INPUT}\\\"\\n\"\n\
        \".byte 0\\n\"\n\
        \".popsection\\n\");\n\
const size_t ${SYMBOL}_len = ${size};\n")
