// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/record_reader.hpp"

#include "common/error.hpp"
#include "common/stream/checksum.hpp"

#include <boost/interprocess/file_mapping.hpp>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <thread>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

namespace bip = boost::interprocess;

constexpr std::size_t copies_octets = RecordReader::max_batch * 256;
/// Under ThreadSanitizer no more is copied than a record has: what stands behind it may be written meanwhile. Nobody
/// looks at that of the copy, but that it is read is a race to who watches memory.
#ifdef __has_feature
constexpr bool sees_every_octet = __has_feature(thread_sanitizer);
#elif defined(__SANITIZE_THREAD__)
constexpr bool sees_every_octet = true;
#else
constexpr bool sees_every_octet = false;
#endif
/// Of records that are copied without a look at what room there is: IPv6 segments.
constexpr std::size_t most_unchecked = 88;

bool stop_requested(const std::atomic<bool>* stop) {
  return stop && stop->load(std::memory_order_relaxed);
}

/// A ring somebody produces into, or produced into and left drained by nobody; nothing while there is none.
std::optional<Ring> attach_live(const std::string& segment) {
  if (const auto why = Segment::why_not_ours(segment); !why.empty())
    throw Error(why); // whoever put it there, our producer cannot make one
  if (!Segment::exists(segment))
    return std::nullopt;
  Ring ring;
  try {
    ring = Ring::attach(segment);
  } catch (const Error&) {
    return std::nullopt; // being made, or not a ring: the caller's time-out tells
  }
  // Pairs with the release store in RecordWriter::open.
  if (ring.header().producer.state.load(std::memory_order_acquire) == EndState::absent)
    return std::nullopt;
  return ring;
}

bip::mapped_region map_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    throw Error("cannot read " + path + ": " + errno_text(ENOENT));
  if (!std::filesystem::is_regular_file(status))
    throw Error("cannot read " + path + ": not a regular file");
  if (std::filesystem::file_size(path, error) < sizeof(StreamHeader))
    throw Error(path + ": not an Orbweaver stream (ends before offset " + std::to_string(sizeof(StreamHeader)) +
                ", within the header)");
  try {
    bip::mapped_region region(bip::file_mapping(path.c_str(), bip::read_only), bip::read_only);
    region.advise(bip::mapped_region::advice_sequential);
    return region;
  } catch (const bip::interprocess_exception& failure) {
    throw Error("cannot read " + path + ": " + failure.what());
  }
}

/// The description of a stream that begins with `header`, of which `text` octets are there; the error begins with
/// `name`. A ring's has no checksum.
StreamDescription read_description(const StreamHeader& header, std::string_view text, StreamKind kind,
                                   const std::string& name, bool has_checksum) {
  // Of an altered file that is said, not what its kind seems to be.
  if (const auto why = check_stream_header(header, has_checksum ? header.kind : kind); !why.empty())
    throw Error(name + ": " + why);
  if (header.description_octets > text.size())
    throw Error(name + ": cut off at offset " + std::to_string(sizeof header + text.size()) + ", in its description");
  const std::string copy(text.substr(0, header.description_octets));
  if (has_checksum && header.checksum != stream_checksum(header, copy))
    throw Error(name + ": damaged at offset 0: the header or description was altered, the checksum is another");
  if (const auto why = check_stream_header(header, kind); !why.empty())
    throw Error(name + ": " + why);
  try {
    return decode_stream(header, copy);
  } catch (const Error& error) {
    throw Error(name + ": " + error.what());
  }
}

/// How many octets of a block that was cut off are whole records; nothing where a record stands among them that such a
/// block cannot have: then it is the block's length that is wrong.
std::optional<std::uint64_t> whole_records(std::span<const std::byte> octets) noexcept {
  std::uint64_t whole = 0;
  RecordHeader header{};
  while (octets.size() - whole >= sizeof header) {
    std::memcpy(&header, octets.data() + whole, sizeof header);
    if (header.length < sizeof header)
      return std::nullopt;
    if (record_stride(header.length) > octets.size() - whole)
      break;
    if (header.kind == RecordKind::end || header.kind == RecordKind::block)
      return std::nullopt;
    whole += record_stride(header.length);
  }
  return whole;
}

} // namespace

