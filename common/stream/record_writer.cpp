// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/record_writer.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/stream/checksum.hpp"
#include "common/trusted_file.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint64_t file_buffer_bytes = 1 << 20;

bool write_all(int fd, const std::byte* data, std::size_t size) noexcept {
  while (size > 0) {
    const auto written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

std::string damaged_indices(std::uint64_t published, std::uint64_t given_back) {
  return "the producer's index " + std::to_string(published) + " and the consumer's " + std::to_string(given_back) +
         " are out of range";
}

/// Attaches the ring of that name, or makes it where there is none that anybody lives in and that is allowed.
Ring attach_or_create(const Endpoint& endpoint, const EndpointOptions& options, bool& created) {
  const auto segment = endpoint.segment_name();
  if (Segment::exists(segment)) {
    try {
      Ring ring = Ring::attach(segment);
      auto& header = ring.header();
      const auto state = header.producer.state.load(std::memory_order_acquire);
      if (is_taken(header.producer))
        throw UsageError("ring:" + endpoint.name + " already has a producer, process " +
                         std::to_string(header.producer.process.pid.load()) + "; give this one another name");
      if ((state == EndState::absent || options.takes_over) && creator_lives(header))
        return ring;
    } catch (const UsageError&) {
      throw;
    } catch (const Error&) {
      // Whatever it is, nobody can attach it: replaced below.
    }
    if (options.make_ring)
      Segment::remove(segment);
  }
  if (!options.make_ring) // one of its own would wait for a reader that never comes
    throw Error("ring:" + endpoint.name + " has lost its session: the command that made it is gone");
  created = true;
  return Ring::create(segment, options.ring_bytes, options.huge_pages);
}

/// A new recording, or in place of what an own file holds. Nothing that somebody else may have put there is written to;
/// devices are where only root puts them.
FileDescriptor open_recording(const std::string& path) {
  constexpr FileTrust own{S_IFREG, 0022, false};
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0)
    throw Error(
        "cannot write " + path + ": " +
        (errno == ELOOP ? "it is a symbolic link, which is not followed: name what it points to" : errno_text()));
  if (S_ISCHR(status.st_mode))
    return file;
  if (const auto why = why_not_trusted(status, own); !why.empty())
    throw Error("cannot write " + path + ": it " + why);
  if (ftruncate(file.get(), 0) != 0)
    throw Error("cannot write " + path + ": " + errno_text());
  return file;
}

} // namespace

RecordWriter RecordWriter::open(const Endpoint& endpoint, const StreamDescription& stream,
                                const EndpointOptions& options) {
  RecordWriter writer;
  auto [stream_header, description] = encode_stream(stream);
  writer.name_ = endpoint.text();
  writer.busy_poll_ = options.busy_poll;
  if (endpoint.kind == Endpoint::Kind::file) {
    writer.fd_ = open_recording(endpoint.name).release();
    writer.buffer_ = std::make_unique<std::byte[]>(file_buffer_bytes);
    writer.area_ = writer.buffer_.get();
    writer.mask_ = file_buffer_bytes - 1;
    writer.position_ = writer.published_ = sizeof(BlockRecord);
    writer.limit_ = writer.run_end_ = file_buffer_bytes;
    writer.max_record_bytes_ = file_buffer_bytes / 4;
    stream_header.checksum = stream_checksum(stream_header, description);
    if (!write_all(writer.fd_, reinterpret_cast<const std::byte*>(&stream_header), sizeof stream_header) ||
        !write_all(writer.fd_, reinterpret_cast<const std::byte*>(description.data()), description.size())) {
      writer.error_ = errno; // so that its destructor writes nothing more
      throw Error(writer.failure());
    }
    return writer;
  }
  writer.ring_ = attach_or_create(endpoint, options, writer.owns_ring_);
  auto& header = writer.ring_.header();
  const auto state = header.producer.state.load(std::memory_order_acquire);
  const bool takes_over = options.takes_over && state != EndState::absent;
  if (!takes_over) {
    header.stream = stream_header;
    description.copy(header.description.data(), header.description.size());
  } else if (std::memcmp(&header.stream, &stream_header, sizeof stream_header) != 0 ||
             std::memcmp(header.description.data(), description.data(), description.size()) != 0) {
    writer.finished_ = true; // its destructor touches nothing
    throw Error(writer.name_ + " has another description than what would be written to it: it cannot be taken over");
  }
  writer.area_ = writer.ring_.area();
  writer.mask_ = writer.ring_.capacity_bytes() - 1;
  writer.position_ = writer.published_ = header.producer.index.load(std::memory_order_relaxed);
  const auto given_back = header.consumer.index.load(std::memory_order_acquire);
  if (!writer.ring_.indices_fit(writer.position_, given_back)) {
    writer.finished_ = true; // its destructor touches nothing
    throw Error(writer.name_ + " is damaged: " + damaged_indices(writer.position_, given_back));
  }
  writer.limit_ = given_back + writer.ring_.capacity_bytes();
  if (takes_over && !writer.take_over()) {
    writer.finished_ = true;
    throw Error(writer.failure());
  }
  if (takes_over && state == EndState::finished) {
    writer.finished_ = writer.was_finished_ = true;
    writer.limit_ = 0;
    return writer;
  }
  writer.max_record_bytes_ = writer.ring_.max_record_bytes();
  header.producer.process.set_self();
  header.producer.heartbeat_ns.store(monotonic_ns(), std::memory_order_relaxed);
  // Pairs with the acquire load in attach_live (record_reader.cpp): who sees `attached` sees the stream header.
  header.producer.state.store(EndState::attached, std::memory_order_release);
  wake_peer(header.consumer.waiting);
  return writer;
}

