// SPDX-License-Identifier: GPL-3.0-or-later
// Flows and connections between one host and its targets, for tests of the join: written as an observer and a spider
// would have it, times in seconds.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/job_record.hpp"
#include "merger/join/join.hpp"

#include <arpa/inet.h>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace orbweaver::test {

/// Some second of the year 2020, from which tests count.
inline constexpr std::uint64_t epoch_s = 1'600'000'000;

[[nodiscard]] inline std::uint64_t at_ns(double second) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(epoch_s * 1'000'000'000) + std::llround(second * 1e9));
}

[[nodiscard]] inline Address address(const std::string& text) {
  Address address{};
  const bool is_ipv6 = text.find(':') != std::string::npos;
  inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text.c_str(), address.octets);
  address.version = is_ipv6 ? 6 : 4;
  return address;
}

inline const std::string us = "198.51.100.7", target = "192.0.2.1";

/// A flow from us to port 80 of the target.
[[nodiscard]] inline FlowRecord flow(std::int32_t local_port, double first, double last, std::uint8_t protocol = 6) {
  FlowRecord flow{};
  flow.header = {sizeof(FlowRecord), RecordKind::row, 0};
  flow.first_ns = at_ns(first);
  flow.last_ns = at_ns(last);
  flow.source = address(us);
  flow.source_port = local_port;
  flow.destination = address(target);
  flow.destination_port = 80;
  flow.protocol = protocol;
  flow.end_reason = EndReason::idle_timeout;
  return flow;
}

[[nodiscard]] inline RowView row_of(const FlowRecord& flow) {
  return {reinterpret_cast<const std::byte*>(&flow), sizeof flow};
}

/// The same flow, where its first packet seen was the answer.
[[nodiscard]] inline FlowRecord turned(FlowRecord flow) {
  std::swap(flow.source, flow.destination);
  std::swap(flow.source_port, flow.destination_port);
  return flow;
}

/// A connection from us to port 80 of the target.
[[nodiscard]] inline ConnectionRecord connection(std::int32_t local_port, double start, double stop,
                                                 std::uint8_t protocol = 6) {
  ConnectionRecord record{};
  record.header = {sizeof(ConnectionRecord), RecordKind::connection, 0};
  record.job_id = 1;
  record.start_ns = at_ns(start);
  record.stop_ns = at_ns(stop);
  record.source = address(us);
  record.source_port = local_port;
  record.destination = address(target);
  record.destination_port = 80;
  record.protocol = protocol;
  return record;
}

/// A join of some streams, and what it said.
class JoinBench final : public JoinSink {
public:
  struct Fate {
    bool joined = false, missed = false, reversed = false, lossy = false;
    MissedCause cause{};
    std::size_t stream = 0;
    double first = 0; ///< of the flow
    std::string tail;
  };

  explicit JoinBench(const JoinOptions& options = {}, std::size_t streams = 1)
      : join(std::vector<std::uint32_t>(streams, sizeof(FlowRecord)), options, *this) {}

  /// Returns the connection's number.
  std::size_t add(const ConnectionRecord& record) {
    const auto number = fates.size();
    fates.emplace_back();
    join.connection(record, {7, static_cast<std::uint32_t>(number)});
    return number;
  }
  void add(const FlowRecord& flow, std::size_t stream = 0) { join.flow(stream, row_of(flow)); }
  /// A flow with a tail.
  void add(const FlowRecord& flow, const std::string& tail) {
    std::string record(reinterpret_cast<const char*>(&flow), sizeof flow);
    record += tail;
    join.flow(0, {reinterpret_cast<const std::byte*>(record.data()), static_cast<std::uint32_t>(record.size())});
  }
  void tick(double second, std::size_t stream = 0) {
    join.tick(stream, at_ns(second) / 1'000'000'000);
    join.advance();
  }
  void jobs_at(double second) { join.jobs_at(at_ns(second) / 1'000'000'000); }

  void joined(ConnectionRef ref, const JoinedFlow& flow) override {
    auto& fate = fates.at(ref.connection);
    fate.joined = true;
    fate.reversed = flow.reversed;
    fate.lossy = flow.lossy;
    fate.stream = flow.stream;
    FlowRecord record;
    std::memcpy(&record, flow.fixed.data(), sizeof record);
    fate.first = (static_cast<double>(record.first_ns) - static_cast<double>(at_ns(0))) / 1e9;
    fate.tail.assign(reinterpret_cast<const char*>(flow.tail.data()), flow.tail.size());
  }
  void missed(ConnectionRef ref, MissedCause cause) override {
    fates.at(ref.connection).missed = true;
    fates.at(ref.connection).cause = cause;
  }

  [[nodiscard]] bool balances() const {
    const auto& c = join.counters();
    return c.connections_received == c.connections_joined + c.missed[0] + c.missed[1] + c.missed[2] + c.missed[3] +
                                         c.missed[4] + join.connections_waiting() &&
           c.flows_received == c.flows_joined + c.flows_unclaimed + join.flows_waiting();
  }

  std::vector<Fate> fates;
  Join join;
};

} // namespace orbweaver::test
