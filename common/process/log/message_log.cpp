// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/log/message_log.hpp"

#include "common/printable.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <span>
#include <utility>

namespace orbweaver {

namespace {

/// Octets of UTF-8.
constexpr std::size_t longest_character = 4;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_word(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

/// Whether a text may be the beginning of a longer one.
bool may_be_cut(std::string_view text) noexcept {
  return text.size() + longest_character > MessageLog::max_text;
}

/// What makes the kind of a text, one after another: each letter as it is, '0' for any number, '"' for anything in
/// quotation marks. An apostrophe within a word is a letter, and so is a mark that is not closed.
class Elements {
public:
  explicit Elements(std::string_view text) noexcept : text_(text) {}

  [[nodiscard]] bool empty() const noexcept { return at_ == text_.size(); }

  char next() noexcept {
    const char first = text_[at_];
    const bool in_word = at_ > 0 && is_word(text_[at_ - 1]);
    if (is_digit(first)) {
      while (!empty() && is_digit(text_[at_]))
        ++at_;
      return '0';
    }
    if ((first == '"' || first == '\'') && !in_word)
      if (const auto end = end_of_quoted(first); end != text_.npos) {
        at_ = end;
        return '"';
      }
    ++at_;
    return first;
  }

private:
  [[nodiscard]] std::size_t end_of_quoted(char mark) const noexcept {
    const auto closed = text_.find(mark, at_ + 1);
    return closed != text_.npos ? closed + 1 : may_be_cut(text_) ? text_.size() : text_.npos;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// As much of a text as an entry holds, cut between two characters of UTF-8.
std::string_view beginning_of(std::string_view text) noexcept {
  std::size_t length = std::min(text.size(), MessageLog::max_text);
  while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
    --length;
  return text.substr(0, length);
}

MessageLevel known(MessageLevel level) noexcept {
  return level == MessageLevel::error ? level : MessageLevel::warning;
}

} // namespace

std::string_view to_string(MessageLevel level) noexcept {
  return level == MessageLevel::error ? "error" : "warning";
}

bool same_kind(std::string_view kept, std::string_view text) noexcept {
  Elements a(kept), b(text);
  while (!a.empty() && !b.empty())
    if (a.next() != b.next())
      return false;
  return a.empty() && (b.empty() || may_be_cut(kept));
}

template <typename Counted>
std::uint64_t MessageLog::count_in(Counted& counted, std::uint64_t now_ns) noexcept {
  const auto count = counted.count.load(std::memory_order_relaxed) + 1;
  if (count == 1)
    counted.first_ns.store(now_ns, std::memory_order_relaxed);
  counted.last_ns.store(now_ns, std::memory_order_relaxed);
  counted.count.store(count, std::memory_order_relaxed);
  return count;
}

MessageLog::Entry* MessageLog::entry_for(MessageLevel level, std::string_view text) noexcept {
  const auto size = std::min<std::size_t>(size_.load(std::memory_order_relaxed), max_kinds); // nobody else stores it
  for (auto& entry : std::span(entries_).first(size))
    if (entry.level.load(std::memory_order_relaxed) == level && same_kind(entry.kept(), text))
      return &entry;
  if (size >= max_kinds - (level == MessageLevel::error ? 0 : kept_for_errors))
    return nullptr;
  auto& entry = entries_[size];
  const auto kept = beginning_of(text);
  entry.level.store(level, std::memory_order_relaxed);
  entry.length.store(static_cast<std::uint32_t>(kept.size()), std::memory_order_relaxed);
  std::memcpy(entry.text.data(), kept.data(), kept.size());
  return &entry;
}

std::uint64_t MessageLog::add(MessageLevel level, std::string_view text, std::uint64_t now_ns) noexcept {
  auto* const entry = entry_for(level, text);
  if (!entry)
    return count_in(others_[static_cast<std::size_t>(level)], now_ns);
  const auto count = count_in(*entry, now_ns);
  if (count == 1)
    size_.store(static_cast<std::uint32_t>(entry - entries_.data()) + 1,
                std::memory_order_release); // pairs with the load in read
  return count;
}

template <typename Counted>
Message MessageLog::copy_of(const Counted& counted, MessageLevel level, std::string text) {
  return {level, std::move(text), counted.count.load(std::memory_order_relaxed),
          counted.first_ns.load(std::memory_order_relaxed), counted.last_ns.load(std::memory_order_relaxed)};
}

std::vector<Message> MessageLog::read() const {
  std::vector<Message> messages;
  const std::size_t size = size_.load(std::memory_order_acquire); // pairs with the store in add
  for (const auto& entry : std::span(entries_).first(std::min(size, max_kinds)))
    messages.push_back(
        copy_of(entry, known(entry.level.load(std::memory_order_relaxed)), printable(std::string(entry.kept()))));
  for (const auto level : {MessageLevel::warning, MessageLevel::error})
    if (auto others = copy_of(others_[static_cast<std::size_t>(level)], level, {}); others.count > 0)
      messages.push_back(std::move(others));
  return messages;
}

} // namespace orbweaver
