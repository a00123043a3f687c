// SPDX-License-Identifier: Apache-2.0
// Named arrays and what is said of them, in one piece: what models, checkpoints and what a child
// process read are made of. As a file it is one of safetensors, which its library reads too
// (https://huggingface.co/docs/safetensors/index#format):
//
//     8 bytes   how long the header is, little endian
//     header    JSON: {"__metadata__": {"digest": ..., "saltus": JSON text}, name: {"dtype": "F64",
//               "shape": [..], "data_offsets": [begin, end]}, ...}
//     numbers   one array after the other, no gaps
//
// The digest is of every byte of the file (its own digits taken as zeros): a flipped bit is an error.
// Values are held where they came from: a vector, or the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saltus {

class Archive {
 public:
  using Extents = std::vector<std::size_t>;

  nlohmann::json about = nlohmann::json::object();  ///< what is no array

  /// @param name  one that is not there yet  @param shape  of as many values
  /// T: float, double, std::int32_t, std::int64_t, std::uint8_t
  template <class T>
  void put(const std::string& name, std::vector<T> values, Extents shape) {
    const auto held = std::make_shared<const std::vector<T>>(std::move(values));
    const std::string_view bytes(reinterpret_cast<const char*>(held->data()),
                                 held->size() * sizeof(T));
    add(name, {type<T>(), std::move(shape), bytes, held});
  }
  /// A list.
  template <class T>
  void put(const std::string& name, std::vector<T> values) {
    Extents shape{values.size()};
    put(name, std::move(values), std::move(shape));
  }

  bool holds(const std::string& name) const { return arrays_.contains(name); }
  /// The values of an array. Of floating-point numbers either type may ask, of integers its own.
  /// @throws InvalidInput  no such array, or one of another type
  template <class T>
  std::vector<T> get(const std::string& name) const;
  /// @throws InvalidInput  no such array
  const Extents& shape(const std::string& name) const { return array(name).shape; }
  /// As safetensors call it. @throws InvalidInput  no such array
  const std::string& type_of(const std::string& name) const { return array(name).type; }
  std::vector<std::string> names() const;

  /// Hands the file out, piece by piece. The same archive gives the same bytes.
  /// @throws InvalidInput  a name or a text that is not UTF-8, before the first piece
  void write(const std::function<void(std::string_view)>& piece) const;
  std::string bytes() const;
  /// Reads what bytes() wrote, or anybody: nothing is believed, and no memory asked for, before it
  /// was compared with the size of the file.
  /// @param sealed  must it have a digest? A file of another program has none
  /// @throws InvalidInput  damaged, cut off, or no file of this kind: says what is wrong
  static Archive parse(std::string file, bool sealed = true);

 private:
  struct Array {
    std::string type;  // as safetensors call it
    Extents shape;
    std::string_view bytes;
    std::shared_ptr<const void> held;  // what the bytes are part of
  };
  std::map<std::string, Array> arrays_;

  template <class T>
  static const char* type();
  void add(const std::string& name, Array array);
  const Array& array(const std::string& name) const;
  // Of a file with this beginning: its size and the header.
  std::string digest(std::string_view beginning) const;
};

}  // namespace saltus
