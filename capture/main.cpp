// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-capture: reads packets, dissects them, and deals them out to the observers.
#include "capture/options.hpp"
#include "capture/run.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
  using namespace orbweaver;
  CaptureArguments arguments;
  CommandLine app("Reads packets from a file or an interface and gives them, dissected, to the observers.",
               "orbweaver-capture");
  app.set_version_flag("--version", "orbweaver-capture " ORBWEAVER_VERSION);
  add_arguments(app, arguments);
  return run_program(app, argc, argv, [&] { return run_capture(arguments); });
}
