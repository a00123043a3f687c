// SPDX-License-Identifier: Apache-2.0
// Is this a build under the address or the thread sanitizer? They map terabytes and open files of their own.
#pragma once

namespace saltus {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // as gcc says it
inline constexpr bool sanitized = true;
#elif defined(__has_feature)  // as clang does
inline constexpr bool sanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace saltus
