// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/decompressor.hpp"
#include "capture/sources/input.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <poll.h>
#include <unistd.h>

namespace orbweaver {
namespace {

constexpr std::size_t first_capacity = std::size_t{1} << 20;
constexpr int wait_ms = 100;

class PipeInput final : public BufferedInput {
public:
  PipeInput(int descriptor, std::string name) : BufferedInput(std::move(name)), descriptor_(descriptor) {}
  ~PipeInput() override { close(descriptor_); }

private:
  More fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept override {
    pollfd ready{descriptor_, POLLIN, 0};
    const int polled = poll(&ready, 1, wait_ms);
    if (polled == 0 || (polled < 0 && errno == EINTR))
      return More::idle;
    const ssize_t got = read(descriptor_, at, room);
    if (got < 0)
      return errno == EINTR || errno == EAGAIN ? More::idle : fail("cannot be read: " + errno_text());
    filled = static_cast<std::size_t>(got);
    return got == 0 ? More::end : More::more;
  }

  int descriptor_;
};

/// Decompresses one stream after the other.
class CompressedInput final : public BufferedInput {
public:
  CompressedInput(std::unique_ptr<Input> packed, Compression compression)
      : BufferedInput(packed->name()), packed_(std::move(packed)), left_(packed_->window()),
        format_(&format_of(compression)), library_(compression), decompressor_(make_decompressor(compression)) {}

private:
  using State = Decompressor::State;

  std::string why_senseless() noexcept override;
  More fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept override;
  [[nodiscard]] bool wants_more() const noexcept;
  [[nodiscard]] More refill() noexcept;
  [[nodiscard]] More begin_stream() noexcept;
  void skip_padding() noexcept;
  [[nodiscard]] State decompress(std::span<std::uint8_t>& out) noexcept;

  [[nodiscard]] std::string octets_used() const { return std::to_string(used_); }
  void use(std::size_t octets) noexcept {
    left_ = left_.subspan(octets);
    used_ += octets;
  }

