// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/stats/stats_command.hpp"

#include "common/error.hpp"
#include "common/process/session.hpp"
#include "common/process/stage.hpp"
#include "common/stream/ring/ring.hpp"
#include "common/stream/ring/shared_memory.hpp"
#include "tools/run/supervise/signals.hpp"
#include "tools/stats/stats_formats.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <sys/ioctl.h>
#include <unistd.h>

namespace orbweaver {

namespace {

bool is_running(const Session& session) {
  return session.control().creator_lives() ||
         std::ranges::any_of(session.stages(), [](const StageBlock& stage) { return stage.is_at_work(); });
}

/// The session asked for, or the only one that runs.
Session find_session(const std::string& name) {
  if (!name.empty())
    return Session::attach(name, false);
  std::vector<Session> running;
  std::string names;
  for (const auto& candidate : Session::names()) {
    try {
      auto session = Session::attach(candidate, false);
      if (!is_running(session))
        continue;
      names += " " + candidate;
      running.push_back(std::move(session));
    } catch (const Error&) {
      // Of another user, being made, or just ended.
    }
  }
  if (running.empty())
    throw Error("no session is running");
  if (running.size() > 1)
    throw UsageError("several sessions are running, name one:" + names);
  return std::move(running.front());
}

/// The rings of the session, and those that its stages attached by other names.
std::vector<Ring> find_rings(const Session& session) {
  std::vector<Ring> rings;
  for (const auto& segment : Segment::list(segment_prefix)) {
    if (segment.ends_with(".control"))
      continue;
    try {
      Ring ring = Ring::attach(segment, false);
      const auto stages = session.stages();
      const bool used = std::any_of(stages.begin(), stages.end(), [&](const StageBlock& stage) {
        const auto pid = stage.process.pid.load(std::memory_order_relaxed);
        return pid != 0 && (ring.header().producer.process.pid.load(std::memory_order_relaxed) == pid ||
                            ring.header().consumer.process.pid.load(std::memory_order_relaxed) == pid);
      });
      if (used || segment.starts_with(std::string(segment_prefix) + session.name() + "."))
        rings.push_back(std::move(ring));
    } catch (const Error&) {
      // Being made, or just removed.
    }
  }
  return rings;
}

/// Of the terminal that standard output is; 0 where it is none.
std::size_t terminal_columns() {
  winsize size{};
  return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/// One look at the session.
void show(const StatsOptions& options, const Snapshot& now, const Snapshot* before) {
  std::string text;
  if (options.json)
    text = options.watch ? stats_json_line(now) : stats_json(now);
  else if (options.prometheus)
    text = stats_prometheus(now);
  else
    text = stats_table(now, before, terminal_columns());
  if (options.watch && !options.json && isatty(STDOUT_FILENO))
    text = "\033[H\033[2J" + text;
  else if (before && !options.json)
    text = "\n" + text;
  print(text);
}

/// Shows the session each second until it ends or somebody presses Ctrl-C.
int watch(const StatsOptions& options, const Session& session) {
  SignalWatch signals;
  std::optional<Snapshot> before;
  while (is_running(session)) {
    auto now = take_snapshot(session, find_rings(session));
    show(options, now, before ? &*before : nullptr);
    before = std::move(now);
    if (signals.next(std::chrono::seconds(1)) != 0)
      return exit_done;
  }
  std::fprintf(stderr, "session %s has ended\n", session.name().c_str());
  return exit_done;
}

void add_options(CommandLine& app, StatsOptions& options) {
  app.add_option("session", options.session, "Which session; not needed where only one runs")->type_name("SESSION");
  auto* json = app.add_flag("--json", options.json, "As JSON; with --watch, an object a line");
  app.add_flag("--prometheus", options.prometheus, "In Prometheus' text format")->excludes(json);
}

} // namespace

CommandLine& add_stats_command(CommandLine& front, StatsOptions& options) {
  auto& app = front.add_subcommand("stats", "Show the counters of a running session");
  add_options(app, options);
  app.add_flag("--describe-counters", options.describe_counters, "")->group("");
  app.add_flag("--watch", options.watch, "Again each second, with rates, until the session ends");
  return app;
}

CommandLine& add_top_command(CommandLine& front, StatsOptions& options) {
  auto& app = front.add_subcommand("top", "The same each second, with rates: stats --watch");
  add_options(app, options);
  app.callback([&options] { options.watch = true; });
  return app;
}

int stats(const StatsOptions& options) {
  if (options.describe_counters) {
    print(counters_document());
    return exit_done;
  }
  const Session session = find_session(options.session);
  if (options.watch)
    return watch(options, session);
  show(options, take_snapshot(session, find_rings(session)), nullptr);
  return exit_done;
}

} // namespace orbweaver
