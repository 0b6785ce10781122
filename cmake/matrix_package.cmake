# The Matrix library as a package of its own: one archive, with what it needs of base.
#   cmake --install build/release --component matrix --prefix DIR
# and in another project: find_package(myelin_matrix), link myelin::matrix, #include "matrix/event.h".
include(CMakePackageConfigHelpers)

set(base_parts bytes error keyed_hash random)
list(JOIN base_parts "|" base_pattern)
string(APPEND base_pattern "|boost_json")
add_library(myelin_matrix_package STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:myelin_matrix>
  $<FILTER:$<TARGET_OBJECTS:myelin_base>,INCLUDE,/\(${base_pattern}\)\\.cc>)
target_link_libraries(myelin_matrix_package PUBLIC Boost::headers fmt::fmt PRIVATE PkgConfig::sodium PkgConfig::utf8proc
  OpenSSL::Crypto)
target_include_directories(myelin_matrix_package INTERFACE $<INSTALL_INTERFACE:include/myelin>)
target_compile_features(myelin_matrix_package INTERFACE cxx_std_23)
set_target_properties(myelin_matrix_package PROPERTIES EXPORT_NAME matrix OUTPUT_NAME myelin_matrix
  LINKER_LANGUAGE CXX ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/package)

file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/matrix/*.h)
list(FILTER headers EXCLUDE REGEX "/(event_builder|redaction)\\.h$")  # inside the library
list(TRANSFORM base_parts REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/src/base/\\1.h" OUTPUT_VARIABLE base_headers)

set(package_dir lib/cmake/myelin_matrix)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/myelin_matrix-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(CODE "execute_process(COMMAND ${CMAKE_COMMAND} --build \"${CMAKE_BINARY_DIR}\" --target myelin_matrix_package
  COMMAND_ERROR_IS_FATAL ANY)" COMPONENT matrix)
install(TARGETS myelin_matrix_package EXPORT myelin_matrix ARCHIVE DESTINATION lib COMPONENT matrix)
install(EXPORT myelin_matrix NAMESPACE myelin:: DESTINATION ${package_dir} FILE myelin_matrix-targets.cmake
  COMPONENT matrix)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/myelin_matrix-config.cmake
  ${CMAKE_BINARY_DIR}/package/myelin_matrix-config-version.cmake DESTINATION ${package_dir} COMPONENT matrix)
install(FILES ${headers} DESTINATION include/myelin/matrix COMPONENT matrix)
install(FILES ${base_headers} DESTINATION include/myelin/base COMPONENT matrix)
install(FILES ${CMAKE_SOURCE_DIR}/src/matrix/README.md ${CMAKE_SOURCE_DIR}/LICENSE
  DESTINATION share/doc/myelin_matrix COMPONENT matrix)
