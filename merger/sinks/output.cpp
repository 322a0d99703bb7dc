// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/output.hpp"

#include "common/error.hpp"
#include "common/file_text.hpp"
#include "common/process/files/rotation.hpp"
#include "common/process/files/work_file.hpp"
#include "common/process/files/zst_frames.hpp"
#include "common/stream/ring/wait.hpp"
#include "common/trusted_file.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <zstd.h>

namespace orbweaver {

namespace {

namespace fs = std::filesystem;

/// Whether a write that failed may be tried again: interrupted, or a pipe that somebody set not to block is full.
bool may_retry(int fd, int error) noexcept {
  if (error == EAGAIN || error == EWOULDBLOCK) {
    pollfd ready{fd, POLLOUT, 0};
    poll(&ready, 1, -1);
    return true;
  }
  return error == EINTR;
}

bool is_full(int error) noexcept {
  return error == ENOSPC || error == EDQUOT;
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error("cannot write " + path + ": " + why);
}

/// Where a path leads, if those who made its last links are to be believed: in a folder where anybody may put files, a
/// link of somebody else leads root's results to where he wants them.
std::string followed(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode))
    return path;
  if (status.st_uid != 0 && status.st_uid != geteuid())
    refuse(path, "it is a symbolic link of user " + std::to_string(status.st_uid) +
                     ", which is not followed: name what it points to, or remove it");
  std::error_code error;
  const auto target = fs::canonical(path, error);
  return error ? path : target.string();
}

/// A FIFO that somebody else has put where a file was meant to be would get it all. A pipe without a name was handed to
/// us, whoever made it.
void refuse_fifo_of_others(const std::string& path) {
  constexpr auto pipes_without_name = 0x50495045; // PIPEFS_MAGIC
  struct stat status {};
  struct statfs system {};
  if (stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode) || statfs(path.c_str(), &system) != 0 ||
      system.f_type == pipes_without_name)
    return;
  if (status.st_uid != 0 && status.st_uid != geteuid())
    refuse(path, "it is a FIFO of user " + std::to_string(status.st_uid) + ", who would read it: make one of your own");
}

/// Where standard output, which is a file, goes on: where who opened it left it.
std::uint64_t stdout_at() noexcept {
  const auto at = lseek(STDOUT_FILENO, 0, (fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
  return at > 0 ? static_cast<std::uint64_t>(at) : 0;
}

/// What is on the disk is there after a power cut only once it was synced, and its name once the folder was.
void sync_folder_of(const std::string& path) noexcept {
  const auto folder = fs::path(path).parent_path();
  const FileDescriptor opened(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened)
    fsync(opened.get());
}

} // namespace

const OutputPolicy Output::default_policy{};

/// Brings what was written to the disk once in a while, on a thread of its own: it takes as long as the disk takes.
class Output::Syncer {
public:
  Syncer(int fd, unsigned every_s) : fd_(fd), every_(every_s), thread_([this] { run(); }) {}
  ~Syncer() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void written() noexcept { is_due_.store(true, std::memory_order_relaxed); }
  /// errno of a sync that failed, or 0.
  [[nodiscard]] int error() const noexcept { return error_.load(std::memory_order_relaxed); }

private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, every_, [&] { return done_; })) {
      lock.unlock();
      if (is_due_.exchange(false, std::memory_order_relaxed) && fdatasync(fd_) != 0)
        error_.store(errno, std::memory_order_relaxed);
      lock.lock();
    }
  }

  int fd_;
  std::chrono::seconds every_;
  std::atomic<bool> is_due_{false};
  std::atomic<int> error_{0};
  bool done_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

/// Makes a frame of each write, with a checksum, at zstd's own level: as small as one frame of the whole file, which
/// was tried with flows.
struct Output::Compressor {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::vector<char> frame;

  Compressor() {
    if (!context)
      throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 3);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  }
};

