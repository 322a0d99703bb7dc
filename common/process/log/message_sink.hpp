// SPDX-License-Identifier: GPL-3.0-or-later
// Where a program's log goes: to stderr, and warnings and errors into the stage's list of messages too, so that a
// message that comes again and again does not flood the terminal: of each kind (message_log.hpp) the first ten are
// printed, then the 100th, the 1000th and so on, and at the end how many there were; or all (--verbose). One thread, as
// the logger.
#pragma once

#include "common/process/log/message_log.hpp"

#include <cstdint>
#include <memory>
#include <spdlog/sinks/sink.h>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

class MessageSink final : public spdlog::sinks::sink {
public:
  /// Until keep_in() is called, everything is printed. `program` stands before what the sink says by itself.
  MessageSink(std::string program, std::shared_ptr<spdlog::sinks::sink> printer);

  /// Counts in this log from now on, and takes over into it what came before.
  void keep_in(std::shared_ptr<MessageLog> log);

  /// From now on every message is printed, however many of its kind there were.
  void print_all() noexcept { prints_all_ = true; }

  /// Prints how many there were of the kinds of which not all, nor the latest, were printed.
  void print_totals();

  void log(const spdlog::details::log_msg& message) override;
  void flush() override { printer_->flush(); }
  void set_pattern(const std::string& pattern) override { printer_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    printer_->set_formatter(std::move(formatter));
  }

private:
  struct Early {
    MessageLevel level;
    std::string text;
    std::uint64_t time_ns;
  };

  std::string program_;
  std::shared_ptr<spdlog::sinks::sink> printer_;
  std::shared_ptr<MessageLog> log_; ///< none until keep_in()
  bool prints_all_ = false;
  std::vector<Early> early_; ///< at most MessageLog::max_kinds
};

} // namespace orbweaver
