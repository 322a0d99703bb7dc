# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands around a measurement: jobs filtered, results described and uploaded; and what `measure` refuses."""

import bz2
import http.server
import json
import os
import signal
import socket
import struct
import subprocess
import threading

import support
from support import ORBWEAVER, run

RESULTS = [
    {"dip": "192.0.2.1", "time": {"from": "2026-05-01 10:00:05.250000", "to": "2026-05-01 10:00:06.100000"}, "conditions": []},
    {"dip": "192.0.2.2", "time": {"from": "2026-05-01 10:00:01.900000", "to": "2026-05-01 10:00:02"}, "conditions": []},
    {"dip": "192.0.2.3", "time": {"from": "2026-05-01T10:00:03Z", "to": "2026-05-01T10:01:00.5Z"}, "conditions": []},
]
RESULT_TEXT = "".join(json.dumps(result) + "\n" for result in RESULTS)
METADATA = {"_time_start": "2026-05-01T10:00:01Z", "_time_end": "2026-05-01T10:01:00Z",
            "_file_type": "pathspider-v2-ndjson-bz2"}


class Observatory:
    """A small observatory on a port of its own: keeps what it is sent, notes what it is asked, fails when told to."""

    def __init__(self):
        self.metadata, self.data, self.requests, self.headers = {}, {}, [], []
        self.faults = []  # (method, status, body) that the next request of that method gets instead
        observatory = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self):
                observatory.handle(self)

            do_GET = do_HEAD = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = self.origin + "/raw"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.requests.append(f"{request.command} {request.path}")
        self.headers.append(dict(request.headers))
        status, answer = self.answer(request.command, request.path, body)
        request.send_response(status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer)

    def answer(self, method, path, body):
        for fault in self.faults:
            if fault[0] == method:
                self.faults.remove(fault)
                if len(fault) > 3:  # it came through all the same
                    self.work(method, path, body)
                return fault[1], fault[2].encode()
        return self.work(method, path, body)

    def work(self, method, path, body):
        if path.endswith("/data"):
            if method == "PUT":
                self.data[path] = body
                return 201, json.dumps({"__data_size": len(body)}).encode()
            return (200, self.data[path]) if path in self.data else (404, b"not found")
        if method == "PUT":
            self.metadata[path] = {**json.loads(body), "__data": self.origin + path + "/data"}
            return 201, json.dumps(self.metadata[path]).encode()
        return (200, json.dumps(self.metadata[path]).encode()) if path in self.metadata else (404, b"file not found")


class NameServer:
    """A name server on a port of its own: no name begins with "gone", "empty" has no address, "silent" gets no answer."""

    def __init__(self, test):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()
        test.addCleanup(self._socket.close)

    def _serve(self):
        while True:
            query, peer = self._socket.recvfrom(4096)
            if not query:
                return
            if answer := self._answer(query):
                self._socket.sendto(answer, peer)

    @staticmethod
    def _answer(query):
        name = query[13:13 + query[12]]
        question = query[12:query.index(0, 12) + 5]
        head = lambda flags, answers: query[:2] + struct.pack(">HHHHH", flags, 1, answers, 0, 0) + question
        if name.startswith(b"silent"):
            return None
        if name.startswith(b"gone"):
            return head(0x8183, 0)
        if name.startswith(b"empty") or not question.endswith(b"\0\1\0\1"):
            return head(0x8180, 0)
        return head(0x8180, 1) + bytes.fromhex("c00c 0001 0001 0000003c 0004 c0000201")


