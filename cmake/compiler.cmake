# Language, warnings, hardening and sanitizers, the same for every target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
add_compile_options(-fPIC)  # one flavour of code, so one precompiled header
option(MYELIN_TESTS "build the tests" ON)
option(MYELIN_FUZZ "build the fuzz targets" OFF)
set(MYELIN_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Myelin needs clang 19 or newer: g++ 12 miscompiles coroutines "
                      "(tests/toolchain/coroutine_shapes_test.cc). `make` picks clang-19 by itself.")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wimplicit-fallthrough -Wno-missing-field-initializers -fno-omit-frame-pointer
                    -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/= -Xclang -fno-pch-timestamp)
add_compile_definitions(_GLIBCXX_ASSERTIONS BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY
                        SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB SPDLOG_SHARED_LIB)
add_link_options(-fuse-ld=lld)

set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
                      -fcf-protection -ftrivial-auto-var-init=zero)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -pie)
endif()

# Of a target that only says what is right (MYELIN_ONLY_TESTS), the code is neither fast nor looked into: with sanitizers that
# halves the time to compile it.
set(only_tests $<BOOL:$<TARGET_PROPERTY:MYELIN_ONLY_TESTS>>)
if(MYELIN_SANITIZE)
  add_compile_options($<IF:${only_tests},-O0,-O1> -fsanitize=${MYELIN_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MYELIN_SANITIZE})
endif()
if(MYELIN_FUZZ)
  add_compile_options($<$<NOT:${only_tests}>:-fsanitize=fuzzer-no-link>)
endif()
