# One folder = one library. Everything in it is built by its ending:
#   NAME.cc            the library
#   NAME_test.cc       one test program for the folder (GoogleTest)
#   NAME_fuzz.cc       one libFuzzer program each (preset fuzz)
# and every call of this file is a line of the component graph.

foreach(pch myelin_pch myelin_test_pch)
  add_library(${pch} OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cc)
  target_include_directories(${pch} SYSTEM PUBLIC ${PROMETHEUS_INCLUDE_DIRS})
  target_link_libraries(${pch} PUBLIC Threads::Threads Boost::headers Boost::url fmt::fmt spdlog::spdlog)
  target_precompile_headers(${pch} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
endforeach()
set_target_properties(myelin_test_pch PROPERTIES MYELIN_ONLY_TESTS ON EXCLUDE_FROM_ALL ON)

# myelin_library(NAME [DEPENDS ours...] [LIBRARIES theirs...] [TEST_DEPENDS ours or theirs...] [TESTS_COMPUTE] [TESTS_LONG])
function(myelin_library name)
  cmake_parse_arguments(ARG "TESTS_COMPUTE;TESTS_LONG" "" "DEPENDS;LIBRARIES;TEST_DEPENDS" ${ARGN})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "(_(test|fuzz|bench|main)|/main)\\.cc$")
  list(FILTER sources EXCLUDE REGEX "/(testing|examples)/")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(fuzzers ${all})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")

  if(sources)
    add_library(${name} STATIC ${sources})
    target_precompile_headers(${name} REUSE_FROM myelin_pch)
    target_link_libraries(${name} PUBLIC Threads::Threads Boost::headers Boost::url fmt::fmt spdlog::spdlog
                          ${ARG_DEPENDS} ${ARG_LIBRARIES})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPENDS} ${ARG_LIBRARIES})
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
  endif()

  if(MYELIN_TESTS AND tests)
    set(computes "")
    if(ARG_TESTS_COMPUTE)
      set(computes COMPUTES)
    endif()
    myelin_test(${name}_test ${computes} SOURCES ${tests} DEPENDS ${name} ${ARG_TEST_DEPENDS})
    if(ARG_TESTS_LONG)
      set_tests_properties(${name}_test PROPERTIES COST 100)  # begun first, so that nothing waits for them at the end
    endif()
  endif()
  if(MYELIN_FUZZ)
    foreach(file ${fuzzers})
      get_filename_component(target ${file} NAME_WE)
      myelin_fuzzer(${target} ${file} ${name})
    endforeach()
  endif()
endfunction()

# myelin_test(NAME [COMPUTES] SOURCES files... DEPENDS libraries...): one GoogleTest program, one ctest entry. COMPUTES: its
# own code takes more time to run than to be compiled well.
function(myelin_test name)
  cmake_parse_arguments(ARG "COMPUTES" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  if(ARG_COMPUTES)
    target_precompile_headers(${name} REUSE_FROM myelin_pch)
  else()
    set_target_properties(${name} PROPERTIES MYELIN_ONLY_TESTS ON)
    target_precompile_headers(${name} REUSE_FROM myelin_test_pch)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} Boost::headers Boost::url fmt::fmt spdlog::spdlog
                        GTest::gtest GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)  # seconds; what hangs is ended
  if(MYELIN_SANITIZE STREQUAL "thread")
    set_tests_properties(${name} PROPERTIES TIMEOUT 1800 ENVIRONMENT
                         "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/tsan.supp die_after_fork=0")
  endif()
endfunction()

# myelin_fuzzer(NAME FILE LIBRARY): a libFuzzer program; its kept corpus is tests/fuzz/corpus/NAME.
function(myelin_fuzzer name file library)
  add_executable(${name} ${file})
  target_precompile_headers(${name} REUSE_FROM myelin_pch)
  target_link_libraries(${name} PRIVATE ${library} Boost::headers Boost::url fmt::fmt spdlog::spdlog -fsanitize=fuzzer)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  set_property(GLOBAL APPEND PROPERTY MYELIN_FUZZERS ${name})
endfunction()
