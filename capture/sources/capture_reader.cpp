// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/capture_reader.hpp"

#include "capture/sources/pcap_reader.hpp"
#include "capture/sources/pcapng_reader.hpp"
#include "capture/sources/pipe_source.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace orbweaver {
namespace {

using namespace std::string_view_literals;

bool starts(Input::Octets octets, std::string_view magic) noexcept {
  return octets.size() >= magic.size() && std::memcmp(octets.data(), magic.data(), magic.size()) == 0;
}

constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d; // of a pcapng section

/// Formats that people try, which no reader of ours takes.
struct KnownStart {
  std::string_view magic;
  const char* advice;
};
constexpr std::array known_starts = {
    KnownStart{"\x02\x21\x4c\x18"sv, "is compressed by lz4 in its old format, which is not read: give it through a "
                                     "pipe, lz4 -dc FILE | … -i -"},
    KnownStart{"\x89LZO"sv, "is compressed by lzop, which is not read: give it through a pipe, "
                            "lzop -dc FILE | … -i -"},
    KnownStart{"snoop\0"sv, "is a snoop capture: convert it with editcap"},
    KnownStart{"GMBU"sv, "is a Network Monitor capture: convert it with editcap"},
    KnownStart{"RTSS"sv, "is a Network Monitor capture: convert it with editcap"},
};

} // namespace

CaptureReader::CaptureReader(std::unique_ptr<Input> input, std::uint32_t snap_length)
    : cursor_(input->window().data()), end_(cursor_ + input->window().size()),
      snap_length_(snap_length == 0 ? max_record_octets : snap_length), input_(std::move(input)), window_(cursor_),
      window_offset_(input_->begins_at()) {
  if (const auto* flag = input_->lost_flag())
    watch_loss(*flag);
}

Source::Result CaptureReader::read(std::span<Frame> out) noexcept {
  if (next_) [[unlikely]]
    return read_next(out);
  while (finished_ == Status::frames) {
    needed_ = 0;
    const std::uint8_t* const start = cursor_;
    const std::size_t count = take(out);
    given_ += count;
    // Behind the cut, the rest of its page reads as zeros: records without octets.
    const bool odd = !fault_.empty() || (count != 0 && out[count - 1].captured_length == 0);
    if (input_->lost(odd)) [[unlikely]]
      cursor_ = start;
    else if (count != 0)
      return {Status::frames, count};
    else if (!fault_.empty())
      return finish(Status::failed, fault_with_cause());

    const std::uint64_t offset = position_octets();
    const Input::More more = input_->advance(cursor_);
    if (hands_over_ && more != Input::More::failed) {
      input_->begin_at(offset);
      next_ = std::make_unique<PipeSource>(std::move(input_), snap_length_);
      return read_next(out);
    }
    window_ = cursor_ = input_->window().data();
    end_ = cursor_ + input_->window().size();
    window_offset_ = offset;
    switch (more) {
    case Input::More::more:
      break;
    case Input::More::idle:
      return {Status::idle, 0};
    case Input::More::failed:
      return finish(Status::failed, named("offset " + std::to_string(offset) + ": " + input_->error()));
    case Input::More::end:
      if (octets_left() != 0)
        return finish(Status::failed, named("cut off in the middle of a packet: the record at offset " +
                                            std::to_string(offset) + " has " + std::to_string(needed_) +
                                            " octets or more, and " + std::to_string(octets_left()) + " are there"));
      return skipped_ != 0 && given_ == 0 ? finish(Status::failed, named(nothing_else())) : finish(Status::end);
    }
  }
  return {finished_, 0};
}

Source::Result CaptureReader::read_next(std::span<Frame> out) noexcept {
  const Result result = next_->read(out);
  return result.status == Status::failed ? fail(next_->error()) : result;
}

std::string CaptureReader::warning() const {
  const std::string here = skipped_ == 0 ? std::string() : named(what_was_skipped());
  const std::string behind = next_ ? next_->warning() : std::string();
  return here.empty() || behind.empty() ? here + behind : here + "; " + behind;
}

void CaptureReader::fault(std::string what) noexcept {
  fault_ = named("offset " + std::to_string(position_octets()) + ": " + what);
}

std::string CaptureReader::fault_with_cause() noexcept {
  const std::string cause = input_->why_senseless();
  return cause.empty() ? fault_ : fault_ + ": " + cause;
}

Source::Result CaptureReader::finish(Status status, std::string text) noexcept {
  finished_ = status;
  return status == Status::failed ? fail(std::move(text)) : Result{status, 0};
}

FileKind file_kind(Input::Octets start) noexcept {
  if (starts(start, "\x0a\x0d\x0d\x0a"sv))
    return FileKind::pcapng;
  if (compression_of(start))
    return FileKind::compressed;
  return is_pcap_magic(start) ? FileKind::pcap : FileKind::other;
}

bool is_pcapng_header(const std::uint8_t* at) noexcept {
  return file_kind({at, 4}) == FileKind::pcapng &&
         (load32<false>(at + 8) == byte_order_magic || load32<true>(at + 8) == byte_order_magic);
}

std::string describe_unreadable(Input::Octets start) {
  for (const KnownStart& known : known_starts)
    if (starts(start, known.magic))
      return known.advice;
  std::string octets;
  for (const std::uint8_t octet : start.first(std::min<std::size_t>(start.size(), 4))) {
    char text[4];
    std::snprintf(text, sizeof text, " %02x", octet);
    octets += text;
  }
  return "is neither pcap nor pcapng (it starts with" + octets +
         "): when it is one of libtrace's formats, name that, as in erf:FILE";
}

std::unique_ptr<Source> make_capture_reader(std::unique_ptr<Input> input, std::uint32_t snap_length, bool plain) {
  while (input->window().size() < file_start_octets) {
    const Input::More more = input->advance(input->window().data());
    if (more == Input::More::failed)
      throw Error(input->name() + ": " + input->error());
    if (more == Input::More::end)
      break;
  }
  const Input::Octets start = input->window();
  if (start.empty())
    throw NoCapture(input->name() + ": is empty");
  switch (file_kind(start)) {
  case FileKind::pcap:
    return std::make_unique<PcapReader>(std::move(input), snap_length, plain);
  case FileKind::pcapng:
    return std::make_unique<PcapngReader>(std::move(input), snap_length);
  case FileKind::compressed:
    throw Error(input->name() + ": is compressed: decompress it first, as in xz -dc FILE | … -i -");
  case FileKind::other:
    break;
  }
  throw NoCapture(input->name() + ": " + describe_unreadable(start));
}

} // namespace orbweaver
