// SPDX-License-Identifier: GPL-3.0-or-later
// https against a TLS server with a certificate that nobody knows.
#include "spider/connect/http_connector.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

#include <csignal>
#include <mutex>
#include <openssl/ssl.h>

using namespace orbweaver;
using namespace orbweaver::loopback;
using namespace std::string_view_literals;

namespace {

struct Free {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* tls) const noexcept { SSL_free(tls); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

/// Prefers HTTP/2 where `argument` is not null.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned offered_length, void* argument) {
  const auto ours = argument ? "\x02h2\x08http/1.1"sv : "\x08http/1.1"sv;
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(&found, length, reinterpret_cast<const unsigned char*>(ours.data()),
                                            static_cast<unsigned>(ours.size()), offered, offered_length);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/// A context with a certificate that signs itself and has expired.
std::shared_ptr<SSL_CTX> make_context(bool http2) {
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Free> certificate(X509_new());
  X509_set_pubkey(certificate.get(), key.get());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), -1);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), Free());
  REQUIRE(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  static int preferred;
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, http2 ? &preferred : nullptr);
  return context;
}

/// What a server saw of its last connection.
struct Seen {
  std::mutex mutex;
  std::string server_name, request;
};

TcpServer tls_server(bool http2, Seen& seen) {
  std::signal(SIGPIPE, SIG_IGN); // a client may be gone before it is told that the server goes
  return TcpServer([&seen, context = make_context(http2)](int fd) {
    const std::unique_ptr<SSL, Free> tls(SSL_new(context.get()));
    SSL_set_fd(tls.get(), fd);
    if (SSL_accept(tls.get()) != 1)
      return;
    const std::scoped_lock lock(seen.mutex);
    const char* const name = SSL_get_servername(tls.get(), TLSEXT_NAMETYPE_host_name);
    seen.server_name = name ? name : "";
    const unsigned char* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(tls.get(), &protocol, &length);
    std::array<char, 4096> text;
    const int got = SSL_read(tls.get(), text.data(), text.size());
    seen.request.assign(text.data(), static_cast<std::size_t>(std::max(got, 0)));
    const bool is_http2 = length == 2;
    // HTTP/2: empty SETTINGS, then HEADERS that end stream 1: ":status: 200", number 8 of the table (RFC 7541, A).
    const auto response = is_http2 ? "\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x88"sv
                                   : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"sv;
    SSL_write(tls.get(), response.data(), static_cast<int>(response.size()));
    while (SSL_read(tls.get(), text.data(), text.size()) > 0)
      ;
    SSL_shutdown(tls.get());
  });
}

ConnectResult get(const Server& server, bool http2, const char* domain = "example.org") {
  EventLoop loop;
  HttpConnector connector(loop);
  auto request = request_to(server, ConnectKind::https);
  request.http2 = http2;
  request.domain = domain;
  request.timeout_ns = 3'000'000'000;
  return run(loop, connector, request);
}

} // namespace

TEST_CASE("https takes any certificate, and names the domain as its server") {
  Seen seen;
  const auto server = tls_server(false, seen);
  const auto result = get(server, false);
  CHECK(result.state == ConnectionState::ok);
  CHECK(member(result, "/http_response_code") == "200");
  CHECK(member(result, "/http_info/http_version") == "\"1.1\"");
  CHECK(member(result, "/http_info/appconnect_time") != "0.000000");
  const std::scoped_lock lock(seen.mutex);
  CHECK(seen.server_name == "example.org");
  CHECK(seen.request.starts_with("GET / HTTP/1.1\r\nHost: example.org:" + std::to_string(server.port()) + "\r\n"));
}

TEST_CASE("https without a domain names no server") {
  Seen seen;
  const auto server = tls_server(false, seen);
  CHECK(get(server, false, "").state == ConnectionState::ok);
  const std::scoped_lock lock(seen.mutex);
  CHECK(seen.server_name.empty());
}

TEST_CASE("HTTP/2 over TLS comes by ALPN, where both sides want it") {
  for (const bool wanted : {false, true})
    for (const bool offered : {false, true}) {
      Seen seen;
      const auto server = tls_server(offered, seen);
      const auto result = get(server, wanted);
      CHECK(result.state == ConnectionState::ok);
      CHECK(member(result, "/http_response_code") == "200");
      CHECK(member(result, "/http_info/http_version") == (wanted && offered ? "\"2\"" : "\"1.1\""));
      CHECK(server.connections() == 1);
    }
}
