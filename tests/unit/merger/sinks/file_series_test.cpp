// SPDX-License-Identifier: GPL-3.0-or-later
// Steps of a completion that are done again by who follows. Deaths at each of them: tests/stress/completion_kills.cpp.
#include "merger/sinks/file_series.hpp"

#include "common/process/files/kept_memory.hpp"
#include "merger/sinks/output.hpp"
#include "merger/sinks/pipe_spool.hpp"
#include "tests/unit/common/scratch.hpp"

#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using orbweaver::test::read_file;
using orbweaver::test::Scratch;
using orbweaver::test::write_file;

namespace {

namespace fs = std::filesystem;

/// A series in a folder of its own, as somebody left it and as who follows finds it.
struct Followed {
  Scratch scratch;
  NamePattern names{scratch.path("f-%s.ndjson")};
  FileBound keep{};

  [[nodiscard]] FileSeries series(const FileSeriesMark* left = nullptr) const { return {names, keep, {}, left}; }
  [[nodiscard]] std::string manifest() const { return read_file(scratch.path("f.manifest")); }
};

/// The policy of who follows somebody that left one file with that mark.
struct Following {
  FileSeries series;
  OutputMark mark;
  OutputPolicy policy;
  Following(const Followed& followed, const OutputMark& left, bool completing) : series(followed.series()), mark(left) {
    policy.series = &series;
    policy.resume = [this] { return &mark; };
    policy.completing = completing;
  }
};

/// Somebody that is gone without a word, as far as an output can tell: what it has open is closed with its process.
OutputMark write_and_leave(const Followed& followed, const std::string& noted, const std::string& later) {
  auto series = followed.series();
  OutputPolicy policy;
  policy.series = &series;
  Output output(followed.names.path_of("f-%s.ndjson"), "flows", policy);
  output.begins_at(7);
  output.write_line(noted);
  output.flush();
  const auto mark = output.mark();
  output.write_line(later);
  output.flush();
  return mark;
}

} // namespace

TEST_CASE("a line that is in the manifest is not added again, half of one is") {
  const Followed followed;
  FileSeriesMark left;
  {
    auto series = followed.series();
    REQUIRE(series.list("first\n", {}, {}));
    left = series.mark();
    REQUIRE(series.list("second\n", {}, {}));
  }
  CHECK(left.listed == 6);
  {
    auto series = followed.series(&left);
    CHECK(series.list("second\n", {}, {}));
    CHECK(series.mark().listed == 13);
  }
  CHECK(followed.manifest() == "first\nsecond\n");
  fs::resize_file(followed.scratch.path("f.manifest"), 9);
  auto series = followed.series(&left);
  CHECK(series.list("second\n", {}, {}));
  CHECK(series.list("second\n", {}, {})); // another one that is alike
  CHECK(followed.manifest() == "first\nsecond\nsecond\n");
}

TEST_CASE("each number that a name is tried with is noted before, and a file that has its name already keeps it") {
  const Followed followed;
  auto series = followed.series();
  unsigned noted = 0, number = 0;
  series.note_by([&] { noted = number; });
  const auto work = followed.scratch.path("work");
  write_file(followed.scratch.path("f-7.ndjson"), "somebody's");
  write_file(followed.scratch.path("f-7.1.ndjson"), "somebody's");
  write_file(work, "ours");
  CHECK(series.complete(followed.names, work, 7, number) == 0);
  CHECK(number == 2);
  CHECK(noted == 2);
  CHECK(read_file(followed.scratch.path("f-7.2.ndjson")) == "ours");
  // Where a rename is a second name, and then the first one goes, somebody died between the two.
  fs::create_hard_link(followed.scratch.path("f-7.2.ndjson"), work);
  CHECK(series.complete(followed.names, work, 7, number) == 0);
  CHECK(number == 2);
  CHECK_FALSE(fs::exists(work));
}

