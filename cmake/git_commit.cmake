# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT with the commit of SOURCE; "unknown" outside of a clone.
set(commit unknown)
if(GIT AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT} describe --always --dirty --abbrev=12 --exclude=*
                  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE found RESULT_VARIABLE failed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed AND found)
    set(commit ${found})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "saltus/version.hpp"

namespace saltus {
const char* git_commit() noexcept { return "@commit@"; }
}  // namespace saltus
]] @ONLY)
