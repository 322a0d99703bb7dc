// SPDX-License-Identifier: GPL-3.0-or-later
// The plugins that the spider has built in. A new one is added here, in one line, and to meson.build: its file defines
// `PluginEntry orbweaver::plugins::NAME()`.
#pragma once

#include "spider/plugin.hpp"

#define ORBWEAVER_LIBRARY_PLUGINS(PLUGIN)                                                                              \
  PLUGIN(dnsresolv)                                                                                                    \
  PLUGIN(dscp)                                                                                                         \
  PLUGIN(ecn)                                                                                                          \
  PLUGIN(evilbit)                                                                                                      \
  PLUGIN(h2)                                                                                                           \
  PLUGIN(mss)                                                                                                          \
  PLUGIN(tcpopt)                                                                                                       \
  PLUGIN(tfo)                                                                                                          \
  PLUGIN(udpzero)

namespace orbweaver::plugins {

#define ORBWEAVER_DECLARE_PLUGIN(name) PluginEntry name();
ORBWEAVER_LIBRARY_PLUGINS(ORBWEAVER_DECLARE_PLUGIN)
#undef ORBWEAVER_DECLARE_PLUGIN

} // namespace orbweaver::plugins
