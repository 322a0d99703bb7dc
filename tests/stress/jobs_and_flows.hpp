// SPDX-License-Identifier: GPL-3.0-or-later
// A measurement as spider and observers would write it, second after second: the same one each time, with all that can
// become of a connection. Flows come before and after their connections, with texts of all lengths; some never, some
// have no port, some jobs are abandoned.
#pragma once

#include "common/stream/record_writer.hpp"
#include "merger/conditions.hpp"
#include "tests/unit/merger/flow_stream.hpp"
#include "tests/unit/merger/join/join_support.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver::test {

inline constexpr std::size_t measured_streams = 3; ///< jobs, and two of flows

struct TrafficOptions {
  std::uint64_t jobs_a_second = 100;
  std::uint64_t other_flows_a_second = 5;
  std::uint64_t bad_job = 0; ///< whose first connection has members that are no JSON; 0: none
  bool late = false;         ///< some connections come when their flows have left: which, only a paced stream says
};

class Traffic {
public:
  explicit Traffic(const TrafficOptions& options = {})
      : options_(options), table_(Table().add<std::uint64_t>("number").add<Text>("name")) {}

  [[nodiscard]] std::array<StreamDescription, measured_streams> streams() const {
    auto jobs = stream_of(StreamKind::jobs);
    jobs.plugin.name = "stress";
    jobs.plugin.connections = 2;
    return {jobs, table_.stream(), table_.stream()};
  }

  /// Says of a job how many of its flows were seen, and where they doubt.
  [[nodiscard]] static CombinerEntry combiner() {
    return {"stress",
            [](const JobFlows& flows, Conditions& conditions) {
              for (const auto* const flow : flows)
                conditions.add(flow->observed() ? flow->ring_drops() > 0 ? "doubtful" : "seen" : "unseen");
            },
            2,
            {}};
  }

  /// Calls write(stream, kind, octets) for each record of the next second; octets begin with a header.
  template <typename Write>
  void next_second(Write&& write) {
    const auto second = second_++;
    for (const std::size_t stream : {1, 2}) {
      write(stream, RecordKind::tick, octets(TickRecord{{}, epoch_s + second}));
      if (second % 37 == stream)
        write(stream, RecordKind::loss,
              octets(LossRecord{{}, 3, at_ns(static_cast<double>(second)), at_ns(static_cast<double>(second) + 0.2)}));
    }
    for (std::uint64_t i = 0; i < options_.jobs_a_second; ++i)
      plan_job(second, ++last_id_);
    for (std::uint64_t i = 0; i < options_.other_flows_a_second; ++i)
      plan_flow(second, second << 20 | i << 1 | 1U << 31, second, "other");
    const auto longest = late_s + 50; // none that comes late is among them
    if (const auto behind = (options_.late ? longest : 30) * options_.jobs_a_second;
        second % 50 == 49 && last_id_ > behind)
      plan(second, jobs, RecordKind::abandoned, octets(AbandonedRecord{{}, last_id_ - behind}));
    const auto due = planned_.find(second);
    for (const auto& record : due->second)
      write(record.stream, record.kind, record.octets);
    planned_.erase(due);
  }

  [[nodiscard]] std::uint64_t jobs_so_far() const noexcept { return last_id_; }

private:
  static constexpr std::size_t jobs = 0;
  static constexpr std::uint64_t late_s = 400;

  struct Planned {
    std::size_t stream;
    RecordKind kind;
    std::string octets;
  };

