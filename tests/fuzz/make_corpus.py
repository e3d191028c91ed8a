#!/usr/bin/env python3
"""Writes the seeds that the fuzzers start from: corpus/<target>/<name>, small files that reach most of a parser.

    tests/fuzz/make_corpus.py            writes them
    tests/fuzz/make_corpus.py --check    says which are not what it would write; exit status 1 if any is

Bodies are the golden vectors of proto/vectors, configurations and catalogs those of config/. Files named
found-* were found by the fuzzers, are kept so that they are tried again, and are left alone; so are jwk/*,
which hold keys.
"""
import argparse
import base64
import json
import re
import struct
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORPUS = HERE / "corpus"
BODY_MAX = 2000
seeds = {}  # path -> bytes


def write(target, name, data):
    seeds[CORPUS / target / name] = data if isinstance(data, bytes) else data.encode()


def vectors():
    """(name, request) of each step of the golden vectors."""
    for file in sorted((ROOT / "proto/vectors").glob("*.json")):
        for vector in json.loads(file.read_text())["vectors"]:
            for n, step in enumerate(vector.get("steps", [])):  # player.json has none
                if "request" in step:
                    yield f"{vector['name']}-{n}", step["request"]


def repeated(value):
    """{"${repeat}": n, "value": v} is an array of n times v."""
    if isinstance(value, dict) and "${repeat}" in value:
        return [repeated(value["value"])] * min(value["${repeat}"], 300)
    if isinstance(value, dict):
        return {k: repeated(v) for k, v in value.items()}
    return [repeated(v) for v in value] if isinstance(value, list) else value


def body_of(request):
    """(encoding, bytes) of a request's body."""
    if "protobuf" in request:
        return 1, base64.b64decode(request["protobuf"]["base64"])
    if "base64" in request:
        return 1, base64.b64decode(request["base64"])
    if "json" in request:
        return 0, json.dumps(repeated(request["json"]), separators=(",", ":"), ensure_ascii=False).encode()
    return 0, request.get("text", "").encode()


def player_codec():
    seen = set()
    for name, request in vectors():
        encoding, body = body_of(request)
        shape = (encoding, re.sub(rb"\d+", b"0", body))
        if 0 < len(body) <= BODY_MAX and shape not in seen:
            seen.add(shape)
            write("player_codec", name, bytes([encoding]) + body)
    write("player_codec", "runs-257", b'\0{"runs":[' + b"0," * 256 + b"0]}")
    write("player_codec", "heartbeats-257", b"\1" + b"\x1a\0" * 257)
    write("player_codec", "unknown-fields", b"\1\x0a\0" + b"\x20\1" * 2000)


HTTP = {
    "get": "GET /v1/progress?x=1&y HTTP/1.1\r\nHost: tv.example:8080\r\nAuthorization: Bearer x.y.z\r\n\r\n",
    "length": "POST /v1/heartbeats HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\n"
    'Content-Length: 11\r\nOrigin: https://player.example\r\n\r\n{"runs":[]}',
    "chunked": "POST / HTTP/1.1\r\nhost:a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Trailer: v\r\n\r\n",
    "pipeline": "GET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n"
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: POST\r\n"
    "Access-Control-Request-Headers: authorization\r\n\r\n",
    "old": "GET /?q HTTP/1.0\r\nConnection: keep-alive, TE\r\nIf-None-Match: \"x\"\r\n\r\n",
    "encodings": "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0.5, *;q=0\r\n\r\n",
    "absolute": "GET http://tv.example?q HTTP/1.1\r\nHost: tv.example\r\nConnection: close\r\n\r\n",
    "continue": "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "two-lengths": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "both": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": "GET / HTTP/1.1\r\nHost: a\r\nAccept: a\r\n b\r\n\r\n",
    "bare-lf": "GET / HTTP/1.1\nHost: a\n\n",
    "large-chunk": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
    "space-in-name": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "long-header": "GET / HTTP/1.1\r\nHost: a\r\nAccept: " + "x" * 4100 + "\r\n\r\n",
    "long-trailer": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
    + "x" * 4100 + "\r\n\r\n",
}


