// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes a measurement: the input is a script that makes a job stream and a flow stream, which the merger joins, with
// the combiner of any plugin. What comes out must be lines of JSON, one for every job, and the ledger must balance. The
// first octet chooses options, the second one the plugin. Texts of members are also given to split_members alone, with
// simdjson to compare.
#include "common/stream/record_reader.hpp"
#include "merger/conditions/library.hpp"
#include "merger/measure/measurement.hpp"
#include "observer/chain/chain_set.hpp"
#include "tests/fuzz/memory_file.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"
#include "tests/unit/merger/join/join_support.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace orbweaver;

namespace {

const OutputPolicy growing{.appears = Appears::growing};

/// A file that is written: by its name, since an output follows no link.
class OutputFile : public test::FuzzFile {
public:
  OutputFile() : FuzzFile(mkostemp(path_.data(), O_CLOEXEC)) {}
  ~OutputFile() { unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

private:
  inline static std::string path_ = std::filesystem::temp_directory_path() / "fuzz-jobs.XXXXXX";
};

const ChainSet& all_chains() {
  static const ChainSet chains = [] {
    std::vector<std::string> names;
    for (const ChainInfo& chain : chains_of<LibraryChains>())
      names.emplace_back(chain.name);
    return choose_chains<LibraryChains>(names);
  }();
  return chains;
}

/// A file of these records.
std::string file_of(const StreamDescription& stream, std::string_view records) {
  return test::file_of(stream, records.empty() ? "" : test::block_of(records));
}

/// A stream of jobs of that combiner's plugin, with as many connections as it needs, or some more.
StreamDescription job_stream(const CombinerEntry& combiner, std::uint8_t how) {
  auto stream = stream_of(StreamKind::jobs);
  stream.plugin.name = combiner.plugin;
  stream.plugin.connections = combiner.min_flows + (how >> 4 & 3);
  return stream;
}

void expect(bool holds) {
  if (!holds)
    std::abort();
}

/// Every line is JSON, and there is one for each job.
void check_output(const std::string& text, std::span<const std::uint64_t> counters) {
  namespace M = MergerCounter;
  static simdjson::dom::parser parser;
  std::uint64_t lines = 0;
  for (std::size_t begin = 0; begin < text.size(); ++lines) {
    const auto end = text.find('\n', begin);
    expect(end != std::string::npos);
    const auto error = parser.parse(text.data() + begin, end - begin).error();
    expect(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR);
    begin = end + 1;
  }
  expect(lines == counters[M::jobs_received] && lines == counters[M::jobs_written] && counters[M::jobs_dropped] == 0);
  expect(counters[M::flows_received] == counters[M::flows_joined] + counters[M::flows_unclaimed]);
  expect(counters[M::events_received] == counters[M::events_dropped]);
  expect(counters[M::connections_received] == counters[M::connections_joined] + counters[M::missed_never_seen] +
                                                  counters[M::missed_ring_drop] + counters[M::missed_expired] +
                                                  counters[M::missed_no_port] + counters[M::missed_not_sent]);
}

void measure(std::uint8_t how, const StreamDescription& stream, const CombinerEntry& combiner,
             std::string_view job_records, std::string_view flow_records) {
  static const test::MemoryFile jobs, flows;
  static const OutputFile out;
  jobs.fill(file_of(stream, job_records));
  flows.fill(file_of(all_chains().describe(), flow_records));
  out.fill("");
  MeasurementOptions options;
  options.output_flows = (how & 1) != 0;
  options.join.server_mode = (how & 2) != 0;
  options.join.max_flows = (how & 4) != 0 ? 2 : 1024;
  options.join.remembered = 64; // so that a run is short
  options.limits.max_jobs = (how & 8) != 0 ? 2 : 1024;
  std::vector<RecordReader> streams;
  streams.push_back(RecordReader::open(flows.endpoint(), StreamKind::flows));
  Output output(out.path(), "jobs", growing);
  Measurement measurement(
      RecordReader::open(jobs.endpoint(), StreamKind::jobs), std::move(streams), output, combiner, options,
      [](auto, auto) {}, [](const auto&) {});
  measurement.run(std::atomic<bool>{false});
  check_output(out.content(), measurement.counters());
}

/// split_members and simdjson agree on what is JSON, but for numbers that simdjson cannot hold and for line feeds.
void compare(std::string_view text) {
  static simdjson::dom::parser parser;
  std::vector<json::Member> members;
  const bool is_good{json::split_members(text, members)};
  const auto error = parser.parse("{" + std::string(text) + "}").error();
  if (is_good)
    expect(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR);
  else
    expect(error != simdjson::SUCCESS || text.find('\n') != std::string_view::npos);
}

/// Makes the streams, a command after the other: an octet that says which, then its values, an octet each.
class Script {
public:
  Script(std::string_view input, std::uint32_t connections) : input_(input), connections_(connections) {
    while (!input_.empty())
      command();
  }