RecordWriter::RecordWriter(RecordWriter&& other) noexcept
    : area_(other.area_), mask_(other.mask_), position_(other.position_), limit_(other.limit_),
      run_end_(other.run_end_), published_(other.published_), records_(other.records_), notices_(other.notices_),
      taken_over_(other.taken_over_), was_finished_(other.was_finished_), taken_over_at_(other.taken_over_at_),
      max_record_bytes_(other.max_record_bytes_), ring_(std::move(other.ring_)), buffer_(std::move(other.buffer_)),
      fd_(std::exchange(other.fd_, -1)), error_(other.error_), owns_ring_(std::exchange(other.owns_ring_, false)),
      busy_poll_(other.busy_poll_), finished_(std::exchange(other.finished_, true)), name_(std::move(other.name_)),
      damage_(std::move(other.damage_)) {}

RecordWriter::~RecordWriter() {
  if (!finished_ && (ring_ || fd_ >= 0)) {
    const std::atomic<bool> stop{true};
    finish(EndCause::interrupted, stop);
  }
  if (fd_ >= 0)
    close(fd_);
}

bool RecordWriter::has_room(std::uint64_t wanted) noexcept {
  if (!damage_.empty() || was_finished_)
    return false;
  // Pairs with the release store in RecordReader::release_now: the consumer has done with what it gave back.
  const auto given_back = ring_.header().consumer.index.load(std::memory_order_acquire);
  if (!ring_.indices_fit(published_, given_back) || given_back + mask_ + 1 < limit_) {
    damage_ = damaged_indices(published_, given_back);
    limit_ = run_end_ = 0;
    return false;
  }
  limit_ = given_back + mask_ + 1;
  return position_ + wanted <= limit_;
}

bool RecordWriter::take_over() noexcept {
  auto& end = ring_.header().producer;
  const auto* const found = std::ranges::find_if(end.counts, [&](const RingEnd::Count& count) {
    return count.index.load(std::memory_order_relaxed) == published_;
  });
  const auto kept = end.kept.load(std::memory_order_relaxed);
  position_ = taken_over_at_ = std::max(published_, kept);
  taken_over_ = true;
  if (found == end.counts.end() || position_ % record_alignment != 0 || position_ > limit_) {
    damage_ = "what its last producer has left (published " + std::to_string(published_) + ", kept " +
              std::to_string(kept) + ") does not fit";
    return false;
  }
  records_ = found->records.load(std::memory_order_relaxed);
  notices_ = found->notices.load(std::memory_order_relaxed);
  return true;
}

std::byte* RecordWriter::claim_slowly(std::uint64_t stride) noexcept {
  if (fd_ >= 0)
    return flush_file() && position_ + stride <= limit_ ? area_ + position_ : nullptr;
  const std::uint64_t offset = position_ & mask_;
  const std::uint64_t to_end = mask_ + 1 - offset;
  const std::uint64_t padding = stride > to_end ? to_end : 0;
  if (position_ + padding + stride > limit_ && !has_room(padding + stride))
    return nullptr;
  if (padding > 0) {
    const RecordHeader header{static_cast<std::uint32_t>(padding), RecordKind::padding, 0};
    __builtin_memcpy(area_ + offset, &header, sizeof header);
    position_ += padding;
  }
  run_end_ = std::min(limit_, (position_ | mask_) + 1);
  return area_ + (position_ & mask_);
}

bool RecordWriter::flush_file() noexcept {
  if (error_ != 0)
    return false;
  if (position_ == sizeof(BlockRecord))
    return true;
  const std::span<const std::byte> records(area_ + sizeof(BlockRecord), area_ + position_);
  const BlockRecord block{{sizeof(BlockRecord), RecordKind::block, 0}, records.size(), checksum(records)};
  __builtin_memcpy(area_, &block, sizeof block);
  if (!write_all(fd_, area_, position_)) {
    error_ = errno;
    limit_ = run_end_ = 0;
    return false;
  }
  position_ = published_ = sizeof(BlockRecord);
  return true;
}

