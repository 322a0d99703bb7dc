// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-spider: jobs in, connections made, what came of them out.
#include "config.hpp"
#include "spider/options.hpp"
#include "spider/plugin_set.hpp"
#include "spider/run.hpp"

int main(int argc, char** argv) {
  using namespace orbweaver;
  SpiderArguments arguments;
  CommandLine app("Orbweaver's spider: reads jobs, makes the connections of a plugin, writes what came of them.",
               "orbweaver-spider");
  app.set_version_flag("--version", "orbweaver-spider " ORBWEAVER_VERSION);
  set_up_log(app.name());
  add_arguments(app, arguments, find_plugins());
  return run_program(app, argc, argv, [&] { return run_spider(arguments); });
}