class Filter(support.TestCase):
    def filter(self, text, *arguments, check=0):
        path = self.path("jobs")
        with open(path, "w") as file:
            file.write(text)
        with open(path) as stdin:
            return run(ORBWEAVER, "filter", *arguments, stdin=stdin, check=check)

    def test_each_target_comes_out_once_and_as_it_came(self):
        result = self.filter('{"dip": "192.0.2.1", "x": [1, {"y": 1.0}], "_z": "kept"}\n\n{"dip":"192.0.2.1","dp":80}\n'
                             '{"dip":"2001:db8::1"}\n{"dip":"2001:DB8:0::1"}\n{"domain":"a.example"}\n')
        self.assertEqual(result.stdout.splitlines(),
                         ['{"dip": "192.0.2.1", "x": [1, {"y": 1.0}], "_z": "kept"}', '{"dip":"2001:db8::1"}',
                          '{"domain":"a.example"}'])
        self.assertIn("5 lines: 3 jobs, 0 bad lines, 2 duplicates", result.stderr)

    def test_a_port_takes_the_place_of_the_old_one_or_comes_last(self):
        lines = self.filter('{"dip":"192.0.2.1", "dp" : 80 , "rank":1}\n{"dip":"192.0.2.2"}\n{"dp":null,"dip":"192.0.2.3"}\n',
                            "--dp", "443").stdout.splitlines()
        self.assertEqual([json.loads(line) for line in lines],
                         [{"dip": "192.0.2.1", "dp": 443, "rank": 1}, {"dip": "192.0.2.2", "dp": 443},
                          {"dp": 443, "dip": "192.0.2.3"}])
        self.assertEqual(list(json.loads(lines[0])), ["dip", "dp", "rank"])

    def test_csv_becomes_ndjson_in_all_its_shapes(self):
        lines = self.filter("1,a.example\n192.0.2.1,80,b.example\n192.0.2.2,,c.example,7\n", "--csv-input").stdout
        self.assertEqual([json.loads(line) for line in lines.splitlines()],
                         [{"domain": "a.example", "rank": 1}, {"dip": "192.0.2.1", "dp": 80, "domain": "b.example"},
                          {"dip": "192.0.2.2", "domain": "c.example", "rank": 7}])

    def test_short_and_long_say_csv(self):
        self.assertEqual(self.filter("1,a.example\n", "--csv").stdout, self.filter("1,a.example\n", "--csv-input").stdout)

    def test_verbose_names_every_bad_line(self):
        text = '{"dip":"192.0.2.1"}\n' + "nonsense\n" * 130
        self.assertEqual(self.filter(text).stderr.count("standard input, line "), 100)
        self.assertEqual(self.filter(text, "--verbose").stderr.count("standard input, line "), 130)
        path = self.path("jobs")
        with open(path) as stdin:
            result = run(ORBWEAVER, "--verbose", "filter", stdin=stdin, check=0)
        self.assertEqual(result.stderr.count("standard input, line "), 130)

    def test_bad_lines_are_named_and_passed_over(self):
        result = self.filter('{"dip":"192.0.2.1"}\nnonsense\n{"dip":"192.0.2.300"}\n{"x":1}\n{"dip":"192.0.2.2"}\n')
        self.assertEqual(len(result.stdout.splitlines()), 2)
        for line in (2, 3, 4):
            self.assertIn(f"standard input, line {line}: ", result.stderr)

    def test_an_input_of_bad_lines_alone_has_failed_and_an_empty_one_has_not(self):
        errors = self.filter("1,a.example\n2,b.example\n", check=1).stderr
        self.assertIn("error: standard input: no line is a job, 2 are bad; give --csv-input where the lines are CSV\n", errors)
        self.assertIn("no line is a job, 1 is bad\n", self.filter("nonsense\n", "--csv-input", check=1).stderr)
        self.assertEqual(self.filter("\n").stdout, "")

    def test_what_cannot_be_is_refused(self):
        self.filter("", "--dp", "0", check=2)
        self.filter("", "--dp", "65536", check=2)
        self.assertIn("missing", run(ORBWEAVER, "filter", "--input", self.path("missing")).stderr)