def http_request():
    for name, text in HTTP.items():
        write("http_request", name, b"\3\x07\0\x40" + text.encode())


JSON = {
    "values": '[null,true,false,0,-0,1.5,1e3,-1E-2,9007199254740993,1e400,"",{}]',
    "object": ' {"a" : {"b":[ ]},\t"a":"\\u00e9\\ud83d\\ude00\\n\\u0000"}\r\n',
    "deep": "[" * 33 + "]" * 33,
    "depth": "[" * 32 + "]" * 32,
    "utf8": '"王老师\u0085é"',
    "long-number": "0." + "1" * 80 + "e-7",
    "many-zeros": "1" + "0" * 200 + "e-200",
    "lone-surrogate": '"\\ud800"',
    "lone-low-surrogate": '"\\udc00"',
    "leading-zero": "[01]",
    "trailing": "{} x",
    "unclosed": '{"a":[1,',
}


def json_texts():
    for name, text in JSON.items():
        write("json", name, text)
    for name, request in list(vectors())[:3]:
        write("json", name, body_of(request)[1])


def text8(text):
    data = text.encode()
    return bytes([len(data)]) + data


def redis_answer():
    some, late = struct.pack("<BHHH", 0, 40, 1, 0), struct.pack("<BHHH", 0, 0, 0, 121)
    write("redis_answer", "apply", b"\0\4" + b"\1" + some + b"\1" + late)
    write("redis_answer", "apply-unreadable", b"\0\3\2\1\2")
    write("redis_answer", "apply-too-much", b"\0\1" + struct.pack("<BHHH", 0, 1, 1, 0))
    masks = text8("l-1") + struct.pack("<20I", (1 << 30) - 1, 5, *[0] * 18)
    write("redis_answer", "masks", b"\1\0" + b"\1" + masks + masks)
    write("redis_answer", "masks-too-wide", b"\1\0" + b"\1" + text8("l") + struct.pack("<20I", *[1 << 31] * 20))
    total = struct.pack("<BII", 1, 3600, 27889999) + text8("c-1")
    write("redis_answer", "total", b"\2\0" + total + struct.pack("<4I", 0, 15000, 20500, 31999))
    write("redis_answer", "total-backwards", b"\2\0" + total + struct.pack("<2I", 15000, 0))
    write("redis_answer", "sum", b"\3\0" + struct.pack("<BII", 1, 777, 13) + b"c-1")
    write("redis_answer", "sum-of-another-format", b"\3\0" + struct.pack("<BII", 2, 777, 13) + b"c-1")


def resp(value):
    """A reply as Redis sends it: bytes, int, None or a list; str is a status, an exception an error."""
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(resp, value))
    if isinstance(value, Exception):
        return b"-%s\r\n" % str(value).encode()
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, str):
        return b"+%s\r\n" % value.encode()
    return b"$%d\r\n%s\r\n" % (len(value), value)


INFO = b"""# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\nused_memory:1000000\r\nmaxmemory:0\r
maxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\naof_enabled:1\r\naof_last_write_status:ok\r
rdb_last_bgsave_status:ok\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmin_slaves_good_slaves:0\r\n"""


def permissions(first="QUEUED"):
    """The replies to the question which commands are permitted; FIRST is the one to the first command."""
    n = 0
    for file, array in (("redis/permissions.c", "own_commands"), ("store/functions.c", "commands")):
        listed = re.search(rf"\*const {array}\[\] = (.*?)NULL}}", (ROOT / "daemon" / file).read_text(), re.DOTALL)
        n += len(re.findall(r'"[^"]*"(?: PERMISSIONS_KEY(?: "[^"]*")?)?,', listed[1]))
    return [ValueError("ERR DISCARD without MULTI"), "OK", first, *["QUEUED"] * (n - 1), "OK", FENCE]


