// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/capture.hpp"
#include "common/error.hpp"
#include "common/stream/record_reader.hpp"
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <chrono>
#include <doctest/doctest.h>
#include <filesystem>
#include <numeric>
#include <set>
#include <thread>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::tcp, craft::udp;
namespace C = CaptureCounter;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

/// Gives frames from memory, `repeat` times over.
class MemorySource : public Source {
public:
  struct Item {
    craft::Bytes bytes;
    std::uint64_t time_ns;
  };
  std::vector<Item> items;
  std::size_t repeat = 1;
  Status last = Status::end;
  bool is_live = false;
  std::atomic<bool>* stop_at_end = nullptr; ///< set when all was given: the run's stop flag, or another one
  std::uint64_t skipped_frames = 0;
  std::uint64_t dropped_frames = 0;
  std::vector<Status> then = {}; ///< what comes when all was given, before the last
  std::string removed_text = {};

  void add(const craft::Bytes& bytes, std::uint64_t time_ns = second_ns) { items.push_back({bytes, time_ns}); }

  Result read(std::span<Frame> out) noexcept override {
    std::size_t count = 0;
    for (; count < out.size() && next_ < items.size() * repeat; ++count, ++next_) {
      const Item& item = items[next_ % items.size()];
      out[count] = frame_of(item.bytes, {.time_ns = item.time_ns});
    }
    if (count > 0)
      return {Status::frames, count};
    if (said_ < then.size()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return {then[said_++], 0};
    }
    if (stop_at_end)
      *stop_at_end = true;
    return last == Status::failed ? fail("x.pcap: cut off at octet 99") : Result{last, 0};
  }
  bool live() const noexcept override { return is_live; }
  std::uint64_t skipped() const noexcept override { return skipped_frames; }
  std::uint64_t dropped() noexcept override { return dropped_frames; }
  std::string removed() const override { return removed_text; }

private:
  std::size_t said_ = 0;
  std::size_t next_ = 0;
};

/// What a stream held, in order: packets by their key and time, ticks, losses, the end.
struct Stream {
  std::vector<PacketRecord> packets;
  std::vector<std::uint64_t> ticks;
  std::vector<LossRecord> losses;
  std::vector<std::uint64_t> offsets;
  std::uint64_t lost = 0;
  std::string order; ///< a letter a record: p, t, l, e
  EndCause cause{};
  Wait end{};

  void add(const RecordHeader* header) {
    switch (header->kind) {
    case RecordKind::packet:
      REQUIRE(packet_record_valid(header));
      packets.push_back(*reinterpret_cast<const PacketRecord*>(header));
      order += 'p';
      break;
    case RecordKind::tick:
      ticks.push_back(reinterpret_cast<const TickRecord*>(header)->second);
      order += 't';
      break;
    case RecordKind::origin:
      offsets.push_back(reinterpret_cast<const OriginRecord*>(header)->offset_ns);
      order += 'o';
      break;
    case RecordKind::loss:
      losses.push_back(*reinterpret_cast<const LossRecord*>(header));
      lost += losses.back().packets;
      order += 'l';
      break;
    case RecordKind::end:
      cause = reinterpret_cast<const EndRecord*>(header)->cause;
      order += 'e';
      break;
    default:
      FAIL("a record of an unknown kind");
    }
  }
};

Stream read_stream(RecordReader& reader, std::size_t records = SIZE_MAX) {
  const std::atomic<bool> never{false};
  Stream stream;
  const RecordHeader* header = nullptr;
  while (stream.order.size() < records) {
    if (reader.peek({&header, 1}) > 0) {
      stream.add(header);
      reader.release();
      continue;
    }
    stream.end = reader.wait(never);
    if (stream.end != Wait::readable && stream.end != Wait::quiet)
      break;
  }
  return stream;
}

Stream read_stream(const std::string& endpoint, std::size_t records = SIZE_MAX) {
  RecordReader reader = RecordReader::open(Endpoint::parse(endpoint), StreamKind::packets);
  return read_stream(reader, records);
}

