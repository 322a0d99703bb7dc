// SPDX-License-Identifier: GPL-3.0-or-later
// A whole run of the spider in this process: jobs from text, a plugin that does what a test wants, and the records that
// come of it.
#pragma once

#include "common/address.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/records/job_record.hpp"
#include "spider/engine/engine.hpp"
#include "tests/unit/common/scratch.hpp"

#include <algorithm>
#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <vector>

namespace orbweaver::test {

/// Writes down what is asked of it, and does as its members say.
class ScriptedPlugin : public Plugin {
public:
  struct Before final : PreConnect {
    std::uint64_t job_id = 0;
  };

  [[nodiscard]] unsigned connections() const override { return count; }
  std::unique_ptr<PreConnect> pre_connect(const Job& job) override {
    ++pre_connects;
    auto before = std::make_unique<Before>();
    before->job_id = job.id;
    return before;
  }
  void connect(ConnectRequest& request, const Job& job, const PreConnect* before, unsigned config) override {
    CHECK(static_cast<const Before*>(before)->job_id == job.id);
    log.push_back("connect " + std::to_string(job.id) + " " + std::to_string(config));
    if (change)
      change(request, job, config);
  }
  [[nodiscard]] std::vector<std::uint8_t> forge(const ConnectRequest&, std::uint16_t port, const Job& job,
                                                unsigned seq) override {
    log.push_back("forge " + std::to_string(job.id) + " " + std::to_string(seq));
    CHECK(port > 0);
    return seq == 2 ? std::vector<std::uint8_t>() : std::vector<std::uint8_t>(20, 0x45);
  }
  void post_connect(ConnectResult& result, const Job& job, const PreConnect* before, unsigned config) override {
    CHECK(static_cast<const Before*>(before)->job_id == job.id);
    log.push_back("post " + std::to_string(job.id) + " " + std::to_string(config));
    if (look)
      look(result, config);
  }

  unsigned count = 1;
  unsigned pre_connects = 0;
  std::vector<std::string> log;
  std::function<void(ConnectRequest&, const Job&, unsigned)> change;
  std::function<void(ConnectResult&, unsigned)> look;
};

/// A record's values and its text.
template <typename Record>
struct Copy {
  Record record;
  std::string members;
};

struct Records {
  std::vector<Copy<JobRecord>> jobs;
  std::vector<Copy<ConnectionRecord>> connections;
  bool ended = false;
  EndCause cause{};

  /// Takes one; each must be whole, and a connection's job there before it.
  void take(const RecordHeader* header) {
    if (header->kind == RecordKind::end) {
      ended = true;
      cause = reinterpret_cast<const EndRecord*>(header)->cause;
      return;
    }
    REQUIRE(job_record_valid(header));
    if (header->kind == RecordKind::job) {
      const auto* job = reinterpret_cast<const JobRecord*>(header);
      jobs.push_back({*job, std::string(job->members())});
    } else {
      const auto* connection = reinterpret_cast<const ConnectionRecord*>(header);
      CHECK(
          std::any_of(jobs.begin(), jobs.end(), [&](const auto& j) { return j.record.job_id == connection->job_id; }));
      connections.push_back({*connection, std::string(connection->members())});
    }
  }

  [[nodiscard]] std::size_t count(ConnectionState state) const {
    return static_cast<std::size_t>(
        std::count_if(connections.begin(), connections.end(), [&](const auto& c) { return c.record.state == state; }));
  }
};

/// How a run is made; `options` and `plugin` are for the test to change.
struct SpiderRun {
  SpiderRun() {
    options.local.interface = "lo";
    options.route_to = [this](const Address& target, std::uint8_t protocol, std::uint16_t port) {
      return routes.to(target, protocol, port);
    };
    options.not_routed = [this](const Job& job, const std::string& why) {
      not_routed.push_back(std::to_string(job.id) + ": " + why);
    };
    options.workers = 4;
    options.timeout_ns = 300'000'000;
    options.configure_system = [this](unsigned config) { plugin.log.push_back("system " + std::to_string(config)); };
    options.member_left_out = [this](const Job& job, const std::string& of, const auto& member) {
      left_out.push_back(std::to_string(job.id) + " " + of + " " + member.key + ": " + member.why);
    };
    description.model = Model::desynchronized;
  }

  /// Jobs to 127.0.1.1, 127.0.1.2, and so on.
  static std::string jobs_to(std::uint16_t port, unsigned count) {
    std::string text;
    for (unsigned i = 0; i < count; ++i)
      text += R"({"dip":"127.0.)" + std::to_string(1 + i / 250) + "." + std::to_string(1 + i % 250) + R"(","dp":)" +
              std::to_string(port) + "}\n";
    return text;
  }

  /// Runs with these jobs, writing to a file.
  Records run(const std::string& jobs) {
    const Scratch scratch;
    write_file(scratch.path("jobs"), jobs);
    const Endpoint out{Endpoint::Kind::file, scratch.path("out")};
    {
      RecordWriter writer = RecordWriter::open(out, stream_of(StreamKind::jobs));
      run_into(writer, scratch.path("jobs"));
    }
    RecordReader reader = RecordReader::open(out, StreamKind::jobs);
    Records records;
    const RecordHeader* record[1];
    while (reader.peek(record) == 1)
      records.take(record[0]);
    CHECK(reader.damage().empty());
    CHECK(records.ended);
    return records;
  }

  void run_into(RecordWriter& writer, const std::string& input) {
    JobReader reader(input, {.by_domain = description.connect_kinds.empty() && plugin.count == 0},
                     [this](std::uint64_t, const std::string&) { ++bad_lines; });
    Stage stage(StageKind::spider, {});
    result = spider(reader, writer, description, plugin, options, stop, stage);
  }

  SpiderOptions options;
  PluginDescription description;
  ScriptedPlugin plugin;
  std::atomic<bool> stop = false;
  SpiderResult result;
  unsigned bad_lines = 0;
  std::vector<std::string> left_out;   ///< members: job, of what, key, why
  std::vector<std::string> not_routed; ///< jobs: id, why
  RouteFinder routes{"lo", {}, {}};
};

} // namespace orbweaver::test
