// SPDX-License-Identifier: GPL-3.0-or-later
// What chains may have: fields of every type, texts and lists, events, options, an end; and what is refused.
#include "observer/chains/basic.hpp"
#include "observer/flows/flow_meter_impl.hpp"
#include "tests/unit/observer/chain_support.hpp"
#include "tests/unit/observer/every_type_chain.hpp"

#include <set>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

using EveryChains = ChainList<BasicChain, EveryTypeChain>;
using Names = std::vector<std::string>;

/// A flow of three packets that ends with the input, as the chain sees it.
Metering<EveryChains>& fed(Metering<EveryChains>& metering) {
  metering.feed(forward(17).at(100).payload(2)).feed(reverse(17).at(101).payload(3)).feed(forward(17).at(104));
  metering.flush();
  return metering;
}

std::string usage_error(const Names& chains, std::vector<const SharedChain*> shared = {}) {
  try {
    static_cast<void>(choose_chains<EveryChains>(chains, shared));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What hooks may look like and must not.
struct NoRev {
  struct State {};
  static bool tcp(State&, PacketView) noexcept { return true; }
};
struct Throwing {
  struct State {};
  static bool udp(State&, PacketView, bool) { return true; }
};
struct ByValue {
  struct State {};
  static bool ip(State, PacketView, bool) noexcept { return true; }
};
struct Hidden {
  struct State {};

private:
  static bool l4(State&, PacketView, bool) noexcept { return true; }
};
struct Icmp {
  struct State {};
  static bool icmp(State&, PacketView, bool) noexcept { return true; }
};
struct NewFlowWithRev {
  struct State {};
  static bool new_flow(State&, PacketView, bool) noexcept { return true; }
};
struct EndWithoutEnd {
  struct State {};
  static void end(State&) noexcept {}
};
struct Overloaded {
  struct State {};
  static bool ip4(State&, PacketView, bool) noexcept { return true; }
  static bool ip4(State&, PacketView) noexcept { return true; }
};
static_assert(hooks::tcp_form<NoRev>() == HookForm::wrong);
static_assert(hooks::udp_form<Throwing>() == HookForm::wrong);
static_assert(hooks::ip_form<ByValue>() == HookForm::wrong);
static_assert(hooks::l4_form<Hidden>() == HookForm::wrong);
static_assert(hooks::icmp_form<Icmp>() == HookForm::wrong);
static_assert(hooks::new_flow_form<NewFlowWithRev>() == HookForm::wrong);
static_assert(hooks::end_form<EndWithoutEnd>() == HookForm::wrong);
static_assert(hooks::ip4_form<Overloaded>() == HookForm::wrong);
static_assert(hooks::tcp_form<EveryTypeChain>() == HookForm::none);
static_assert(hooks::ip_form<EveryTypeChain>() == HookForm::with_context);
static_assert(hooks::ip_form<BasicChain>() == HookForm::plain);

/// Two chains that both have a field that `basic` has, and a table that `every` has.
struct TwinChain {
  static constexpr std::string_view name = "twin";
  static constexpr std::string_view summary = "a field that is there already";
  static constexpr std::uint32_t needs = Need::none;
  struct State {
    bool seen = false;
  };
  inline static const auto fields = std::array{field("pkt_fwd", "packets", &State::seen)};
  static bool ip(State&, PacketView, bool) noexcept { return true; }
};
struct TwinTableChain {
  static constexpr std::string_view name = "twin_table";
  static constexpr std::string_view summary = "a table that is there already";
  static constexpr std::uint32_t needs = Need::none;
  struct State {};
  struct Event {
    bool seen = false;
  };
  inline static const auto fields = std::array<ChainField, 0>{};
  inline static const auto events =
      std::tuple{event_table<Event>("every_seen", "seen", std::array{field("seen", "seen", &Event::seen)})};
  static bool ip(State&, PacketView, bool) noexcept { return true; }
};

/// What would print what is not there: a view in a state, a handle in an event, an element behind its array's end.
struct ViewChain {
  static constexpr std::string_view name = "view";
  static constexpr std::string_view summary = "a view in a state";
  static constexpr std::uint32_t needs = Need::none;
  struct State {
    std::string_view host;
  };
  inline static const auto fields = std::array{field("view_host", "host", &State::host)};
  static bool ip(State&, PacketView, bool) noexcept { return true; }
};
struct HandleChain {
  static constexpr std::string_view name = "handle";
  static constexpr std::string_view summary = "a handle in an event";
  static constexpr std::uint32_t needs = Need::none;
  struct State {};
  struct Event {
    Text host;
  };
  inline static const auto fields = std::array<ChainField, 0>{};
  inline static const auto events =
      std::tuple{event_table<Event>("handles", "seen", std::array{field("host", "host", &Event::host)})};
  static bool ip(State&, PacketView, bool) noexcept { return true; }
};
/// Options whose bounds a double does not hold, and, where `first` is 0, a default that nobody could give.
template <std::uint64_t first>
struct BoundsChain {
  static constexpr std::string_view name = "bounds";
  static constexpr std::string_view summary = "exact bounds";
  static constexpr std::uint32_t needs = Need::none;
  static constexpr std::uint64_t most = (std::uint64_t{1} << 63) + 1;
  static constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min() + 1;
  struct State {};
  struct Options {
    std::uint64_t big = first;
    std::int64_t low = 0;
  };
  inline static const auto fields = std::array<ChainField, 0>{};
  inline static const auto options = std::array{option("big", "to 2^63 + 1", &Options::big, 1, most),
                                                option("low", "from -2^63 + 1", &Options::low, least, 0)};
  static bool ip(State&, PacketView, bool) noexcept { return true; }
};
template <int index>
struct ElementChain {
  static constexpr std::string_view name = "element";
  static constexpr std::string_view summary = "an element that is not there";
  static constexpr std::uint32_t needs = Need::none;
  struct State {
    std::uint32_t counts[2] = {1, 2};
    std::uint32_t other = 77;
  };
  inline static const auto fields = std::array{field("element_count", "count", &State::counts, index)};
  static bool ip(State&, PacketView, bool) noexcept { return true; }
};
struct Hookless {
  struct State {};
  static bool tpc(State&, PacketView, bool) noexcept { return true; }
};
static_assert(!has_hooks<Hookless> && has_hooks<ViewChain> && has_hooks<BasicChain>);

} // namespace

TEST_CASE("every type of field has a field in the test's chain") {
  std::set<FieldType> types;
  for (const auto& field : EveryTypeChain::fields)
    types.insert(field.type);
  // Lists of the other numbers, and lists that print as one, lie and are read as these do.
  CHECK(types.size() == FieldTypes::size - 8);
}

TEST_CASE("a field of every type leaves with its flow as it was set") {
  Metering<EveryChains> metering(Names{"basic", "every"});
  const auto& flow = fed(metering).flows().at(0);
  CHECK(flow["every_bool"] == "true");
  CHECK(flow["every_u64"] == "18446744073709551615");
  CHECK(flow["every_i8"] == "-8");
  CHECK(flow["every_i16"] == "-17");
  CHECK(flow["every_i64"] == "-64");
  CHECK(flow["every_f64"] == "0.500000");
  CHECK(flow["every_time"] == "100000000000");
  CHECK(flow["every_duration"] == "4000000000");
  CHECK(flow["every_colour"] == "green");
  CHECK(flow["every_mac"] == "0:1:2:3:4:5:");
  CHECK(flow["every_address"] == "192.0.2.1");
  CHECK(flow["every_u32_or_null"] == "null");
  CHECK(flow["every_mac_or_null"] == "null");
  CHECK(flow["every_u64_or_null"] == "18446744073709551615");
  CHECK(flow["every_i64_or_null"] == "-1");
  CHECK(flow["every_i8_or_null"] == "-1");
  CHECK(flow["every_f64_or_null"] == "0.250000");
  CHECK(flow["every_colour_or_null"] == "red");
  CHECK(flow["every_text"] == "xxx");
  CHECK(flow["every_octets"] == std::string("\0\xff\3", 3));
  CHECK(flow["every_words"] == "[forward,re\"verse,forward]");
  CHECK(flow["pkt_fwd"] == "2");
}

TEST_CASE("a flow's memory is free once the flow has left, and without memory its values are null and counted") {
  Metering<EveryChains> metering(Names{"every"});
  fed(metering);
  CHECK(metering.meter().flow_memory().counters().octets == 0);
  Metering<EveryChains> without(Names{"every"}, {.flow_memory_octets = 0});
  const auto& flow = fed(without).flows().at(0);
  CHECK(flow["every_text"] == "null");
  CHECK(flow["every_words"] == "null");
  CHECK(flow["every_u8"] == "8");
  CHECK(without.meter().flow_memory().counters().full > 0);
}

TEST_CASE("events come with their flow's addresses and the packet's time, and a flow's end is one too") {
  Metering<EveryChains> metering(Names{"every:loud=true,packets=2"});
  fed(metering);
  const auto& seen = metering.events("every_seen");
  REQUIRE(seen.size() == 2);
  CHECK(seen[0]["what"] == "question");
  CHECK(seen[1]["what"] == "answer");
  CHECK(seen[1]["time"] == "101000000000");
  CHECK(seen[1]["number"] == "2");
  CHECK(seen[1]["words"] == "[a,,b,c]");
  CHECK(seen[1]["sp"] == std::to_string(client.port));
  const auto& ended = metering.events("every_ended");
  REQUIRE(ended.size() == 1);
  CHECK(ended[0]["reason"] == "forced end");
  CHECK(metering.meter().events() == 3);
}

TEST_CASE("options are set within their bounds, and what is none is named with what there is") {
  Metering<EveryChains> metering(Names{"every:packets=1,shift=5,share=1"});
  const auto& flow = fed(metering).flows().at(0);
  CHECK(flow["every_text"] == "x");
  CHECK(flow["every_i16"] == "-11");
  CHECK(flow["every_f64"] == "1.000000");
  CHECK(has(usage_error({"every:packets=0"}), "option packets of chain 'every': '0' is not 1 to 10"));
  CHECK(has(usage_error({"every:packets=4x"}), "'4x' is not 1 to 10"));
  CHECK(has(usage_error({"every:loud=yes"}), "'yes' is not true or false"));
  CHECK(has(usage_error({"every:packet=3"}), "no option 'packet'; did you mean 'packets'?"));
  CHECK(has(usage_error({"basic:x=1"}), "chain 'basic' has no option 'x'; there are none"));
  CHECK(has(usage_error({"every:packets"}), "NAME:OPTION=VALUE"));
  CHECK(has(usage_error({"every:packets=2", "every:packets=3"}), "named twice with different options"));
  CHECK(usage_error({"every:packets=2", "every:packets=2"}) == "no error");
  CHECK(has(usage_error({"every:packets=2,packets=3"}), "chain 'every' is given its option 'packets' twice"));
  CHECK(has(usage_error({"every:share=nan"}), "'nan' is not"));
}

TEST_CASE("two chains with one field, or one table, are not chosen together, and both are named") {
  const SharedChain twin = shared_chain<TwinChain>(), twin_table = shared_chain<TwinTableChain>();
  const auto error = usage_error({"basic", "twin"}, {&twin});
  CHECK(has(error, "chain 'basic' and chain 'twin' both have a field 'pkt_fwd'"));
  CHECK(usage_error({"every", "twin"}, {&twin}) == "no error");
  CHECK(has(usage_error({"every", "twin_table"}, {&twin_table}),
            "chain 'every' and chain 'twin_table' both have a table 'every_seen'"));
}

TEST_CASE("a view in a state, a handle in an event and an element that is not there are refused by name") {
  const SharedChain view = shared_chain<ViewChain>(), handle = shared_chain<HandleChain>();
  CHECK(has(usage_error({"view"}, {&view}), "field 'view_host' of chain 'view' is a view"));
  CHECK(has(check_chain(view.info), "is a view"));
  CHECK(has(usage_error({"handle"}, {&handle}), "field 'host' of chain 'handle' in table 'handles' is a handle"));
  CHECK(has(check_chain(handle.info), "is a handle"));
  CHECK(check_chain(chain_info<ElementChain<1>>()).empty());
  CHECK(has(check_chain(chain_info<ElementChain<2>>()), "its field 'element_count' lies outside"));
  CHECK(has(check_chain(chain_info<ElementChain<-1>>()), "its field 'element_count' lies outside"));
}

TEST_CASE("bounds of 64 bits are exact, and a default has to lie within them") {
  const SharedChain bounds = shared_chain<BoundsChain<1>>();
  CHECK(check_chain(bounds.info).empty());
  CHECK(usage_error({"bounds:big=9223372036854775809"}, {&bounds}) == "no error");
  CHECK(has(usage_error({"bounds:big=9223372036854775810"}, {&bounds}), "is not 1 to 9223372036854775809"));
  CHECK(usage_error({"bounds:low=-9223372036854775807"}, {&bounds}) == "no error");
  CHECK(has(usage_error({"bounds:low=-9223372036854775808"}, {&bounds}), "is not -9223372036854775807 to 0"));
  CHECK(check_chain(chain_info<BoundsChain<0>>()) ==
        "the default of its option 'big', 0, is not 1 to 9223372036854775809");
}

TEST_CASE("needs that there are not are refused by name") {
  auto info = chain_info<BoundsChain<1>>();
  info.needs = 1U << 30;
  CHECK(check_chain(info) == "it needs what there is not in this version");
}

TEST_CASE("a flow ends when any chain, when all that can, or when no chain says that it is complete") {
  const auto reason = [](CompleteRule rule, bool response) {
    Metering<> metering(Names{"tcp", "dns"}, {.complete = rule});
    metering.feed(forward(6).at(100).flags(TCP_SYN));
    if (response)
      metering.feed(reverse(6).at(101).flags(TCP_ACK).payload({0, 12, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
    metering.feed(forward(6).at(102).flags(TCP_RST));
    return metering.flush().at(0)["flow_end_reason"];
  };
  CHECK(reason(CompleteRule::any, false) == "end of Flow detected");
  CHECK(reason(CompleteRule::all, false) == "forced end");
  CHECK(reason(CompleteRule::all, true) == "end of Flow detected");
  CHECK(reason(CompleteRule::never, true) == "forced end");
}
