// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/zst_frames.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#include <zstd.h>

namespace orbweaver {

namespace {

/// Reads all of a piece; false where the file ends before, or cannot be read.
bool read_at(int fd, unsigned char* to, std::size_t octets, std::uint64_t at) noexcept {
  for (std::size_t done = 0; done < octets;) {
    const auto got = pread(fd, to + done, octets - done, static_cast<off_t>(at + done));
    if (got <= 0)
      return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

constexpr std::uint32_t frame_magic = 0xFD2F'B528;

std::uint32_t little_endian(const unsigned char* octets, unsigned count) noexcept {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < count; ++i)
    value |= std::uint32_t{octets[i]} << 8 * i;
  return value;
}

/// How long the frame is that begins there; 0 where it is none, or is not whole. Its blocks are stepped over, so that a
/// file of any size takes no memory, and one that somebody cuts meanwhile no signal.
std::uint64_t frame_octets(int fd, std::uint64_t start, std::uint64_t size) noexcept {
  constexpr std::size_t head_octets = 5;
  std::array<unsigned char, head_octets> head{};
  if (!read_at(fd, head.data(), head.size(), start) || little_endian(head.data(), 4) != frame_magic)
    return 0;
  const unsigned flags = head[4];
  const bool is_single = (flags & 0x20) != 0, has_checksum = (flags & 0x04) != 0;
  constexpr std::array<unsigned, 4> dictionary_octets{0, 1, 2, 4}, size_octets{0, 2, 4, 8};
  std::uint64_t at = start + head_octets + (is_single ? 0 : 1) + dictionary_octets[flags & 3] +
                     (flags >> 6 == 0 && is_single ? 1 : size_octets[flags >> 6]);
  for (bool last = false; !last;) {
    std::array<unsigned char, 3> block{};
    if (!read_at(fd, block.data(), block.size(), at))
      return 0;
    const auto header = little_endian(block.data(), 3);
    last = (header & 1) != 0;
    const bool is_run = (header >> 1 & 3) == 1; // one octet that is repeated
    at += block.size() + (is_run ? 1 : header >> 3);
  }
  at += has_checksum ? 4 : 0;
  return at <= size ? at - start : 0;
}

} // namespace

std::uint64_t cut_to_frame(int fd) noexcept {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
    return 0;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t whole = 0;
  while (whole < size) {
    const auto octets = frame_octets(fd, whole, size);
    if (octets == 0)
      break;
    whole += octets;
  }
  if (whole == size)
    return 0;
  constexpr std::array<unsigned char, 4> magic{0x28, 0xB5, 0x2F, 0xFD};
  std::array<unsigned char, 4> head{};
  const auto head_octets = std::min<std::uint64_t>(size, head.size());
  if (whole == 0 && (!read_at(fd, head.data(), head_octets, 0) ||
                     !std::equal(head.begin(), head.begin() + head_octets, magic.begin())))
    return 0; // it is not ours: nothing of it is touched
  return ftruncate(fd, static_cast<off_t>(whole)) == 0 ? size - whole : 0;
}

std::string first_line_of_frame(int fd, std::size_t most) {
  std::vector<char> in(most), out(most);
  const auto got = pread(fd, in.data(), in.size(), 0);
  if (got <= 0)
    return {};
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  ZSTD_inBuffer from{in.data(), static_cast<std::size_t>(got), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (from.pos < from.size && to.pos < to.size)
    if (const auto left = ZSTD_decompressStream(context.get(), &to, &from); ZSTD_isError(left) != 0 || left == 0)
      break;
  const std::string text(out.data(), to.pos);
  return text.substr(0, text.find('\n'));
}

} // namespace orbweaver
