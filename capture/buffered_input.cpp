// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/input.hpp"
#include "common/error.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <poll.h>
#include <unistd.h>

extern "C" { // which this header does not say itself
#include <wandio.h>
}

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

class CompressedInput final : public BufferedInput {
public:
  explicit CompressedInput(const std::string& path) : BufferedInput(path), io_(wandio_create(path.c_str())) {
    if (io_ == nullptr)
      throw Error(path + ": cannot be decompressed by libwandio");
  }
  ~CompressedInput() override { wandio_destroy(io_); }

private:
  More fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept override {
    const off_t got = wandio_read(io_, at, static_cast<off_t>(room));
    if (got < 0)
      return fail("cannot be decompressed further: the compressed file is damaged");
    filled = static_cast<std::size_t>(got);
    return got == 0 ? More::end : More::more;
  }

  io_t* io_;
};

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

std::unique_ptr<Input> open_compressed_input(const std::string& path) {
  return std::make_unique<CompressedInput>(path);
}

} // namespace orbweaver
