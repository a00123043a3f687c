# SPDX-License-Identifier: Apache-2.0
include(CMakeFindDependencyMacro)
enable_language(C)  # FindHDF5 needs it
find_dependency(fmt)
find_dependency(hwy CONFIG)
find_dependency(HDF5 COMPONENTS C)
find_dependency(ZLIB)
find_dependency(TBB)
include(${CMAKE_CURRENT_LIST_DIR}/SaltusTargets.cmake)
