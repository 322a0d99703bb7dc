// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/upload/observatory.hpp"

#include "common/printable.hpp"

#include <algorithm>
#include <cctype>
#include <curl/curl.h>
#include <memory>
#include <simdjson.h>
#include <sys/stat.h>

namespace orbweaver {

namespace {

constexpr std::size_t max_answer_octets = std::size_t{1} << 20;
constexpr long connect_patience_s = 30;
constexpr long standstill_patience_s = 60;

std::string escaped(const std::string& text) {
  char* const raw = curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size()));
  std::string copy(raw);
  curl_free(raw);
  return copy;
}

/// "https://host:port" of "https://host:port/path"; empty where it is no such URL.
std::string origin_of(const std::string& url) {
  for (const std::string scheme : {"http://", "https://"})
    if (url.starts_with(scheme) && url.size() > scheme.size())
      return url.substr(0, url.find('/', scheme.size()));
  return {};
}

/// Why a URL cannot be one that names are put behind; empty: it can.
std::string what_is_wrong(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (origin_of(url).empty() || !parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    return "is no http:// or https:// URL";
  for (const CURLUPart part : {CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    char* text = nullptr;
    const bool has = curl_url_get(parsed.get(), part, &text, 0) == CURLUE_OK;
    curl_free(text);
    if (has)
      return "has more than a path: give it without what stands behind ? or #";
  }
  return {};
}

/// What a server said, fit for one line.
std::string first_words(const std::string& body) {
  const std::string words = printable(body.substr(0, std::min<std::size_t>(body.find_first_of("\r\n"), 120)));
  return words.empty() ? "nothing" : "'" + words + "'";
}

/// Takes what comes, as much as an answer may have; less than `count` makes the transfer fail.
std::size_t take_body(const char* octets, std::size_t, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + count > max_answer_octets)
    return 0;
  text.append(octets, count);
  return count;
}

bool good(long status) noexcept {
  return status >= 200 && status < 300;
}

/// Throws for an answer that is none of those that can be worked with.
void refuse(long status, const std::string& body, const std::string& url) {
  const auto what = url + " answered " + std::to_string(status) + " and " + first_words(body);
  if (status == 401 || status == 403)
    throw Error(what + ": check --token and --campaign");
  if (status == 429 || status >= 500) // 429: too many requests (RFC 6585, 4)
    throw PassingError(what);
  throw Error(what);
}

bool is_json_object(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(text).is_object();
}

} // namespace

struct Observatory::Handle {
  CURL* easy = curl_easy_init();
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(easy); }
};

Observatory::Observatory(const std::string& url, const std::string& campaign, const std::string& token)
    : handle_(std::make_unique<Handle>()), origin_(origin_of(url)),
      base_(url + (url.ends_with('/') ? "" : "/") + escaped(campaign) + "/"), token_(token) {
  if (const auto wrong = what_is_wrong(url); !wrong.empty())
    throw UsageError("--url '" + printable(url) + "' " + wrong);
  if (campaign == "." || campaign == "..")
    throw UsageError("--campaign '" + campaign + "' is no name: it would be another place of the server");
  if (std::any_of(token.begin(), token.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }))
    throw UsageError("the token has a control character in it: a line end of the file that it came from?");
  if (!handle_->easy)
    throw Error("libcurl cannot be set up");
}

Observatory::~Observatory() = default;

Observatory::Answer Observatory::request(Method method, const std::string& url, const std::string& text,
                                         std::FILE* file) {
  CURL* const easy = handle_->easy;
  Answer answer;
  curl_easy_reset(easy);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, connect_patience_s);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, standstill_patience_s);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer.body);
  curl_slist* headers = curl_slist_append(nullptr, ("Authorization: APIKEY " + token_).c_str());
  if (method == Method::head) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (method == Method::put_text) {
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(text.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text.c_str());
  } else if (method == Method::put_file) {
    headers = curl_slist_append(headers, "Content-Type: application/bzip2");
    struct stat status {};
    if (fstat(fileno(file), &status) == 0)
      curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(status.st_size));
    std::rewind(file);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READDATA, file);
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  const CURLcode code = curl_easy_perform(easy);
  curl_slist_free_all(headers);
  if (code == CURLE_WRITE_ERROR)
    throw Error(url + " answered with more than " + std::to_string(max_answer_octets) +
                " octets: is it an observatory?");
  if (code != CURLE_OK)
    throw PassingError(url + ": " + curl_easy_strerror(code));
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

std::string Observatory::data_url(const Answer& answer, const std::string& url) const {
  simdjson::dom::parser parser;
  std::string_view data;
  if (parser.parse(answer.body)["__data"].get_string().get(data) != simdjson::SUCCESS)
    throw Error(url + " answered " + first_words(answer.body) + ", which are no metadata with a place for the data");
  if (origin_of(std::string(data)) != origin_)
    throw Error(url + " wants the data sent to " + std::string(data) + ", which is another server");
  return std::string(data);
}

Observatory::Upload Observatory::upload(const std::string& name, const std::string& metadata,
                                        const std::function<std::FILE*()>& data) {
  const auto url = base_ + escaped(name);
  auto answer = request(Method::get, url, {}, nullptr);
  const bool announced = answer.status == 200;
  if (announced && answer.body.empty())
    throw Error(url + " answered nothing");
  if (!announced) {
    if (answer.status != 404)
      refuse(answer.status, answer.body, url);
    static_cast<void>(data()); // what cannot be compressed is not announced
    answer = request(Method::put_text, url, metadata, nullptr);
    if (!good(answer.status))
      refuse(answer.status, answer.body, url);
  }
  const auto target = data_url(answer, url);
  if (announced) {
    // An upload may have ended between its two parts.
    const long there = request(Method::head, target, {}, nullptr).status;
    if (good(there))
      return Upload::was_there;
    if (there != 404 && there != 405 && there != 501) // 405, 501: a server that does not tell
      refuse(there, {}, target);
  }
  answer = request(Method::put_file, target, {}, data());
  if (!good(answer.status))
    refuse(answer.status, answer.body, target);
  if (!is_json_object(answer.body))
    throw Error(target + " took the data, but answered " + first_words(answer.body) + ", which are no metadata");
  return Upload::sent;
}

} // namespace orbweaver