void RecordWriter::publish(Wake wake) noexcept {
  if (fd_ >= 0) {
    published_ = position_;
    return;
  }
  if (published_ == position_ && wake == Wake::when_much)
    return;
  auto& header = ring_.header();
  if (published_ != position_) {
    auto& counts = header.producer.counts;
    auto& count = counts[counts[0].index.load(std::memory_order_relaxed) == published_];
    count.index.store(position_, std::memory_order_relaxed);
    count.records.store(records_, std::memory_order_relaxed);
    count.notices.store(notices_, std::memory_order_relaxed);
  }
  published_ = position_;
  // Pairs with the acquire load in RecordReader::look: who sees the index sees the records before it.
  header.producer.index.store(position_, std::memory_order_release);
  wake_peer(header.consumer.waiting, [&] {
    const auto unread = position_ - header.consumer.index.load(std::memory_order_relaxed);
    return wake == Wake::now ? unread > 0 : unread > mask_ / 8;
  });
}

Room RecordWriter::wait_for_room(std::uint32_t length, const std::atomic<bool>& stop) noexcept {
  if (fd_ >= 0)
    return flush_file() ? Room::available : Room::failed;
  publish();
  auto& header = ring_.header();
  // A padding record may be needed too; some room beyond that, so that a full ring is not filled record by record.
  const std::uint64_t wanted = std::max(2 * record_stride(length), (mask_ + 1) / 8);
  for (;;) {
    if (wait_round(header.producer.waiting, busy_poll_, [&] { return has_room(wanted) || !damage_.empty(); }))
      return damage_.empty() ? Room::available : Room::failed;
    if (reader_gone())
      return Room::reader_gone;
    if (stop.load(std::memory_order_relaxed))
      return Room::stopped;
    housekeep(monotonic_ns());
  }
}

Room RecordWriter::wait_for_last_room(std::uint32_t length, const std::atomic<bool>& stop) noexcept {
  const std::atomic<bool> never{false};
  const auto unread = [&] {
    return ring_ && ring_.header().consumer.state.load(std::memory_order_acquire) == EndState::absent;
  };
  for (;;) {
    const Room room = wait_for_room(length, unread() ? stop : never);
    if (room != Room::stopped || unread())
      return room;
  }
}

bool RecordWriter::reader_gone() const noexcept {
  if (!ring_)
    return false;
  const auto& consumer = ring_.header().consumer;
  return consumer.state.load(std::memory_order_acquire) == EndState::finished || ring_.is_lost(consumer);
}

void RecordWriter::count_dropped(std::uint64_t packets) noexcept {
  if (ring_)
    ring_.header().producer.dropped.fetch_add(packets, std::memory_order_relaxed);
}

void RecordWriter::housekeep(std::uint64_t now_ns) noexcept {
  if (!ring_)
    return;
  auto& end = ring_.header().producer;
  end.heartbeat_ns.store(now_ns, std::memory_order_relaxed);
  end.records.store(records_, std::memory_order_relaxed);
}

bool RecordWriter::finish(EndCause cause, const std::atomic<bool>& stop) noexcept {
  if (std::exchange(finished_, true))
    return failure().empty();
  const EndRecord end{{}, cause};
  bool complete = write(&end, sizeof end, RecordKind::end);
  if (!complete && wait_for_last_room(sizeof end, stop) == Room::available)
    complete = write(&end, sizeof end, RecordKind::end);
  publish();
  if (fd_ >= 0) {
    complete = complete && flush_file();
    if (close(std::exchange(fd_, -1)) != 0 && error_ == 0)
      error_ = errno;
    return complete && error_ == 0;
  }
  auto& header = ring_.header();
  housekeep(monotonic_ns());
  header.producer.state.store(EndState::finished, std::memory_order_release);
  wake_peer(header.consumer.waiting);
  if (!owns_ring_)
    return complete && damage_.empty();
  const auto drained = [&] {
    return header.consumer.state.load(std::memory_order_acquire) == EndState::finished ||
           ring_.is_lost(header.consumer);
  };
  while (damage_.empty() && !drained() && !stop.load(std::memory_order_relaxed))
    wait_round(header.producer.waiting, false, drained);
  Segment::remove(ring_.name());
  return complete && damage_.empty();
}

std::string RecordWriter::failure() const {
  if (!damage_.empty())
    return name_ + " is damaged: " + damage_;
  return error_ == 0 ? std::string() : "cannot write " + name_.substr(name_.find(':') + 1) + ": " + errno_text(error_);
}

} // namespace orbweaver