FENCE = b"1"  # the number that the fuzzer's clock gives each


def redis_reply():
    which = ("minutes", "take", "sums", "grown", "lease", "watermark", "retire", "check")
    masks = b"\1" + text8("l-1") + struct.pack("<20I", *[(1 << 30) - 1, 5] * 10)
    watched = struct.pack("<BII", 1, 3600, 27889999) + text8("c-1") + struct.pack("<2I", 0, 15000)
    total = struct.pack("<BIII", 1, 777, 13, 700) + b"c-1"
    epoch = [1673000000123, 7]
    replies = {
        "minutes": [[b"27883333", b"27883332"], [b"27883332"]],
        "take": [[b"0", [b"higher/a", b"basic/b/c"]], [masks, None], watched, epoch, 1],
        "sums": [[b"l-1", total, b"l-2", total], [b"l-1", total], epoch, epoch, 1, 0, 1, 0],
        "grown": [[b"2", b"1", b"3"]],
        "lease": [[b"me", -1, 0]],
        "watermark": [[5, 6]],
        "retire": [b"27880000", [b"27883333"], None, [], 1, 1, 1],
        "check": [
            INFO,
            *permissions(),
            [b"appendfsync", b"always"],
            [b"no-appendfsync-on-rewrite", b"no"],
            [b"1673000000", b"5"],
            [[b"library_name", b"minuted_0123456789ab", b"engine", b"LUA", b"functions", []]],
            b"on",
            b"default",
            [None, None, b"spring", b"1677600000"],
            b"training",
            b"2",
            b"86400000",
            "OK",
            [b"1673000000", b"5"],
            1,
            [b"redis.partitions", b"2", b"library:minuted_a", b"1672900000", b"library:minuted_b", b"1672000000"],
            [[b"library_name", b"minuted_a"], [b"library_name", b"minuted_b"], [b"library_name", b"minuted_c"]],
            "OK",
            "OK",
            1,
            1,
        ],
    }
    for i, name in enumerate(which):
        write("redis_reply", name, bytes([i]) + b"".join(map(resp, replies[name])))
        write("redis_reply", f"{name}-refused", bytes([i | 128]) + resp(ValueError("LOADING Redis is loading")))
    write("redis_reply", "take-replicas", bytes([129]) + b"".join(map(resp, [[b"7", [b"p/a"]], [masks], watched, epoch, 1, 0])))
    unreadable = [[b"0", [b"p/a", b"p/b", b"p/c"]], [masks, masks, b"x"], ValueError("WRONGTYPE x"), watched, 7, 0]
    write("redis_reply", "take-unreadable", bytes([1]) + b"".join(map(resp, unreadable)))
    write("redis_reply", "check-replica", bytes([7]) + resp(INFO.replace(b"master", b"slave")))
    forbidden = [INFO, *permissions(first=ValueError("NOPERM no 'x' for you"))]
    write("redis_reply", "check-forbidden", bytes([7]) + b"".join(map(resp, forbidden)))
    two = [[0, 8191, [b"127.0.0.1", 7001, b"x", []]], [8192, 16383, [b"127.0.0.1", 7002, b"x", []]]]
    write("redis_reply", "cluster", bytes([8]) + resp(two))
    write("redis_reply", "cluster-null-host", bytes([8]) + resp([[0, 16383, [None, 7001, b"x", []]]]))
    write("redis_reply", "cluster-refused", bytes([8]) + resp(ValueError("NOPERM no")))
    write("redis_reply", "sentinel", bytes([9]) + resp([[b"name", b"m", b"ip", b"127.0.0.1", b"port", b"6379"]]))
    one = [[0, 16383, [b"127.0.0.1", 7001, b"x", []]]]
    write("redis_reply", "mode-cluster", bytes([10]) + resp(b"redis_mode:cluster\r\n") + resp(one))
    history = [b"123", None, FENCE, "OK", FENCE, b"123", b"456", FENCE]
    write("redis_reply", "history", bytes([11]) + b"".join(map(resp, history)))
    claimed = [None, 1, b"minuted", b"cluster-1"]
    write("redis_reply", "destination", bytes([12]) + b"".join(map(resp, claimed)))
    write("redis_reply", "lease-error-without-text", bytes([4]) + resp(ValueError("")))
    write("redis_reply", "array-of-two-thousand-million", bytes([1]) + b"*2147483647\r\n:1\r\n")
    write("redis_reply", "string-of-two-thousand-million", bytes([4]) + b"$2147483647\r\nabc")
    write("redis_reply", "nine-deep", bytes([1]) + b"*1\r\n" * 9 + b":1\r\n")
    write("redis_reply", "cut", bytes([0]) + b"*2\r\n$8\r\n2788")


