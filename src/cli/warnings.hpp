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
  void say_once(const std::vector<std::string>& sentences) {
    for (const std::string& sentence : sentences) {
      if (said_.insert(sentence).second) say("saltus: warning: {}\n", sentence);
    }
  }

 private:
  std::set<std::string> said_;
};

}  // namespace saltus::cli