Output::Output(const std::string& path, std::string what, const OutputPolicy& policy)
    : policy_(policy), buffer_(std::make_unique_for_overwrite<char[]>(buffer_bytes)), what_(std::move(what)) {
  if (path.empty() || path == "-") {
    struct stat status {};
    is_regular_ = fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    begins_ = is_regular_;
    if (is_regular_) {
      resume(STDOUT_FILENO);
    } else if (policy.spool != nullptr && PipeSpool::takes(STDOUT_FILENO)) {
      spool_ = policy.spool;
      if (const auto* const mark = policy.resume ? policy.resume() : nullptr) {
        spool_->resume(mark->offset);
        lines_written_ = mark->lines;
        octets_written_ = mark->octets;
      }
    }
    return;
  }
  if (is_compressed_name(path))
    compressor_ = std::make_unique<Compressor>();
  if (policy.series != nullptr) {
    open_series(path);
    return;
  }
  path_ = followed(path);
  std::error_code error;
  const auto status = fs::status(path_, error);
  const bool exists = fs::exists(status);
  if (fs::is_directory(status))
    refuse(path, errno_text(EISDIR));
  is_regular_ = !exists || fs::is_regular_file(status);
  if (is_regular_ && policy.warn)
    for (const auto& left : left_files(path_))
      policy.warn(to_string(left));
  if (!is_regular_) { // it may have no path of its own (a pipe in /dev/fd)
    refuse_fifo_of_others(path);
    file_ = FileDescriptor(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file_)
      refuse(path, errno == EINTR ? "asked to end before anybody had opened it to read" : errno_text());
    return;
  }
  if (policy.appears == Appears::growing) {
    open_growing(path, exists);
  } else {
    renames_ = true;
    struct stat before {};
    const bool is_own = exists && stat(path_.c_str(), &before) == 0 && before.st_uid == geteuid();
    auto work = make_work_file(path_, is_own ? 0600 : 0666);
    if (!work.file)
      refuse(path, errno_text());
    file_ = std::move(work.file);
    work_path_ = std::move(work.path);
    if (is_own) // who may read it does not change
      static_cast<void>(fchmod(file_.get(), before.st_mode & 0777));
  }
}

void Output::open_series(const std::string& path) {
  names_ = rotated_names(path);
  path_ = path;
  is_regular_ = renames_ = true;
  if (const auto* const mark = policy_.resume ? policy_.resume() : nullptr) {
    resume_series(*mark);
    return;
  }
  tag_ = random_tag();
  next_tag_ = random_tag();
  // The clock is not known yet; begins_at() tells it.
  auto work = FileSeries::begin(*names_, static_cast<std::uint64_t>(std::time(nullptr)), tag_);
  if (!work.file)
    refuse(path, errno_text());
  file_ = std::move(work.file);
  work_path_ = std::move(work.path);
}

void Output::resume_series(const OutputMark& mark) {
  tag_ = mark.tag;
  next_tag_ = mark.next_tag;
  number_ = mark.number;
  size_ = mark.offset;
  lines_before_ = mark.lines_before;
  lines_written_ = mark.lines;
  octets_written_ = mark.octets;
  // One that was begun while those before it were completed: nothing is in it.
  if (policy_.completing)
    if (const auto next = find_work_file(*names_, next_tag_); next.file)
      unlink(next.path.c_str());
  if (!mark.at_work)
    return;
  auto work = find_work_file(*names_, tag_);
  if (!work.file && policy_.completing && errno == ENOENT)
    return; // it has its name
  if (!work.file)
    refuse(path_, "the file at work, *." + std::string(tag_.text()) + ".part, cannot be gone on with: " + errno_text());
  file_ = std::move(work.file);
  work_path_ = std::move(work.path);
  go_on_at(file_.get(), mark);
}

void Output::begins_at(std::uint64_t second) noexcept {
  if (names_ && !work_path_.empty())
    FileSeries::rename_work(*names_, second, work_path_);
}

bool Output::write_rest() noexcept {
  flush();
  if (compressor_ && size_ == 0 && !failed())
    write({}); // a file without a line can be decompressed too
  return !failed();
}

