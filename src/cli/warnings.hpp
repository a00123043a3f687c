// SPDX-License-Identifier: Apache-2.0
// What looks like a mistake, on standard error: each sentence once.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/progress.hpp"

namespace saltus::cli {

class Warnings {
 public:
  /// @param wanted  false: nothing is said
  explicit Warnings(bool wanted = true) : wanted_(wanted) {}

  void say_once(const std::vector<std::string>& sentences) {
    if (!wanted_) return;
    for (const std::string& sentence : sentences) {
      if (said_.insert(sentence).second) say("saltus: warning: {}\n", sentence);
    }
  }

 private:
  bool wanted_;
  std::set<std::string> said_;
};

}  // namespace saltus::cli