/// Endpoints with names of their own, gone with the test.
struct Endpoints {
  std::vector<std::string> names;
  Endpoints(const std::string& kind, unsigned count) {
    static unsigned serial = 0;
    for (unsigned i = 0; i < count; ++i) {
      const std::string name = "capture-test-" + std::to_string(getpid()) + "-" + std::to_string(serial++);
      names.push_back(kind == "file" ? "file:" + (std::filesystem::temp_directory_path() / name).string()
                                     : "ring:" + name);
    }
  }
  Endpoints(const Endpoints&) = delete;
  Endpoints& operator=(const Endpoints&) = delete;
  ~Endpoints() {
    for (const auto& name : names)
      if (name.starts_with("file:"))
        std::filesystem::remove(name.substr(5));
  }
  std::vector<RecordWriter> open(std::uint64_t ring_bytes = 1 << 20) const {
    std::vector<RecordWriter> writers;
    for (const auto& name : names)
      writers.push_back(
          RecordWriter::open(Endpoint::parse(name), stream_of(StreamKind::packets), {.ring_bytes = ring_bytes}));
    return writers;
  }
};

/// Every frame is counted under one cause.
void check_ledger(const Capture& capture) {
  std::uint64_t sum = capture.counter(C::non_ip) + capture.counter(C::short_packets) + capture.counter(C::filtered);
  for (std::size_t i = 0; i < max_observers; ++i)
    sum += capture.counter(C::delivered_to + i) + capture.counter(C::dropped_on + i);
  CHECK(capture.counter(C::packets_read) == sum);
  CHECK(capture.counter(C::fragments_held) == 0);
}

const auto ignore = [](std::span<const std::uint64_t>, std::uint64_t) {};
const craft::Bytes plain = ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1000, 80).syn();
const craft::Bytes back = ethernet() / ipv4("10.0.0.2", "10.0.0.1") / tcp(80, 1000).syn().ack(1);

craft::Bytes cut(craft::Bytes bytes, std::size_t length) {
  bytes.resize(length);
  return bytes;
}

struct Run {
  std::atomic<bool> stop{false};
  Endpoints endpoints{"file", 1};
  MemorySource source;
  CaptureOptions options;

  Stream operator()() {
    Capture capture(source, endpoints.open(), options, stop);
    result = capture.run(ignore);
    check_ledger(capture);
    for (std::size_t i = 0; i < counters.size(); ++i)
      counters[i] = capture.counter(i);
    return read_stream(endpoints.names[0]);
  }
  CaptureResult result{};
  std::array<std::uint64_t, C::count> counters{};
};

} // namespace

TEST_CASE("every frame is accounted for under its cause") {
  Run run;
  run.source.add(plain);
  run.source.add(ethernet().ether_type(0x0806) / craft::zeros(46));
  run.source.add(cut(plain, 10));
  run.source.add(cut(plain, 30));
  run.source.add(cut(plain, 36));
  run.source.add(ethernet().ether_type(0x86dd) / craft::zeros(46));
  run.source.add(ethernet() / ipv4("10.0.0.9", "10.0.0.1") / craft::icmp_unreachable(1).quote(cut(plain, 60)));
  run.source.skipped_frames = 3;
  const Stream stream = run();
  CHECK(stream.packets.size() == 2);
  CHECK(run.counters[C::packets_read] == 10);
  CHECK(run.counters[C::non_ip] == 4);
  CHECK(run.counters[C::unknown_link] == 3);
  CHECK(run.counters[C::short_packets] == 4);
  CHECK(run.counters[C::short_link_header] == 1);
  CHECK(run.counters[C::short_ip_header] == 1);
  CHECK(run.counters[C::short_transport_header] == 1);
  CHECK(run.counters[C::bad_ip_header] == 1);
  CHECK(run.counters[C::delivered] == 2);
  CHECK(run.result.cause == EndCause::complete);
  CHECK(stream.cause == EndCause::complete);
  CHECK(stream.end == Wait::ended);
}