bool Output::complete(std::uint64_t begin_s, CompleteFile& file) noexcept {
  // Files that come faster than the disk takes them are waited for here, and not once this one has its name: it is in
  // the manifest soon after.
  if (closing_.joinable())
    closing_.join();
  if (failed())
    return false;
  if (!work_path_.empty()) {
    if (const int error = policy_.series->complete(*names_, work_path_, begin_s, number_); error != 0) {
      fail(error);
      return false;
    }
    work_path_.clear();
    sync_apart(names_->path_of(names_->name(begin_s, number_)));
  }
  file.name = names_->name(begin_s, number_);
  file.octets = size_;
  file.rows = lines_of_file(Line::main) + lines_of_file(Line::other);
  return !failed();
}

/// A complete file comes to the disk on a thread of its own: what comes meanwhile goes into the next one.
void Output::sync_apart(const std::string& path) noexcept {
  if (policy_.sync_s == 0) {
    if (close(file_.release()) != 0)
      fail(errno);
    return;
  }
  const auto sync = [this, path](std::unique_ptr<Syncer> syncer, FileDescriptor file) {
    syncer.reset();
    if (fdatasync(file.get()) != 0)
      closing_error_.store(errno, std::memory_order_relaxed);
    sync_folder_of(path);
  };
  try {
    closing_ = std::thread(sync, std::move(syncer_), std::move(file_));
  } catch (const std::system_error&) { // no thread to be had: it takes as long as the disk takes
    syncer_.reset();
    if (file_ && fdatasync(file_.get()) != 0)
      fail(errno);
    file_.reset();
  }
}

bool Output::begin_next(std::uint64_t begin_s) noexcept {
  for (;;) {
    auto work = FileSeries::begin(*names_, begin_s, next_tag_);
    if (work.file) {
      file_ = std::move(work.file);
      work_path_ = std::move(work.path);
      break;
    }
    const int error = errno;
    if (!is_full(error) || !wait_for_room(error)) {
      fail(error);
      return false;
    }
  }
  size_ = 0;
  number_ = 0;
  lines_before_ = lines_written_;
  tag_ = std::exchange(next_tag_, random_tag());
  return true;
}