def token():
    numbers = struct.pack("<2q", 1674187200500, 1674201600500)
    ids = bytes(range(16)) + numbers + "winter\0higher\0c-1\0open-1\0王老师".encode()
    names = ("winter", "higher", "王老师", "c-1", "open-1")
    payload = numbers + bytes(range(16)) + b"".join(map(text8, names))
    write("token", "ids", b"\2\x80\1" + ids)
    write("token", "ids-longest", b"\2\xff\x20" + bytes(32) + b"\0".join([b"q" * 64, b"p" * 64, b"c" * 64, b"l" * 64, b"x" * 128]))
    write("token", "payload", b"\1\x40\0" + payload)
    write("token", "payload-cut", b"\1\0\0" + payload[:-1])
    write("token", "payload-more", b"\1\0\0" + payload + b"x")
    write("token", "payload-bad-id", b"\1\0\0" + payload[:-1] + b"/")
    write("token", "text", b"\0m1.AAAAAA." + base64.urlsafe_b64encode(payload).rstrip(b"=") + b"." + b"A" * 43)


CLAIMS = '{"iss":"iss","aud":"aud","sub":"teacher-1","exp":1673003600}'
JWT = {
    "good": ('{"alg":"HS256"}', CLAIMS),
    "kid": (
        '{"alg":"HS256","kid":"k","typ":"JWT"}',
        '{"iss":"iss","aud":["x","aud"],"sub":"王","exp":1.673e9,"nbf":1672999999.5}',
    ),
    "none": ('{"alg":"none"}', CLAIMS),
    "es256": ('{"alg":"ES256"}', '{"iss":"ec","sub":"t","exp":1673003600}'),
    "dev": ('{"alg":"HS256"}', '{"iss":"minuted-dev","portal":"higher","sub":"t","exp":1673003600}'),
    "crit": ('{"alg":"HS256","crit":["x"]}', CLAIMS),
    "twice": ('{"alg":"HS256"}', CLAIMS[:-1] + ',"s\\u0075b":"other"}'),
    "expired": ('{"alg":"HS256"}', CLAIMS.replace("1673003600", "1672999970")),
    "early": ('{"alg":"HS256"}', CLAIMS[:-1] + ',"nbf":1673000031}'),
    "endless": ('{"alg":"HS256"}', CLAIMS.replace("1673003600", "1e999")),
}


def jwt():
    for name, (header, claims) in JWT.items():
        write("jwt", name, b"\1\x80" + header.encode() + b"\0" + claims.encode())
    parts = [base64.urlsafe_b64encode(p.encode()).rstrip(b"=") for p in JWT["good"]]
    write("jwt", "text", b"\0\0" + b".".join(parts) + b"." + b"A" * 43)
    write("jwt", "dev-signed", b"\2\x40" + "higher\0王老师".encode())


