// SPDX-License-Identifier: GPL-3.0-or-later
// ERF, the records of Endace's cards ("Extensible Record Format"), from a file or a pipe. libtrace has a reader of them
// too, which ends the program at records that it does not know (3.0.22: type 0, lengths that contradict each other), so
// that no file goes there. One thread.
#pragma once

#include "capture/sources/capture_reader.hpp"
#include "capture/sources/libtrace_frame.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace orbweaver {

/// No record is shorter.
inline constexpr std::uint32_t erf_header_octets = 16;

/// Reads one record: `octets` of it are there, header included, erf_header_octets or more. `type` is that of the
/// record.
[[nodiscard]] Decoded decode_erf_record(const std::uint8_t* record, std::uint32_t octets, Frame& frame,
                                        std::uint32_t& type) noexcept;

/// A time as cards stamp it, little endian: parts of 2^32 of a second, seconds.
[[nodiscard]] std::uint64_t erf_time_ns(const std::uint8_t* at) noexcept;

/// Records of types that carry no packets we know are skipped and counted; a file that has no others is an error.
class ErfReader final : public CaptureReader {
public:
  ErfReader(std::unique_ptr<Input> input, std::uint32_t snap_length) : CaptureReader(std::move(input), snap_length) {}

private:
  std::size_t take(std::span<Frame> out) noexcept override;
  std::string what_was_skipped() const override;
  std::string nothing_else() const override;

  std::uint32_t skipped_type_ = 0; // of the first one skipped
};

} // namespace orbweaver