class Files(support.TestCase):
    def results(self, name="results.ndjson", text=RESULT_TEXT):
        path = self.path(name)
        data = text.encode()
        with open(path, "wb") as file:
            file.write(bz2.compress(data) if name.endswith(".bz2") else data)
        return path

    def metadata(self, path):
        with open(path + ".meta.json") as file:
            return json.load(file)


class Metadata(Files):
    def test_the_earliest_and_latest_time_are_told_in_seconds(self):
        path = self.results()
        run(ORBWEAVER, "metadata", path, check=0)
        self.assertEqual(self.metadata(path), METADATA)

    def test_a_compressed_file_is_read_as_it_is(self):
        path = self.results("results.ndjson.bz2")
        with open(path, "ab") as file:  # a second stream behind the first
            late = {"time": {"from": "2026-06-01 00:00:00", "to": "2026-06-01 00:00:09"}}
            file.write(bz2.compress((json.dumps(late) + "\n").encode()))
        run(ORBWEAVER, "metadata", path, "-t", "ps-ndjson", check=0)
        self.assertEqual(self.metadata(path), {**METADATA, "_time_end": "2026-06-01T00:00:09Z"})

    def test_extras_are_added_and_their_values_may_have_colons(self):
        paths = [self.results("one"), self.results("two")]
        run(ORBWEAVER, "metadata", *paths, "--extra", "location:zurich", "--extra", "target:http://a:80/", check=0)
        for path in paths:
            self.assertEqual(self.metadata(path), {**METADATA, "location": "zurich", "target": "http://a:80/"})

    def test_files_may_stand_behind_the_extras(self):
        paths = [self.results("one"), self.results("two")]
        run(ORBWEAVER, "metadata", "--extra", "location:zurich", "--extra", "target:http://a:80/", *paths, check=0)
        for path in paths:
            self.assertEqual(self.metadata(path), {**METADATA, "location": "zurich", "target": "http://a:80/"})

    def test_what_is_no_result_is_named_by_its_line_and_nothing_is_written(self):
        for text, says in (("", "has no results"), (RESULT_TEXT + "{]\n", "line 4: is no JSON"),
                           (RESULT_TEXT + '{"dip":"192.0.2.9"}\n', "line 4: is no result: it has no time/from"),
                           ('{"time":{"from":"yesterday","to":"today"}}\n', "line 1: 'yesterday' is no time in UTC"),
                           ('{"time":{"from":"2026-05-01 10:00:05+02:00","to":"2026-05-01 10:00:05"}}\n', "is no time in UTC")):
            path = self.results(text=text)
            self.assertIn(says, run(ORBWEAVER, "metadata", path, check=1).stderr)
            self.assertFalse(os.path.exists(path + ".meta.json"))

    def test_nothing_is_written_before_all_is_checked(self):
        good, bad = self.results("good"), self.results("bad", "nonsense\n")
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("fifo"))
        other = self.results("other")
        with open(other + ".meta.json", "w") as file:
            file.write("mine\n")
        taken = self.results("taken")
        os.mkdir(taken + ".meta.json")
        for arguments, says, status in (([bad], "is no JSON", 1), ([self.path("missing")], "No such file", 1),
                                        (["location:zurich"], "a TAG:VALUE has --extra before it", 1),
                                        ([self.path("folder")], "is a folder", 1), ([self.path("fifo")], "no regular file", 1),
                                        ([other], "is there already, and is no metadata", 1), ([taken], "is there already", 1),
                                        (["--extra", "nothing"], "is no TAG:VALUE", 2), (["--extra", ":x"], "is no TAG:VALUE", 2),
                                        (["--extra", b"tag:\xff"], "is not UTF-8", 2)):
            self.assertIn(says, run(ORBWEAVER, "metadata", good, *arguments, check=status).stderr)
            self.assertFalse(os.path.exists(good + ".meta.json"), arguments)
        with open(other + ".meta.json") as file:
            self.assertEqual(file.read(), "mine\n")
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".part")], [])

    def test_metadata_of_before_give_way_to_new_ones(self):
        path = self.results()
        run(ORBWEAVER, "metadata", path, check=0)
        run(ORBWEAVER, "metadata", path, "--extra", "location:zurich", check=0)
        self.assertEqual(self.metadata(path), {**METADATA, "location": "zurich"})
        self.assertEqual(sorted(os.listdir(self.folder)), ["results.ndjson", "results.ndjson.meta.json"])

    def test_damaged_compression_is_named(self):
        path = self.results("results.bz2")
        with open(path, "rb") as file:
            packed = file.read()
        for damaged, says in ((packed[:-10], "is cut off"), (b"BZh9" + b"x" * 100, "damaged"), (b"", "is cut off")):
            with open(path, "wb") as file:
                file.write(damaged)
            self.assertIn(says, run(ORBWEAVER, "metadata", path, check=1).stderr)

    def test_bad_usage_is_refused(self):
        self.assertIn("FILE", run(ORBWEAVER, "metadata", check=2).stderr)
        self.assertIn("TAG:VALUE", run(ORBWEAVER, "metadata", self.results(), "--extra", "location", check=2).stderr)
        run(ORBWEAVER, "metadata", self.results(), "-t", "pcap", check=2)
        self.assertIn("missing", run(ORBWEAVER, "metadata", self.path("missing"), check=1).stderr)