  std::string jobs, flows;

private:
  std::uint8_t octet() {
    if (input_.empty())
      return 0;
    const auto value = static_cast<std::uint8_t>(input_.front());
    input_.remove_prefix(1);
    return value;
  }

  std::string_view text() {
    const auto octets = std::min<std::size_t>(octet(), input_.size());
    const auto text = input_.substr(0, octets);
    input_.remove_prefix(octets);
    return text;
  }

  template <typename Record>
  static void append(std::string& stream, Record record, RecordKind kind, std::string_view rest = {}) {
    record.header = {static_cast<std::uint32_t>(sizeof record + rest.size()), kind, 0};
    stream.append(reinterpret_cast<const char*>(&record), sizeof record).append(rest);
    stream.resize(record_stride(stream.size()));
  }

  void command() {
    const auto what = octet();
    switch (what & 7) {
    case 0: {
      const auto id = octet();
      const auto connections = (what & 8) != 0 ? octet() : (what & 16) != 0 ? 0 : connections_;
      const auto members = text();
      compare(members);
      append(jobs, JobRecord{{}, id, connections, static_cast<std::uint32_t>(members.size())}, RecordKind::job,
             members);
      break;
    }
    case 1: {
      auto record = test::connection(octet() - 1, octet(), octet(), (what & 8) != 0 ? 17 : 6);
      record.job_id = octet();
      record.config = octet();
      record.state = static_cast<ConnectionState>(octet());
      const auto members = text();
      record.members_octets = static_cast<std::uint32_t>(members.size());
      append(jobs, record, RecordKind::connection, members);
      break;
    }
    case 2:
    case 3: {
      auto flow = test::flow(octet() - 1, octet(), octet(), (what & 8) != 0 ? 17 : 6);
      flow.ring_drops = what >> 6;
      const auto octets = all_chains().describe().tables.front().record_octets;
      const std::string states(octets - sizeof flow, static_cast<char>(octet()));
      append(flows, (what & 16) != 0 ? test::turned(flow) : flow, RecordKind::row, states);
      break;
    }
    case 4:
      if ((what & 8) != 0)
        append(flows, OriginRecord{{}, (std::uint64_t{octet()} << 8 | octet()) * 1'000'000'000 - (1ULL << 44)},
               RecordKind::origin);
      else
        append(flows, TickRecord{{}, test::epoch_s + octet()}, RecordKind::tick);
      break;
    case 6:
      if ((what & 8) != 0) {
        append(jobs, AbandonedRecord{{}, octet()}, RecordKind::abandoned);
        break;
      }
      append_any(what);
      break;
    case 5:
      append(flows, LossRecord{{}, 1, test::at_ns(octet()), test::at_ns(octet())}, RecordKind::loss);
      break;
    default:
      append_any(what);
    }
  }

  void append_any(std::uint8_t what) {
    auto& stream = (what & 1) != 0 ? jobs : flows;
    stream.append(text());
    stream.resize(record_stride(stream.size()));
  }

  std::string_view input_;
  std::uint32_t connections_; ///< of a job
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const auto& combiner = *library_combiners[data[1] % std::size(library_combiners)];
  const auto stream = job_stream(combiner, data[0]);
  const Script script({reinterpret_cast<const char*>(data + 2), size - 2}, stream.plugin.connections);
  measure(data[0], stream, combiner, script.jobs, script.flows);
  return 0;
}
