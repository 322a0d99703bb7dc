// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/stage.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/process/child_environment.hpp"
#include "common/process/log/message_sink.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/stream/ring/ring.hpp"
#include "common/stream/ring/wait.hpp"
#include "config.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <sched.h>
#include <spawn.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace orbweaver {

namespace {

std::atomic<bool> stop_flag{false};
const std::atomic<bool> never{false};

extern "C" void on_stop_signal(int signal) {
  if (stop_flag.exchange(true, std::memory_order_relaxed)) {
    // The second time: at once, by the signal's own default.
    std::signal(signal, SIG_DFL);
    raise(signal);
  }
}

/// In a session a stage may be told more than once: by its process group, by the front command, by its death.
extern "C" void on_session_signal(int) {
  stop_flag.store(true, std::memory_order_relaxed);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr); // no SA_RESTART: a blocking call returns, and the stop flag is seen
}

constexpr const char* out_of_memory =
    "out of memory: the limit of the process (ulimit -v), of its control group or of the machine is reached; what was "
    "written is kept; give more, or a lower --max-flows, --flow-memory-mib or ring size";

/// Memory that ran out where no exception may pass, as on the hot path, ends the program with the same words.
[[noreturn]] void name_out_of_memory() noexcept {
  try {
    if (const auto error = std::current_exception())
      std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    for (const std::string_view part : {std::string_view(program_invocation_short_name), std::string_view(": error: "),
                                        std::string_view(out_of_memory), std::string_view("\n")})
      if (write(STDERR_FILENO, part.data(), part.size()) < 0)
        break;
    _exit(exit_failed);
  } catch (...) {
  }
  std::abort();
}

/// That of a stage in its cage.
StageBlock* caged_block = nullptr;

/// Counts a refused call under its name, as the errors that a stage prints are.
void count_refused_call(const char* call) noexcept {
  std::array<char, 128> text{"refused call "};
  const std::size_t used = std::strlen(text.data());
  std::strncat(text.data(), call, text.size() - used - 1);
  caged_block->messages.add(MessageLevel::error, text.data(), monotonic_ns());
  caged_block->state.store(StageState::failed, std::memory_order_release);
}

/// Of the default logger; none where set_up_log() was not called, as in tests.
std::shared_ptr<MessageSink> message_sink() {
  const auto& sinks = spdlog::default_logger()->sinks();
  return sinks.empty() ? nullptr : std::dynamic_pointer_cast<MessageSink>(sinks.front());
}

void unblock(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

} // namespace

void add_stage_options(CommandLine& app, StageOptions& options) {
  app.add_option("--cpu", options.cpu, "Run on this core only")
      ->type_name("N")
      ->transform(whole_number(0, CPU_SETSIZE - 1));
  app.add_flag("--busy-poll", options.busy_poll, "Never sleep while waiting: for a core of its own");
  app.add_flag("--huge-pages", options.huge_pages, "Put the rings that this makes on huge pages");
  app.add_option("--attach-timeout", options.attach_timeout_s, "Seconds to wait for the other end of a ring")
      ->type_name("S")
      ->transform(whole_number(0, UINT32_MAX))
      ->capture_default_str();
  auto* const user = app.add_option("--user", options.user, "Become this user once the input is open (root only)");
  user->type_name("NAME");
  app.add_flag("--no-sandbox", options.no_sandbox, "Keep all rights: to find out what a cage forbids")->excludes(user);
  app.add_flag("--verbose", options.verbose, "Print every message, also where many are of a kind");
#ifdef ORBWEAVER_TRIES
  app.add_option("--try-in-cage", options.try_call)->group("");
  app.add_option("--try-in-helper", options.try_in_helper)->group("");
#endif
  app.add_option("--session", options.session)->group("");
  app.add_option("--kept", options.kept_fd)->group("");
  app.add_option("--takes-over", options.takes_over)->group("");
  app.add_option("--poison", options.poison_fd)->group("");
  app.add_option("--slot", options.slot)->transform(whole_number(0, max_stages))->group("");
}