TEST_CASE("the clock ticks before the first packet and before each that steps it") {
  Run run;
  run.source.add(plain, 100 * second_ns);
  run.source.add(plain, 100 * second_ns + 1);
  run.source.add(plain, 100 * second_ns + 2);
  run.source.add(plain, 99 * second_ns);
  run.source.add(plain, 31'622'400 * second_ns); // a year ahead is one tick
  run.source.add(plain, 31'622'400 * second_ns);
  const Stream stream = run();
  CHECK(stream.order == "tptppptppe");
  CHECK(stream.ticks == std::vector<std::uint64_t>{100, 101, 31'622'400});
  CHECK(stream.packets[3].time_ns == 99 * second_ns);
}

namespace {

/// What becomes of packets with these times, in seconds: "t100 p100 o900", a word a record.
struct Timed {
  Run run;
  std::vector<std::string> said;
  std::string records;

  explicit Timed(std::initializer_list<std::uint64_t> seconds, std::uint64_t tolerance_s = 60) {
    run.options.clock_tolerance_s = tolerance_s;
    run.options.say = [this](const std::string& what) { said.push_back(what); };
    for (const std::uint64_t second : seconds)
      run.source.add(plain, second * second_ns);
    const Stream stream = run();
    std::size_t packet = 0, tick = 0, offset = 0;
    for (const char letter : stream.order) {
      if (letter == 'p')
        records += "p" + std::to_string(stream.packets[packet++].time_ns / second_ns) + " ";
      else if (letter == 't')
        records += "t" + std::to_string(stream.ticks[tick++]) + " ";
      else if (letter == 'o')
        records += "o" + std::to_string(static_cast<std::int64_t>(stream.offsets[offset++] / second_ns)) + " ";
    }
    REQUIRE(packet == seconds.size());
  }
};

} // namespace

