// SPDX-License-Identifier: GPL-3.0-or-later
// What orbweaver-spider does once its command line is read: describes its plugins, filters jobs, or measures. Warnings
// and the errors of a run go to the log.
#pragma once

#include "spider/options.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace orbweaver {

/// Does what the arguments ask for; returns the exit status. Throws Error, and UsageError for arguments that do not fit
/// together.
int run_spider(const SpiderArguments& arguments);

/// Warns of members that were left out: of the first ones, each key once. The others are counted by the engine.
class MemberWarnings {
public:
  explicit MemberWarnings(std::string plugin) : plugin_(std::move(plugin)) {}

  static constexpr std::size_t max_named = 10;

  void operator()(const Job& job, const std::string& of, const json::CheckedMembers::LeftOut& member);

private:
  std::string plugin_;
  std::set<std::string> named_; ///< keys
};

} // namespace orbweaver