EndpointOptions endpoint_options(const StageOptions& options, unsigned ring_mib) {
  return {std::uint64_t{ring_mib} << 20, options.huge_pages,      options.busy_poll,
          options.attach_timeout_s,      options.takes_over >= 0, options.session.empty()};
}

Stage::Stage(StageKind kind, const StageOptions& options)
    : options_(options), alone_(options.session.empty()), counters_before_(max_counters) {
  if (options.cpu >= 0)
    pin_to_cpu(options.cpu);
  for (const int handed : {options.kept_fd, options.poison_fd}) // to this process, and to none that it starts
    if (handed >= 0)
      fcntl(handed, F_SETFD, FD_CLOEXEC);
  if (alone_) {
    if (!options.user.empty())
      become_user(options.user); // whose the stage's shared memory and files are then
    session_ = std::make_shared<Session>(Session::create({}, std::string(to_string(kind))));
    block_ = &session_->add_stage(kind, 0);
  } else {
    user_ = options.user; // the session's shared memory is ours
    session_ = std::make_shared<Session>(Session::attach(options.session));
    if (options.slot >= session_->stages().size())
      throw Error("session '" + options.session + "' has no stage " + std::to_string(options.slot));
    block_ = &session_->stages()[options.slot];
    // The front command decides about Ctrl-C; when it dies, the stage comes to its end.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
  }
  if (options.takes_over >= 0)
    for (std::size_t i = 0; i < max_counters; ++i)
      counters_before_[i] = block_->counter(i);
  if (const auto sink = message_sink()) {
    sink->keep_in({session_, &block_->messages});
    if (options.verbose)
      sink->print_all();
  }
  handle(SIGTERM, alone_ ? on_stop_signal : on_session_signal);
  unblock(SIGTERM); // the front command starts stages with it blocked, so that none is lost before there is a handler
  handle(SIGINT, alone_ ? on_stop_signal : SIG_IGN);
  handle(SIGPIPE, SIG_IGN);
  block_->process.set_self();
  block_->heartbeat_ns.store(monotonic_ns(), std::memory_order_relaxed);
  block_->state.store(StageState::running, std::memory_order_release);
  if (!alone_ && !session_->control().creator.is_parent())
    stop_flag.store(true, std::memory_order_relaxed); // it died before prctl was called
}

Stage::~Stage() {
  if (const auto sink = message_sink())
    sink->print_totals();
  block_->state.store(end_, std::memory_order_release);
  if (alone_) {
    Session::remove(session_->name());
    return;
  }
  // Where the front command was killed, the last stage out removes what it left.
  // A killed parent is ours no more, even while it is still in the process table.
  if (session_->control().creator.is_parent())
    return;
  // Of two that leave at once, each stores before it looks at the other: one of them at least sees that it is the last.
  std::atomic_thread_fence(std::memory_order_seq_cst); // pairs with itself in the other stages
  for (const auto& stage : session_->stages())
    if (stage.is_at_work())
      return;
  Session::remove(session_->name());
}

void Stage::enter_cage(const CageRules& rules) {
  if (!options_.caged)
    return;
  if (options_.no_sandbox) {
    if (alone_)
      spdlog::warn("{}", no_sandbox_warning);
    return;
  }
  caged_block = block_;
  on_refused_call(count_refused_call);
  if (const auto missing = orbweaver::enter_cage(rules, user_); !missing.empty())
    spdlog::warn("{}", missing);
#ifdef ORBWEAVER_TRIES
  if (!options_.try_call.empty() && !try_forbidden(options_.try_call))
    throw UsageError("--try-in-cage " + options_.try_call);
#endif
}

const std::atomic<bool>& Stage::stop() const noexcept {
  return stop_flag;
}

const std::atomic<bool>& Stage::stop_reading() const noexcept {
  return alone_ ? stop_flag : never;
}

