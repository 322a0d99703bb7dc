// SPDX-License-Identifier: GPL-3.0-or-later
// A merger that dies of a row: processes of its own, one after another, on one ring and one file. What a kill at any
// moment leaves, tests/stress/merger_kills.cpp looks at.
#include "merger/follow/checkpoint.hpp"

#include "merger/merger.hpp"
#include "merger/sinks/ndjson_sink.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"
#include "tests/unit/merger/flow_stream.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const std::atomic<bool> never{false};

/// Dies of the number 666; kills itself at 777, but once.
class FragileSink final : public Sink {
public:
  FragileSink(const std::string& path, const OutputPolicy& policy, bool dies_of_777)
      : sink_(path, policy), dies_of_777_(dies_of_777) {}

  std::size_t add_table(const TableDescription& table, std::size_t place, const std::string& stream) override {
    return sink_.add_table(table, place, stream);
  }
  void put(std::size_t table, RowView row) override {
    const auto number = load_field<std::uint64_t>(row.record + sizeof(FlowRecord));
    if (number == 666)
      raise(SIGABRT);
    if (number == 777 && dies_of_777_)
      raise(SIGKILL);
    sink_.put(table, row);
  }
  bool flush() noexcept override { return sink_.flush(); }
  bool deliver() noexcept override { return sink_.deliver(); }
  [[nodiscard]] bool is_due() const noexcept override { return sink_.is_due(); }
  void begins_at(std::uint64_t second) override { sink_.begins_at(second); }
  bool write_rest() noexcept override { return sink_.write_rest(); }
  bool complete(std::uint64_t begin_s, std::vector<CompleteFile>& files) override {
    return sink_.complete(begin_s, files);
  }
  bool begin_next(std::uint64_t begin_s) override { return sink_.begin_next(begin_s); }
  bool finish() noexcept override { return sink_.finish(); }
  [[nodiscard]] bool is_read_live() const noexcept override { return sink_.is_read_live(); }
  [[nodiscard]] bool can_resume() const noexcept override { return sink_.can_resume(); }
  void marks(std::vector<OutputMark>& marks) override { sink_.marks(marks); }
  [[nodiscard]] bool failed() const noexcept override { return sink_.failed(); }
  [[nodiscard]] std::string failure() const override { return sink_.failure(); }
  [[nodiscard]] Written written() const noexcept override { return sink_.written(); }

private:
  NdjsonSink sink_;
  bool dies_of_777_;
};

} // namespace

TEST_CASE("a row that mergers die of twice is stepped over, and is in a file; all others are written once") {
  const Scratch scratch;
  const Endpoint ring{Endpoint::Kind::ring, "checkpoint-" + std::to_string(getpid())};
  const auto numbers = Table().add<std::uint64_t>("n");
  const Ring made = Ring::create(ring.segment_name(), 1 << 20, false, true);
  {
    EndpointOptions options;
    options.make_ring = false;
    RecordWriter writer = RecordWriter::open(ring, numbers.stream(), options);
    for (const std::uint64_t number : {1, 666, 2, 777, 3}) {
      auto record = numbers.record();
      numbers.set(record, 0, number);
      write_row(writer, record);
    }
    writer.finish(EndCause::complete, never);
  }
  const auto kept_fd = make_kept_memory("checkpoint");
  const FileDescriptor poison_fd(open(scratch.path("poison").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
  const auto merge_once = [&](int died_by) {
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);
      Checkpoints checkpoints(kept_fd.get(), died_by);
      OutputPolicy policy;
      policy.appears = Appears::growing;
      if (checkpoints.left())
        policy.resume = [&] { return &checkpoints.left()->files[0]; };
      FragileSink sink(scratch.path("flows"), policy, died_by != SIGKILL);
      EndpointOptions options;
      options.takes_over = died_by >= 0;
      std::vector<RecordReader> readers;
      readers.push_back(RecordReader::open(ring, StreamKind::flows, options));
      std::uint64_t dropped = 0;
      Merger merger(
          std::move(readers), sink, false,
          [&](auto counters, std::uint64_t) { dropped = counters[MergerCounter::flows_dropped]; }, nullptr,
          &checkpoints, poison_fd.get());
      _exit(merger.run(never) && dropped == 1 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  };
  CHECK(WTERMSIG(merge_once(-1)) == SIGABRT);
  CHECK(WTERMSIG(merge_once(SIGABRT)) == SIGABRT);
  CHECK(WTERMSIG(merge_once(SIGABRT)) == SIGKILL); // beyond it
  CHECK(merge_once(SIGKILL) == 0);
  Segment::remove(ring.segment_name());
  CHECK(read_file(scratch.path("flows")) == "{\"n\":1}\n{\"n\":2}\n{\"n\":777}\n{\"n\":3}\n");

  RecordReader reader = RecordReader::open({Endpoint::Kind::file, scratch.path("poison")}, StreamKind::flows);
  std::array<const RecordHeader*, 4> batch{};
  REQUIRE(reader.peek(batch) == 2);
  CHECK(load_field<std::uint64_t>(reinterpret_cast<const std::byte*>(batch[0]) + sizeof(FlowRecord)) == 666);
}
