// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/libtrace_source.hpp"

#include "capture/sources/kernel_buffer.hpp"
#include "capture/sources/libtrace_frame.hpp"
#include "capture/sources/libtrace_handle.hpp"
#include "common/error.hpp"
#include "common/system/network_interface.hpp"

#include <algorithm>
#include <ctime>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace orbweaver {
namespace {

constexpr int wait_ms = 100;

struct Format {
  std::string_view name;
  bool live;         // packets come in their own time, and are lost when not read
  bool on_interface; // the rest of the URI is an interface
  bool own_buffers;  // a packet stays valid when the next one is read
  bool hangs;        // asked for packets while its interface is down, it does not come back (libpcap 1.10.3)
  bool counts_anew;  // it says what was lost since it was last asked (libtrace 3.0.22), and not in all
};
constexpr Format formats[] = {
    {"int", true, true, true, false, true},          {"ring", true, true, true, false, true},
    {"pcapint", true, true, false, true, false},     {"dag", true, false, true, false, false},
    {"dpdk", true, false, true, false, false},       {"rt", true, false, true, false, false},
    {"pcap", false, false, false, false, false},     {"tsh", false, false, true, false, false},
    {"fr+", false, false, true, false, false},       {"legacyeth", false, false, true, false, false},
    {"legacypos", false, false, true, false, false},
};

struct Refused {
  std::string_view name;
  const char* why;
};
constexpr Refused refused_formats[] = {
    {"atmhdr", "it has ATM cells, whose link type is not supported"},
    {"legacyatm", "it has ATM cells, whose link type is not supported"},
    {"legacynzix", "libtrace ends the program where such a file ends within a record"},
    {"duck", "it has no packets, but a capture card's clock"},
    {"bpf", "it is of BSD; name the interface itself"},
};

Format format_of(const std::string& uri) {
  const std::string_view name = std::string_view(uri).substr(0, uri.find(':'));
  const auto* found =
      std::find_if(std::begin(formats), std::end(formats), [&](const Format& f) { return f.name == name; });
  if (found != std::end(formats))
    return *found;
  for (const Refused& refused : refused_formats)
    if (refused.name == name)
      throw Error(uri + ": libtrace's format " + std::string(name) + " is not read: " + refused.why);
  std::string known = "pcapfile, erf, rawerf";
  for (const Format& format : formats)
    known += ", " + std::string(format.name);
  throw Error(uri + ": the format " + std::string(name) + " is not known; the formats read here are " + known);
}

std::string rest_of(const std::string& uri) {
  return uri.substr(uri.find(':') + 1);
}

class LibtraceSource final : public Source {
public:
  LibtraceSource(const LibtraceOptions& options, const Format& format)
      : handle_(options), name_(options.name), format_(format),
        snap_length_(options.snap_length == 0 ? UINT32_MAX : options.snap_length),
        socket_buffer_mib_(format.name == "int" ? options.kernel_buffer_mib : 0),
        loopback_(format.on_interface && interface_is_loopback(rest_of(options.uri))) {}

  Result read(std::span<Frame> out) noexcept override;
  bool live() const noexcept override { return format_.live; }
  std::uint64_t skipped() const noexcept override { return skipped_; }

  std::uint64_t dropped() noexcept override;

  std::string warning() const override {
    return skipped_ == 0 ? std::string()
                         : name_ + ": " + std::to_string(skipped_) + " records were skipped: " + describe_skipped();
  }

private:
  enum class Next : std::uint8_t { packet, nothing, end };

  Next next(libtrace_packet_t* packet, bool may_wait, int& size) noexcept;
  Next next_live(libtrace_packet_t* packet, bool may_wait, int& size) noexcept;
  Next next_when_ready(libtrace_packet_t* packet, bool may_wait, int& size) noexcept;
  Result finish() noexcept;

  [[nodiscard]] std::string describe_skipped() const {
    const std::string number = std::to_string(skipped_number_);
    if (format_.name == "int" || format_.name == "ring")
      return "hardware type " + number + " (ARPHRD_) is not supported";
    return format_.name == "pcap" || format_.name == "pcapint"
               ? "link type " + describe_link_type(skipped_number_) + " is not supported"
               : "ERF record type " + number + " carries no packets that are understood";
  }