AUTH = (
    "auth: {session_key_file: [new.key, old.key], issuers: [{issuer: i, portal: p, secret_file: p.key}]}\n"
    "catalog: c.yaml\n"
)
CONFIG = {
    "small": b"\0" + AUTH.encode(),
    "empty-dev": b"\1",
    "environment": b"\0" + AUTH.encode() + b"\0MINUTED_HTTP_LISTEN=[::1]:80\0MINUTED_REDIS_DURABILITY=replicas:2\0"
    b"publish.running_minutes=5s",
    "overrides": b"\1\0http.listen=127.0.0.1:0,unix:/tmp/x\0redis.linger=0.5ms\0kafka.properties.linger.ms=5\0"
    b"http.base_path=/x",
    "properties": b"\0" + AUTH.encode() + b"kafka:\n  format: json\n  properties:\n    ssl.key.password_file: p.key\n"
    b"    client.id: 'x'\n",
    "typos": b"\0htpp: {}\nhttp: {listn: x, max_body: 12MB}\nauth: {isuers: []}\n",
    "relations": b"\0" + AUTH.encode() + b"heartbeats: {interval: 60s, max_interval: 30s}\npublish: {grace: 71s}\n",
    "keys": b"\1auth: {session_key: 'a session key of thirty-two bytes', session_key_file: x.key}\n",
    "issuers": b"\0" + b"catalog: c\nauth:\n  session_key: a session key of thirty-two bytes\n  issuers:\n"
    b"    - {issuer: a, portal: p, public_key_file: a.pem, audience: x}\n"
    b"    - {issuer: b, portal: q, jwks_file: b.json}\n",
}


def without_comments(text):
    lines = (re.sub(r"(^|\s+)#.*", "", line) for line in text.splitlines())
    return "\n".join(line for line in lines if line.strip()) + "\n"


def config():
    for name, data in CONFIG.items():
        write("config", name, data)
    for file in ("minuted.yaml", "demo.yaml"):
        text = without_comments((ROOT / "config" / file).read_text())
        write("config", file, b"\0" + text.encode())


CATALOG = """program: p
timezone: Asia/Shanghai
portals: [{id: a, tests: required}, {id: b, certificate: all_hours}]
courses:
  - id: c
    opens: 2022-12-02
    closes: 2023-02-28
    hours: 1.5
    lessons: [{id: l-1, title: 识别, length: 910}, {id: l-2}]
"""


def catalog():
    write("catalog", "small", CATALOG)
    write("catalog", "gap", CATALOG.replace("Asia/Shanghai", "America/Sao_Paulo").replace("2022-12-02", "2018-11-04"))
    write("catalog", "backwards", CATALOG.replace("2022-12-02", "2023-03-02"))
    write("catalog", "same-lesson", CATALOG.replace("l-2", "l-1"))
    write("catalog", "leap", CATALOG.replace("2023-02-28", "2024-02-29"))
    write("catalog", "quoted", CATALOG.replace("识别", '"\\u738b\\N\\L\\" \\x41"'))
    write("catalog", "anchors", "a: &x [1]\nb: *x\n")
    write("catalog", "documents", "---\na: 1\n---\nb: 2\n")
    write("catalog", "nested", "a: " + "[" * 20)
    write("catalog", "block", "program: |\n  a\n  b\ntimezone: >-\n  Asia/\n  Shanghai\n")
    write("catalog", "not-utf8", b"program: \xff\xfe\n")
    for file in ("winter-2023.yaml", "demo.yaml"):
        write("catalog", file, without_comments((ROOT / "config" / file).read_text()))


