# What browsers load. The build bundles and compresses the player SDK from the modules in sdk/; minuted-api embeds and
# serves it together with dev.html, the page at /dev/. minuted-ops embeds live.html, the operators' page.

find_program(ESBUILD esbuild)
find_program(GZIP gzip REQUIRED)
if(NOT ESBUILD)
  message(FATAL_ERROR "esbuild is not there: install Debian's package esbuild (config/packages/install build)")
endif()

set(web_out ${generated}/web)
file(MAKE_DIRECTORY ${web_out})
file(GLOB sdk_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/daemon/web/sdk/*.js)

# Properties that only the SDK's own modules use. esbuild shortens each to one or two letters, so none of them may also be
# a name of the browser, of stored or sent data, or of the interface that pages use.
set(sdk_members failures before aside flying answers answered watched adopt defer observe peek limit jumped playing left single
  opened delay media_from media_to owner refused take leave cut save)
list(JOIN sdk_members "|" sdk_members)

# web_bundle(ENTRY OUTPUT FORMAT TARGET) writes ENTRY and everything it imports to one file OUTPUT, for browsers that
# support TARGET.
function(web_bundle entry output format target)
  add_custom_command(
    OUTPUT ${web_out}/${output}
    COMMAND ${ESBUILD} ${PROJECT_SOURCE_DIR}/daemon/web/sdk/${entry} --bundle --minify --format=${format}
      "--mangle-props=^(${sdk_members})$" --target=${target} --charset=utf8 --legal-comments=none --log-level=warning
      --outfile=${web_out}/${output}
    DEPENDS ${sdk_sources} VERBATIM)
endfunction()

# web_embed(FILE) embeds FILE in minuted-api; the symbol is the file's name.
function(web_embed file)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  minuted_embed(minuted-api ${file} ${symbol})
endfunction()

# web_embed_both(FILE) embeds FILE and its gzip form, FILE.gz.
function(web_embed_both file)
  get_filename_component(name ${file} NAME)
  add_custom_command(
    OUTPUT ${web_out}/${name}.gz
    COMMAND ${GZIP} -9nc ${file} > ${web_out}/${name}.gz
    DEPENDS ${file} VERBATIM)
  web_embed(${file})
  web_embed(${web_out}/${name}.gz)
endfunction()

web_bundle(script.js minuted.js iife es2018)
web_bundle(module.js minuted.mjs esm es2020) # es2020, because it needs import.meta to know its own address
web_embed_both(${web_out}/minuted.js)
web_embed_both(${web_out}/minuted.mjs)
web_embed_both(${PROJECT_SOURCE_DIR}/daemon/web/sdk/minuted.d.ts)
minuted_embed(minuted-api daemon/web/dev.html dev_html)
minuted_embed(minuted-ops daemon/web/live.html live_html)