class Upload(Files):
    def setUp(self):
        super().setUp()
        self.server = Observatory()
        self.addCleanup(self.server.close)

    def upload(self, path, *arguments, check=0, url=None):
        return run(ORBWEAVER, "upload", "--url", url or self.server.url, "--campaign", "spring", "--token", "secret",
                   path, *arguments, check=check)

    def sent(self, method="PUT"):
        return [line for line in self.server.requests if line.startswith(method)]

    PLACE = "/raw/spring/results.ndjson.bz2"

    def test_metadata_and_compressed_data_arrive_with_the_token(self):
        path = self.results()
        result = self.upload(path, "--add", "location:zurich")
        self.assertIn("is uploaded", result.stderr)
        self.assertEqual(self.sent(), [f"PUT {self.PLACE}", f"PUT {self.PLACE}/data"])
        self.assertEqual({key: value for key, value in self.server.metadata[self.PLACE].items() if key != "__data"},
                         {**METADATA, "location": "zurich"})
        self.assertEqual(bz2.decompress(self.server.data[self.PLACE + "/data"]).decode(), RESULT_TEXT)
        self.assertTrue(all(headers["Authorization"] == "APIKEY secret" for headers in self.server.headers))
        self.assertEqual([headers.get("Content-Type") for headers in self.server.headers[1:]],
                         ["application/json", "application/bzip2"])
        self.assertEqual(os.listdir(self.folder), ["results.ndjson"])

    def test_files_may_stand_behind_what_is_added(self):
        paths = [self.results(), self.results("other.ndjson")]
        run(ORBWEAVER, "upload", "--url", self.server.url, "--campaign", "spring", "--token", "secret", "--add", "location:zurich",
            *paths, check=0)
        self.assertEqual([metadata["location"] for metadata in self.server.metadata.values()], ["zurich"] * 2)

    def test_a_compressed_file_is_sent_as_it_is(self):
        path = self.results("results.ndjson.bz2")
        self.upload(path)
        with open(path, "rb") as file:
            self.assertEqual(self.server.data[self.PLACE + "/data"], file.read())

    def test_nothing_is_sent_twice(self):
        path = self.results()
        self.upload(path)
        self.assertIn("nothing sent", self.upload(path).stderr)
        self.assertEqual(len(self.sent()), 2)

    def test_an_upload_that_ended_between_its_parts_is_completed(self):
        self.server.faults = [("PUT", 201, json.dumps({"__data": self.server.origin + self.PLACE + "/data"}), "works"),
                              ("PUT", 400, "no room")]
        path = self.results()
        self.assertIn("400 and 'no room'", self.upload(path, check=1).stderr)
        self.upload(path)
        self.assertEqual(self.sent(), [f"PUT {self.PLACE}"] + [f"PUT {self.PLACE}/data"] * 2)

    def test_a_failure_that_may_pass_is_tried_again_and_what_came_through_is_not_sent_again(self):
        self.server.faults = [("GET", 503, "busy"), ("GET", 429, "too many"), ("PUT", 500, "lost the answer", "works")]
        result = self.upload(self.results())
        self.assertEqual(result.stderr.count("trying again in"), 3)
        self.assertEqual(self.sent(), [f"PUT {self.PLACE}", f"PUT {self.PLACE}/data"])

    def test_a_server_that_cannot_say_what_it_has_is_asked_again_before_anything_is_sent(self):
        self.upload(self.results())
        self.server.faults = [("HEAD", 503, "")]
        result = self.upload(self.results())
        self.assertIn("503", result.stderr)
        self.assertIn("nothing sent", result.stderr)
        self.assertEqual(len(self.sent()), 2)

    def test_it_gives_up_after_the_tries_that_were_asked_for(self):
        self.server.faults = [("GET", 502, "bad gateway")] * 2
        self.assertIn("502 and 'bad gateway'", self.upload(self.results(), "--retries", "1", check=1).stderr)
        self.assertEqual(len(self.sent("GET")), 2)

    def test_a_server_that_is_not_there_is_named(self):
        gone = Observatory()
        gone.close()
        self.assertIn(gone.origin, self.upload(self.results(), "--retries", "0", url=gone.url, check=1).stderr)

    def test_a_refused_token_is_told_at_once(self):
        self.server.faults = [("GET", 403, "who are you?")]
        self.assertIn("check --token", self.upload(self.results(), check=1).stderr)
        self.assertEqual(self.server.requests, [f"GET {self.PLACE}"])

    def test_wrong_answers_are_no_success(self):
        login = "<html>please log in</html>"
        for faults, says in (([("GET", 200, login)], "no metadata with a place"),
                             ([("PUT", 200, login)], "no metadata with a place"),
                             ([("PUT", 200, '{"__data": 5}')], "no metadata with a place"),
                             ([("PUT", 200, '{"__data": "http://198.51.100.1/x"}')], "another server"),
                             ([("GET", 200, "x" * 2_000_000)], "more than 1048576 octets"),
                             ([("GET", 302, "")], "302")):
            self.server.faults = list(faults)
            self.assertIn(says, self.upload(self.results(), check=1).stderr)
            self.assertEqual(self.server.data, {})
            self.server.metadata.clear()
        self.server.metadata[self.PLACE] = {"__data": self.server.origin + self.PLACE + "/data"}
        self.server.faults = [("PUT", 200, login)]
        self.assertIn("took the data, but answered", self.upload(self.results(), check=1).stderr)

    def test_two_files_of_one_name_are_refused_before_anything_is_asked(self):
        for folder in ("a", "b"):
            os.mkdir(self.path(folder))
        first = self.results("a/results.ndjson")
        for name in ("b/results.ndjson", "b/results.ndjson.bz2"):
            second = self.results(name, RESULT_TEXT.replace("192.0.2.1", "192.0.2.9"))
            errors = self.upload(first, self.results("other.ndjson"), second, check=2).stderr
            self.assertIn(f"{first} and {second} have one name on the server, results.ndjson.bz2", errors)
        self.assertEqual(self.server.requests, [])

    def test_metadata_of_ones_own_are_sent_instead(self):
        own = self.path("own.json")
        with open(own, "w") as file:
            json.dump({"_file_type": "mine"}, file)
        self.upload(self.results(text="no results\n"), "--metadata", own)
        self.assertEqual(self.server.metadata[self.PLACE]["_file_type"], "mine")

    def test_bad_usage_is_refused_before_anything_is_asked(self):
        path = self.results()
        self.assertIn("--campaign", run(ORBWEAVER, "upload", "--token", "x", path, check=2).stderr)
        self.assertIn("--token", run(ORBWEAVER, "upload", "--campaign", "x", path, check=2).stderr)
        self.assertIn("no http", self.upload(path, url="ftp://x/", check=2).stderr)
        self.assertIn("TAG:VALUE", self.upload(path, "--add", "x", check=2).stderr)
        self.assertIn("is no result", self.upload(self.results(text='{"dip":"192.0.2.1"}\n'), check=1).stderr)
        self.assertEqual(self.server.requests, [])

    def test_nothing_is_sent_before_all_is_checked(self):
        good = self.results("good.ndjson")
        damaged = self.results("damaged.bz2")
        with open(damaged, "r+b") as file:
            file.truncate(20)
        os.mkdir(self.path("folder"))
        for arguments, says, status in (([self.path("missing")], "No such file", 1), ([self.path("folder")], "is a folder", 1),
                                        ([self.results("bad", "nonsense\n")], "is no JSON", 1), ([damaged], "is cut off", 1),
                                        (["--add", "a:1", "b:2"], "a TAG:VALUE has --add before it", 1),
                                        (["--add", "a:1", "--add", "b"], "is no TAG:VALUE", 2)):
            self.assertIn(says, self.upload(good, *arguments, check=status).stderr)
        self.assertIn("is cut off", self.upload(damaged, "--metadata", self.results("own.json", "{}"), check=1).stderr)
        self.assertIn("cannot be read", self.upload(good, "--metadata", self.path("missing"), check=1).stderr)
        for url in ("http://", "http://a b/", "http://127.0.0.1:99999/", self.server.url + "?x=1", self.server.url + "#x"):
            self.assertIn("--url", self.upload(good, url=url, check=2).stderr)
        for option, value, says in (("--campaign", "..", "is no name"), ("--token", " ", "is blank")):
            options = {"--campaign": "spring", "--token": "secret", option: value}
            words = [word for pair in options.items() for word in pair]
            self.assertIn(says, run(ORBWEAVER, "upload", "--url", self.server.url, *words, good, check=2).stderr)
        self.assertEqual(self.server.requests, [])


