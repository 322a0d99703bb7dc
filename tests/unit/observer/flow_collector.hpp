// SPDX-License-Identifier: GPL-3.0-or-later
// A flow meter with chains of a test's choice, and the flows that leave it as text, field by field, as the stream
// header describes them.
#pragma once

#include "common/stream/flow_record.hpp"
#include "common/stream/stream_header.hpp"
#include "observer/flow_meter_impl.hpp"
#include "tests/unit/observer/record_maker.hpp"

#include <arpa/inet.h>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

namespace orbweaver::test {

/// A flow that left: `flow["tcp_connected"]`. Times are nanoseconds, an unknown field is "no such field".
class SeenFlow {
public:
  SeenFlow(const StreamHeader& header, const std::byte* record) {
    for (const FieldDescriptor& field : header.field_table()) {
      names_.emplace_back(field.name_view());
      values_[names_.back()] = text(field.type, record + field.offset);
    }
  }

  std::string operator[](const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? "no such field" : found->second;
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::map<std::string, std::string>& values() const { return values_; }

private:
  template <typename Value>
  static Value load(const std::byte* at) {
    Value value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  template <typename Value>
  static std::string or_null(const std::byte* at) {
    const auto value = load<Value>(at);
    return value < 0 ? "null" : std::to_string(value);
  }
  static std::string boolean(int value) { return value < 0 ? "null" : value == 0 ? "false" : "true"; }

  static std::string text(FieldType type, const std::byte* at) {
    switch (type) {
    case FieldType::boolean:
    case FieldType::boolean_or_null:
      return boolean(load<std::int8_t>(at));
    case FieldType::u8:
      return std::to_string(load<std::uint8_t>(at));
    case FieldType::u16:
      return std::to_string(load<std::uint16_t>(at));
    case FieldType::u32:
      return std::to_string(load<std::uint32_t>(at));
    case FieldType::u64:
    case FieldType::time_ns:
      return std::to_string(load<std::uint64_t>(at));
    case FieldType::u8_or_null:
      return or_null<std::int16_t>(at);
    case FieldType::u16_or_null:
      return or_null<std::int32_t>(at);
    case FieldType::u32_or_null:
      return or_null<std::int64_t>(at);
    case FieldType::end_reason:
      return std::string(to_string(load<EndReason>(at)));
    case FieldType::address:
      break;
    }
    const auto address = load<Address>(at);
    char buffer[INET6_ADDRSTRLEN] = "";
    inet_ntop(address.version == 4 ? AF_INET : AF_INET6, address.octets, buffer, sizeof buffer);
    return buffer;
  }

  std::vector<std::string> names_;
  std::map<std::string, std::string> values_;
};

/// Keeps the flows that leave.
class FlowCollector final : public FlowSink {
public:
  explicit FlowCollector(const StreamHeader& header) : header_(header) {}

  void flow(const FlowRecord& flow, std::span<const std::byte> states) noexcept override {
    std::vector<std::byte> record(header_.record_bytes);
    std::memcpy(record.data(), &flow, sizeof flow);
    std::memcpy(record.data() + sizeof flow, states.data(), states.size());
    flows_.emplace_back(header_, record.data());
  }
  [[nodiscard]] const std::vector<SeenFlow>& flows() const { return flows_; }

private:
  StreamHeader header_;
  std::vector<SeenFlow> flows_;
};

/// A meter and what came out of it.
template <typename Chains = ChainSet>
class Metering {
public:
  explicit Metering(const std::vector<std::string>& chains, const FlowMeterOptions& options = {})
      : Metering(Chains::choose(chains), options) {}
  explicit Metering(const Chains& chains, const FlowMeterOptions& options = {})
      : chains_(chains), collector_(chains_.describe()), meter_(chains_, options, collector_) {}
  Metering(const Metering&) = delete;
  Metering& operator=(const Metering&) = delete;

  Metering& feed(const Packet& packet) {
    const auto words = packet.words();
    const auto* const record = reinterpret_cast<const PacketRecord*>(words.data());
    meter_.packets({&record, 1});
    return *this;
  }
  Metering& feed(std::initializer_list<Packet> packets) {
    for (const Packet& packet : packets)
      feed(packet);
    return *this;
  }
  /// All flows that left so far; after flush, all that there were.
  [[nodiscard]] const std::vector<SeenFlow>& flows() const { return collector_.flows(); }
  const std::vector<SeenFlow>& flush() {
    meter_.flush();
    return flows();
  }
  [[nodiscard]] std::size_t left() const { return flows().size(); }
  BasicFlowMeter<Chains>& meter() { return meter_; }
  [[nodiscard]] const FlowMeterCounters& counters() const { return meter_.counters(); }

private:
  Chains chains_;
  FlowCollector collector_;
  BasicFlowMeter<Chains> meter_;
};

} // namespace orbweaver::test
