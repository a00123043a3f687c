// SPDX-License-Identifier: Apache-2.0
// A loss of one's own, as a user writes it: compiled against the public headers alone.
#pragma once

namespace saltus::toy {

/// Makes the loss "target_times" known: on the command line, in settings.json and for Trainer.
void add_target_times();

}  // namespace saltus::toy