  LibtraceHandle handle_;
  std::string name_;
  Format format_;
  std::uint32_t snap_length_;
  std::uint32_t socket_buffer_mib_; ///< to be set once there is a socket; 0: none
  bool loopback_;
  std::uint64_t dropped_ = 0;
  std::size_t held_ = 0; // packets that may hold a slot of the kernel's ring
  std::uint64_t read_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint32_t skipped_number_ = 0;
  int descriptor_ = -1;  // of a format that hangs, once it is known
  int socket_error_ = 0; // what that said
  bool damaged_ = false;
  bool finished_ = false;
};

LibtraceSource::Next LibtraceSource::next(libtrace_packet_t* packet, bool may_wait, int& size) noexcept {
  if (descriptor_ >= 0)
    return next_when_ready(packet, may_wait, size);
  if (format_.live)
    return next_live(packet, may_wait, size);
  size = trace_read_packet(handle_.trace(), packet);
  return size > 0 ? Next::packet : Next::end;
}

LibtraceSource::Next LibtraceSource::next_live(libtrace_packet_t* packet, bool may_wait, int& size) noexcept {
  libtrace_eventobj_t event = trace_event(handle_.trace(), packet);
  if (event.type == TRACE_EVENT_IOWAIT && socket_buffer_mib_ != 0)
    set_socket_buffer(event.fd, std::exchange(socket_buffer_mib_, 0));
  if (format_.hangs && event.type == TRACE_EVENT_IOWAIT) {
    descriptor_ = event.fd;
    return next_when_ready(packet, may_wait, size);
  }
  if (event.type == TRACE_EVENT_IOWAIT && may_wait) {
    pollfd ready{event.fd, POLLIN, 0};
    if (poll(&ready, 1, wait_ms) <= 0)
      return Next::nothing;
    event = trace_event(handle_.trace(), handle_.packet(0));
  }
  switch (event.type) {
  case TRACE_EVENT_PACKET:
    size = event.size;
    return size > 0 ? Next::packet : Next::end;
  case TRACE_EVENT_IOWAIT:
    return Next::nothing;
  case TRACE_EVENT_SLEEP:
    if (may_wait) {
      const timespec pause{0, static_cast<long>(std::clamp(event.seconds, 0.0, wait_ms / 1e3) * 1e9)};
      nanosleep(&pause, nullptr);
    }
    return Next::nothing;
  case TRACE_EVENT_TERMINATE:
    break;
  }
  return Next::end;
}

/// What libtrace's own wait does, but that it takes an error for a packet, and asks.
LibtraceSource::Next LibtraceSource::next_when_ready(libtrace_packet_t* packet, bool may_wait, int& size) noexcept {
  pollfd ready{descriptor_, POLLIN, 0};
  if (poll(&ready, 1, may_wait ? wait_ms : 0) <= 0)
    return Next::nothing;
  if ((ready.revents & POLLIN) == 0) {
    socklen_t length = sizeof socket_error_;
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &socket_error_, &length);
    return Next::end;
  }
  size = trace_read_packet(handle_.trace(), packet);
  return size > 0 ? Next::packet : Next::end;
}

Source::Result LibtraceSource::read(std::span<Frame> out) noexcept {
  if (finished_)
    return error().empty() ? Result{Status::end, 0} : Result{Status::failed, 0};
  if (damaged_)
    return finish();
  // At once: a ring has but 512 slots, and while its newest one is held, poll() does not wait.
  handle_.release(held_);
  held_ = 0;
  const std::size_t wanted = std::min(out.size(), format_.own_buffers ? frame_batch : 1);
  std::size_t count = 0;
  while (count < wanted) {
    int size = 0;
    const Next found = next(handle_.packet(count), count == 0, size);
    if (found == Next::nothing)
      return count != 0 ? Result{Status::frames, count} : Result{Status::idle, 0};
    if (found == Next::end) {
      if (count != 0)
        break; // libtrace says the same again next time
      return finish();
    }
    ++read_;
    held_ = std::max(held_, count + 1);
    Frame& frame = out[count];
    std::uint32_t number = 0;
    switch (decode_libtrace_packet(*handle_.packet(count), size, frame, number)) {
    case Decoded::frame:
      frame.captured_length = std::min(frame.captured_length, snap_length_);
      ++given_;
      ++count;
      break;
    case Decoded::passed:
      break;
    case Decoded::unsupported:
      if (skipped_++ == 0)
        skipped_number_ = number;
      break;
    case Decoded::damaged:
      damaged_ = true;
      break;
    }
    const bool hopeless = damaged_ || (format_.live && skipped_ != 0 && given_ == 0);
    if (hopeless)
      return count != 0 ? Result{Status::frames, count} : finish();
  }
  return {Status::frames, count};
}

std::uint64_t LibtraceSource::dropped() noexcept {
  const std::uint64_t said = format_.live ? trace_get_dropped_packets(handle_.trace()) : 0;
  if (said != UINT64_MAX) // not known
    dropped_ = format_.counts_anew ? dropped_ + said : said;
  // The kernel offers each packet of a loopback interface twice, outgoing and incoming, and loses it twice.
  return loopback_ ? (dropped_ + 1) / 2 : dropped_;
}

Source::Result LibtraceSource::finish() noexcept {
  finished_ = true;
  if (damaged_)
    return fail(name_ + ": packet " + std::to_string(read_) + ": its record header contradicts itself");
  if (socket_error_ != 0)
    return fail(name_ + ": " + errno_text(socket_error_) + " (after packet " + std::to_string(read_) + ")");
  if (trace_is_err(handle_.trace()))
    return fail(handle_.error_text() + " (after packet " + std::to_string(read_) + ")");
  if (skipped_ != 0 && given_ == 0)
    return fail(name_ + ": " + describe_skipped());
  return {Status::end, 0};
}

} // namespace

bool is_live_uri(const std::string& uri) {
  const std::string_view name = std::string_view(uri).substr(0, uri.find(':'));
  return name.size() < uri.size() &&
         std::any_of(std::begin(formats), std::end(formats), [&](const Format& f) { return f.live && f.name == name; });
}

std::unique_ptr<Source> open_libtrace(const LibtraceOptions& options) {
  const Format format = format_of(options.uri);
  if (options.kernel_buffer_mib != 0 && format.name != "int" && format.name != "pcapint")
    throw UsageError(options.name + ": libtrace alone says how much the kernel keeps for its format " +
                     std::string(format.name) + ": leave --kernel-buffer-mib out, or name the interface itself");
  const auto open = [options, format] { return std::make_unique<LibtraceSource>(options, format); };
  if (!format.on_interface)
    return open();
  require_interface(rest_of(options.uri));
  return std::make_unique<WatchedSource>(rest_of(options.uri), open, options.link);
}

} // namespace orbweaver
