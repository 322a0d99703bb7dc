// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/filter_command.hpp"

#include "common/error.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/process/stage.hpp"
#include "tools/run/options/option_groups.hpp"

#include <unistd.h>

namespace orbweaver {

CommandLine& add_filter_command(CommandLine& front, FilterOptions& options) {
  auto& arguments = options.spider_arguments;
  auto& app = front.add_subcommand("filter", "Prepare jobs: each target once, as NDJSON");
  hand_on(app, arguments, "--input", "FILE", "Jobs (standard input)");
  app.add_flag_callback(
      "--csv-input,--csv", [&arguments] { arguments.emplace_back("--csv-input"); },
      "Jobs are lines of rank,domain or dip,dp,domain or dip,dp,domain,rank");
  hand_on(app, arguments, "--dp", "PORT", "Destination port to give every job")->transform(whole_number(1, 65535));
  app.add_flag_callback(
      "--verbose", [&arguments] { arguments.emplace_back("--verbose"); }, "Name every bad line, and not the first 100");
  app.footer("Example:\n"
             "  orbweaver filter --csv-input --dp 443 < top.csv > jobs.ndjson");
  return app;
}

int filter(const FilterOptions& options) {
  const auto program = find_program("orbweaver-spider");
  std::vector<std::string> arguments{program, "--filter"};
  arguments.insert(arguments.end(), options.spider_arguments.begin(), options.spider_arguments.end());
  std::vector<char*> pointers;
  for (auto& argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
  throw Error("cannot run " + program + ": " + errno_text());
}

} // namespace orbweaver
