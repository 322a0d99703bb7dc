// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/log/message_sink.hpp"

#include <chrono>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace orbweaver {

namespace {

/// So many of a kind are printed each; more at powers of ten.
constexpr std::uint64_t printed_each = 10;

bool is_printed(std::uint64_t count) noexcept {
  if (count <= printed_each)
    return true;
  while (count % 10 == 0)
    count /= 10;
  return count == 1;
}

std::uint64_t time_of(const spdlog::details::log_msg& message) noexcept {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<nanoseconds>(message.time.time_since_epoch()).count());
}

spdlog::level::level_enum level_of(MessageLevel level) noexcept {
  return level == MessageLevel::error ? spdlog::level::err : spdlog::level::warn;
}

} // namespace

MessageSink::MessageSink(std::string program, std::shared_ptr<spdlog::sinks::sink> printer)
    : program_(std::move(program)), printer_(std::move(printer)) {}

void MessageSink::keep_in(std::shared_ptr<MessageLog> log) {
  log_ = std::move(log);
  for (const auto& early : std::exchange(early_, {}))
    log_->add(early.level, early.text, early.time_ns);
}

void MessageSink::log(const spdlog::details::log_msg& message) {
  if (message.level < spdlog::level::warn || message.level == spdlog::level::off) {
    printer_->log(message);
    return;
  }
  const auto level = message.level >= spdlog::level::err ? MessageLevel::error : MessageLevel::warning;
  const std::string_view text(message.payload.data(), message.payload.size());
  if (!log_) {
    if (early_.size() < MessageLog::max_kinds)
      early_.push_back({level, std::string(text), time_of(message)});
    printer_->log(message);
    return;
  }
  const auto count = log_->add(level, text, time_of(message));
  if (prints_all_) {
    printer_->log(message);
    return;
  }
  if (!is_printed(count))
    return;
  auto changed = message;
  const auto counted = count > printed_each ? fmt::format("{} (the {}th of its kind)", text, count) : std::string(text);
  changed.payload = counted;
  printer_->log(changed);
}

void MessageSink::print_totals() {
  if (!log_ || prints_all_)
    return;
  for (const auto& message : log_->read()) {
    if (is_printed(message.count))
      continue;
    const auto text = message.text.empty()
                          ? fmt::format("{} {}s of further kinds in all", message.count, to_string(message.level))
                          : fmt::format("{} of a kind in all, the first: {}", message.count, message.text);
    printer_->log({program_, level_of(message.level), text});
  }
}

} // namespace orbweaver
