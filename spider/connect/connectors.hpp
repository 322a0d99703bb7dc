// SPDX-License-Identifier: GPL-3.0-or-later
// Which connector makes which kind of connection. At start-up.
#pragma once

#include "spider/connect/connector.hpp"
#include "spider/engine/event_loop.hpp"

#include <memory>

namespace orbweaver {

/// The connector of a kind; the loop must outlive it. Throws UsageError for a kind that is only forged (tcpsyn).
[[nodiscard]] std::unique_ptr<Connector> make_connector(ConnectKind kind, EventLoop& loop);

} // namespace orbweaver
