// SPDX-License-Identifier: GPL-3.0-or-later
// The state of a measurement as octets, in memory that outlives its merger (snapshots.hpp): written value by value,
// read in the same order by a merger of the same build or of another one. What is read back was written by a process
// that died, for whatever reason: every size is checked against what is there, and who reads checks what it means.
// Owned by the merger's thread.
#pragma once

#include "common/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace orbweaver {

class StateWriter {
public:
  /// Writes to that memory. What is more than fits is left out, and fits() says so.
  explicit StateWriter(std::span<std::byte> room) noexcept : begin_(room.data()), room_(room.size()) {}

  template <typename Value>
  void put(const Value& value) noexcept {
    static_assert(std::is_trivially_copyable_v<Value>);
    put_octets(&value, sizeof value);
  }
  void put_octets(const void* octets, std::size_t count) noexcept {
    if (count == 0)
      return; // whatever the pointer is
    if (room_ - size_ < count) [[unlikely]] {
      size_ = room_;
      fits_ = false;
      return;
    }
    std::memcpy(begin_ + size_, octets, count);
    size_ += count;
  }
  /// Text of any length.
  void put_text(std::string_view text) noexcept {
    put(std::uint64_t{text.size()});
    put_octets(text.data(), text.size());
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool fits() const noexcept { return fits_; }

private:
  std::byte* begin_;
  std::uint64_t room_;
  std::uint64_t size_ = 0;
  bool fits_ = true;
};

class StateReader {
public:
  explicit StateReader(std::span<const std::byte> octets) noexcept : rest_(octets) {}

  template <typename Value>
  [[nodiscard]] Value get() {
    static_assert(std::is_trivially_copyable_v<Value>);
    Value value;
    get_octets(&value, sizeof value);
    return value;
  }
  void get_octets(void* to, std::uint64_t count) {
    check(count <= rest_.size(), "it ends too early");
    if (count == 0)
      return;
    std::memcpy(to, rest_.data(), count);
    rest_ = rest_.subspan(count);
  }
  [[nodiscard]] std::string get_text() {
    std::string text;
    get_text(get<std::uint64_t>(), text);
    return text;
  }
  void get_text(std::uint64_t octets, std::string& text) {
    check(octets <= rest_.size(), "a text is longer than all there is");
    text.assign(octets == 0 ? "" : reinterpret_cast<const char*>(rest_.data()), octets);
    rest_ = rest_.subspan(octets);
  }
  /// A truth value, which is an octet and no other than 0 or 1.
  [[nodiscard]] bool get_flag() {
    const auto flag = get<std::uint8_t>();
    check(flag <= 1, "a truth value is neither");
    return flag != 0;
  }
  [[nodiscard]] std::uint64_t left() const noexcept { return rest_.size(); }
  void finish() const { check(rest_.empty(), "there is more than should be"); }

  /// Throws Error where that does not hold.
  static void check(bool holds, const char* why) {
    if (!holds) [[unlikely]]
      refuse(why);
  }
  [[noreturn]] static void refuse(const std::string& why) {
    throw Error("what a merger left of its measurement does not fit: " + why +
                "; its results are in the output, up to where it stopped");
  }

private:
  std::span<const std::byte> rest_;
};

} // namespace orbweaver