  std::unique_ptr<Input> packed_;
  Octets left_; // the part of packed_'s window that is not used yet
  bool packed_ended_ = false;
  std::uint64_t used_ = 0; // compressed octets
  const CompressionFormat* format_;
  Compression library_; // whose decompressor it is
  std::unique_ptr<Decompressor> decompressor_;
  bool in_stream_ = false;
  std::string fault_; // told once all before it is given
};

/// At the start of a stream, as many octets must be at hand as tell what it is.
bool CompressedInput::wants_more() const noexcept {
  return !packed_ended_ && left_.size() < (in_stream_ ? 1 : max_compression_magic_octets);
}

Input::More CompressedInput::refill() noexcept {
  const More more = packed_->advance(left_.data());
  left_ = packed_->window();
  packed_ended_ = more == More::end;
  return more == More::failed ? fail(packed_->error()) : more;
}

/// What is left of zeros afterwards starts no stream.
void CompressedInput::skip_padding() noexcept {
  const auto zeros = static_cast<std::size_t>(
      std::find_if(left_.begin(), left_.end(), [](std::uint8_t octet) { return octet != 0; }) - left_.begin());
  if (format_->padding != 0)
    use(zeros - zeros % format_->padding);
}

/// `more`: a stream begins; `idle`: look again with more input.
Input::More CompressedInput::begin_stream() noexcept {
  skip_padding();
  if (wants_more())
    return More::idle;
  if (left_.empty())
    return More::end;
  const auto other = compression_of(left_);
  if (other) {
    format_ = &format_of(*other);
    // Captures may have been put together that were compressed in different ways. A frame to be skipped is for both
    // libraries that know such.
    const bool for_both = *other == Compression::skippable && library_ == Compression::lz4;
    if (!for_both && format_->name != format_of(library_).name)
      decompressor_ = make_decompressor(library_ = *other);
  }
  if (!may_start(*format_, left_))
    return fail("what stands behind the end of its " + std::string(format_->name) + " data, from octet " +
                octets_used() + " of the compressed file on, is no such data: all before it is read; cut it off");
  if (!decompressor_->begin())
    return fail("there is no memory left to decompress it");
  in_stream_ = true;
  return More::more;
}

/// Goes one step, which may write nothing; `end` is the end of the stream.
CompressedInput::State CompressedInput::decompress(std::span<std::uint8_t>& out) noexcept {
  constexpr std::size_t max_step = std::size_t{1} << 30; // what the libraries can count
  Decompressor::Work work{left_.first(std::min(left_.size(), max_step)), out.first(std::min(out.size(), max_step))};
  const std::size_t in = work.in.size();
  const std::size_t room = work.out.size();
  const State state = decompressor_->run(work);
  use(in - work.in.size());
  out = out.subspan(room - work.out.size());
  const std::string format(format_->name);
  if (state == State::damaged)
    fault_ = "the " + format + " data is damaged at octet " + octets_used() + " of the compressed file or before (" +
             decompressor_->reason() + "): for the rest, get the file anew";
  else if (state == State::going && work.in.size() == in && work.out.size() == room)
    fault_ = in == 0 ? "the " + format + " data is cut off: the compressed file ends after " + octets_used() +
                           " octets, in the middle of it: what could be decompressed is read; for the rest, get the "
                           "whole file"
                     : "the " + format + " data at octet " + octets_used() + " of the compressed file leads nowhere";
  return state;
}

Input::More CompressedInput::fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept {
  std::span<std::uint8_t> out(at, room);
  while (out.size() == room) {
    if (!fault_.empty())
      return fail(fault_);
    if (wants_more()) {
      if (const More more = refill(); more == More::idle || more == More::failed)
        return more;
    } else if (!in_stream_) {
      if (const More more = begin_stream(); more == More::end || more == More::failed)
        return more;
    } else if (decompress(out) == State::end) {
      in_stream_ = false;
    }
  }
  filled = room - out.size();
  return More::more;
}

/// Reads on for more than one block of bzip2 holds, which is the format that gives much before it looks at a checksum.
std::string CompressedInput::why_senseless() noexcept {
  constexpr std::size_t look_octets = std::size_t{64} << 20;
  std::array<std::uint8_t, std::size_t{16} << 10> unused;
  std::size_t filled = 0;
  for (std::size_t seen = 0; seen < look_octets; seen += filled)
    if (const More more = fill(unused.data(), unused.size(), filled); more != More::more)
      return more == More::failed ? error() : std::string();
  return {};
}

} // namespace

BufferedInput::BufferedInput(std::string name)
    : Input(std::move(name)), buffer_(new std::uint8_t[first_capacity]), capacity_(first_capacity) {
  set_window({buffer_.get(), 0});
}

Input::More BufferedInput::advance(const std::uint8_t* from) noexcept {
  const std::size_t kept = static_cast<std::size_t>(window().data() + window().size() - from);
  if (kept == capacity_) { // one record fills the buffer; the reader bounds how large a record may be
    std::unique_ptr<std::uint8_t[]> larger(new (std::nothrow) std::uint8_t[2 * capacity_]);
    if (!larger)
      return fail("there is no memory for a record of more than " + std::to_string(capacity_) + " octets");
    std::memcpy(larger.get(), from, kept);
    buffer_ = std::move(larger);
    capacity_ *= 2;
  } else if (kept != 0) {
    std::memmove(buffer_.get(), from, kept);
  }
  std::size_t filled = 0;
  const More more = fill(buffer_.get() + kept, capacity_ - kept, filled);
  set_window({buffer_.get(), kept + (more == More::more ? filled : 0)});
  return more;
}

std::unique_ptr<Input> open_pipe_input(int descriptor, std::string name) {
  return std::make_unique<PipeInput>(descriptor, std::move(name));
}

std::unique_ptr<Input> open_compressed_input(std::unique_ptr<Input> packed, Compression compression) {
  return std::make_unique<CompressedInput>(std::move(packed), compression);
}

} // namespace orbweaver
