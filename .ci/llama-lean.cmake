# Read by llama.cpp's CMake project (CMAKE_PROJECT_llama.cpp_INCLUDE) to build only what this program loads:
# no `common` helper library, and the model graphs, which are hardly ever on the clock, at -O1. ggml, where all the
# time goes, keeps its full optimisation.
set(LLAMA_BUILD_COMMON OFF)
cmake_language(DEFER CALL target_compile_options llama PRIVATE -O1)
