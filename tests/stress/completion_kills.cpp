// SPDX-License-Identifier: GPL-3.0-or-later
// Kills a merger that writes one file after another before and behind each call that changes a file, and in the middle
// of each write: always the same rows, over two rings, with an event table. Who follows, and is left alone, has to come
// to the same files, manifest and counters as one that nobody killed. Then whole rows of mergers die one after another,
// each at some call.
#include "common/process/stage.hpp"
#include "merger/merger.hpp"
#include "merger/sinks/make_sink.hpp"
#include "tests/stress/kills.hpp"
#include "tests/unit/merger/flow_stream.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

namespace fs = std::filesystem;

const std::atomic<bool> never{false};

struct Options {
  std::string format = "ndjson";
  std::string rotate = "5s";
  std::string keep;
  unsigned rows_of_deaths = 40; ///< how many such rows
  std::uint64_t seed = 0;
};

struct Shared {
  std::atomic<bool> can_be_followed; ///< whoever dies before that ends the session
  std::array<std::uint64_t, MergerCounter::count> counters;
};

enum class Stop { before, within, behind };

/// Where a process is killed: at that call of those that change files, the first being 1.
struct Kill {
  unsigned call = 0; ///< 0: it is left alone
  Stop stop = Stop::before;

  [[nodiscard]] std::string text() const {
    constexpr std::array<std::string_view, 3> stops{" before", " within", " behind"};
    return std::string(stops[static_cast<std::size_t>(stop)]).append(" call ").append(std::to_string(call));
  }
};

constexpr std::uint64_t first_second = 1'000, seconds = 31, rows_a_second = 8;

/// Fills a ring: each second some flows, some of them with an event, and its tick; a loss now and then.
void produce(const Endpoint& ring, std::uint64_t number) {
  const auto& flows = number_table();
  const auto events = Table::events("seen").add<std::uint64_t>("n");
  EndpointOptions options;
  options.make_ring = false;
  auto writer = RecordWriter::open(ring, flows.stream({events}), options);
  for (std::uint64_t second = first_second; second < first_second + seconds; ++second) {
    const TickRecord tick{{}, second};
    static_cast<void>(writer.write(&tick, sizeof tick, RecordKind::tick));
    for (std::uint64_t row = 0; row < rows_a_second; ++row, number += 2) {
      write_row(writer, number_record(number));
      auto event = events.record();
      events.set(event, 0, number);
      if (row % 3 == 0)
        write_row(writer, event, 1);
    }
    const LossRecord loss{{}, second, 1, 2};
    if (second % 7 == 0)
      static_cast<void>(writer.write(&loss, sizeof loss, RecordKind::loss));
  }
  writer.finish(EndCause::complete, never);
}

/// One merge from its begin to its end, by as many processes as it takes.
class Run {
public:
  Run(const Options& options, Shared& shared)
      : options_(options), shared_(shared), name_(std::string("completion-kills-")
                                                      .append(std::to_string(getpid()))
                                                      .append("-")
                                                      .append(std::to_string(++count_))),
        folder_(fs::temp_directory_path() / name_), taken_("f-1010." + options.format) {
    fs::create_directory(folder_);
    std::ofstream(folder_ / taken_) << "somebody's\n";
    shared_.can_be_followed = false;
    for (std::uint64_t number = 0; number < rings_.size(); ++number) {
      rings_[number] = {Endpoint::Kind::ring, name_ + "." + std::to_string(number)};
      made_[number] = Ring::create(rings_[number].segment_name(), std::uint64_t{1} << 16, false, true);
      produce(rings_[number], number);
    }
  }
  ~Run() {
    for (const auto& ring : rings_)
      Segment::remove(ring.segment_name());
    fs::remove_all(folder_);
  }

  /// A process that merges, until it is killed or has come to the end: then true. Adds to `calls` those that change
  /// files.
  bool process(const Kill& how, unsigned& calls);

