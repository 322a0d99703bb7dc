// SPDX-License-Identifier: GPL-3.0-or-later
// The flow meter against a model that is too plain to be wrong: a map of flows, walked each second.
#include "tests/unit/observer/scripted_chain.hpp"

#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <random>
#include <set>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

std::uint64_t ceil_seconds(std::uint64_t ns) {
  return (ns + ns_per_s - 1) / ns_per_s;
}

/// One packet of a flow, by number, in either direction.
struct Event {
  unsigned flow;
  bool turned;
  std::uint64_t time_ns;
  std::uint32_t ip_length;

  [[nodiscard]] Packet packet() const {
    const Host a = ipv4(9, static_cast<std::uint16_t>(flow)), b = ipv4(3, 7);
    return Packet(turned ? b : a, turned ? a : b, udp).at_ns(time_ns).ip_length(ip_length);
  }
};

std::string describe(const std::string& opener, std::uint64_t first, std::uint64_t last, std::string_view reason,
                     std::uint64_t fwd, std::uint64_t rev, std::uint64_t drops) {
  return opener + " " + std::to_string(first) + " " + std::to_string(last) + " " + std::string(reason) + " " +
         std::to_string(fwd) + " " + std::to_string(rev) + " " + std::to_string(drops);
}

std::string describe(const SeenFlow& flow) {
  return describe(flow["sip"] + ":" + flow["sp"] + ">" + flow["dp"], std::stoull(flow["pkt_first"]),
                  std::stoull(flow["pkt_last"]), flow["flow_end_reason"], std::stoull(flow["pkt_fwd"]),
                  std::stoull(flow["pkt_rev"]), std::stoull(flow["ring_drops"]));
}

class Model {
public:
  explicit Model(const FlowMeterOptions& options) : options_(options) {}

  void packet(const Event& event) {
    tick(ceil_seconds(event.time_ns));
    if (!flows_.contains(event.flow)) {
      if (flows_.size() == options_.max_flows)
        evict();
      flows_[event.flow] = {.turned = event.turned, .dormant = true};
    }
    Flow& flow = flows_.at(event.flow);
    if (flow.dormant) {
      flow = {.turned = flow.turned, .first = event.time_ns, .latest = flow.latest, .losses = losses_, .cut = clock_};
      flow.vetoed = event.ip_length == ScriptedChain::veto_length;
    }
    flow.first = std::min(flow.first, event.time_ns);
    flow.last = std::max(flow.last, event.time_ns);
    flow.latest = std::max(flow.latest, event.time_ns);
    ++(event.turned == flow.turned ? flow.fwd : flow.rev);
    if (!flow.vetoed && !flow.completed && event.ip_length == ScriptedChain::complete_length) {
      flow.completed = clock_;
      if (options_.complete_timeout_s == 0)
        give_out(flow, event.flow, EndReason::end_of_flow);
    }
  }

  void tick(std::uint64_t second) {
    while (clock_ < second) {
      ++clock_;
      each([&](unsigned number, Flow& flow) {
        if (options_.active_timeout_s != 0 && !flow.vetoed && !flow.completed && !flow.dormant &&
            flow.cut + options_.active_timeout_s == clock_)
          give_out(flow, number, EndReason::active_timeout);
      });
      each([&](unsigned number, Flow& flow) {
        if (ceil_seconds(flow.latest + options_.idle_timeout_s * ns_per_s) <= clock_)
          leave(number, EndReason::idle_timeout);
      });
      each([&](unsigned number, Flow& flow) {
        if (!flow.completed || flow.dormant)
          return;
        const std::uint64_t by_packets = ceil_seconds(flow.latest) + options_.complete_timeout_s;
        const std::uint64_t at_most = *flow.completed + std::max(options_.idle_timeout_s, options_.complete_timeout_s);
        if (std::min(std::max(by_packets, *flow.completed + options_.complete_timeout_s), at_most) <= clock_)
          give_out(flow, number, EndReason::end_of_flow);
      });
    }
  }

  void lost(std::uint64_t packets) { losses_ += packets; }

  std::multiset<std::string> flush() {
    each([&](unsigned number, Flow&) { leave(number, EndReason::forced_end); });
    return emitted_;
  }

private:
  struct Flow {
    bool turned = false;
    std::uint64_t first = 0, last = 0, latest = 0, losses = 0, cut = 0;
    bool vetoed = false, dormant = false;
    std::optional<std::uint64_t> completed{}; ///< at this second
    std::uint64_t fwd = 0, rev = 0;
  };

  template <typename Visit>
  void each(Visit&& visit) {
    for (auto at = flows_.begin(); at != flows_.end();) {
      const auto here = at++;
      visit(here->first, here->second);
    }
  }

  void evict() {
    const auto longest = std::ranges::min_element(
        flows_, {}, [](const auto& entry) { return std::pair(!entry.second.dormant, entry.second.latest); });
    leave(longest->first, EndReason::lack_of_resources);
  }