bool Stage::link_away() const noexcept {
  for (const StageBlock& stage : session_->stages())
    if (stage.kind == StageKind::capture && stage.counter(CaptureCounter::link_away) != 0)
      return true;
  return false;
}

std::uint64_t Stage::link_losses() const noexcept {
  std::uint64_t losses = 0;
  for (const StageBlock& stage : session_->stages())
    if (stage.kind == StageKind::capture)
      losses += stage.counter(CaptureCounter::link_losses);
  return losses;
}

void set_up_log(const std::string& program) {
  if (spdlog::get(program))
    return;
  auto logger = std::make_shared<spdlog::logger>(
      program, std::make_shared<MessageSink>(program, std::make_shared<spdlog::sinks::stderr_sink_st>()));
  logger->set_pattern("%n: %l: %v");
  spdlog::set_default_logger(logger);
}

int report_errors(const std::function<int()>& run) {
  try {
    return run();
  } catch (const UsageError& error) {
    spdlog::error("{}", error.what());
    return exit_usage;
  } catch (const std::bad_alloc&) {
    spdlog::error("{}", out_of_memory);
    return exit_failed;
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return exit_failed;
  }
}

int run_program(CommandLine& app, int argc, char** argv, const std::function<int()>& run) {
  set_up_log(app.name());
  std::set_terminate(name_out_of_memory);
  handle(SIGXFSZ, SIG_IGN); // a file that may not grow (ulimit -f) is an error of the write
  return report_errors([&] {
    try {
      if (const auto status = app.parse(argc, argv))
        return *status; // --help, --version
    } catch (const CommandLineError& error) {
      throw UsageError(std::string(error.what()) + " (see " + app.name() + " --help)");
    }
    return run();
  });
}

void pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < CPU_SETSIZE)
    CPU_SET(static_cast<unsigned>(cpu), &set);
  if (cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof set, &set) != 0)
    throw UsageError("cannot run on core " + std::to_string(cpu) + ": this machine has cores 0 to " +
                     std::to_string(sysconf(_SC_NPROCESSORS_ONLN) - 1));
}

std::string find_program(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto stage = name.substr(name.find('-') + 1);
  std::string refused;
  // In a build tree each program lies in its stage's folder; installed ones lie side by side.
  for (const auto& path : {here / name, here.parent_path() / stage / name, here.parent_path() / "tools" / name,
                           fs::path(ORBWEAVER_BINDIR) / name}) {
    if (!fs::is_regular_file(path, ignored))
      continue;
    if (access(path.c_str(), X_OK) == 0)
      return path.string();
    if (refused.empty())
      refused = path.string() + " cannot be run: " + errno_text();
  }
  if (!refused.empty())
    throw Error(refused + "; where it has rights, its group may run it (docs/operating-a-probe.md, Rights)");
  throw Error("cannot find the program " + name + " beside " + here.string() + " or in " ORBWEAVER_BINDIR);
}

std::string output_of(const std::string& program, const std::string& argument) {
  const auto refuse = [&](const std::string& why) { throw Error("cannot run " + program + ": " + why); };
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    refuse(errno_text());
  const FileDescriptor from(ends[0]);
  FileDescriptor to(ends[1]);
  // No shell: a path may have any letter.
  std::array<char*, 3> arguments{const_cast<char*>(program.c_str()), const_cast<char*>(argument.c_str()), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  pid_t child = 0;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), child_environment().data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    refuse(errno_text(error));
  to.reset(); // ours: the end comes when the child has closed its own
  std::string output;
  std::array<char, 4096> buffer{};
  for (ssize_t size; (size = read(from.get(), buffer.data(), buffer.size())) > 0 || (size < 0 && errno == EINTR);)
    output.append(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0)
    throw Error(program + " " + argument + " failed");
  return output;
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error("cannot write standard output: " + errno_text());
}

} // namespace orbweaver
