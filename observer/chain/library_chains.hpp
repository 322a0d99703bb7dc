// SPDX-License-Identifier: GPL-3.0-or-later
// The chains of the library. A new one is added here, in one line, and to meson.build if it has a .cpp file.
#pragma once

#include "observer/chain/chain_calls.hpp"
#include "observer/chains/basic.hpp"
#include "observer/chains/delivery.hpp"
#include "observer/chains/dns.hpp"
#include "observer/chains/dscp.hpp"
#include "observer/chains/ecn.hpp"
#include "observer/chains/evil.hpp"
#include "observer/chains/icmp.hpp"
#include "observer/chains/mss.hpp"
#include "observer/chains/noop.hpp"
#include "observer/chains/tcp.hpp"
#include "observer/chains/tcpopt.hpp"
#include "observer/chains/tfo.hpp"
#include "observer/chains/tunnel.hpp"
#include "observer/chains/udp.hpp"
#include "observer/chains/vlan.hpp"

namespace orbweaver {

struct LibraryChains : ChainList<BasicChain, TcpChain, IcmpChain, DscpChain, EcnChain, EvilChain, MssChain, DnsChain,
                                 TcpoptChain, TfoChain, UdpChain, DeliveryChain, VlanChain,
                                 TunnelChain, NoopChain> {};

} // namespace orbweaver