  /// By name, what is in the files but the manifest: lines in an order of their own. And the manifest.
  [[nodiscard]] std::map<std::string, std::string> result() const;

private:
  [[noreturn]] void merge() const;

  static inline unsigned count_ = 0;
  const Options& options_;
  Shared& shared_;
  std::string name_;
  fs::path folder_;
  std::string taken_; ///< a file of somebody else that has one of the names
  std::array<Endpoint, 2> rings_;
  std::array<Ring, 2> made_;
  FileDescriptor kept_ = make_kept_memory("completion-kills");
  bool follows_ = false;
};

void Run::merge() const {
  end_as([&] {
    const auto target = parse_output((folder_ / ("f-%s." + options_.format)).string(), {});
    EndpointOptions endpoints;
    endpoints.takes_over = follows_;
    Checkpoints checkpoints(kept_.get(), follows_ ? SIGKILL : -1);
    const auto* const left = checkpoints.left();
    FileSeries series(
        rotated_names(target.path), options_.keep.empty() ? FileBound{} : parse_file_bound("--keep", options_.keep),
        [](const std::string& warning) { std::fprintf(stderr, "%s\n", warning.c_str()); },
        left ? &left->series : nullptr);
    std::atomic<bool> asked{false};
    Rotation rotation(parse_file_bound("--rotate", options_.rotate), rings_.size(), series, asked, {});
    OutputPolicy policy;
    policy.appears = Appears::growing;
    policy.series = &series;
    std::size_t file = 0;
    if (left) {
      policy.resume = [&] { return &left->files[file++]; };
      policy.completing = left->completion.under_way;
    }
    const auto sink = make_sink(target, policy);
    std::vector<RecordReader> readers;
    for (const auto& ring : rings_)
      readers.push_back(RecordReader::open(ring, StreamKind::flows, endpoints));
    Merger merger(
        std::move(readers), *sink, true,
        [this](auto counters, std::uint64_t) { std::ranges::copy(counters, shared_.counters.begin()); }, &rotation,
        &checkpoints);
    series.note_by([&merger] { merger.note(); });
    shared_.can_be_followed = merger.can_be_followed();
    return ended_in_order(merger, never);
  });
}

bool changes_files(std::uint64_t call) noexcept {
  constexpr std::array<std::uint64_t, 9> calls{SYS_write,    SYS_ftruncate, SYS_renameat2, SYS_linkat,
                                               SYS_unlinkat, SYS_pwrite64,  SYS_openat,
#ifdef SYS_unlink
                                               SYS_unlink,   SYS_link
#endif
  };
  return std::ranges::find(calls, call) != calls.end();
}

/// Lets a call that is about to write write half of it. Where that is not known of a processor all is written.
void halve_write(pid_t child) noexcept {
#ifdef __x86_64__
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, child, nullptr, &registers) == 0 && registers.orig_rax == SYS_write) {
    registers.rdx /= 2;
    ptrace(PTRACE_SETREGS, child, nullptr, &registers);
  }
#else
  static_cast<void>(child);
#endif
}

bool Run::process(const Kill& how, unsigned& calls) {
  const pid_t child = in_process([this] {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    merge();
  });
  follows_ = true;
  int status = status_of(child);
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  const unsigned before = calls;
  bool is_in = false; // in such a call
  while (WIFSTOPPED(status)) {
    __ptrace_syscall_info info{};
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
        ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0) { // NOLINT
      const bool enters = info.op == PTRACE_SYSCALL_INFO_ENTRY;
      if (enters)
        is_in = shared_.can_be_followed && changes_files(info.entry.nr);
      calls += enters && is_in;
      const bool is_it = is_in && how.call != 0 && calls - before == how.call;
      if (is_it && (enters ? how.stop == Stop::before : how.stop != Stop::before))
        kill(child, SIGKILL);
      else if (is_it && how.stop == Stop::within)
        halve_write(child);
      is_in = is_in && enters;
    }
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    status = status_of(child);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    throw Error(std::string("a merger ended with ").append(std::to_string(WEXITSTATUS(status))));
  return WIFEXITED(status);
}

