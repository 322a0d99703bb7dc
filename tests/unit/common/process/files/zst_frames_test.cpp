// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/zst_frames.hpp"

#include "common/file_descriptor.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <random>
#include <string>
#include <sys/stat.h>
#include <zstd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// A frame of that text; with its size in the head or not, with a checksum or not.
std::string frame(const std::string& text, bool with_size, bool with_checksum) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, with_checksum);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const auto octets = ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size());
  ZSTD_freeCCtx(context);
  REQUIRE(ZSTD_isError(octets) == 0);
  out.resize(octets);
  return out;
}

/// What is left of a file once it was cut.
std::string cut(const std::string& content, std::uint64_t& octets) {
  const Scratch scratch;
  const auto path = scratch.path("file.zst");
  std::ofstream(path, std::ios::binary) << content;
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  octets = cut_to_frame(file.get());
  return read_file(path);
}

std::string noise(std::size_t octets) {
  std::mt19937 random(1);
  std::string text(octets, '\0');
  for (auto& octet : text)
    octet = static_cast<char>(random());
  return text;
}

} // namespace

TEST_CASE("A file of frames is cut behind the last whole one, wherever it ends") {
  std::string whole;
  for (const bool with_size : {false, true})
    for (const bool with_checksum : {false, true})
      for (const auto& text :
           {std::string(), std::string("a line\n"), std::string(300'000, 'x'), noise(300), noise(200'000)})
        whole += frame(text, with_size, with_checksum);
  std::uint64_t octets = 0;
  CHECK(cut(whole, octets) == whole);
  CHECK(octets == 0);
  const auto next = frame("the last one\n" + noise(1000), true, true);
  for (const std::size_t there :
       {std::size_t{1}, std::size_t{4}, std::size_t{5}, std::size_t{9}, next.size() / 2, next.size() - 1}) {
    CAPTURE(there);
    CHECK(cut(whole + next.substr(0, there), octets) == whole);
    CHECK(octets == there);
    CHECK(cut(next.substr(0, there), octets).empty());
  }
  CHECK(cut(whole + "no frame", octets) == whole);
}

TEST_CASE("A file that is no frame is left as it is") {
  std::uint64_t octets = 1;
  CHECK(cut("{\"n\":1}\nhalf a line", octets) == "{\"n\":1}\nhalf a line");
  CHECK(octets == 0);
  CHECK(cut("{}", octets) == "{}");
  CHECK(cut("", octets).empty());
}

TEST_CASE("The first line of a compressed file is that of its first frame") {
  const Scratch scratch;
  const auto path = scratch.path("file.zst");
  std::ofstream(path, std::ios::binary) << frame("a,b\n1,2\n", true, true) << frame("3,4\n", true, true);
  const FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  CHECK(first_line_of_frame(file.get(), 1024) == "a,b");
}
