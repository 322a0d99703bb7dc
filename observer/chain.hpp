// SPDX-License-Identifier: GPL-3.0-or-later
// What a flow analysis chain is made of. A chain is a struct in chains/ with only static members:
//
//   name, summary   what users call it, and what it says of a flow in a few words
//   needs           what it reads of packets beyond the fields that all have (Need)
//   State           what it remembers of one flow: trivially copyable; a new flow starts with State{}
//   fields          its fields, a std::array of field(); they print in this order
//   completes       true where its hooks may say that a flow is complete; may be left out
//   Options, options   what a user may set, a struct and a std::array of option(); may be left out
//   events          tables of events, a std::tuple of event_table(); may be left out
//   hooks           any of the functions below; those that are not there cost nothing
//
// Hooks, each `static bool hook(State&, PacketView, bool rev) noexcept`, `rev` telling the reverse direction; they
// return whether to go on: false says that the flow is complete. Every chosen chain sees every packet all the same.
//
//   new_flow(State&, PacketView)  once, before the others; false vetoes the flow: its packets are ignored and counted
//   ip4, ip6, or ip for both      every IP datagram, but not an ICMP error that belongs to the flow it quotes
//   icmp4, icmp6                  every ICMP message; an error that quotes the flow runs these alone
//   tcp, udp                      a segment or datagram whose header was captured
//   l4                            a datagram of any other protocol
//   end(State&, const FlowEnd&)   once, before the flow's record leaves; returns nothing
//
// Each may have a ChainContext<Chain>& as its last parameter (chain_context.hpp). A function that has a hook's name but
// not its form, or a name that is nearly one, does not compile (chain_hooks.hpp).
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/packet_record.hpp"
#include "observer/chain/chain_context.hpp"
#include "observer/chain/chain_fields.hpp"
#include "observer/chain/chain_options.hpp"

#include <array>
#include <string_view>
