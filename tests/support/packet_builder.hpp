// SPDX-License-Identifier: GPL-3.0-or-later
// Test packets, layer by layer, with right lengths and checksums unless told otherwise:
//
//     using namespace orbweaver::craft;
//     const Bytes frame = ethernet() / ipv4("10.0.0.1", "10.0.0.2").ttl(64) / tcp(1234, 80).syn().mss(1460);
//
// Depends on nothing else of the project. Layers are values; keep one (or a Packet of several) and use it again.
#pragma once

#include "tests/support/bytes.hpp"
#include "tests/support/capture_headers.hpp"
#include "tests/support/dns_message.hpp"
#include "tests/support/fragments.hpp"
#include "tests/support/icmp_layers.hpp"
#include "tests/support/ip_layers.hpp"
#include "tests/support/link_layers.hpp"
#include "tests/support/packet.hpp"
#include "tests/support/tag_layers.hpp"
#include "tests/support/transport_layers.hpp"
#include "tests/support/tunnel_layers.hpp"