TEST_CASE("a file that was about to be removed counts, whether it was or not") {
  for (const bool was_removed : {false, true}) {
    CAPTURE(was_removed);
    Followed followed;
    followed.keep.octets = 10;
    for (const auto* const name : {"f-1.ndjson", "f-2.ndjson", "f-3.ndjson"})
      write_file(followed.scratch.path(name), "12345");
    FileSeriesMark left;
    {
      auto series = followed.series();
      series.note_by([&] { left = series.mark(); });
      REQUIRE(series.list("line\n", {}, {}));
      CHECK(series.mark().removed == 1);
    }
    CHECK(left.removed == 0);
    CHECK_FALSE(fs::exists(followed.scratch.path("f-1.ndjson")));
    if (!was_removed)
      write_file(followed.scratch.path("f-1.ndjson"), "12345");
    fs::last_write_time(followed.scratch.path("f-2.ndjson"), fs::file_time_type::clock::now());
    auto series = followed.series(&left);
    CHECK(series.list("line\n", std::vector<CompleteFile>{{"f-2.ndjson"}, {"f-3.ndjson"}}, {}));
    CHECK(series.mark().removed == 1);
    CHECK(followed.scratch.files() == 3);
  }
}

TEST_CASE("who follows goes on with the file at work, cut to what was noted") {
  const Followed followed;
  const auto left = write_and_leave(followed, "noted\n", "later\n");
  CHECK(left.at_work);
  Following following(followed, left, false);
  Output output(followed.names.path_of("f-%s.ndjson"), "flows", following.policy);
  CHECK(output.goes_on());
  output.write_line("more\n");
  CompleteFile file;
  REQUIRE(output.write_rest());
  REQUIRE(output.complete(7, file));
  CHECK(file.name == "f-7.ndjson");
  CHECK(file.rows == 2);
  CHECK(file.octets == 11);
  CHECK(read_file(followed.scratch.path("f-7.ndjson")) == "noted\nmore\n");
  CHECK(output.finish());
}

TEST_CASE("a file that is gone has its name where it was being completed, and else is missed") {
  const Followed followed;
  const auto left = write_and_leave(followed, "noted\n", "");
  const auto work = find_work_file(followed.names, left.tag);
  REQUIRE(work.file);
  CHECK(work.path.ends_with("f-7.ndjson." + std::string(left.tag.text()) + ".part"));
  fs::rename(work.path, followed.scratch.path("f-7.ndjson"));
  CHECK_FALSE(find_work_file(followed.names, left.tag).file);
  {
    Following following(followed, left, false);
    CHECK_THROWS(Output(followed.names.path_of("f-%s.ndjson"), "flows", following.policy));
  }
  // The next one was begun, and that was not noted.
  auto tag = left.next_tag;
  auto next = make_work_file(followed.names.path_of("f-9.ndjson"), 0600, tag);
  next.file.reset(); // who made it is dead, and its lock gone
  Following following(followed, left, true);
  Output output(followed.names.path_of("f-%s.ndjson"), "flows", following.policy);
  CHECK_FALSE(fs::exists(next.path));
  CompleteFile file;
  REQUIRE(output.complete(7, file));
  CHECK(file.name == "f-7.ndjson");
  CHECK(file.rows == 1);
  CHECK(file.octets == 6);
  REQUIRE(output.begin_next(9));
  CHECK(fs::exists(next.path)); // under its name
  CHECK(output.finish());
}

TEST_CASE("what is bound to a pipe stays in the spool until it may go, and comes out once") {
  const auto memory = make_kept_memory("spool");
  constexpr std::uint64_t begin = huge_page_octets;
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const FileDescriptor reader(ends[0]), writer(ends[1]);
  CHECK_FALSE(PipeSpool::takes(memory.get()));
  std::uint64_t noted = 0;
  {
    PipeSpool spool(memory.get(), begin);
    CHECK(spool.add("one\n") == 0);
    noted = spool.end();
    CHECK(spool.move(writer.get()) == 0);
    CHECK(spool.moved() == noted);
    CHECK(spool.add("never noted\n") == 0);
  }
  PipeSpool spool(memory.get(), begin);
  spool.resume(noted);
  CHECK(spool.moved() == noted);
  CHECK(spool.add("two\n") == 0);
  CHECK(spool.move(writer.get()) == 0);
  CHECK(spool.move(writer.get()) == 0); // nothing
  std::array<char, 100> got{};
  const auto octets = read(reader.get(), got.data(), got.size());
  CHECK(std::string(got.data(), octets > 0 ? static_cast<std::size_t>(octets) : 0) == "one\ntwo\n");
}