void Output::open_growing(const std::string& path, bool exists) {
  file_ = FileDescriptor(open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  struct stat status {};
  if (!file_ || fstat(file_.get(), &status) != 0)
    refuse(path, errno_text());
  if (const auto why = why_not_trusted(status, {S_IFREG, 0, false}); !why.empty())
    refuse(path, "it " + why);
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0)
    refuse(path, "another run is writing it");
  is_ours_ = !exists;
  begins_ = true;
  resume(file_.get());
  if (compressor_) {
    first_line_ = first_line_of_frame(file_.get(), std::size_t{1} << 16);
    return;
  }
  std::array<char, 1 << 16> head{};
  const auto got = pread(file_.get(), head.data(), head.size(), 0);
  const std::string_view text(head.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  first_line_ = text.substr(0, text.find('\n'));
}

void Output::resume(int fd) {
  if (const auto* const mark = policy_.resume ? policy_.resume() : nullptr)
    go_on_at(fd, *mark);
}

/// Cuts off what a predecessor wrote after it last said how far it was: that is written again.
void Output::go_on_at(int fd, const OutputMark& mark) {
  struct stat status {};
  const auto name = path_.empty() ? "standard output" : work_path_.empty() ? path_ : work_path_;
  if (fstat(fd, &status) != 0 || static_cast<std::uint64_t>(status.st_size) < mark.offset)
    refuse(name, "it is shorter than what was written to it");
  const auto offset = static_cast<off_t>(mark.offset);
  if (ftruncate(fd, offset) != 0 || lseek(fd, offset, SEEK_SET) < 0)
    refuse(name, errno_text());
  lines_written_ = mark.lines;
  octets_written_ = mark.octets;
}

OutputMark Output::mark() noexcept {
  if (file_ && begins_)
    begin(); // half a line that is there goes now: else what is written instead may be cut in its middle
  OutputMark mark{size_, lines_written_, octets_written_, lines_before_, tag_, next_tag_, number_, !work_path_.empty()};
  if (begins_)
    mark.offset = stdout_at();
  if (spool_)
    mark.offset = spool_->end();
  return mark;
}

Output::~Output() {
  syncer_.reset();
  if (closing_.joinable())
    closing_.join();
  if (lines_of_file(Line::main) + lines_of_file(Line::other) == 0) {
    if (!work_path_.empty())
      unlink(work_path_.c_str());
    else if (is_ours_)
      unlink(path_.c_str());
  }
}

/// With the first line, and not before: a thread has the rights that were there when it started.
void Output::start_syncer() noexcept {
  if (syncer_ || !file_ || !is_regular_ || policy_.sync_s == 0)
    return;
  try {
    syncer_ = std::make_unique<Syncer>(file_.get(), policy_.sync_s);
  } catch (const std::exception&) {
    fail(EAGAIN);
  }
}

void Output::fail(int error) noexcept {
  if (error_ == 0)
    error_ = error;
}

void Output::write_line(std::string_view text, Line line) {
  if (text.size() <= buffer_bytes) {
    char* const place = claim(text.size());
    std::memcpy(place, text.data(), text.size());
    commit(place + text.size(), line);
    return;
  }
  write_buffer();
  marks_.push_back({text.size(), line});
  write(text);
}

bool Output::is_due() const noexcept {
  constexpr std::uint64_t often_enough_ns = 1'000'000'000;
  return !compressor_ || monotonic_ns() - flushed_ns_ >= often_enough_ns;
}

/// The frame for a text, valid until the next call.
std::string_view Output::compressed(std::string_view text) noexcept {
  auto& [context, frame] = *compressor_;
  frame.resize(std::max(frame.size(), ZSTD_compressBound(text.size())));
  const auto octets = ZSTD_compress2(context.get(), frame.data(), frame.size(), text.data(), text.size());
  if (ZSTD_isError(octets) == 0)
    return {frame.data(), octets};
  fail(ENOMEM); // nothing else can be wrong with so much room
  return {};
}

void Output::write_buffer() noexcept {
  if (fill_ > 0)
    write({buffer_.get(), std::exchange(fill_, 0)});
}

bool Output::flush() noexcept {
  if (compressor_)
    flushed_ns_ = monotonic_ns();
  write_buffer();
  return !failed();
}

/// Of a file that grows, and of standard output, before the first line is written: nothing is done to one for a run
/// that has nothing to say.
void Output::begin() noexcept {
  if (!std::exchange(begins_, false))
    return;
  if (!file_) {
    size_ = stdout_at();
    return;
  }
  if (const auto cut = cut_to_whole(file_.get(), path_); cut > 0 && policy_.warn)
    policy_.warn(path_ + " ended with half a " + (compressor_ ? "frame" : "line") + ": its last " +
                 std::to_string(cut) + " octets are cut off");
  const auto end = lseek(file_.get(), 0, SEEK_END);
  if (end < 0)
    fail(errno);
  else
    size_ = static_cast<std::uint64_t>(end);
}

/// How many of so many octets are whole lines.
std::size_t Output::whole_lines(std::size_t octets) const noexcept {
  std::size_t whole = 0;
  for (const auto& mark : marks_)
    whole = mark.end <= octets ? mark.end : whole;
  return whole;
}

/// What is in the spool counts as written: it comes out, whoever dies, but where the pipe fails.
void Output::write_to_spool(std::string_view lines) noexcept {
  const auto begin = spool_->end();
  if (const int error = failed() ? 0 : spool_->add(lines); error != 0)
    fail(error);
  if (!failed()) {
    octets_written_ += lines.size();
    for (const auto& mark : marks_) {
      in_spool_.emplace_back(begin + mark.end, mark.line);
      ++lines_written_[static_cast<std::size_t>(mark.line)];
    }
  }
  marks_.clear();
}

bool Output::deliver() noexcept {
  if (!spool_)
    return !failed();
  while (!failed() && spool_->moved() < spool_->end())
    if (const int error = spool_->move(STDOUT_FILENO); error != 0 && !may_retry(STDOUT_FILENO, error))
      fail(error);
  if (failed()) {
    const auto moved = spool_->moved();
    octets_written_ -= std::min(octets_written_, spool_->end() - moved);
    for (const auto& [end, line] : in_spool_)
      lines_written_[static_cast<std::size_t>(line)] -= end > moved;
    spool_->resume(moved);
  }
  in_spool_.clear();
  return !failed();
}

/// Writes a text whose lines end at the marks.
void Output::write(std::string_view text) noexcept {
  if (spool_) {
    write_to_spool(text);
    return;
  }
  const int fd = file_ ? file_.get() : STDOUT_FILENO;
  if (syncer_ && syncer_->error() != 0)
    fail(syncer_->error());
  if (const int error = closing_error_.load(std::memory_order_relaxed); error != 0)
    fail(error);
  if (!text.empty()) {
    begin();
    start_syncer();
  }
  const auto octets = compressor_ ? compressed(text) : text;
  std::size_t done = 0;
  while (done < octets.size() && !failed()) {
    const auto written = ::write(fd, octets.data() + done, octets.size() - done);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
      continue;
    }
    const int error = written == 0 ? EIO : errno;
    if (written < 0 && may_retry(fd, error))
      continue;
    if (is_regular_) { // what is there ends with a line, however long this takes; the line's rest comes with it later
      done = compressor_ ? 0 : whole_lines(done);
      const auto end = static_cast<off_t>(size_ + done);
      if (ftruncate(fd, end) != 0 || lseek(fd, end, SEEK_SET) < 0)
        fail(errno);
    }
    if (!is_regular_ || !is_full(error) || !wait_for_room(error))
      fail(error);
  }
  is_named_ = is_named_ && done < octets.size(); // a full disk that has room again may be full again
  if (syncer_ && done > 0)
    syncer_->written();
  octets_written_ += done;
  size_ += done;
  const auto text_done = !compressor_ ? done : done == octets.size() && !failed() ? text.size() : 0;
  for (const auto& mark : marks_)
    lines_written_[static_cast<std::size_t>(mark.line)] += mark.end <= text_done;
  marks_.clear();
}

