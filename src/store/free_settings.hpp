// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace saltus::store {

/// No bit of what is learnt depends on these settings, or, of epochs, whoever resumes wants more: a training may
/// go on with others, and a model be looked at with others.
inline constexpr std::string_view free_settings[] = {"epochs",
                                                     "threads",
                                                     "data",
                                                     "train_file",
                                                     "test_file",
                                                     "checkpoint_minutes",
                                                     "max_spikes_per_sample",
                                                     "max_memory_per_sample",
                                                     "max_seconds_per_sample"};

}  // namespace saltus::store
