// SPDX-License-Identifier: GPL-3.0-or-later
// Kills an observer at any moment while it has all the packets that it can take, again and again, and lets another one
// follow. At the end every packet is in a flow that was given out once, or among those that were broken off. Packets
// come from a process of their own, and flows go to one.
#include "common/error.hpp"
#include "observer/observer.hpp"
#include "observer/shared_chain.hpp"
#include "tests/stress/kills.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <spdlog/spdlog.h>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Options : KillOptions {
  std::vector<std::string> chains{"basic", "tcp", "busy"};
};

/// Uses all that a chain may: flow memory, events of packets and of ends, vetoes.
struct BusyChain {
  static constexpr std::string_view name = "busy";
  static constexpr std::string_view summary = "does everything";
  static constexpr std::uint32_t needs = Need::none;
  struct State {
    List<std::uint16_t> lengths;
    Text last;
  };
  struct Seen {
    std::uint64_t number;
    std::string_view text;
  };
  inline static const auto fields =
      std::array{field("busy_lengths", "lengths", &State::lengths), field("busy_last", "a text", &State::last)};
  inline static const auto events = std::tuple{
      event_table<Seen>("busy_seen", "what was seen",
                        std::array{field("number", "number", &Seen::number), field("text", "a text", &Seen::text)})};

  static bool new_flow(State&, PacketView packet, ChainContext<BusyChain>&) noexcept {
    return packet->key.ports[0] % 17 != 0;
  }
  static bool ip(State& state, PacketView packet, bool, ChainContext<BusyChain>& context) noexcept {
    context.append(state.lengths, static_cast<std::uint16_t>(packet->ip_length));
    if (packet->time_ns % 200'000 == 0) {
      context.set(state.last, "a text that takes a block of its own, since it is longer than others");
      context.emit(Seen{packet->time_ns, "seen"});
    }
    return true;
  }
  static void end(State&, const FlowEnd& end, ChainContext<BusyChain>& context) noexcept {
    context.emit(Seen{end.last_ns, "ended"});
  }
};

/// What the processes tell each other.
struct Shared {
  std::atomic<bool> enough;
  std::atomic<std::uint64_t> produced, flows, events, packets;
};

const std::atomic<bool> never{false};

struct OneTcpPacket {
  PacketRecord record;
  std::array<std::uint8_t, 8> addresses;
};
static_assert(sizeof(OneTcpPacket) == 64);

