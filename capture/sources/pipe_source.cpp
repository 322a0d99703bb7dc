// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/pipe_source.hpp"

#include <exception>

namespace orbweaver {

Source::Result PipeSource::begin() noexcept {
  if (!error().empty())
    return {Status::failed, 0};
  while (input_->window().size() < file_start_octets) {
    const Input::More more = input_->advance(input_->window().data());
    if (more == Input::More::idle)
      return {Status::idle, 0};
    if (more != Input::More::more)
      break; // what there is decides
  }
  try {
    if (const auto compression = compression_of(input_->window()); compression && !decompresses_) {
      decompresses_ = true;
      input_ = open_compressed_input(std::move(input_), *compression);
      return begin();
    }
    reader_ = make_capture_reader(std::move(input_), snap_length_);
  } catch (const std::exception& failure) {
    return fail(failure.what());
  }
  return {Status::frames, 0};
}

Source::Result PipeSource::read(std::span<Frame> out) noexcept {
  if (!reader_)
    if (const Result begun = begin(); begun.status != Status::frames)
      return begun;
  const Result result = reader_->read(out);
  return result.status == Status::failed ? fail(reader_->error()) : result;
}

} // namespace orbweaver
