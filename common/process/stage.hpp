// SPDX-License-Identifier: GPL-3.0-or-later
// What every stage's program does in the same way: common options, signals, pinning to a core, its block of counters,
// and how errors become an exit status.
#pragma once

#include "common/cage/cage.hpp"
#include "common/process/options/command_line.hpp"
#include "common/process/session.hpp"
#include "common/stream/endpoint.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// Exit statuses of every program.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// The options that all stages share.
struct StageOptions {
  int cpu = -1; ///< core to run on, -1: any
  bool busy_poll = false;
  bool huge_pages = false;
  std::string session; ///< of the front command; empty: a session of its own
  unsigned slot = 0;   ///< this stage's place in it
  unsigned attach_timeout_s = 10;
  bool no_sandbox = false;
  bool verbose = false;      ///< each message is printed, however many of its kind there were
  bool caged = true;         ///< false in a process that goes on after the stage: a test's
  std::string user;          ///< whose rights remain; empty: those of who started it
  std::string try_call;      ///< of a test build: what is tried from within the cage
  std::string try_in_helper; ///< the same, from within that of the spider's helper
  // Of a stage that may be followed by another one:
  int kept_fd = -1;    ///< memory that outlives it (kept_memory.hpp); -1: none
  int takes_over = -1; ///< it follows one that ended by this signal; 0: without a word; -1: it follows none
  int poison_fd = -1;  ///< for recordings of what it dies of (common/stream/poison.hpp); -1: none
};

/// What --no-sandbox says.
inline constexpr std::string_view no_sandbox_warning =
    "--no-sandbox: NO CAGES: every stage keeps all rights of who started it, also while it reads what others sent; for "
    "debugging only";

/// Adds --cpu, --busy-poll, --huge-pages, --attach-timeout, --user, --no-sandbox, --verbose, and (hidden) --session and
/// --slot.
void add_stage_options(CommandLine& app, StageOptions& options);

/// How the stage's endpoints are opened, `ring_mib` being the size of a ring that it makes itself.
[[nodiscard]] EndpointOptions endpoint_options(const StageOptions& options, unsigned ring_mib);

/// The bounds of --packet-ring-mib, --flow-ring-mib and --job-ring-mib.
inline constexpr unsigned min_ring_mib = 1;
inline constexpr unsigned max_ring_mib = 32768;
inline constexpr unsigned default_packet_ring_mib = 8;
inline constexpr unsigned default_flow_ring_mib = 4;
inline constexpr unsigned default_job_ring_mib = 4;
inline constexpr unsigned default_flow_memory_mib = 64;

/// A running stage. There is one in a process.
class Stage {
public:
  /// Pins the process, sets its signals (SIGTERM asks to stop; where the stage runs alone SIGINT too, and the second
  /// one ends the process at once; SIGPIPE is ignored), and takes its block of counters. What it warns of from then on,
  /// and what it was warned of before, is kept there too (MessageSink). Throws Error.
  Stage(StageKind kind, const StageOptions& options);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();

  /// Set when somebody asked to stop.
  [[nodiscard]] const std::atomic<bool>& stop() const noexcept;

  /// Set when a stage that reads a stream must end before the stream does: only where it runs alone. In a session the
  /// stages end one after another, each when its input has ended, so that nothing is lost on the way.
  [[nodiscard]] const std::atomic<bool>& stop_reading() const noexcept;

  /// Stores local counters where others see them, with a heartbeat.
  void publish(std::span<const std::uint64_t> counters, std::uint64_t now_ns) noexcept {
    block_->publish(counters, now_ns);
  }

  /// Of a stage that follows another one: its counters as it stored them last; else all 0.
  [[nodiscard]] std::span<const std::uint64_t> counters_before() const noexcept { return counters_before_; }
  /// A word for a follower, and that of a predecessor.
  void keep(std::size_t place, std::uint64_t word) noexcept {
    block_->kept[place].store(word, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t kept(std::size_t place) const noexcept {
    return block_->kept[place].load(std::memory_order_relaxed);
  }

  /// The session's name; one of the process id where the stage runs alone.
  [[nodiscard]] const std::string& session_name() const noexcept { return session_->name(); }

  /// Whether the interface that the session's capture watches is away: nobody sees what is sent there.
  [[nodiscard]] bool link_away() const noexcept;
  /// How often it went away so far.
  [[nodiscard]] std::uint64_t link_losses() const noexcept;

  /// Whom the stage becomes when it enters its cage; empty: nobody else.
  [[nodiscard]] const std::string& user_to_become() const noexcept { return user_; }

  /// Gives up every right that is not in the stage's list, once all is open; a call that is not ends the stage as
  /// failed, named. Throws Error.
  void enter_cage(const CageRules& rules);

  /// How the stage ends; StageState::failed if nobody says.
  void finish(StageState state) noexcept { end_ = state; }

private:
  std::shared_ptr<Session> session_; ///< mapped until the process ends: the error that ends it comes after the stage
  StageBlock* block_ = nullptr;
  StageOptions options_;
  std::string user_;
  bool alone_;
  std::vector<std::uint64_t> counters_before_;
  StageState end_ = StageState::failed;
};

/// Runs `run` and returns its exit status, or that of the error it throws, after one line on stderr.
int report_errors(const std::function<int()>& run);

/// Parses the command line and runs a program: `run` returns the exit status. Errors become one line on stderr,
/// `program: error: what`, and an exit status.
int run_program(CommandLine& app, int argc, char** argv, const std::function<int()>& run);

/// Sets up logging on stderr as `program: level: text` (MessageSink); done by run_program, and before it by who has to
/// warn earlier.
void set_up_log(const std::string& program);

/// Pins the process to a core; the error says which cores there are.
void pin_to_cpu(int cpu);

/// The path of another of the project's programs: beside this one in a build tree, or where they are installed.
[[nodiscard]] std::string find_program(const std::string& name);

/// What a program that is given one argument writes to stdout. Throws Error where it fails.
[[nodiscard]] std::string output_of(const std::string& program, const std::string& argument);

/// Writes to standard output, all of it now. Throws Error where that cannot be.
void print(std::string_view text);

} // namespace orbweaver
