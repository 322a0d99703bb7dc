// SPDX-License-Identifier: GPL-3.0-or-later
// A flow meter with chains of a test's choice, and the flows that leave it as text, field by field, as the stream's
// description says.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/records/flow_record.hpp"
#include "observer/flows/flow_meter.hpp"
#include "tests/unit/observer/record_maker.hpp"

#include <arpa/inet.h>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver::test {

/// Values as text: times in nanoseconds, lists as "[1,2]", texts as they are.
struct FieldText {
  std::span<const std::byte> record;
  const FieldDescription& field;

  template <typename Type>
  std::string operator()() const {
    const auto* const at = record.data() + field.offset;
    if constexpr (is_tail<Type>) {
      Type handle;
      static_cast<TailRef&>(handle) = load_field<TailRef>(at);
      return text(handle);
    } else {
      return text(load_field<Type>(at));
    }
  }

  static std::string text(bool value) { return value ? "true" : "false"; }
  template <typename Number>
  requires std::is_arithmetic_v<Number>
  static std::string text(Number value) { return std::to_string(value); }
  static std::string text(TimeNs value) { return std::to_string(value.ns); }
  static std::string text(DurationNs value) { return std::to_string(value.ns); }
  std::string text(EnumValue value) const {
    const auto known = value.value < field.names.size() && !field.names[value.value].empty();
    return known ? field.names[value.value] : "null";
  }
  static std::string text(const MacAddress& value) {
    std::string text;
    for (const auto octet : value.octets)
      text += std::to_string(octet) + ":";
    return text;
  }
  template <typename Value>
  std::string text(const Nullable<Value>& value) const {
    return value.is_null() ? "null" : text(value.value());
  }
  static std::string text(const Address& address) {
    if (address.version != 4 && address.version != 6)
      return "null";
    char buffer[INET6_ADDRSTRLEN] = "";
    inet_ntop(address.version == 4 ? AF_INET : AF_INET6, address.octets, buffer, sizeof buffer);
    return buffer;
  }
  std::string text(const TailRef& ref) const { return ref.is_null() ? "null" : std::string(tail(ref)); }
  template <typename Element>
  std::string text(const List<Element>& list) const {
    if (list.is_null())
      return "null";
    std::string elements;
    const auto octets = tail(list);
    for (std::size_t at = 0; at < octets.size();) {
      if constexpr (std::same_as<Element, Text>) {
        std::uint32_t size = 0;
        std::memcpy(&size, octets.data() + at, sizeof size);
        elements += "," + std::string(octets.substr(at + sizeof size, size));
        at += sizeof size + size;
      } else {
        elements += "," + text(load_field<Element>(reinterpret_cast<const std::byte*>(octets.data() + at)));
        at += sizeof(Element);
      }
    }
    return "[" + (elements.empty() ? elements : elements.substr(1)) + "]";
  }

private:
  [[nodiscard]] std::string_view tail(const TailRef& ref) const {
    const auto octets = record.subspan(ref.at, ref.octets);
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
  }
};

/// A row that left: `flow["tcp_connected"]`. An unknown field is "no such field".
class SeenFlow {
public:
  SeenFlow(const TableDescription& table, std::span<const std::byte> record) {
    for (const auto& field : table.fields) {
      names_.push_back(field.name);
      const FieldText text{record, field};
      values_[field.name] = visit_field(field.type, [&]<typename Type>() { return text.template operator()<Type>(); });
    }
  }

  std::string operator[](const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? "no such field" : found->second;
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::map<std::string, std::string>& values() const { return values_; }

private:
  std::vector<std::string> names_;
  std::map<std::string, std::string> values_;
};

/// Keeps the rows that leave.
class FlowCollector final : public RowSink {
public:
  explicit FlowCollector(const StreamDescription& stream) : stream_(stream) {}

  void row(const Row& row) noexcept override {
    std::vector<std::byte> record(row.octets());
    row.copy_to(record.data());
    const auto& table = stream_.tables[row.table];
    (row.table == 0 ? flows_ : events_[table.name]).emplace_back(table, record);
  }
  [[nodiscard]] const std::vector<SeenFlow>& flows() const { return flows_; }
  /// The events of a table.
  [[nodiscard]] const std::vector<SeenFlow>& events(const std::string& table) { return events_[table]; }

private:
  StreamDescription stream_;
  std::vector<SeenFlow> flows_;
  std::map<std::string, std::vector<SeenFlow>> events_;
};

/// A meter and what came out of it.
template <typename List = LibraryChains>
class Metering {
public:
  explicit Metering(const std::vector<std::string>& chains, const FlowMeterOptions& options = {})
      : Metering(choose_chains<List>(chains), options) {}
  explicit Metering(ChainSet chains, const FlowMeterOptions& options = {})
      : chains_(std::move(chains)), collector_(chains_.describe()), meter_(chains_, options, collector_) {}
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
  [[nodiscard]] const std::vector<SeenFlow>& events(const std::string& table) { return collector_.events(table); }
  BasicFlowMeter<List>& meter() { return meter_; }
  [[nodiscard]] const FlowMeterCounters& counters() const { return meter_.counters(); }

private:
  ChainSet chains_;
  FlowCollector collector_;
  BasicFlowMeter<List> meter_;
};

} // namespace orbweaver::test
