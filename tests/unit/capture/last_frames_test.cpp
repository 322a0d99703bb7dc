// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/last_frames.hpp"
#include "common/file_descriptor.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <doctest/doctest.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace orbweaver;

namespace {

/// What a process leaves that dies by that signal with these frames at work; it must die by it.
std::string left_by(int signal, std::span<const Frame> frames) {
  const FileDescriptor file(memfd_create("left", MFD_CLOEXEC));
  const auto child = fork();
  if (child == 0) {
    give_out_last_frames(file.get());
    frames_at_work(frames);
    raise(signal);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == signal);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(pread(file.get(), text.data(), text.size(), 0)));
  return text;
}

std::uint32_t word(const std::string& text, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, text.data() + at, sizeof value);
  return value;
}

} // namespace

TEST_CASE("who dies of a fault gives out the frames at work as a pcap file, and dies by the same signal") {
  const std::string one = "first frame", two = "second";
  const std::array frames{
      Frame{reinterpret_cast<const std::uint8_t*>(one.data()), 1'700'000'000'000'000'123, 11, 1500, LinkType::ethernet},
      Frame{reinterpret_cast<const std::uint8_t*>(two.data()), 1'700'000'001'000'000'000, 6, 6, LinkType::ethernet}};
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGILL}) {
    const auto text = left_by(signal, frames);
    REQUIRE(text.size() == 24 + 16 + 11 + 16 + 6);
    CHECK(word(text, 0) == 0xA1B23C4D);
    CHECK(word(text, 20) == 1);
    CHECK(word(text, 24) == 1'700'000'000);
    CHECK(word(text, 28) == 123);
    CHECK(word(text, 32) == 11);
    CHECK(word(text, 36) == 1500);
    CHECK(text.substr(40, 11) == one);
    CHECK(text.substr(67) == two);
  }
  CHECK(left_by(SIGSEGV, {}).empty());
}

TEST_CASE("a frame whose octets cannot be read any more is left out, and is no second fault") {
  const std::string one = "first frame";
  void* const gone = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const std::array frames{Frame{reinterpret_cast<const std::uint8_t*>(one.data()), 0, 11, 11, LinkType::raw_ip},
                          Frame{static_cast<const std::uint8_t*>(gone), 0, 60, 60, LinkType::raw_ip}};
  const auto text = left_by(SIGSEGV, frames);
  CHECK(text.size() == 24 + 16 + 11);
  CHECK(word(text, 20) == 101);
  munmap(gone, 4096);
}
