// SPDX-License-Identifier: GPL-3.0-or-later
// What every record has, in a ring or in a file: a header of 8 bytes, then the record, padded to 8 bytes.
// Integers are in the machine's byte order: rings never leave it, and a file's magic tells when one did.
#pragma once

#include <cstddef>
#include <cstdint>

namespace orbweaver {

/// Tells the records of a stream apart. Values are part of the file format.
enum class RecordKind : std::uint16_t {
  padding = 0,    ///< fills a ring's area up to its end; carries nothing
  packet = 1,     ///< PacketRecord
  tick = 2,       ///< TickRecord
  loss = 3,       ///< LossRecord
  row = 4,        ///< a row of a table of the stream's description: a FlowRecord, or an EventRecord
  job = 5,        ///< JobRecord
  end = 6,        ///< EndRecord: nothing comes after it
  block = 7,      ///< BlockRecord: files only, and readers keep it to themselves
  connection = 8, ///< ConnectionRecord
  abandoned = 9,  ///< AbandonedRecord
  origin = 10,    ///< OriginRecord
};

/// Opens every record.
struct RecordHeader {
  std::uint32_t length; ///< of the whole record with this header, in octets, without the padding to 8
  RecordKind kind;
  std::uint16_t table; ///< of a row: its table's place in the description; else 0
};
static_assert(sizeof(RecordHeader) == 8);

/// Records start at multiples of this.
inline constexpr std::uint32_t record_alignment = 8;

/// What a record of `length` octets takes up.
[[nodiscard]] constexpr std::uint64_t record_stride(std::uint64_t length) noexcept {
  return (length + record_alignment - 1) & ~std::uint64_t{record_alignment - 1};
}

/// The packet clock stepped: every second up to `second` has begun (seconds since the epoch, rounded up). It never steps
/// back.
struct TickRecord {
  RecordHeader header;
  std::uint64_t second;
};
static_assert(sizeof(TickRecord) == 16);

/// The clock by which packets are stamped was set: from here on the packet clock is what packets say and this offset. It
/// is 0 until the first of these records.
struct OriginRecord {
  RecordHeader header;
  std::uint64_t offset_ns; ///< modulo 2^64
};
static_assert(sizeof(OriginRecord) == 16);

/// Packets were lost: because this ring was full, or before they were read, by the kernel or the card, in which case
/// any ring's observer may have missed them. What was captured later than a lost packet comes behind this record; what
/// was captured earlier may too.
struct LossRecord {
  RecordHeader header;
  std::uint64_t packets; ///< 0: nobody knows how many: a live capture ended or its interface was away, or an observer
                         ///< died, and flows that went on then are cut in two
  std::uint64_t from_ns; ///< they were captured between these times, both included; since the epoch
  std::uint64_t to_ns;
};
static_assert(sizeof(LossRecord) == 32);

/// How a stream came to its end.
enum class EndCause : std::uint64_t {
  complete = 0,    ///< the input was read to its end
  interrupted = 1, ///< somebody asked the producer to stop; what it had is all here
  failed = 2,      ///< the input could not be read further; what came before is all here
};

/// A file is a sequence of blocks: this, then as many records as it says. Rings have no blocks.
struct BlockRecord {
  RecordHeader header;
  std::uint64_t octets;   ///< of the records of the block, this one not counted; a multiple of 8 above 0
  std::uint64_t checksum; ///< checksum() of those octets
};
static_assert(sizeof(BlockRecord) == 24);

/// The last record of a stream. A recorded file without it was cut off.
struct EndRecord {
  RecordHeader header;
  EndCause cause;
};
static_assert(sizeof(EndRecord) == 16);

} // namespace orbweaver
