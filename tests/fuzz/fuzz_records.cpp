// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes the consumers of recorded streams: the input is a packets file, which a flow meter with all chains reads as an
// observer does, or a flows file, of which every record is read by its description. The first octet says which.
// Where the rest has no stream header it gets one, so that the fuzzer need not find it. Checksums are set
// right, so that the fuzzer gets past them: that of header and description, and, unless the first octet says that the
// rest is blocks already, that of one block which has all the rest.
#include "common/error.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/records/flow_record.hpp"
#include "observer/flows/flow_meter.hpp"
#include "tests/fuzz/memory_file.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace orbweaver;

namespace {

const ChainSet& all_chains() {
  static const ChainSet chains = [] {
    std::vector<std::string> names;
    for (const ChainInfo& chain : chains_of<LibraryChains>())
      names.emplace_back(chain.name);
    return choose_chains<LibraryChains>(names);
  }();
  return chains;
}

/// Counts the flows that leave, and aborts at one that says nonsense.
class CountingSink final : public RowSink {
public:
  void row(const Row& row) noexcept override {
    FlowRecord flow;
    std::memcpy(&flow, row.core.data(), sizeof flow);
    if (to_string(flow.end_reason).empty() || row.body.size() != all_chains().choice().record_bytes())
      std::abort();
    ++flows_;
  }
  [[nodiscard]] std::uint64_t flows() const { return flows_; }

private:
  std::uint64_t flows_ = 0;
};

template <typename Handle>
void read_all(RecordReader& reader, Handle&& handle) {
  const std::atomic<bool> stop{false};
  std::array<const RecordHeader*, FlowMeter::max_batch> batch{};
  for (;;) {
    if (const std::size_t count = reader.peek(batch); count > 0) {
      for (std::size_t i = 0; i < count; ++i)
        handle(*batch[i]);
      reader.release();
    } else if (reader.wait(stop) != Wait::readable) {
      return;
    }
  }
}

void meter_packets(RecordReader& reader) {
  FlowMeterOptions options;
  options.max_flows = 6; // so that flows make room
  CountingSink sink;
  FlowMeter meter(all_chains(), options, sink);
  read_all(reader, [&](const RecordHeader& record) {
    if (record.kind == RecordKind::packet && packet_record_valid(&record)) {
      const auto* const packet = reinterpret_cast<const PacketRecord*>(&record);
      meter.packets({&packet, 1});
    } else if (record.kind == RecordKind::tick && record.length == sizeof(TickRecord)) {
      meter.tick(reinterpret_cast<const TickRecord&>(record).second);
    } else if (record.kind == RecordKind::origin && record.length == sizeof(OriginRecord)) {
      meter.moved(reinterpret_cast<const OriginRecord&>(record).offset_ns);
    } else if (record.kind == RecordKind::loss && record.length == sizeof(LossRecord)) {
      const auto& loss = reinterpret_cast<const LossRecord&>(record);
      meter.lost(loss.packets, loss.to_ns);
    }
  });
  meter.flush();
  if (sink.flows() != meter.counters().flows_opened || meter.open_flows() != 0)
    std::abort();
}

/// Reads every field of every row, as its table says where it lies.
void read_rows(RecordReader& reader) {
  const auto& tables = reader.stream().tables;
  unsigned sum = 0;
  read_all(reader, [&](const RecordHeader& record) {
    if (record.kind != RecordKind::row || record.table >= tables.size() ||
        record.length < tables[record.table].record_octets)
      return;
    for (const auto& field : tables[record.table].fields)
      for (std::uint32_t i = 0; i < field_size(field.type); ++i)
        sum += reinterpret_cast<const std::uint8_t*>(&record)[field.offset + i];
  });
  volatile unsigned keep = sum;
  (void)keep;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  static const test::MemoryFile file;
  const StreamKind kind = data[0] & 1 ? StreamKind::flows : StreamKind::packets;
  const bool has_blocks = (data[0] & 2) != 0;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  EncodedStream stream = encode_stream(kind == StreamKind::flows ? all_chains().describe() : stream_of(kind));
  if (rest.size() >= sizeof stream.header &&
      rest.starts_with(std::string_view(stream_magic.data(), stream_magic.size()))) {
    std::memcpy(&stream.header, rest.data(), sizeof stream.header);
    rest.remove_prefix(sizeof stream.header);
    stream.text = rest.substr(0, std::min<std::size_t>(stream.header.description_octets, rest.size()));
    rest.remove_prefix(stream.text.size());
  }
  std::string records(rest);
  records.resize(record_stride(records.size()));
  file.fill(test::file_of(stream, has_blocks ? rest : test::block_of(records)));
  try {
    RecordReader reader = RecordReader::open(file.endpoint(), kind);
    if (kind == StreamKind::packets)
      meter_packets(reader);
    else
      read_rows(reader);
  } catch (const Error&) {
    // A header that is none: said at start-up.
  }
  return 0;
}