RecordReader RecordReader::open(const Endpoint& endpoint, StreamKind kind, const EndpointOptions& options,
                                const std::atomic<bool>* stop) {
  if (endpoint.kind == Endpoint::Kind::file) {
    RecordReader reader;
    reader.name_ = endpoint.text();
    reader.file_ = map_file(endpoint.name);
    reader.guard_ = GuardedMapping(reader.file_.get_address(), reader.file_.get_size(), endpoint.name);
    const auto* data = static_cast<const std::byte*>(reader.file_.get_address());
    StreamHeader header;
    std::memcpy(&header, data, sizeof header);
    const std::string_view rest(reinterpret_cast<const char*>(data) + sizeof header,
                                reader.file_.get_size() - sizeof header);
    reader.stream_ = std::make_unique<StreamDescription>(read_description(header, rest, kind, endpoint.name, true));
    reader.area_ = data;
    reader.mask_ = std::numeric_limits<std::uint64_t>::max();
    reader.cursor_ = reader.released_ = reader.seen_ = sizeof header + header.description_octets;
    reader.release_batch_ = std::numeric_limits<std::uint64_t>::max();
    reader.allocate_copies();
    return reader;
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(options.attach_timeout_s);
  std::optional<Ring> ring;
  while (!(ring = attach_live(endpoint.segment_name()))) {
    if (stop_requested(stop))
      throw Error(endpoint.text() + ": stopped before its producer came");
    if (std::chrono::steady_clock::now() > give_up)
      throw Error(endpoint.text() + ": no producer came within " + std::to_string(options.attach_timeout_s) +
                  " s; start the stage that writes it first, or check the name");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return take(*ring, kind, options);
}

RecordReader RecordReader::take(const Ring& ring, StreamKind kind, const EndpointOptions& options) {
  auto& header = ring.header();
  const auto name = ring.name().substr(segment_prefix.size());
  if (is_taken(header.consumer))
    throw UsageError("ring:" + name + " already has a consumer, process " +
                     std::to_string(header.consumer.process.pid.load()));
  // Where it is to the producer's is looked at when records are.
  const auto given_back = header.consumer.index.load(std::memory_order_relaxed);
  if (!ring.indices_fit(given_back, given_back))
    throw Error("ring:" + name + " is damaged: the consumer's index " + std::to_string(given_back) +
                " is out of range");
  RecordReader reader;
  reader.name_ = "ring:" + name;
  const StreamHeader stream = header.stream;
  reader.stream_ = std::make_unique<StreamDescription>(
      read_description(stream, {header.description.data(), header.description.size()}, kind, name, false));
  reader.ring_ = ring; // from here on the reader leaves the ring when it goes
  reader.busy_poll_ = options.busy_poll;
  reader.area_ = ring.area();
  reader.mask_ = ring.capacity_bytes() - 1;
  reader.cursor_ = reader.released_ = reader.seen_ = given_back;
  reader.release_batch_ = ring.capacity_bytes() / 8;
  reader.max_record_bytes_ = ring.max_record_bytes();
  reader.is_wide_ = ring.has_slack() && !sees_every_octet;
  reader.allocate_copies();
  header.consumer.process.set_self();
  header.consumer.heartbeat_ns.store(monotonic_ns(), std::memory_order_relaxed);
  header.consumer.state.store(EndState::attached, std::memory_order_release);
  return reader;
}

bool RecordReader::resume_at(std::uint64_t position) noexcept {
  if (!ring_)
    return false;
  const auto published = ring_.header().producer.index.load(std::memory_order_acquire);
  if (position < released_ || position > published || !ring_.indices_fit(published, position))
    return false;
  cursor_ = batch_ = seen_ = position;
  return true;
}

RecordReader::RecordReader(RecordReader&& other) noexcept
    : area_(other.area_), mask_(other.mask_), cursor_(other.cursor_), seen_(other.seen_), released_(other.released_),
      release_batch_(other.release_batch_), records_(other.records_), ended_(other.ended_), cut_(other.cut_),
      busy_poll_(other.busy_poll_), is_wide_(other.is_wide_), max_record_bytes_(other.max_record_bytes_),
      copies_(std::move(other.copies_)), copies_end_(other.copies_end_), batch_(other.batch_),
      ring_(std::exchange(other.ring_, Ring())), file_(std::move(other.file_)), guard_(std::move(other.guard_)),
      stream_(std::move(other.stream_)), name_(std::move(other.name_)), damage_(std::move(other.damage_)) {}

RecordReader::~RecordReader() {
  close();
}

bool RecordReader::look() noexcept {
  if (ended_ || !damage_.empty())
    return false;
  if (!ring_)
    return look_at_block();
  // Pairs with the release store in RecordWriter::publish.
  const auto index = ring_.header().producer.index.load(std::memory_order_acquire);
  if (index == seen_)
    return false;
  // Counted from what was seen, so that an index that goes back is out of range too.
  if (index - seen_ > mask_ + 1 - (seen_ - released_) || index % record_alignment != 0) {
    mark_damaged("the producer's index " + std::to_string(index) + " is out of range");
    return false;
  }
  seen_ = index;
  return true;
}

bool RecordReader::look_at_block() noexcept {
  if (cut_) {
    mark_damaged("the file was cut off within a block");
    return false;
  }
  const std::span<const std::byte> file(area_, file_.get_size()); // empty when this was a ring that it has left
  if (cursor_ >= file.size())
    return false;
  const auto rest = file.subspan(cursor_);
  BlockRecord block{};
  if (rest.size() < sizeof block) {
    mark_damaged("the file was cut off within the header of a block");
    return false;
  }
  std::memcpy(&block, rest.data(), sizeof block);
  if (block.header.length != sizeof block || block.header.kind != RecordKind::block || block.header.table != 0 ||
      block.octets == 0 || block.octets % record_alignment != 0) {
    mark_damaged("there is no header of a block");
    return false;
  }
  auto records = rest.subspan(sizeof block);
  if (block.octets > records.size()) {
    const auto whole = whole_records(records);
    if (!whole) {
      mark_damaged("a block of " + std::to_string(block.octets) + " octets does not fit, " +
                   std::to_string(records.size()) + " are there");
      return false;
    }
    cut_ = true;
    records = records.first(*whole);
  } else {
    records = records.first(block.octets);
    if (checksum(records) != block.checksum) {
      mark_damaged("a block of " + std::to_string(block.octets) + " octets was altered, its checksum is another");
      return false;
    }
  }
  cursor_ += sizeof block;
  seen_ = cursor_ + records.size();
  return seen_ != cursor_ || look_at_block(); // cut off before the end of its first record: damage
}

void RecordReader::release_now() noexcept {
  released_ = cursor_;
  if (!ring_)
    return;
  auto& header = ring_.header();
  // Pairs with the acquire load in RecordWriter::has_room: the records before this index are no longer read.
  header.consumer.index.store(cursor_, std::memory_order_release);
  wake_peer(header.producer.waiting);
}

Wait RecordReader::wait(const std::atomic<bool>& stop, std::chrono::nanoseconds sleep, bool gives_back) noexcept {
  if (!damage_.empty())
    return Wait::damaged;
  if (ended_)
    return Wait::ended;
  if (!ring_)
    return Wait::cut_off;
  if (released_ != cursor_ && gives_back)
    release_now();
  auto& header = ring_.header();
  const auto ready = [&] { return look() || !damage_.empty(); };
  if (wait_round(header.consumer.waiting, busy_poll_, ready, sleep))
    return damage_.empty() ? Wait::readable : Wait::damaged;
  housekeep(monotonic_ns());
  const auto state = header.producer.state.load(std::memory_order_acquire);
  if (state == EndState::finished || ring_.is_lost(header.producer))
    return look() ? Wait::readable : Wait::cut_off; // what it published before it went may have come since
  return stop.load(std::memory_order_relaxed) ? Wait::stopped : Wait::quiet;
}

void RecordReader::mark_damaged(const std::string& why) noexcept {
  if (damage_.empty())
    damage_ = name_.substr(name_.find(':') + 1) + ": damaged at offset " + std::to_string(cursor_) + ": " + why;
  cursor_ = seen_;
}

void RecordReader::mark_damaged_at(const RecordHeader* record, const std::string& why) noexcept {
  cursor_ = batch_;
  for (const std::byte* copy = copies_.get();;) {
    const auto* const header = reinterpret_cast<const RecordHeader*>(copy);
    const std::uint64_t stride = record_stride(header->length);
    // A record lies in one piece: one that would not fit before the end of a ring's area stands at its start.
    if (const std::uint64_t to_end = mask_ - (cursor_ & mask_) + 1; ring_ && stride > to_end)
      cursor_ += to_end;
    if (header == record)
      break;
    cursor_ += stride;
    copy += stride;
  }
  mark_damaged(why);
}

void RecordReader::allocate_copies() {
  copies_ = std::make_unique_for_overwrite<std::byte[]>(copies_octets + max_batch * most_unchecked);
  copies_end_ = copies_.get() + copies_octets;
}

bool RecordReader::make_room(std::byte*& to, std::uint64_t stride) noexcept {
  if (max_record_bytes_ != 0 && stride > record_stride(max_record_bytes_)) {
    mark_damaged("a record of " + std::to_string(stride) + " octets is longer than any can be, " +
                 std::to_string(max_record_bytes_));
    return false;
  }
  if (to != copies_.get())
    return false; // those before it first
  try {
    const std::size_t room = std::max<std::uint64_t>(stride, copies_octets);
    copies_ = std::make_unique_for_overwrite<std::byte[]>(room + max_batch * most_unchecked);
    to = copies_.get();
    copies_end_ = to + room;
  } catch (const std::bad_alloc&) {
    mark_damaged("there is no memory for a record of " + std::to_string(stride) + " octets");
    return false;
  }
  return true;
}

std::string RecordReader::warning_of(const EndRecord& end) const {
  if (end.cause != EndCause::failed || !name_.starts_with("file:"))
    return {};
  return name_ + " is a recording of an input that could not be read to its end";
}

void RecordReader::housekeep(std::uint64_t now_ns) noexcept {
  if (!ring_)
    return;
  auto& end = ring_.header().consumer;
  end.heartbeat_ns.store(now_ns, std::memory_order_relaxed);
  end.records.store(records_, std::memory_order_relaxed);
}

void RecordReader::close() noexcept {
  if (!ring_)
    return;
  auto& header = ring_.header();
  release_now();
  housekeep(monotonic_ns());
  header.consumer.state.store(EndState::finished, std::memory_order_release);
  wake_peer(header.producer.waiting);
  // Whoever made the ring removes it; where that process is gone, the last one out does.
  if (!creator_lives(header))
    Segment::remove(ring_.name());
  ring_ = Ring();
}

} // namespace orbweaver
