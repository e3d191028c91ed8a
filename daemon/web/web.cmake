# What browsers load, made at build time: the player SDK from the modules of sdk/, bundled and compressed, and the
# films of the two lessons that /dev/ shows. minuted-api embeds and serves it all; live.html is the operators'.

find_program(ESBUILD esbuild)
find_program(FFMPEG ffmpeg)
find_program(GZIP gzip REQUIRED)
foreach(program IN ITEMS ESBUILD FFMPEG)
  if(NOT ${program})
    string(TOLOWER ${program} package)
    message(FATAL_ERROR "${package} is not there: install Debian's package ${package} (config/packages/install build)")
  endif()
endforeach()

set(web_out ${generated}/web)
file(MAKE_DIRECTORY ${web_out})
file(GLOB sdk_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/daemon/web/sdk/*.js)

# Members that the modules have among themselves alone. Each is written as one letter or two; none may be a name of the
# browser's, of what is stored or sent, or of what pages read.
set(sdk_members failures before aside flying answers answered watched adopt defer observe peek limit jumped playing left single
  opened delay media_from media_to owner refused take leave cut save)
list(JOIN sdk_members "|" sdk_members)

# web_bundle(ENTRY OUTPUT FORMAT TARGET): ENTRY and all that it imports as one file, for browsers that know TARGET.
function(web_bundle entry output format target)
  add_custom_command(
    OUTPUT ${web_out}/${output}
    COMMAND ${ESBUILD} ${PROJECT_SOURCE_DIR}/daemon/web/sdk/${entry} --bundle --minify --format=${format}
      "--mangle-props=^(${sdk_members})$" --target=${target} --charset=utf8 --legal-comments=none --log-level=warning
      --outfile=${web_out}/${output}
    DEPENDS ${sdk_sources} VERBATIM)
endfunction()

# web_film(NUMBER SECONDS COLOUR): H.264 of a running clock, with a dot that crosses the picture once a minute.
# 8 frames a second and a keyframe every 5 s keep it small and quick to seek in. The silent sound is there since
# browsers pause a film without sound when its tab is hidden. Bit-exact, so that a build can be repeated.
function(web_film number seconds colour)
  set(font "font=DejaVu Sans:fontcolor=white")
  string(CONCAT picture
    "drawbox=x=32:y=318:w=576:h=2:color=white@0.25:t=fill,"
    "drawtext=${font}@0.7:fontsize=26:x=(w-tw)/2:y=84:text=Lesson ${number},"
    "drawtext=${font}:fontsize=104:x=(w-tw)/2:y=136:"
    [[text='%{eif\:trunc(t/60)\:d\:2}\:%{eif\:mod(trunc(t)\,60)\:d\:2}',]]
    "drawtext=${font}:fontsize=30:y=308:text=●:" [[x='32+576*mod(t\,60)/60-tw/2',]]
    "format=yuv420p")
  add_custom_command(
    OUTPUT ${web_out}/lesson-${number}.mp4
    COMMAND ${FFMPEG} -nostdin -loglevel error -y
      -f lavfi -i color=c=${colour}:s=640x360:r=8:d=${seconds} -f lavfi -i anullsrc=r=8000:cl=mono
      -t ${seconds} -vf ${picture} -threads 1
      -c:v libx264 -profile:v main -preset veryfast -crf 38 -bf 0 -g 40 -sc_threshold 0 -c:a aac -b:a 8k
      -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1 -movflags +faststart
      ${web_out}/lesson-${number}.mp4
    COMMENT "Filming lesson ${number}" VERBATIM)
endfunction()

# web_embed(FILE): FILE, named as its last part is, in minuted-api.
function(web_embed file)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  minuted_embed(minuted-api ${file} ${symbol})
endfunction()

# The same, and FILE.gz besides.
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
web_bundle(module.js minuted.mjs esm es2020) # import.meta tells where it came from
web_embed_both(${web_out}/minuted.js)
web_embed_both(${web_out}/minuted.mjs)
web_embed_both(${PROJECT_SOURCE_DIR}/daemon/web/sdk/minuted.d.ts)
web_film(1 600 0x17324d)
web_film(2 900 0x2f3b2e)
web_embed(${web_out}/lesson-1.mp4)
web_embed(${web_out}/lesson-2.mp4)
minuted_embed(minuted-api daemon/web/dev.html dev_html)
minuted_embed(minuted-ops daemon/web/live.html live_html)