def varint(value):
    data = b""
    while value > 0x7F:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def field(number, value):
    """A protobuf field: bytes or a varint."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2, len(value)]) + value
    return bytes([number << 3]) + varint(value)


def stream_record():
    minute, mask, epoch = 1672900800, 0x800000000000005, 1672900801234
    program, names = field(1, b"winter-2023"), [field(2, b"higher"), field(3, "王/老师".encode())]
    lesson = [field(4, b"c-1"), field(5, b"l-1")]
    learner = "winter-2023/higher/l-1/王/老师"
    ids = {"program": "winter-2023", "portal": "higher", "learner_id": "王/老师", "course_id": "c-1", "lesson_id": "l-1"}
    covered = [500, 6000, 7000, 4294967295]
    watermark = {"program": "winter-2023", "deployment": "default", "held_by": [1, 200]}
    records = [
        (0, learner, b"".join([program, *names, *lesson, field(6, 4321), field(7, 6 + 4294960),
                               field(8, b"".join(map(varint, covered))), field(9, minute), field(10, epoch)]),
         ids | {"watched_seconds": 3, "covered_seconds": 6 + 4294960, "covered": covered, "last_minute_start": minute,
                "epoch": epoch}),
        (1, f"{minute}/{learner}", b"".join([program, *names, *lesson, field(6, minute), b"\x39", struct.pack("<Q", mask),
                                             field(8, 3)]),
         ids | {"watched_seconds": 3, "minute_start": minute, "seconds_mask": f"{mask:015x}"}),
        (2, f"{minute}/winter-2023/l-1", b"".join([program, field(2, b"c-1"), field(3, b"l-1"), field(4, minute),
                                                   field(5, 77), field(6, 3)]),
         {"program": "winter-2023", "course_id": "c-1", "lesson_id": "l-1", "minute_start": minute, "watched_seconds": 77,
          "learners": 3}),
        (3, "winter-2023/default", b"".join([program, field(2, b"default"), field(4, minute + 60), field(5, minute - 86400),
                                             field(6, varint(1) + varint(200))]),
         watermark | {"published_through": minute + 60, "final_through": minute - 86400}),
        (3, "winter-2023/default/9", b"".join([program, field(2, b"default"), field(3, 9), field(7, epoch), field(8, 17)]),
         watermark | {"held_by": [], "partition": 9, "epoch": epoch, "taken": 17}),
    ]
    kinds = ["0", "1", "2", "3", "partition"]
    for kind, (topic, key, protobuf, fields) in zip(kinds, records, strict=True):
        key = key.encode()
        text = json.dumps(fields, ensure_ascii=False).encode()
        write("stream_record", f"protobuf-{kind}", bytes([topic, len(key)]) + key + protobuf)
        write("stream_record", f"json-{kind}", bytes([topic + 4, len(key)]) + key + text)
    total, evidence = records[0][3], records[1][3]
    for name, topic, fields in (
            ("mask-not-hexadecimal", 1, evidence | {"seconds_mask": "80000000000000g", "watched_seconds": 2}),
            ("wrong-sum", 1, evidence | {"watched_seconds": 4}),
            ("stretches-not-sorted", 0, total | {"covered": [7000, 8000, 500, 6000], "covered_seconds": 7}),
            ("stretches-without-sum", 0, total | {"covered_seconds": 4}),
            ("both-watermarks", 3, records[3][3] | records[4][3]),
            ("no-watermark", 3, watermark)):
        write("stream_record", name, bytes([topic + 4, 0]) + json.dumps(fields, ensure_ascii=False).encode())


def is_kept(path):
    """Whether it is none of ours."""
    return path.name.startswith("found-") or path.parent.name == "jwk"


def check():
    """What is wrong with the files that are there."""
    stored = {path: path.read_bytes() for path in CORPUS.glob("*/*") if not is_kept(path)}
    return ([f"{path.relative_to(HERE)} is missing" for path in sorted(seeds.keys() - stored.keys())]
            + [f"{path.relative_to(HERE)} is not written here" for path in sorted(stored.keys() - seeds.keys())]
            + [f"{path.relative_to(HERE)} is out of date" for path in sorted(seeds.keys() & stored.keys())
               if seeds[path] != stored[path]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    for make in (player_codec, http_request, json_texts, redis_answer, redis_reply, token, jwt, config, catalog,
                 stream_record):
        make()
    if options.check:
        problems = check()
        print("\n".join([*problems, f"seeds: {len(seeds)}, {len(problems)} to be written anew"]))
        return bool(problems)
    for path, data in seeds.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return False


if __name__ == "__main__":
    sys.exit(main())