class Measure(support.TestCase):
    def assert_refused(self, *arguments, says, check=2):
        result = run(ORBWEAVER, "measure", *arguments, check=check)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(says, result.stderr)

    def test_the_help_lists_the_plugins_and_each_plugin_shows_its_options(self):
        text = run(ORBWEAVER, "measure", "--help", check=0).stdout
        for plugin in "ecn dscp tcpopt tfo mss h2 evilbit udpzero dnsresolv".split():
            self.assertRegex(text, rf"(?m)^  {plugin} +\S")
        text = run(ORBWEAVER, "measure", "dscp", "--help", check=0).stdout
        self.assertIn("--codepoint", text)
        self.assertIn("--connect", text)

    def test_mistyped_names_are_answered_with_the_nearest(self):
        self.assert_refused("-i", "lo", "enc", says="no plugin 'enc'; did you mean 'ecn'?")
        self.assert_refused("-i", "lo", "ecn", "--conect", "tcp", says="did you mean '--connect'?")

    def test_what_is_missing_is_named(self):
        self.assert_refused("-i", "lo", says="name a plugin")
        self.assert_refused("ecn", says="-i IFACE")
        self.assert_refused("-i", "no-such-if", "ecn", says="there is no interface no-such-if; there are: ", check=1)

    def test_values_out_of_range_are_named(self):
        for option in (["-w", "0"], ["--rate", "0"], ["--timeout", "x"], ["--settle", "-1"], ["--observers", "0"],
                       ["--missed-after", "0"], ["--job-ring-mib", "0"]):
            self.assert_refused("-i", "lo", *option, "ecn", says=option[0].strip("-"))
        self.assert_refused("-i", "lo", "dscp", "--codepoint", "64", says="codepoint")
        self.assert_refused("-i", "lo", "ecn", "--connect", "dnsudp", says="connect")

    def test_a_plugin_that_watches_nothing_needs_no_interface_and_its_ledger_balances(self):
        jobs, summary = self.path("jobs"), self.path("summary")
        with open(jobs, "w") as file:
            file.write('{"domain":"name.invalid"}\n{"domain":"name.invalid"}\nnonsense\n')  # RFC 6761, 6.4
        result = run(ORBWEAVER, "measure", "--input", jobs, "--summary", summary, "dnsresolv", check=0)
        self.assertEqual(result.stdout, "")
        self.assertIn("measured 1 jobs (0 unfinished; 1 bad lines, 1 duplicates)", result.stderr)
        with open(summary) as file:
            summary = json.load(file)
        self.assert_balanced(summary)
        self.assertEqual((summary["plugin"], summary["source"], summary["end"]), ("dnsresolv", None, "complete"))
        self.assertEqual([stage["stage"] for stage in summary["stages"]], ["merger", "spider"])

    def resolve(self, domains, timeout_s="5"):
        jobs = self.path("domains")
        with open(jobs, "w") as file:
            file.writelines(json.dumps({"domain": domain}) + "\n" for domain in domains)
        return run(ORBWEAVER, "measure", "--input", jobs, "--timeout", timeout_s, "dnsresolv", "--nameserver",
                   NameServer(self).address, check=0)

    def test_a_domain_without_an_address_is_named_with_the_reason(self):
        result = self.resolve(["gone.example", "empty.example", "silent.example", "sound.example"], "0.7")
        self.assertEqual([json.loads(line) for line in result.stdout.splitlines()],
                         [{"dip": "192.0.2.1", "domain": "sound.example"}])
        for domain, why in (("gone.example", "NXDOMAIN from"), ("empty.example", "no address: NOERROR from"),
                            ("silent.example", "timed out: no answer from")):
            self.assertRegex(result.stderr, f"orbweaver-spider: warning: '{domain}' has no result: {why} 127.0.0.1:\\d+\n")
        self.assertIn("(1 ok, 2 failed, 1 timed out, ", result.stderr)

    def test_the_words_of_one_name_server_are_its_own(self):
        name_server = NameServer(self)
        jobs = self.path("domains")
        with open(jobs, "w") as file:
            file.write('{"domain":"gone.example"}\n')
        result = run(ORBWEAVER, "measure", "--input", jobs, "dnsresolv", "--nameserver", name_server.address, check=0)
        self.assertIn(f"'gone.example' has no result: NXDOMAIN from {name_server.address}\n", result.stderr)

    def test_addresses_are_not_looked_up_and_no_name_is_empty_within(self):
        domains = ["192.0.2.7", "2001:DB8::7", "B\u00fccher.example.", "a..example", ".", "sound.example", "SOUND.example."]
        result = self.resolve(domains)
        self.assertEqual([json.loads(line) for line in result.stdout.splitlines()],
                         [{"dip": "192.0.2.7", "domain": "192.0.2.7"}, {"dip": "2001:db8::7", "domain": "2001:DB8::7"},
                          {"dip": "192.0.2.1", "domain": "B\u00fccher.example."}, {"dip": "192.0.2.1", "domain": "sound.example"}])
        self.assertIn("line 4: domain is no name of a host: 'a..example' (an empty label)\n", result.stderr)
        self.assertIn("(0 unfinished; 2 bad lines, 1 duplicates)", result.stderr)

    def test_of_domains_without_an_address_the_first_ten_are_named_and_all_counted(self):
        result = self.resolve([f"gone{number}.example" for number in range(130)])
        self.assertEqual(result.stderr.count(": NXDOMAIN from 127.0.0.1:"), 12, result.stderr)  # ten, the 100th, and at the end
        self.assertRegex(result.stderr, r"warning: 130 of a kind in all, the first: 'gone\d+\.example' has no result: ")

    def test_verbose_prints_every_message(self):
        jobs = self.path("domains")
        with open(jobs, "w") as file:
            file.writelines(f'{{"domain":"gone{number}.example"}}\n' for number in range(30))
        server = NameServer(self).address
        for before, behind in ((["--verbose"], []), ([], ["--verbose"])):
            result = run(ORBWEAVER, *before, "measure", *behind, "--input", jobs, "dnsresolv", "--nameserver", server, check=0)
            self.assertEqual(result.stderr.count(": NXDOMAIN from"), 30, result.stderr)
            self.assertNotIn("of a kind", result.stderr)

    def test_an_input_of_bad_lines_alone_has_failed(self):
        jobs = self.path("jobs")
        for text, status in (("1,a.example\n2,b.example\n", 1), ("\n", 0)):
            with open(jobs, "w") as file:
                file.write(text)
            result = run(ORBWEAVER, "measure", "--input", jobs, "dnsresolv", check=status)
            self.assertEqual(result.stdout, "")
            self.assertEqual(result.stderr.count("error: "), status, result.stderr)
            self.assertEqual(f"{jobs}: no line is a job, 2 are bad; give --csv-input" in result.stderr, status == 1)

    def test_what_the_job_ring_cannot_hold_is_told(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"\1" * 65536)  # six octets each in JSON

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        jobs, ring = self.path("jobs"), f"ring:e2e-{os.getpid()}-jobs"
        with open(jobs, "w") as file:
            json.dump({"dip": "127.0.0.1", "dp": server.server_address[1]}, file)
        packets, flows = self.path("packets"), self.path("flows")  # nobody watches: there are none
        run(support.program("orbweaver-capture"), "-i", support.write_pcap(self.path("empty.pcap"), []), "--out",
            f"file:{packets}", check=0)
        run(support.program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", "basic", "tcp",
            "mss", check=0)
        merger = subprocess.Popen([support.program("orbweaver-merger"), "--jobs", ring, "--plugin", "mss", "--flows",
                                   f"file:{flows}"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(merger.kill)
        spider = run(support.program("orbweaver-spider"), "-i", "lo", "--input", jobs, "--out", ring,
                     "--job-ring-mib", "1", "mss", "--connect", "http", check=0)
        self.assertRegex(spider.stderr, r'plugin mss, job 1: "http_response_body" is left out of connection 0: its \d+ octets '
                         r"are too many: ring:\S+ takes records of at most \d+ octets; a larger --job-ring-mib holds more")
        self.assertEqual(len(merger.communicate(timeout=support.PATIENCE_S)[0].splitlines()), 1)

    def test_an_interrupt_while_nobody_writes_the_jobs_ends_in_order(self):
        fifo, session = self.path("fifo"), f"e2e-{os.getpid()}-fifo"
        os.mkfifo(fifo)
        process = subprocess.Popen([ORBWEAVER, "measure", "--input", fifo, "--session", session, "dnsresolv"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        support.wait_until(lambda: run("pgrep", "-P", str(process.pid), "-f", "orbweaver-spider --session=").stdout, "the spider")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual((process.returncode, output), (0, ""), errors)
        self.assertEqual(errors, "orbweaver: info: SIGINT: ending in order; once more ends at once\n")
        self.assertEqual(support.segments(session), [])

    def test_nobody_writes_over_the_jobs(self):
        jobs = self.path("jobs")
        with open(jobs, "w") as file:
            file.write('{"dip":"192.0.2.1"}\n')
        for option in ("--output", "--summary"):
            self.assert_refused("-i", "lo", "--input", jobs, option, jobs, "ecn", says="is the input as well")
        with open(jobs) as file:
            self.assertEqual(file.read(), '{"dip":"192.0.2.1"}\n')


if __name__ == "__main__":
    support.main()
