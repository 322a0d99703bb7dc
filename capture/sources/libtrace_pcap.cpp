// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/libtrace_handle.hpp"
#include "capture/sources/libtrace_source.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <cstdlib>

namespace orbweaver {
namespace {

constexpr std::uint32_t record_header_octets = 16;
constexpr std::uint32_t max_captured = LIBTRACE_PACKET_BUFSIZE - record_header_octets;

/// Goes through a pcap file twice in step: `guard` says where each record is, how long and of when, and libtrace reads
/// its octets.
class LibtracePcapSource final : public Source {
public:
  LibtracePcapSource(const LibtraceOptions& options, std::unique_ptr<Source> guard)
      : handle_(options), name_(options.name), guard_(std::move(guard)),
        snap_length_(options.snap_length == 0 ? UINT32_MAX : options.snap_length) {}

  Result read(std::span<Frame> out) noexcept override;
  std::uint64_t position_octets() const noexcept override { return guard_->position_octets(); }
  std::uint64_t size_octets() const noexcept override { return guard_->size_octets(); }

private:
  [[nodiscard]] bool read_one(libtrace_packet_t* packet, Frame& frame) noexcept;

  LibtraceHandle handle_;
  std::string name_;
  std::unique_ptr<Source> guard_;
  std::uint32_t snap_length_;
  std::uint64_t read_ = 0;
};

Source::Result LibtracePcapSource::read(std::span<Frame> out) noexcept {
  if (!error().empty())
    return {Status::failed, 0};
  const Result checked = guard_->read(out.first(std::min(out.size(), frame_batch)));
  if (checked.status == Status::failed)
    return fail(guard_->error());
  for (std::size_t i = 0; i < checked.count; ++i)
    if (!read_one(handle_.packet(i), out[i]))
      return i == 0 ? Result{Status::failed, 0} : Result{Status::frames, i};
  return checked;
}

bool LibtracePcapSource::read_one(libtrace_packet_t* packet, Frame& frame) noexcept {
  ++read_;
  const std::string_view unread = "; give the file without \"--reader libtrace\"";
  if (frame.captured_length > max_captured) {
    fail(name_ + ": packet " + std::to_string(read_) + ": libtrace cannot read a packet of " +
         std::to_string(frame.captured_length) + " octets, only of " + std::to_string(max_captured) +
         std::string(unread));
    return false;
  }
  const int size = trace_read_packet(handle_.trace(), packet);
  if (size != static_cast<int>(frame.captured_length + record_header_octets)) {
    const bool said = trace_is_err(handle_.trace());
    fail((said ? handle_.error_text() : name_ + ": libtrace reads it otherwise than we do") + ", packet " +
         std::to_string(read_) + std::string(unread));
    return false;
  }
  frame.data = static_cast<const std::uint8_t*>(packet->payload);
  frame.captured_length = std::min(frame.captured_length, snap_length_);
  return true;
}

} // namespace

std::unique_ptr<Source> open_libtrace_pcap(const LibtraceOptions& options, std::unique_ptr<Source> guard,
                                           bool compressed) {
  // libwandio would hand a plain file's octets from thread to thread: 7 Mpkt/s where one thread reads 16.
  if (!compressed)
    setenv("LIBTRACEIO", "nothreads", 0);
  return std::make_unique<LibtracePcapSource>(options, std::move(guard));
}

} // namespace orbweaver
