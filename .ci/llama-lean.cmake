# Read by llama.cpp's CMake project (CMAKE_PROJECT_llama.cpp_INCLUDE) to build only what this program loads:
# no `common` helper library, and the model graphs, which are hardly ever on the clock, at -O1. ggml, where all the
# time goes, keeps its full optimisation.
set(LLAMA_BUILD_COMMON OFF)
cmake_language(DEFER CALL target_compile_options llama PRIVATE -O1)

# OpenBLAS, where install_llama.py has fetched it: its names begin with scipy_, and it is put beside llama.cpp, so that
# the wheel needs nothing else and no path of the folder it was built in stays behind.
if(GGML_BLAS AND BLAS_LIBRARIES MATCHES "scipy_openblas")
  cmake_language(DEFER CALL target_compile_definitions ggml-blas PRIVATE
    cblas_sgemm=scipy_cblas_sgemm openblas_set_num_threads=scipy_openblas_set_num_threads)
  cmake_language(DEFER CALL set_target_properties ggml-blas PROPERTIES INSTALL_RPATH_USE_LINK_PATH OFF)
  install(FILES ${BLAS_LIBRARIES} DESTINATION ${SKBUILD_PLATLIB_DIR}/llama_cpp/lib)
endif()