TEST_CASE("a time far ahead that those behind it contradict counts at the clock's second, and is named once") {
  const Timed once({100, 4'102'444'800, 101});
  CHECK(once.records == "t100 p100 p100 t101 p101 ");
  CHECK(once.run.counters[C::wrong_times] == 1);
  REQUIRE(once.said.size() == 1);
  CHECK(once.said[0].find("packet 2 says 2100-01-01 00:00:00 UTC") == 0);
  CHECK(once.said[0].find("it counts at 1970-01-01 00:01:40 UTC") != std::string::npos);
  const Timed more({100, 4'102'444'800, 101, 9000, 50, 102, 70'000, 7000, 103});
  CHECK(more.records == "t100 p100 p100 t101 p101 p101 p50 t102 p102 p102 p102 t103 p103 ");
  CHECK(more.run.counters[C::wrong_times] == 4);
  CHECK(more.said.size() == 1);
}

TEST_CASE("the clock follows a time far ahead where others are at it or after it, or where the input ends") {
  CHECK(Timed({100, 700, 701}).records == "t100 p100 t700 p700 t701 p701 ");
  CHECK(Timed({100, 700}).records == "t100 p100 t700 p700 ");
  CHECK(Timed({100, 700, 1300, 1900}).records == "t100 p100 t700 p700 t1300 p1300 t1900 p1900 ");
  CHECK(Timed({100, 700, 690, 701}).records == "t100 p100 t700 p700 p690 t701 p701 "); // a little out of order
  CHECK(Timed({100, 4'102'444'800, 700, 701}).records == "t100 p100 p100 t700 p700 t701 p701 ");
  CHECK(Timed({100, 4'102'444'800, 700}).records == "t100 p100 p100 t700 p700 ");
  CHECK(Timed({100, 160, 221}).records == "t100 p100 t160 p160 t221 p221 "); // 60 s, and 61 s at the end
  CHECK(Timed({100, 700, 101}, 0).records == "t100 p100 t700 p700 p101 ");
}

TEST_CASE("where the packets' clock was set back its origin moves; an old packet alone is late") {
  const Timed back({5000, 1000, 1001, 1031});
  CHECK(back.records == "t5000 p5000 o4000 p1000 t5001 p1001 t5031 p1031 ");
  CHECK(back.run.counters[C::clock_sets] == 1);
  REQUIRE(back.said.size() == 1);
  CHECK(back.said[0].find("was set from 1970-01-01 01:23:20 UTC to 1970-01-01 00:16:40 UTC") != std::string::npos);
  CHECK(Timed({5000, 1000, 5001}).records == "t5000 p5000 p1000 t5001 p5001 ");
  CHECK(Timed({5000, 1000}).records == "t5000 p5000 p1000 ");
  // And forth again: it knows where it was.
  CHECK(Timed({5000, 1000, 1001, 5002, 1003}).records ==
        "t5000 p5000 o4000 p1000 t5001 p1001 o0 t5002 p5002 o4000 t5003 p1003 ");
}

TEST_CASE("times that all contradict one another are held no longer than a few of them") {
  Run run;
  run.source.add(plain, 100 * second_ns);
  for (std::uint64_t i = 0; i < 200; ++i)
    run.source.add(plain, (1'000'000 - i * 1000) * second_ns);
  run.source.add(plain, 101 * second_ns);
  const Stream stream = run();
  CHECK(stream.packets.size() == 202);
  CHECK(run.counters[C::wrong_times] == 200);
  CHECK(run.counters[C::clock_second] == 101);
}

TEST_CASE("packets that are not IP move the clock, packets that the filter leaves out do not") {
  const BpfFilter filter("not tcp");
  Run run;
  run.options.filter = &filter;
  run.source.add(ethernet().ether_type(0x0806) / craft::zeros(46), 5 * second_ns);
  run.source.add(plain, 9 * second_ns);
  const Stream stream = run();
  CHECK(stream.order == "te");
  CHECK(run.counters[C::filtered] == 1);
  CHECK(run.counters[C::clock_second] == 5);
}

TEST_CASE("the count is of packets that pass the filter") {
  const BpfFilter filter("tcp");
  Run run;
  run.options.filter = &filter;
  run.options.count = 100;
  run.source.add(plain);
  run.source.add(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2));
  run.source.repeat = 1000;
  CHECK(run().packets.size() == 100);
  CHECK(run.result.cause == EndCause::complete);
}

TEST_CASE("fragments come out behind their first one, with their own times, and all at the end") {
  const auto datagram = [](std::uint16_t id) {
    return craft::fragments_of(ipv4("10.0.0.1", "10.0.0.2").id(id) / udp(1000, 53) / craft::zeros(40), 24);
  };
  Run run;
  run.source.add(ethernet() / datagram(1)[1], 2 * second_ns);
  run.source.add(ethernet() / datagram(2)[1], 2 * second_ns + 5);
  run.source.add(plain, 3 * second_ns);
  run.source.add(ethernet() / datagram(1)[0], 4 * second_ns);
  const Stream stream = run();
  REQUIRE(stream.packets.size() == 4);
  CHECK(stream.packets[1].time_ns == 4 * second_ns);
  CHECK(stream.packets[2].time_ns == 2 * second_ns);
  CHECK(stream.packets[2].key.has_ports == 1);
  CHECK(stream.packets[2].flow_hash == stream.packets[1].flow_hash);
  CHECK(stream.packets[3].time_ns == 2 * second_ns + 5);
  CHECK(stream.packets[3].key.has_ports == 0);
  CHECK(run.counters[C::fragments] == 3);
  CHECK(run.counters[C::fragments_unmatched] == 1);
}

TEST_CASE("a fragment that waited too long goes out before the tick that ends its time") {
  const auto fragments = craft::fragments_of(ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / craft::zeros(40), 24);
  Run run;
  run.source.add(ethernet() / fragments[1], 2 * second_ns);
  run.source.add(plain, 32 * second_ns);
  const Stream stream = run();
  CHECK(stream.order == "tptpe");
  CHECK(stream.packets[0].time_ns == 2 * second_ns);
}

TEST_CASE("a fault of the source ends the stream as failed, behind all that came before") {
  Run run;
  run.source.add(plain);
  run.source.last = Source::Status::failed;
  const Stream stream = run();
  CHECK(stream.packets.size() == 1);
  CHECK(stream.cause == EndCause::failed);
  CHECK(run.result.cause == EndCause::failed);
  CHECK(run.result.error == "x.pcap: cut off at octet 99");
}

TEST_CASE("a stop request ends the stream as interrupted") {
  Run run;
  run.source.add(plain);
  run.source.last = Source::Status::idle;
  run.source.stop_at_end = &run.stop;
  const Stream stream = run();
  CHECK(stream.order == "tpe");
  CHECK(stream.cause == EndCause::interrupted);
}

TEST_CASE("while the interface is away every second tells that nobody watches, and so does its return") {
  using Status = Source::Status;
  Run run;
  run.source.is_live = true;
  run.source.add(plain, now_ns());
  run.source.then.assign(60, Status::away); // more than a second
  run.source.then.push_back(Status::idle);
  run.source.last = Status::idle;
  run.source.stop_at_end = &run.stop;
  const Stream stream = run();
  CHECK(run.result.cause == EndCause::interrupted);
  REQUIRE(stream.losses.size() >= 3); // a second, the return, the end
  CHECK(stream.lost == 0);
  const std::size_t back = stream.losses.size() - 2;
  for (std::size_t i = 0; i <= back; ++i) {
    // The kernel may tell of a lost carrier a second late.
    CHECK(stream.losses[i].from_ns == stream.packets[0].time_ns - 1'200'000'000);
    CHECK(stream.losses[i].to_ns <= now_ns());
  }
  CHECK(stream.losses[back + 1].from_ns >= stream.losses[back].to_ns);
  CHECK(run.counters[C::link_losses] == 1);
  CHECK(run.counters[C::link_away] == 0);
  CHECK(run.counters[C::link_away_ns] > 1'000'000'000);
}

TEST_CASE("a stop while the interface is removed is a failure that names it") {
  Run run;
  run.source.is_live = true;
  run.source.then = {Source::Status::away};
  run.source.last = Source::Status::away;
  run.source.stop_at_end = &run.stop;
  run.source.removed_text = "interface x was removed";
  const Stream stream = run();
  CHECK(run.result.cause == EndCause::failed);
  CHECK(run.result.error == "interface x was removed");
  CHECK(stream.cause == EndCause::failed);
  CHECK(run.counters[C::link_away] == 1);
}

TEST_CASE("flows are dealt out whole, each direction to the same stream, and every stream has the ticks") {
  Endpoints endpoints("file", 4);
  MemorySource source;
  for (std::uint16_t port = 1; port <= 200; ++port) {
    source.add(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(port, 80), port * second_ns / 10);
    source.add(ethernet() / ipv4("10.0.0.2", "10.0.0.1") / tcp(80, port), port * second_ns / 10);
  }
  const std::atomic<bool> stop{false};
  Capture capture(source, endpoints.open(), {.seed = 42}, stop);
  capture.run(ignore);
  check_ledger(capture);
  std::set<std::uint16_t> seen;
  for (std::size_t i = 0; i < 4; ++i) {
    const Stream stream = read_stream(endpoints.names[i]);
    std::vector<std::uint64_t> seconds(20);
    std::iota(seconds.begin(), seconds.end(), 1);
    CHECK(stream.ticks == seconds);
    CHECK(stream.packets.size() == capture.counter(C::delivered_to + i));
    CHECK(stream.packets.size() > 50);
    for (std::size_t j = 0; j < stream.packets.size(); j += 2) {
      CHECK(stream.packets[j].flow_hash == stream.packets[j + 1].flow_hash);
      seen.insert(stream.packets[j].key.ports[0]);
    }
  }
  CHECK(seen.size() == 200);
}

TEST_CASE("reading a file, capture waits for a full ring and loses nothing") {
  Endpoints endpoints("ring", 1);
  MemorySource source;
  source.add(plain, 1);
  source.repeat = 200'000; // 14 MB over a ring of 1 MiB
  const std::atomic<bool> stop{false};
  Capture capture(source, endpoints.open(), {}, stop);
  Stream stream;
  std::thread reader([&] { stream = read_stream(endpoints.names[0]); });
  capture.run(ignore);
  reader.join();
  CHECK(stream.packets.size() == 200'000);
  CHECK(stream.lost == 0);
  CHECK(stream.cause == EndCause::complete);
  CHECK(capture.counter(C::dropped_ring) == 0);
  check_ledger(capture);
}

TEST_CASE("when its reader leaves, a ring's packets are counted as dropped and the run fails by name") {
  Endpoints endpoints("ring", 1);
  MemorySource source;
  source.add(plain, 1);
  source.repeat = 200'000;
  const std::atomic<bool> stop{false};
  Capture capture(source, endpoints.open(), {}, stop);
  std::thread reader([&] { read_stream(endpoints.names[0], 1000); });
  const CaptureResult result = capture.run(ignore);
  reader.join();
  CHECK(result.cause == EndCause::failed);
  CHECK(result.error.find(endpoints.names[0]) != std::string::npos);
  CHECK(capture.counter(C::dropped_ring) > 0);
  check_ledger(capture);
}

TEST_CASE("live, a full ring loses packets, and the loss is told before the next packet that fits") {
  Endpoints endpoints("ring", 1);
  std::atomic<bool> stop{false};
  MemorySource source;
  source.is_live = true;
  source.last = Source::Status::idle;
  source.add(plain, 1);
  source.repeat = 50'000; // 3.2 MB for a ring of 1 MiB that nobody reads yet
  Capture capture(source, endpoints.open(), {}, stop);
  Stream stream;
  std::thread reader;
  std::uint64_t idle_clock = 0;
  bool more_sent = false;
  // Housekeeping is called in the run's own thread: there the reader is let in, and later the stop is set.
  capture.run([&](std::span<const std::uint64_t> counters, std::uint64_t) {
    idle_clock = counters[C::clock_second];
    if (!reader.joinable() && counters[C::dropped_ring] > 0)
      reader = std::thread([&] { stream = read_stream(endpoints.names[0]); });
    else if (reader.joinable() && !more_sent) {
      more_sent = true;
      source.repeat += 1000;
    } else if (more_sent)
      stop = true;
  });
  reader.join();
  CHECK(capture.counter(C::dropped_ring) > 0);
  CHECK(stream.lost == capture.counter(C::dropped_ring));
  CHECK(stream.packets.size() == 51'000 - stream.lost);
  CHECK(stream.order.find("pl") != std::string::npos);
  CHECK(stream.cause == EndCause::interrupted);
  CHECK(stream.ticks.back() == idle_clock);
  check_ledger(capture);
}

TEST_CASE("live, the clock goes on while no packet comes, and a clock that was set ahead moves its origin") {
  Endpoints endpoints("file", 1);
  std::atomic<bool> stop{false};
  MemorySource source;
  source.is_live = true;
  source.last = Source::Status::idle;
  source.add(plain, 1000 * second_ns + 900'000'000);
  Capture capture(source, endpoints.open(), {}, stop);
  bool is_set = false;
  capture.run([&](std::span<const std::uint64_t> counters, std::uint64_t) {
    if (counters[C::clock_second] > 1001 && !std::exchange(is_set, true))
      for (const std::uint64_t second : {9000, 9000, 9001})
        source.add(plain, second * second_ns); // an hour and more within a second
    stop = counters[C::clock_sets] > 0;
  });
  const Stream stream = read_stream(endpoints.names[0]);
  CHECK(capture.counter(C::clock_sets) == 1);
  REQUIRE(stream.offsets.size() == 1);
  CHECK(stream.packets.size() == 4);
  CHECK(stream.packets.back().time_ns == 9001 * second_ns);
  CHECK(capture.counter(C::clock_second) < 1010);
  CHECK(9000 * second_ns + stream.offsets[0] < 1010 * second_ns);
}

TEST_CASE("packets that the kernel lost are told to every observer once, and are no drops of a ring") {
  Endpoints endpoints("file", 2);
  std::atomic<bool> stop{false};
  MemorySource source;
  source.is_live = true;
  source.last = Source::Status::idle;
  source.add(plain, 1);
  source.dropped_frames = 7;
  int rounds = 0;
  Capture capture(source, endpoints.open(), {}, stop);
  capture.run([&](std::span<const std::uint64_t>, std::uint64_t) {
    source.dropped_frames = 10;
    stop = ++rounds == 3;
  });
  for (const auto& endpoint : endpoints.names)
    CHECK(read_stream(endpoint).lost == 10);
  CHECK(capture.counter(C::dropped_source) == 10);
  CHECK(capture.counter(C::dropped_ring) == 0);
  check_ledger(capture);
}

TEST_CASE("what the kernel lost is told before any packet that came later, with the time between two looks") {
  const auto now_ns = [] {
    return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
  };
  const std::uint64_t start_ns = now_ns();
  Run run;
  run.source.is_live = true;
  run.source.dropped_frames = 4;
  run.source.add(plain, start_ns - second_ns); // waited to be read when the loss was
  run.source.add(plain, start_ns + 3600 * second_ns);
  const Stream stream = run();
  CHECK(stream.order == "ltptple");
  REQUIRE(stream.losses.size() == 2);
  CHECK(stream.losses[0].from_ns >= start_ns);
  CHECK(stream.losses[0].from_ns <= stream.losses[0].to_ns);
  CHECK(stream.losses[0].to_ns <= now_ns());
  // Nobody watches after the end of a live capture.
  CHECK(stream.losses[1].packets == 0);
  CHECK(stream.losses[1].from_ns >= start_ns);
  CHECK(stream.losses[1].to_ns == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("a full ring's loss has the times of the packets that it lost") {
  Endpoints endpoints("ring", 1);
  std::atomic<bool> stop{false};
  RecordWriter writer = std::move(endpoints.open().front());
  PacketOutput output(std::move(writer), false, stop);
  const auto put = [&](std::uint64_t time_ns) {
    std::byte* const place = output.claim(64, time_ns);
    if (!place)
      return false;
    std::memset(place, 0, 64);
    reinterpret_cast<PacketRecord*>(place)->key.version = 4;
    output.commit(place, 64);
    return true;
  };
  while (put(100))
    ;
  for (const std::uint64_t lost_ns : {103, 101, 102})
    CHECK_FALSE(put(lost_ns));
  Stream stream;
  std::thread reader([&] { stream = read_stream(endpoints.names[0]); });
  while (!put(104))
    std::this_thread::yield();
  output.finish(EndCause::complete);
  reader.join();
  REQUIRE(stream.losses.size() == 1);
  CHECK(stream.losses[0].packets == output.dropped());
  CHECK(stream.losses[0].from_ns == 100);
  CHECK(stream.losses[0].to_ns >= 103);
  CHECK(stream.order.ends_with("lpe"));
}

TEST_CASE("a loss at the very end is told too, be the ring as full as it may") {
  Endpoints endpoints("ring", 1);
  std::atomic<bool> stop{false}, all_given{false};
  MemorySource source;
  source.is_live = true;
  source.stop_at_end = &all_given;
  source.add(plain, 1);
  source.repeat = 50'000; // 3.2 MB for a ring of 1 MiB that nobody reads until all is lost
  Capture capture(source, endpoints.open(), {}, stop);
  Stream stream;
  std::thread reader([&] {
    RecordReader held = RecordReader::open(Endpoint::parse(endpoints.names[0]), StreamKind::packets);
    while (!all_given)
      std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stream = read_stream(held);
  });
  capture.run(ignore);
  reader.join();
  CHECK(stream.lost == 50'000 - stream.packets.size());
  CHECK(stream.order.ends_with("le"));
}

TEST_CASE("a ring that cannot hold the largest packet record is refused by name") {
  Endpoints endpoints("ring", 1);
  MemorySource source;
  const std::atomic<bool> stop{true};
  CHECK_THROWS_WITH_AS(Capture(source, endpoints.open(64 << 10), {}, stop),
                       doctest::Contains((endpoints.names[0] + " is too small").c_str()), Error);
}