void produce(const Endpoint& ring, Shared& shared) {
  EndpointOptions options;
  options.make_ring = false;
  RecordWriter writer = RecordWriter::open(ring, stream_of(StreamKind::packets), options);
  OneTcpPacket packet{};
  auto& record = packet.record;
  record.header = {sizeof packet, RecordKind::packet, 0};
  record.ip_length = 40;
  record.bits = PacketBits::transport;
  record.key.protocol = 6;
  record.key.version = 4;
  record.key.has_ports = 1;
  packet.addresses = {192, 0, 2, 1, 192, 0, 2, 2};
  std::mt19937_64 dice(1);
  std::uint64_t number = 0;
  for (; !shared.enough.load(std::memory_order_relaxed); ++number) {
    // 20,000 packets a second by their own clock; a flow lives for a while and then has FINs
    record.time_ns = 1'700'000'000'000'000'000 + number * 50'000;
    const auto port = static_cast<std::uint16_t>(dice() % 3000 + number / 100'000 % 8 * 3000);
    record.key.ports[0] = port;
    record.key.ports[1] = 65'000;
    record.flow_hash = static_cast<std::uint32_t>(port * 0x9E37'79B9U);
    record.tcp_flags = dice() % 8 == 0 ? 0x11 : 0x10;
    if (dice() % 2 == 0)
      record.bits |= PacketBits::from_high;
    else
      record.bits &= static_cast<std::uint16_t>(~PacketBits::from_high);
    std::byte* place = nullptr;
    while (!(place = writer.claim(sizeof packet)))
      if (writer.wait_for_room(sizeof packet, never) != Room::available)
        _exit(10);
    std::memcpy(place, &packet, sizeof packet);
    writer.commit(place, sizeof packet, RecordKind::packet);
  }
  shared.produced = number;
  _exit(writer.finish(EndCause::complete, never) ? 0 : 11);
}

void consume(const Endpoint& ring, Shared& shared) {
  RecordReader reader = RecordReader::open(ring, StreamKind::flows);
  const auto& fields = reader.stream().tables[0].fields;
  const auto at = [&](const char* name) {
    for (const auto& field : fields)
      if (field.name == name)
        return field.offset;
    _exit(12);
  };
  const auto forward = at("pkt_fwd"), reverse = at("pkt_rev");
  std::array<const RecordHeader*, 128> batch{};
  for (;;) {
    const auto count = reader.peek(batch);
    for (std::size_t i = 0; i < count; ++i) {
      if (batch[i]->kind == RecordKind::row && batch[i]->table != 0)
        ++shared.events;
      if (batch[i]->kind != RecordKind::row || batch[i]->table != 0)
        continue;
      ++shared.flows;
      for (const auto offset : {forward, reverse}) {
        std::uint64_t packets = 0;
        std::memcpy(&packets, reinterpret_cast<const std::byte*>(batch[i]) + offset, sizeof packets);
        shared.packets += packets;
      }
    }
    reader.release();
    if (count > 0)
      continue;
    switch (reader.wait(never)) {
    case Wait::readable:
    case Wait::quiet:
      break;
    case Wait::ended:
      _exit(0);
    default:
      std::fprintf(stderr, "the flows are damaged or cut off: %s\n", reader.damage().c_str());
      _exit(13);
    }
  }
}

KeptTable table_of(int kept_fd, const ChainSet& chains, const FlowMeterOptions& options) {
  return {kept_fd, chains.state_bytes(), options.max_flows, options.flow_memory_octets};
}

[[noreturn]] void observe_once(const Endpoint& in, const Endpoint& out, int kept_fd, int takes_over,
                               const ChainSet& chains, const FlowMeterOptions& meter) {
  try {
    EndpointOptions endpoints;
    endpoints.make_ring = false;
    endpoints.takes_over = takes_over >= 0;
    StageOptions options;
    options.takes_over = takes_over;
    Stage stage(StageKind::observer, {});
    RecordWriter writer = RecordWriter::open(out, chains.describe(), endpoints);
    RecordReader reader = RecordReader::open(in, StreamKind::packets, endpoints);
    const auto kept = table_of(kept_fd, chains, meter);
    const auto result = observe(reader, writer, chains, meter, never, stage, &kept, options);
    if (!result.complete)
      std::fprintf(stderr, "%s\n", result.problem.c_str());
    _exit(result.complete ? 0 : 14);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(15);
  }
}

bool check(const char* what, std::uint64_t left, std::uint64_t right) {
  std::printf("%s: %llu = %llu\n", what, static_cast<unsigned long long>(left), static_cast<unsigned long long>(right));
  return left == right;
}

int run(const Options& options) {
  auto& shared = shared_by_all<Shared>();
  const auto name = "kills-" + std::to_string(getpid());
  const Endpoint in{Endpoint::Kind::ring, name + ".packets"}, out{Endpoint::Kind::ring, name + ".flows"};
  const Ring packets = Ring::create(in.segment_name(), 8 << 20, false, true);
  const Ring flows = Ring::create(out.segment_name(), 1 << 20, false, true);
  const auto kept_fd = make_kept_memory("kills");
  const SharedChain busy = shared_chain<BusyChain>();
  const std::array shared_chains{&busy};
  const auto chains = choose_chains<LibraryChains>(options.chains, shared_chains);
  FlowMeterOptions meter;
  meter.idle_timeout_s = 2;
  meter.complete_timeout_s = options.seed % 2;
  meter.max_flows = options.seed % 3 == 0 ? 2000 : 1 << 16;
  meter.flow_memory_octets = 1 << 20;
  const pid_t producer = in_process([&] { produce(in, shared); });
  const pid_t consumer = in_process([&] { consume(out, shared); });
  bool good = kill_again_and_again(options, shared.enough, [&](bool follows) {
    observe_once(in, out, kept_fd.get(), follows ? SIGKILL : -1, chains, meter);
  });
  if (!good)
    kill(producer, SIGKILL), kill(consumer, SIGKILL);
  good = status_of(producer) == 0 && status_of(consumer) == 0 && good;
  Segment::remove(in.segment_name());
  Segment::remove(out.segment_name());
  const auto table = table_of(kept_fd.get(), chains, meter);
  const auto& kept = table.flows();
  const auto lost = kept.batches[kept.current].lost;
  good = check("packets in flows, ignored and broken off = produced",
               shared.packets + kept.left.ignored + kept.left.broken + lost, shared.produced) &&
         good;
  good = check("flows given out = received", kept.rows[0], shared.flows) && good;
  good = check("events given out = received", kept.rows[1], shared.events) && good;
  good = check("packets counted", kept.counters.packets_counted, shared.packets) && good;
  good = check("flows opened = given out + broken off", kept.counters.flows_opened,
               kept.rows[0] + kept.left.broken_flows) &&
         good;
  std::printf("%u kills, %llu flows interrupted, %llu broken off with %llu packets\n", options.kills,
              static_cast<unsigned long long>(kept.left.interrupted_flows),
              static_cast<unsigned long long>(kept.left.broken_flows),
              static_cast<unsigned long long>(kept.left.broken));
  return good ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  Options options{{.kills = 300}};
  CommandLine app("Kills observers at work and looks whether a packet was lost.", "stress-observer-kills");
  add_kill_options(app, options);
  return run_program(app, argc, argv, [&] {
    spdlog::set_level(spdlog::level::warn);
    return run(options);
  });
}
