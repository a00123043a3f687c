// SPDX-License-Identifier: Apache-2.0
/// @file
/// Errors are exceptions with a type, a sentence, the value and the fix. The command line turns them
/// into one line and an exit code, Python into ValueError and friends.
#pragma once

#include <stdexcept>

/// All that a program includes from saltus/.
namespace saltus {

/// Base of everything that Saltus throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument, a parameter or an array holds something that has no meaning: names the field, the
/// value and what was expected. Python: ValueError.
class InvalidInput : public Error {
 public:
  using Error::Error;
};

/// A file cannot be opened, is truncated, has a wrong layout, or cannot be written.
/// Python: OSError.
class FileError : public Error {
 public:
  using Error::Error;
};

/// The user asked to stop (Ctrl-C). Python: KeyboardInterrupt.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

}  // namespace saltus