  void leave(unsigned number, EndReason reason) {
    Flow& flow = flows_.at(number);
    if (!flow.dormant)
      give_out(flow, number, flow.completed ? EndReason::end_of_flow : reason);
    flows_.erase(number);
  }

  void give_out(Flow& flow, unsigned number, EndReason reason) {
    const std::string opener =
        flow.turned ? "192.0.2.3:7>" + std::to_string(number) : "192.0.2.9:" + std::to_string(number) + ">7";
    if (!flow.vetoed)
      emitted_.insert(
          describe(opener, flow.first, flow.last, to_string(reason), flow.fwd, flow.rev, losses_ - flow.losses));
    flow.dormant = true;
  }

  FlowMeterOptions options_;
  std::map<unsigned, Flow> flows_;
  std::uint64_t clock_ = 0, losses_ = 0;
  std::multiset<std::string> emitted_;
};

/// A meter that gets its packets in batches of random size.
class Batched {
public:
  Batched(const FlowMeterOptions& options, unsigned seed)
      : chains_(choose_chains<ScriptedChains>(scripted)), collector_(chains_.describe()),
        meter_(chains_, options, collector_), random_(seed) {}

  void packet(const Event& event) {
    waiting_.push_back(event.packet().words());
    if (random_() % 8 == 0 || waiting_.size() == FlowMeter::max_batch)
      hand_over();
  }
  BasicFlowMeter<ScriptedChains>& meter() {
    hand_over();
    return meter_;
  }
  std::multiset<std::string> flush() {
    meter().flush();
    std::multiset<std::string> flows;
    for (const SeenFlow& flow : collector_.flows())
      flows.insert(describe(flow));
    return flows;
  }

private:
  void hand_over() {
    std::vector<const PacketRecord*> batch;
    for (const auto& words : waiting_)
      batch.push_back(reinterpret_cast<const PacketRecord*>(words.data()));
    meter_.packets(batch);
    waiting_.clear();
  }

  ChainSet chains_;
  FlowCollector collector_;
  BasicFlowMeter<ScriptedChains> meter_;
  std::mt19937 random_;
  std::vector<std::vector<std::uint64_t>> waiting_;
};

/// One round of random packets; false where the model and the meter disagree.
bool round_agrees(unsigned seed, FlowMeterOptions options, bool time_goes_back) {
  std::mt19937 random(seed);
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  if (one_in(3)) // with 0, and no room, which of the flows goes first that have left is not told by seconds
    options.complete_timeout_s = time_goes_back ? random() % 3 : 1 + random() % 2;
  if (one_in(3))
    options.idle_timeout_s = 1 + random() % 10;
  if (one_in(3))
    options.active_timeout_s = 1 + random() % 60;
  Model model(options);
  Batched batched(options, seed);
  std::uint64_t now_ns = 1000 * ns_per_s;
  const unsigned keys = 1 + random() % 12, steps = 1 + random() % 120, veto = one_in(2) ? 12 : 1'000'000;
  for (unsigned step = 0; step < steps; ++step) {
    const unsigned what = random() % 100;
    if (what < 50)
      now_ns += 1 + random() % (ns_per_s / 4);
    else if (what < 80)
      now_ns += 1 + (random() % 40) * (ns_per_s / 2);
    else if (what < 82)
      now_ns += (1 + random() % 300) * ns_per_s;
    else if (what < 90 && time_goes_back)
      now_ns -= random() % (what < 88 ? 3 * ns_per_s : std::min<std::uint64_t>(now_ns - ns_per_s, 400 * ns_per_s));
    else
      now_ns += 1;
    if (one_in(10)) {
      const std::uint64_t second = ceil_seconds(now_ns) + (time_goes_back ? random() % 20 : 0);
      model.tick(second);
      batched.meter().tick(second);
    }
    if (one_in(20)) {
      model.lost(3);
      batched.meter().lost(3, 0);
    }
    const Event event{static_cast<unsigned>(random() % keys), one_in(3), now_ns,
                      one_in(8)      ? ScriptedChain::complete_length
                      : one_in(veto) ? ScriptedChain::veto_length
                                     : 40};
    model.packet(event);
    batched.packet(event);
  }
  const auto expected = model.flush(), got = batched.flush();
  if (expected == got)
    return true;
  std::string text;
  for (const auto& flow : expected)
    if (!got.contains(flow))
      text += "\n  missing: " + flow;
  for (const auto& flow : got)
    if (!expected.contains(flow))
      text += "\n  surplus: " + flow;
  FAIL_CHECK("round " << seed << ", " << options.max_flows << " flows, idle " << options.idle_timeout_s << " complete "
                      << options.complete_timeout_s << " active " << options.active_timeout_s << text);
  return false;
}

} // namespace

TEST_CASE("random packets on a clock that jumps ahead and back give the flows of the model") {
  for (unsigned seed = 0; seed < 4000; ++seed)
    if (!round_agrees(seed, {}, true))
      break;
}

TEST_CASE("a bounded number of flows makes room in the model's order, the longest idle first") {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    FlowMeterOptions options;
    options.max_flows = 1 + seed % 7;
    if (!round_agrees(seed, options, false))
      break;
  }
}
