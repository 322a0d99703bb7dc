// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/log/message_log.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <thread>

using namespace orbweaver;

namespace {

constexpr auto warning = MessageLevel::warning, error = MessageLevel::error;

/// As in a control segment that was just made.
std::unique_ptr<MessageLog> empty_log() {
  return std::make_unique<MessageLog>();
}

/// A text that no other number has the kind of.
std::string distinct(std::size_t number) {
  return "kind " + std::string(number + 1, 'x');
}

} // namespace

TEST_CASE("messages that differ in numbers or quoted parts alone are of one kind") {
  CHECK(same_kind("jobs, line 7: no JSON", "jobs, line 1234: no JSON"));
  CHECK(same_kind("'a.example' has no result", "'longer.example' has no result"));
  CHECK(same_kind("\"x\" is 5, not \"\"", "\"yy\" is 17, not \"z\""));
  CHECK_FALSE(same_kind("jobs, line 7: no JSON", "jobs, line 7: no address"));
  CHECK_FALSE(same_kind("line 7", "line "));
  CHECK_FALSE(same_kind("line 7", "line 7 and more"));
  CHECK(same_kind("", ""));
}

TEST_CASE("an apostrophe, or a mark that is not closed, quotes nothing") {
  CHECK_FALSE(same_kind("the ring's end, the file's end", "the ring's head, the file's end"));
  CHECK_FALSE(same_kind("a 'half", "a 'other"));
}

TEST_CASE("a kind is one entry: the first text, the count, the first and the last time") {
  const auto log = empty_log();
  CHECK(log->read().empty());
  CHECK(log->add(warning, "line 1: bad", 100) == 1);
  CHECK(log->add(error, "line 1: bad", 150) == 1);
  for (std::uint64_t line = 2; line <= 1000; ++line)
    CHECK(log->add(warning, "line " + std::to_string(line) + ": bad", 100 + line) == line);
  const auto messages = log->read();
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].level == warning);
  CHECK(messages[0].text == "line 1: bad");
  CHECK(messages[0].count == 1000);
  CHECK(messages[0].first_ns == 100);
  CHECK(messages[0].last_ns == 1100);
  CHECK(messages[1].level == error);
  CHECK(messages[1].count == 1);
}

TEST_CASE("kinds that find no place are counted by level, and errors find one longer than warnings") {
  const auto log = empty_log();
  for (std::size_t i = 0; i < 40; ++i)
    log->add(warning, distinct(i), i);
  for (std::size_t i = 0; i < 20; ++i)
    log->add(error, distinct(i), 100 + i);
  CHECK(log->add(warning, distinct(3), 200) == 2); // it has an entry still
  const auto messages = log->read();
  constexpr auto warnings = MessageLog::max_kinds - MessageLog::kept_for_errors;
  REQUIRE(messages.size() == MessageLog::max_kinds + 2);
  CHECK(messages[warnings - 1].level == warning);
  CHECK(messages[warnings].level == error);
  CHECK(messages[MessageLog::max_kinds].text.empty());
  CHECK(messages[MessageLog::max_kinds].level == warning);
  CHECK(messages[MessageLog::max_kinds].count == 40 - warnings);
  CHECK(messages[MessageLog::max_kinds].first_ns == warnings);
  CHECK(messages[MessageLog::max_kinds + 1].level == error);
  CHECK(messages[MessageLog::max_kinds + 1].count == 20 - MessageLog::kept_for_errors);
}

TEST_CASE("a text that is too long is kept up to a whole character, and its kind is known again") {
  const auto log = empty_log();
  const auto text = [](std::uint64_t number) {
    std::string out = "line " + std::to_string(number) + " ";
    while (out.size() < 400)
      out += "\u00fc";
    return out;
  };
  CHECK(log->add(warning, text(1), 1) == 1);
  CHECK(log->add(warning, text(12345), 2) == 2);
  const auto messages = log->read();
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].text.size() >= MessageLog::max_text - 1);
  CHECK(text(1).starts_with(messages[0].text));
  CHECK((static_cast<unsigned char>(messages[0].text.back()) & 0xC0) == 0x80); // the second octet of its last letter
  const auto in_quotes = [](std::uint64_t number) {
    return "key '" + std::to_string(number) + std::string(300 + number, 'k') + "' is bad";
  };
  CHECK(log->add(warning, in_quotes(1), 1) == 1);
  CHECK(log->add(warning, in_quotes(20), 1) == 2);
}

TEST_CASE("a reader believes nothing of a log that anybody has written") {
  auto octets = std::make_unique<std::array<unsigned char, sizeof(MessageLog)>>();
  const auto log = empty_log();
  for (const unsigned char octet : {0xff, 0x80, 0x1b, 0x07}) {
    octets->fill(octet);
    std::memcpy(static_cast<void*>(log.get()), octets->data(), sizeof(MessageLog));
    const auto messages = log->read();
    CHECK(messages.size() <= MessageLog::max_kinds + 2);
    for (const auto& message : messages) {
      CHECK(message.text.size() <= MessageLog::max_text);
      CHECK(message.text.find('\x1b') == std::string::npos);
      CHECK((message.level == warning || message.level == error));
    }
    log->add(warning, "more", 1); // nor does the writer
    CHECK(log->read().size() <= MessageLog::max_kinds + 2);
  }
}

TEST_CASE("a reader beside the writer sees whole texts only") {
  const auto log = empty_log();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::size_t round = 0; round < 200; ++round)
      for (std::size_t i = 0; i < MessageLog::max_kinds; ++i)
        log->add(error, distinct(i), round);
    done = true;
  });
  bool whole = true;
  std::size_t before = 0;
  while (!done) {
    const auto messages = log->read();
    whole = whole && messages.size() >= before;
    before = messages.size();
    for (std::size_t i = 0; i < messages.size(); ++i)
      whole = whole && messages[i].text == distinct(i) && messages[i].count > 0;
  }
  writer.join();
  CHECK(whole);
  CHECK(log->read().back().count == 200);
}
