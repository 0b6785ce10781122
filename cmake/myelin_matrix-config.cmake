# What find_package(myelin_matrix) reads.
include(CMakeFindDependencyMacro)
find_dependency(Boost 1.81)
find_dependency(fmt)
find_dependency(OpenSSL 3)
find_dependency(PkgConfig)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
include(${CMAKE_CURRENT_LIST_DIR}/myelin_matrix-targets.cmake)