std::map<std::string, std::string> Run::result() const {
  std::map<std::string, std::string> result;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const auto name = entry.path().filename().string();
    auto& text = result[name];
    std::vector<std::string> sorted;
    const bool is_compressed = name != "f.manifest" && name != taken_ && options_.format.ends_with("zst");
    for_each_line(entry.path(), is_compressed, [&](std::string_view line) { sorted.emplace_back(line); });
    if (name != "f.manifest")
      std::ranges::sort(sorted);
    else if (options_.format.ends_with("zst")) // frames may be others
      for (auto& line : sorted)
        for (std::size_t at = 0; (at = line.find("\"octets\":", at)) != std::string::npos; ++at)
          line.erase(at + 9, line.find_first_of(",}", at) - at - 9);
    for (const auto& line : sorted)
      text += line + "\n";
  }
  for (const auto counter : {MergerCounter::flows_written, MergerCounter::events_written, MergerCounter::flows_received,
                             MergerCounter::files_complete, MergerCounter::files_removed})
    result["counter " + std::to_string(counter)] = std::to_string(shared_.counters[counter]);
  return result;
}

void compare(const std::map<std::string, std::string>& there, const std::map<std::string, std::string>& expected,
             const std::string& where) {
  for (const auto* const one : {&there, &expected})
    for (const auto& [name, text] : *one)
      if (!there.contains(name) || !expected.contains(name) || there.at(name) != expected.at(name))
        throw Error(where + ": " + name + " is other than where nobody was killed:\n" +
                    (there.contains(name) ? there.at(name) : "(not there)\n") + "and not\n" +
                    (expected.contains(name) ? expected.at(name) : "(not there)\n"));
}

int run(const Options& options) {
  auto& shared = shared_by_all<Shared>();
  unsigned calls = 0, rest = 0;
  std::map<std::string, std::string> expected;
  {
    Run alone(options, shared);
    if (!alone.process({}, calls))
      throw Error("it was killed by somebody else");
    expected = alone.result();
  }
  for (unsigned call = 1; call <= calls; ++call)
    for (const auto stop : {Stop::before, Stop::within, Stop::behind}) {
      const Kill how{call, stop};
      Run once(options, shared);
      rest = 0;
      if (!once.process(how, rest))
        once.process({}, rest);
      compare(once.result(), expected, "killed" + how.text());
    }
  std::mt19937_64 dice(options.seed);
  unsigned deaths = 0;
  for (unsigned row = 0; row < options.rows_of_deaths; ++row) {
    Run often(options, shared);
    std::string deaths_at = "killed";
    for (unsigned death = 0; death < 30; ++death) {
      const Kill how{static_cast<unsigned>(1 + dice() % 40), static_cast<Stop>(dice() % 3)};
      deaths_at += how.text();
      rest = 0;
      if (often.process(how, rest))
        break;
      ++deaths;
    }
    rest = 0;
    often.process({}, rest);
    compare(often.result(), expected, deaths_at);
  }
  std::printf("%u calls, a death before, within and behind each; %u deaths in %u rows: the same files\n", calls, deaths,
              options.rows_of_deaths);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine app("Kills mergers at each call that changes a file and looks whether the files are the same.",
                  "stress-completion-kills");
  app.add_option("--format", options.format, "Of the output: its suffix");
  app.add_option("--rotate", options.rotate, "As of the merger");
  app.add_option("--keep", options.keep, "As of the merger");
  app.add_option("--rows", options.rows_of_deaths, "How many rows of deaths");
  app.add_option("--seed", options.seed, "Of the random numbers");
  return run_program(app, argc, argv, [&] { return run(options); });
}