  template <typename Value>
  static std::string octets(const Value& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::uint64_t dice(std::uint64_t of) noexcept {
    of *= 0x9E37'79B9'7F4A'7C15;
    of ^= of >> 29;
    of *= 0xBF58'476D'1CE4'E5B9;
    return of ^ of >> 32;
  }

  void plan(std::uint64_t second, std::size_t stream, RecordKind kind, std::string octets) {
    planned_[second].push_back({stream, kind, std::move(octets)});
  }

  static Address peer_of(std::uint64_t number) {
    Address address{};
    address.version = 4;
    address.octets[0] = 10;
    for (std::size_t i = 1; i < 4; ++i)
      address.octets[i] = static_cast<std::uint8_t>(number >> 8 * i);
    return address;
  }
  static std::int32_t port_of(std::uint64_t number) { return static_cast<std::int32_t>(1024 + number % 60'000); }
  static double start_of(std::uint64_t second, std::uint64_t number) {
    return static_cast<double>(second) + static_cast<double>(number % 700) / 1000;
  }

  void plan_flow(std::uint64_t second, std::uint64_t number, std::uint64_t comes, const std::string& name,
                 bool reversed = false) {
    const auto start = start_of(second, number);
    auto record = flow(port_of(number), start + 0.01, start + 0.2);
    record.destination = peer_of(number);
    if (reversed)
      record = turned(record);
    const auto fixed = table_.description().record_octets;
    std::string row = octets(record);
    row += octets(number);
    row += octets(TailRef{fixed, static_cast<std::uint32_t>(name.size())});
    plan(comes, 1 + dice(number + 7) % 2, RecordKind::row, row + name);
  }

  void plan_job(std::uint64_t second, std::uint64_t id) {
    const auto kind = dice(id) % 16;
    const auto members = "\"n\":" + std::to_string(id) + R"(,"text":")" + std::string(dice(id + 1) % 60, 'm') + '"';
    plan(second, jobs, RecordKind::job,
         octets(JobRecord{{}, id, 2, static_cast<std::uint32_t>(members.size())}) + members);
    for (std::uint16_t config = 0; config < 2; ++config) {
      const auto number = id * 2 + config;
      const auto delay = dice(number + 2) % 20;
      const bool is_first = config == 0;
      if (kind == 5 && !is_first)
        continue; // to be abandoned
      auto made = connection(kind == 3 && is_first ? -1 : port_of(number), start_of(second, number),
                             start_of(second, number) + 0.25);
      made.job_id = id;
      made.config = config;
      made.destination = peer_of(number);
      made.state = static_cast<ConnectionState>(dice(number + 3) % 64 == 0 ? 3 : dice(number + 4) % 4 == 0);
      const auto text = id == options_.bad_job && is_first ? "{"
                        : kind == 8                        ? R"("more":)" + std::to_string(number)
                                                           : std::string();
      made.members_octets = static_cast<std::uint32_t>(text.size());
      const auto comes = second + (kind == 4 && options_.late ? late_s : kind == 1 ? 5 : 0);
      plan(comes, jobs, RecordKind::connection, octets(made) + text);
      if (kind == 2 && !is_first)
        continue; // nobody saw it
      const auto name_octets = kind == 7 ? 3000 : dice(number + 5) % 40;
      plan_flow(second, number, kind == 1 || kind == 4 ? second : second + delay, std::string(name_octets, 'x'),
                kind == 6);
    }
  }

  TrafficOptions options_;
  Table table_;
  std::uint64_t second_ = 0;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::vector<Planned>> planned_;
};

/// Writes records as they are given, waiting for room.
class TrafficWriter {
public:
  TrafficWriter(const std::array<Endpoint, measured_streams>& rings, const Traffic& traffic,
                const EndpointOptions& options) {
    const auto streams = traffic.streams();
    for (std::size_t i = 0; i < measured_streams; ++i)
      writers_.push_back(RecordWriter::open(rings[i], streams[i], options));
  }

  /// False where nobody reads any more.
  bool write_second(Traffic& traffic) {
    bool good = true;
    traffic.next_second([&](std::size_t stream, RecordKind kind, const std::string& octets) {
      const auto length = static_cast<std::uint32_t>(octets.size());
      auto& writer = writers_[stream];
      while (good && !writer.write(octets.data(), length, kind))
        good = writer.wait_for_room(length, never_) == Room::available;
    });
    return good;
  }
  void publish() {
    for (auto& writer : writers_)
      writer.publish();
  }
  bool finish() {
    bool good = true;
    for (auto& writer : writers_)
      good = writer.finish(EndCause::complete, never_) && good;
    return good;
  }

private:
  std::vector<RecordWriter> writers_;
  std::atomic<bool> never_{false};
};

} // namespace orbweaver::test
