// SPDX-License-Identifier: GPL-3.0-or-later
// An observer that dies of a packet: processes of its own, one after another, on the same rings and the same flows.
// What a kill at any moment leaves, tests/stress/observer_kills.cpp looks at.
#include "common/error.hpp"
#include "observer/observer.hpp"
#include "observer/shared_chain.hpp"
#include "tests/unit/observer/record_maker.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// Dies of port 666.
struct FragileChain {
  static constexpr std::string_view name = "fragile";
  static constexpr std::string_view summary = "dies";
  static constexpr std::uint32_t needs = Need::none;
  struct State {
    std::uint64_t packets = 0;
  };
  inline static const auto fields = std::array{field("fragile_packets", "packets", &State::packets)};
  static bool udp(State& state, PacketView packet, bool) noexcept {
    ++state.packets;
    if (packet->key.ports[0] == 666 || packet->key.ports[1] == 666)
      raise(SIGABRT);
    return true;
  }
};

class Takeover {
public:
  Takeover() : name_("takeover-" + std::to_string(getpid())) {
    Ring::create(in().segment_name(), 1 << 20, false, true);
    Ring::create(out().segment_name(), 1 << 20, false, true);
    options_.max_flows = 100;
    options_.flow_memory_octets = 0;
    endpoints_.make_ring = false;
  }
  ~Takeover() {
    Segment::remove(in().segment_name());
    Segment::remove(out().segment_name());
    std::filesystem::remove(poison_file());
  }

  [[nodiscard]] Endpoint in() const { return {Endpoint::Kind::ring, name_ + ".packets"}; }
  [[nodiscard]] Endpoint out() const { return {Endpoint::Kind::ring, name_ + ".flows"}; }
  [[nodiscard]] std::string poison_file() const { return (std::filesystem::temp_directory_path() / name_).string(); }

  void write(const std::vector<Packet>& packets) {
    RecordWriter writer = RecordWriter::open(in(), stream_of(StreamKind::packets), endpoints_);
    for (const auto& packet : packets) {
      const auto words = packet.words();
      const auto& header = reinterpret_cast<const RecordHeader&>(words[0]);
      REQUIRE(writer.write(words.data(), header.length, header.kind));
    }
    const std::atomic<bool> stop{false};
    writer.finish(EndCause::complete, stop);
  }

  /// How an observer ends, which follows one that ended so; -1: none.
  int observe_once(int takes_over) {
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);
      _exit(observe_here(takes_over));
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }

  [[nodiscard]] KeptTable table() const { return {kept_.get(), chains_.state_bytes(), 100, 0}; }

  /// The packets of each flow that came out.
  std::vector<std::uint64_t> flows() {
    RecordReader reader = RecordReader::open(out(), StreamKind::flows);
    std::array<const RecordHeader*, 100> batch{};
    std::vector<std::uint64_t> packets;
    const auto count = reader.peek(batch);
    for (std::size_t i = 0; i < count; ++i)
      if (batch[i]->kind == RecordKind::row) {
        packets.emplace_back();
        std::memcpy(&packets.back(), reinterpret_cast<const std::byte*>(batch[i]) + sizeof(FlowRecord), 8);
      }
    return packets;
  }

private:
  int observe_here(int takes_over) {
    try {
      StageOptions stage_options;
      stage_options.takes_over = takes_over;
      stage_options.poison_fd = poison_fd_.get();
      auto endpoints = endpoints_;
      endpoints.takes_over = takes_over >= 0;
      const std::atomic<bool> stop{false};
      Stage stage(StageKind::observer, {});
      RecordWriter writer = RecordWriter::open(out(), chains_.describe(), endpoints);
      RecordReader reader = RecordReader::open(in(), StreamKind::packets, endpoints);
      const auto kept = table();
      return observe(reader, writer, chains_, options_, stop, stage, &kept, stage_options).complete ? 0 : 1;
    } catch (const Error&) {
      return 2;
    }
  }

  std::string name_;
  SharedChain fragile_ = shared_chain<FragileChain>();
  std::vector<const SharedChain*> shared_{&fragile_};
  ChainSet chains_ = choose_chains<LibraryChains>(std::vector<std::string>{"fragile"}, shared_);
  FlowMeterOptions options_;
  EndpointOptions endpoints_;
  FileDescriptor poison_fd_{open(poison_file().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)};
  FileDescriptor kept_ = make_kept_memory("takeover");
};

Packet from(std::uint16_t port) {
  return Packet(ipv4(1, port), ipv4(2, 80), udp).at(1000);
}

} // namespace

TEST_CASE("a packet that an observer dies of twice is stepped over, and is in a file; all others are in flows") {
  Takeover takeover;
  takeover.write({from(1), from(2), from(1), from(666), from(1), from(2), from(2)});
  const int first = takeover.observe_once(-1);
  REQUIRE(WIFSIGNALED(first));
  CHECK(WTERMSIG(first) == SIGABRT);
  REQUIRE(WIFSIGNALED(takeover.observe_once(SIGABRT))); // once more
  CHECK(std::filesystem::file_size(takeover.poison_file()) == 0);
  CHECK(takeover.observe_once(SIGABRT) == 0);

  const auto table = takeover.table();
  const auto& kept = table.flows();
  CHECK(takeover.flows() == std::vector<std::uint64_t>{2, 1, 1, 2});
  CHECK(kept.left.interrupted_flows == 2);
  CHECK(kept.batches[kept.current].received == 7);
  CHECK(kept.batches[kept.current].lost == 1);
  CHECK(kept.counters.packets_counted == 6);

  RecordReader reader = RecordReader::open({Endpoint::Kind::file, takeover.poison_file()}, StreamKind::packets);
  std::array<const RecordHeader*, 4> batch{};
  REQUIRE(reader.peek(batch) == 2);
  CHECK(reinterpret_cast<const PacketRecord&>(*batch[0]).key.ports[0] == 666);
  CHECK(batch[1]->kind == RecordKind::end);
}

TEST_CASE("an observer that is only killed at a packet goes on with that packet") {
  Takeover takeover;
  takeover.write({from(1), from(666), from(1)});
  REQUIRE(WIFSIGNALED(takeover.observe_once(-1)));
  for (int i = 0; i < 3; ++i)
    REQUIRE(WIFSIGNALED(takeover.observe_once(SIGKILL))); // it is not to blame
  CHECK(std::filesystem::file_size(takeover.poison_file()) == 0);
  const auto table = takeover.table();
  const auto& kept = table.flows();
  CHECK(kept.batches[kept.current].lost == 0);
  CHECK(kept.left.packets == 1);
}
