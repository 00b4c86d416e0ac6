# How every target of Hail is built: compiler cache, linker, warnings, sanitizers, and the dependencies.

find_program(HAIL_CCACHE ccache)
if(HAIL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Build trees of different presets and checkouts share results: paths are taken relative to the source tree.
  set(HAIL_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${HAIL_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${HAIL_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HAIL_LAUNCHER})
endif()

find_program(HAIL_MOLD mold)
if(HAIL_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # A false alarm on "text" + std::string at -O3: https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105651
  add_compile_options(-Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Of GCC's builds `make check-threads` takes care.
  add_compile_options(-Wthread-safety)
endif()
if(HAIL_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-g1)
endif()
if(HAIL_SANITIZE)
  add_compile_options(-fsanitize=${HAIL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HAIL_SANITIZE})
endif()
if(HAIL_COVERAGE)
  add_compile_options(--coverage -fprofile-abs-path)
  add_link_options(--coverage)
endif()

# All includes name their file from the top: "common/time/clock.h".
include_directories(${CMAKE_SOURCE_DIR})

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
if(HAIL_SANITIZE MATCHES "thread")
  include(ThreadSanitizer)
endif()
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 REQUIRED)
# Before gRPC: its own config file would find no protobuf::libprotobuf. Newer protobuf brings a config file that knows
# what it needs of abseil; older packages have none, and CMake's own module finds them.
find_package(Protobuf CONFIG QUIET)
if(NOT Protobuf_FOUND)
  find_package(Protobuf MODULE REQUIRED)
endif()
if(HAIL_GRPC)
  find_package(gRPC CONFIG REQUIRED)
endif()
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()

# For what serves, and what it is measured with: glibc's malloc takes a fifth of the store's thread, for what one thread
# allocates and another frees (docs/decisions/0019-allocator.md). Sanitizers bring their own.
add_library(hail_allocator INTERFACE)
if(NOT HAIL_SANITIZE)
  find_library(HAIL_JEMALLOC_LIBRARY jemalloc REQUIRED)
  target_link_libraries(hail_allocator INTERFACE
    -Wl,--push-state,--no-as-needed ${HAIL_JEMALLOC_LIBRARY} -Wl,--pop-state)
endif()

find_library(HAIL_NATS_LIBRARY nats REQUIRED)
add_library(hail::nats INTERFACE IMPORTED)
target_link_libraries(hail::nats INTERFACE ${HAIL_NATS_LIBRARY})

# s2 has no exported targets in every release Debian and Ubuntu ship.
find_library(HAIL_S2_LIBRARY s2 REQUIRED)
find_path(HAIL_S2_INCLUDE s2/s2cell_id.h REQUIRED)
if(NOT TARGET hail::s2)
  add_library(hail::s2 INTERFACE IMPORTED)
  target_link_libraries(hail::s2 INTERFACE ${HAIL_S2_LIBRARY} OpenSSL::Crypto absl::base absl::strings)
  target_include_directories(hail::s2 SYSTEM INTERFACE ${HAIL_S2_INCLUDE})
endif()

# hail_s2_sources(FILE …): the files that include s2's headers. Under the address sanitizer abseil lays its B-trees out
# differently, and the linker would mix ours with those compiled into libs2 (its searches then never end): these files are
# compiled without it. Keep s2 out of headers, so that they stay the only ones.
function(hail_s2_sources)
  if(HAIL_SANITIZE MATCHES "address")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -fno-sanitize=address)
  endif()
endfunction()

# hail_library(NAME SOURCES … [DEPS …]): a static library of this project.
function(hail_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPS})
endfunction()

# hail_test(NAME SOURCES … [DEPS …] [LABELS …]): one GoogleTest program, its cases known to CTest one by one.
function(hail_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main)
  # The code under test is optimized as in a release. The tests themselves run briefly: optimizing them would double the
  # compile time without a benefit.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

include(GoogleTest)
