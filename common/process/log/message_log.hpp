// SPDX-License-Identifier: GPL-3.0-or-later
// The distinct warnings and errors of a stage, in its block of the control segment: what was said, how often, when
// first and last. A message that comes a million times is one entry with a count.
//
// Two messages are of one kind where they differ in numbers alone, or in what stands between quotation marks (' or "):
// "jobs.csv, line 7: …" and "jobs.csv, line 12: …" are one. The text of the first one stands for all.
//
// One writer, the stage; any number of readers, who take no lock. Entries are only ever appended.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

enum class MessageLevel : std::uint32_t { warning = 0, error = 1 };

[[nodiscard]] std::string_view to_string(MessageLevel level) noexcept;

/// A kind of message, copied out of a log.
struct Message {
  MessageLevel level = MessageLevel::warning;
  std::string text; ///< of the first of its kind; printable; empty: all that found no place in the log
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0; ///< CLOCK_REALTIME
  std::uint64_t last_ns = 0;
};

/// In shared memory; all zero is an empty log.
class MessageLog {
public:
  /// Kinds that have an entry, the last few for errors alone; of what comes beyond them only the number is kept.
  static constexpr std::size_t max_kinds = 32, kept_for_errors = 8;
  static constexpr std::size_t max_text = 224; ///< octets of a text; of a longer one its beginning

  /// Counts a message. Returns how often its kind has come, this time included; of one that finds no place, how many of
  /// its level found none.
  std::uint64_t add(MessageLevel level, std::string_view text, std::uint64_t now_ns) noexcept;

  /// All there is, in the order of first times; what found no place comes last, without a text. Believes nothing: who
  /// writes may be anybody's stage.
  [[nodiscard]] std::vector<Message> read() const;

private:
  struct Entry {
    std::atomic<std::uint64_t> count, first_ns, last_ns; ///< relaxed: numbers for people
    std::atomic<MessageLevel> level;                     ///< this and what follows: before size_ covers the entry
    std::atomic<std::uint32_t> length;
    std::array<char, max_text> text;

    /// Within bounds, whatever the length says.
    [[nodiscard]] std::string_view kept() const noexcept {
      return {text.data(), std::min<std::size_t>(length.load(std::memory_order_relaxed), max_text)};
    }
  };
  static_assert(sizeof(Entry) == 256);

  /// What found no place.
  struct Others {
    std::atomic<std::uint64_t> count, first_ns, last_ns; ///< relaxed
  };

  /// The entry of a kind; a new one, which size_ does not cover, where there is none; nullptr where that has no place.
  [[nodiscard]] Entry* entry_for(MessageLevel level, std::string_view text) noexcept;
  template <typename Counted>
  static std::uint64_t count_in(Counted& counted, std::uint64_t now_ns) noexcept;
  template <typename Counted>
  static Message copy_of(const Counted& counted, MessageLevel level, std::string text);

  std::array<Entry, max_kinds> entries_;
  std::array<Others, 2> others_;    ///< by level
  std::atomic<std::uint32_t> size_; ///< release in add(), pairs with the acquire in read()
};

/// Whether a text differs in numbers and quoted parts alone from the one that is kept, which may be a beginning.
[[nodiscard]] bool same_kind(std::string_view kept, std::string_view text) noexcept;

} // namespace orbweaver