/// Whether there may be room now, or soon.
bool Output::wait_for_room(int error) noexcept {
  if (!policy_.wait_on)
    return false;
  if (!std::exchange(is_named_, true) && policy_.warn)
    policy_.warn("there is no room for " + (path_.empty() ? "standard output" : path_) + " (" + errno_text(error) +
                 "): waiting until there is; --on-full stop ends instead");
  const auto since_ns = monotonic_ns();
  poll(nullptr, 0, 100);
  full_ns_ += monotonic_ns() - since_ns;
  return policy_.wait_on();
}

bool Output::finish() noexcept {
  flush();
  deliver();
  syncer_.reset();
  if (closing_.joinable())
    closing_.join();
  if (const int error = closing_error_.load(std::memory_order_relaxed); error != 0)
    fail(error);
  if (!file_)
    return !failed();
  const bool syncs = is_regular_ && policy_.sync_s != 0;
  if (!failed() && syncs && fdatasync(file_.get()) != 0)
    fail(errno);
  if (!failed() && !work_path_.empty() && !names_) { // else complete() gives it
    if (rename(work_path_.c_str(), path_.c_str()) != 0)
      fail(errno);
    else
      work_path_.clear();
  }
  if (syncs)
    sync_folder_of(path_);
  if (close(file_.release()) != 0)
    fail(errno);
  is_ours_ = is_ours_ && failed();
  return !failed();
}

std::string Output::failure() const {
  if (!failed())
    return {};
  const auto lines = lines_of_file(Line::main), others = lines_of_file(Line::other);
  return "cannot write " + (path_.empty() ? "standard output" : path_) + ": " + errno_text(error_) + "; " +
         std::to_string(lines) + " " + what_ + " written" +
         (work_path_.empty() || lines + others == 0 ? "" : ": they are in " + work_path_);
}

} // namespace orbweaver
