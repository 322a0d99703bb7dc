// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/http_connector.hpp"

#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"

#include <sys/epoll.h>
#include <utility>

namespace orbweaver {

namespace {

struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};

std::uint32_t epoll_events(int what) noexcept {
  return (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
}

int curl_events(std::uint32_t events) noexcept {
  return (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
         (events & EPOLLERR ? CURL_CSELECT_ERR : 0);
}

} // namespace

/// libcurl's multi handle on the event loop: libcurl says which sockets and which time it waits for, and is told of
/// them.
class HttpConnector::Multi {
public:
  class Request;

  Multi(EventLoop& loop, HttpLimits limits) : loop_(loop), limits_(limits) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_.reset(ready == CURLE_OK ? curl_multi_init() : nullptr);
    if (!multi_)
      throw Error("libcurl cannot be started: no memory?");
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Multi::watch_socket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Multi::set_timer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  }
  ~Multi() {
    multi_.reset();
    loop_.cancel(timer_);
  }

  [[nodiscard]] EventLoop& loop() noexcept { return loop_; }
  [[nodiscard]] CURLM* handle() noexcept { return multi_.get(); }
  [[nodiscard]] const HttpLimits& limits() const noexcept { return limits_; }

private:
  /// Calls Request::ended for what is done.
  void act(curl_socket_t socket, int events);

  static int watch_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* watched) noexcept;
  static int set_timer(CURLM*, long timeout_ms, void* self) noexcept;

  EventLoop& loop_;
  HttpLimits limits_;
  EventLoop::Timer timer_ = 0;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
};

class HttpConnector::Multi::Request final : public Connection {
public:
  Request(Multi& multi, const ConnectRequest& request, Completion&& done)
      : multi_(multi), transfer_(request, multi.limits()), done_(std::move(done)) {
    if (!add())
      failed_ = multi_.loop().call_soon([this] { complete(CURLE_FAILED_INIT); });
  }
  ~Request() override {
    multi_.loop().cancel(failed_);
    remove();
  }

  [[nodiscard]] HttpTransfer& transfer() noexcept { return transfer_; }

  /// libcurl is done.
  void ended(CURLcode code) {
    remove();
    if (!transfer_.again(code) || !add())
      complete(code);
  }

private:
  [[nodiscard]] bool add() noexcept {
    return transfer_.handle() && curl_easy_setopt(transfer_.handle(), CURLOPT_PRIVATE, this) == CURLE_OK &&
           curl_multi_add_handle(multi_.handle(), transfer_.handle()) == CURLM_OK;
  }

  void remove() noexcept {
    if (transfer_.handle())
      curl_multi_remove_handle(multi_.handle(), transfer_.handle()); // closes its socket
  }

  void complete(CURLcode code) {
    const Completion done = std::move(done_);
    done(transfer_.result(code)); // may destroy this
  }

  Multi& multi_;
  HttpTransfer transfer_;
  Completion done_;
  EventLoop::Timer failed_ = 0;
};

void HttpConnector::Multi::act(curl_socket_t socket, int events) {
  int running = 0, left = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &running);
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    const CURLcode code = message->data.result;
    Request* request = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
    request->ended(code);
  }
}

int HttpConnector::Multi::watch_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* watched) noexcept {
  auto& multi = *static_cast<Multi*>(self);
  try {
    if (what == CURL_POLL_REMOVE) {
      multi.loop_.forget(socket);
    } else if (watched) {
      multi.loop_.change(socket, epoll_events(what));
    } else {
      multi.loop_.watch(socket, epoll_events(what),
                        [&multi, socket](std::uint32_t events) { multi.act(socket, curl_events(events)); });
      curl_multi_assign(multi.multi_.get(), socket, self); // not null: watched
    }
  } catch (const std::exception&) { // it ends by its timeout, and says why
    Request* request = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
    request->transfer().give_up("the system refused to wait for the socket");
  }
  return 0;
}

int HttpConnector::Multi::set_timer(CURLM*, long timeout_ms, void* self) noexcept {
  auto& multi = *static_cast<Multi*>(self);
  multi.loop_.cancel(std::exchange(multi.timer_, 0));
  if (timeout_ms >= 0)
    multi.timer_ = multi.loop_.call_at(monotonic_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000, [&multi] {
      multi.timer_ = 0;
      multi.act(CURL_SOCKET_TIMEOUT, 0);
    });
  return 0;
}

HttpConnector::HttpConnector(EventLoop& loop, HttpLimits limits) : multi_(std::make_unique<Multi>(loop, limits)) {}

HttpConnector::~HttpConnector() = default;

std::unique_ptr<Connection> HttpConnector::start(const ConnectRequest& request, Completion done) {
  return std::make_unique<Multi::Request>(*multi_, request, std::move(done));
}

} // namespace orbweaver
