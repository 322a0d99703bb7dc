// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/upload/bzip2_file.hpp"

#include "common/error.hpp"

#include <array>
#include <bzlib.h>
#include <istream>
#include <memory>
#include <streambuf>
#include <sys/stat.h>
#include <vector>

namespace orbweaver {

namespace {

constexpr int block_100k = 9; // the strongest compression
constexpr int default_work_factor = 0;

FilePointer open_file(const std::string& path) {
  FilePointer file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!file)
    throw Error(path + ": cannot be opened: " + errno_text());
  return file;
}

[[noreturn]] void throw_unreadable(const std::string& path) {
  throw Error(path + ": cannot be read: " + errno_text());
}

/// What a file holds, decompressed where its name asks for it.
class FileBuffer : public std::streambuf {
public:
  explicit FileBuffer(const std::string& path) : path_(path), file_(open_file(path)), packed_(is_bzip2_name(path)) {}
  FileBuffer(const FileBuffer&) = delete;
  FileBuffer& operator=(const FileBuffer&) = delete;
  ~FileBuffer() override { end_stream(); }

protected:
  int_type underflow() override {
    const std::size_t size = packed_ ? decompress() : read(out_.data(), out_.size());
    setg(out_.data(), out_.data(), out_.data() + size);
    return size == 0 ? traits_type::eof() : traits_type::to_int_type(out_.front());
  }

private:
  std::size_t read(char* to, std::size_t room) {
    const std::size_t size = std::fread(to, 1, room, file_.get());
    if (std::ferror(file_.get()) != 0)
      throw_unreadable(path_);
    return size;
  }

  /// Decompresses until there is something; 0 at the end of the last stream.
  std::size_t decompress() {
    stream_.next_out = out_.data();
    stream_.avail_out = static_cast<unsigned>(out_.size());
    while (stream_.avail_out == out_.size()) {
      if (stream_.avail_in == 0) {
        stream_.next_in = in_.data();
        stream_.avail_in = static_cast<unsigned>(read(in_.data(), in_.size()));
        if (stream_.avail_in == 0) {
          if (open_ || !had_stream_)
            throw Error(path_ + ": is cut off within its compressed data");
          return 0;
        }
      }
      begin_stream();
      const int result = BZ2_bzDecompress(&stream_);
      if (result == BZ_STREAM_END)
        end_stream(); // another may follow
      else if (result != BZ_OK)
        throw Error(path_ + ": is not compressed with bzip2, or damaged");
    }
    return out_.size() - stream_.avail_out;
  }

  void begin_stream() {
    if (open_)
      return;
    const bz_stream before = stream_;
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK)
      throw Error(path_ + ": no memory to decompress it");
    stream_.next_in = before.next_in;
    stream_.avail_in = before.avail_in;
    stream_.next_out = before.next_out;
    stream_.avail_out = before.avail_out;
    open_ = had_stream_ = true;
  }

  void end_stream() noexcept {
    if (open_)
      BZ2_bzDecompressEnd(&stream_);
    open_ = false;
  }

  std::string path_;
  FilePointer file_;
  bool packed_;
  bool open_ = false;
  bool had_stream_ = false;
  bz_stream stream_{};
  std::vector<char> in_ = std::vector<char>(64 << 10);
  std::vector<char> out_ = std::vector<char>(64 << 10);
};

} // namespace

void check_readable(const std::string& path, const std::string& tag_option) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw Error(path + ": cannot be opened: " + errno_text() +
                (path.find(':') != path.npos && path.find('/') == path.npos
                     ? "; a TAG:VALUE has " + tag_option + " before it, each its own"
                     : ""));
  if (S_ISDIR(status.st_mode))
    throw Error(path + ": is a folder: name the result files in it");
  if (!S_ISREG(status.st_mode))
    throw Error(path + ": is no regular file: results are read more than once");
  open_file(path);
}

void for_each_line(const std::string& path, const std::function<void(std::string_view line)>& line) {
  FileBuffer buffer(path);
  std::istream in(&buffer);
  in.exceptions(std::ios::badbit); // what the buffer throws comes through
  for (std::string text; std::getline(in, text);)
    line(text);
}

FilePointer compressed(const std::string& path) {
  auto from = open_file(path);
  if (is_bzip2_name(path))
    return from;
  FilePointer to(std::tmpfile(), &std::fclose);
  if (!to)
    throw Error("no temporary file to compress " + path + " into: " + errno_text());
  int status = BZ_OK;
  BZFILE* const packer = BZ2_bzWriteOpen(&status, to.get(), block_100k, 0, default_work_factor);
  std::vector<char> octets(64 << 10);
  for (std::size_t size; status == BZ_OK && (size = std::fread(octets.data(), 1, octets.size(), from.get())) > 0;)
    BZ2_bzWrite(&status, packer, octets.data(), static_cast<int>(size));
  const bool unreadable = std::ferror(from.get()) != 0;
  const int reason = errno;
  int closed = BZ_OK;
  BZ2_bzWriteClose(&closed, packer, status != BZ_OK, nullptr, nullptr);
  if (unreadable)
    throw Error(path + ": cannot be read: " + errno_text(reason));
  if (status != BZ_OK || closed != BZ_OK || std::fflush(to.get()) != 0)
    throw Error("cannot compress " + path + " into a temporary file: " + errno_text());
  std::rewind(to.get());
  return to;
}

} // namespace orbweaver
