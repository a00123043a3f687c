// SPDX-License-Identifier: Apache-2.0
// `mpirun -n N saltus ...`: the processes as a team (machine/team.hpp). The only file that knows MPI is
// cli/team.cpp; a process that nobody started beside others never calls it.
#pragma once

#include <string>

#include "machine/team.hpp"

namespace saltus::cli {

/// The processes that train together; null: this one is alone. Set by join_team().
Team* team();

/// Finds the others, if a launcher of MPI has started several processes. Of all but the first what is
/// printed goes nowhere from here on.
/// @throws InvalidInput  there are others, but they cannot be reached
void join_team();

/// At the end of a process: waits for the others. @returns  the exit code
int leave_team(int code);

/// The same after an error, which is said once: by the first process, or by the one that failed alone,
/// which ends all of them.
int leave_team(int code, const std::string& error);

}  // namespace saltus::cli
