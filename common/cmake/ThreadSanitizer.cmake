# For builds with HAIL_SANITIZE=thread: the sanitizer's view of absl's locks and statuses (see tsan/absl_locks.cc), and
# protobuf's classes as the packaged library has them (see tsan/include).

include_directories(BEFORE SYSTEM ${CMAKE_CURRENT_LIST_DIR}/tsan/include)

get_target_property(HAIL_ABSL_INCLUDE absl::synchronization INTERFACE_INCLUDE_DIRECTORIES)
find_file(HAIL_ABSL_OPTIONS absl/base/options.h PATHS ${HAIL_ABSL_INCLUDE} REQUIRED)
file(STRINGS ${HAIL_ABSL_OPTIONS} line REGEX "^#define ABSL_OPTION_INLINE_NAMESPACE_NAME ")
string(REGEX REPLACE "^#define ABSL_OPTION_INLINE_NAMESPACE_NAME +" "" namespace "${line}")
string(LENGTH "${namespace}" length)
set(HAIL_ABSL_NAMESPACE "${length}${namespace}")

# The functions to wrap are those the source names.
set(HAIL_TSAN_SOURCE ${CMAKE_CURRENT_LIST_DIR}/tsan/absl_locks.cc)
file(STRINGS ${HAIL_TSAN_SOURCE} lines REGEX "^(HAIL_|(void|bool) WRAP)")
foreach(line IN LISTS lines)
  if(line MATCHES "\\(([0-9]+(Mutex|CondVar|Notification|BlockingCounter|Status)[A-Za-z0-9_]+)")
    foreach(prefix _ZN4absl _ZNK4absl)
      add_link_options(-Wl,--wrap=${prefix}${HAIL_ABSL_NAMESPACE}${CMAKE_MATCH_1})
    endforeach()
  endif()
endforeach()

add_library(hail_tsan STATIC ${HAIL_TSAN_SOURCE})
target_compile_definitions(hail_tsan PRIVATE HAIL_ABSL_NAMESPACE=${HAIL_ABSL_NAMESPACE})
target_link_libraries(hail_tsan PUBLIC absl::synchronization)
link_libraries(hail_tsan)
