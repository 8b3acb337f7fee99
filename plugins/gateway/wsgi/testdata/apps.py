"""One app per behaviour, chosen by the first segment of the path."""

import hashlib
import json
import os
import re
import resource
import sys
import threading
import time
from wsgiref.validate import validator

closed = []


def environ(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({k: v if isinstance(v, (str, bool, list, tuple)) else type(v).__name__ for k, v in environ.items()}).encode()]


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Length", environ.get("CONTENT_LENGTH", "none"))])
    return [body]


def checked_echo(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def checked_generator(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"a")
    def pieces():
        yield b"b"
        yield b""
        yield b"c"
    return pieces()


valid_echo = validator(checked_echo)
valid_generator = validator(checked_generator)


def reads(environ, start_response):
    i = environ["wsgi.input"]
    out = [i.read(3), i.readline(), i.readline(2), i.readline(), *i.readlines(), i.read(), i.read(10)]
    start_response("200 OK", [])
    return [json.dumps([x.decode() for x in out]).encode()]


def iterates(environ, start_response):
    out = [line.decode() for line in environ["wsgi.input"]]
    start_response("200 OK", [])
    return [json.dumps(out).encode()]


def digest(environ, start_response):
    h = hashlib.sha256()
    n = 0
    while True:
        data = environ["wsgi.input"].read(65536)
        if not data:
            break
        n += len(data)
        h.update(data)
    start_response("200 OK", [])
    return [json.dumps({"bytes": n, "sha256": h.hexdigest(), "rss_kb": rss()}).encode()]


def rss():
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read()).group(1))


def memory(environ, start_response):
    start_response("200 OK", [])
    return [str(rss()).encode()]


def download(environ, start_response):
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(size))])
    piece = b"d" * 65536
    while size > 0:
        yield piece[:size]
        size -= len(piece)


def one_large(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"z" * int(environ["QUERY_STRING"])]


def file(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    f = open(environ["QUERY_STRING"], "rb")
    f.seek(5)
    return environ["wsgi.file_wrapper"](f)


def file_range(environ, start_response):
    start_response("206 Partial Content", [("Content-Length", "10")])
    f = open(environ["QUERY_STRING"], "rb")
    return environ["wsgi.file_wrapper"](f, 4)


class OwnReader:
    """Has read(), and nothing else."""
    def __init__(self):
        self.left = 3

    def read(self, size):
        self.left -= 1
        return b"piece" if self.left >= 0 else b""

    def close(self):
        closed.append("own_reader")


def own_reader(environ, start_response):
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](OwnReader())


class Closing:
    def __init__(self, name, pieces, fails=False):
        self.name, self.pieces, self.fails = name, pieces, fails

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        closed.append(self.name)
        if self.fails:
            raise RuntimeError("close failed")


def closing(environ, start_response):
    start_response("200 OK", [])
    return Closing(environ["QUERY_STRING"], [b"x", b"y"])


def close_fails(environ, start_response):
    start_response("200 OK", [("Content-Length", "1")])
    return Closing("close_fails", [b"x"], fails=True)


def what_closed(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(closed).encode()]


def endless(environ, start_response):
    start_response("200 OK", [])
    try:
        while True:
            yield b"tick\n"
            time.sleep(0.005)
    finally:
        closed.append("endless")


def endless_file(environ, start_response):
    class Zeros(OwnReader):
        def read(self, size):
            return b"0" * size

        def close(self):
            closed.append("endless_file")

    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](Zeros())


def stepwise(environ, start_response):
    """The second piece waits for a file, so the first must have left before."""
    start_response("200 OK", [])
    yield b"first"
    deadline = time.monotonic() + 20
    while not os.path.exists(environ["QUERY_STRING"]) and time.monotonic() < deadline:
        time.sleep(0.01)
    yield b"second"


def writes(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one ")
    write(b"two ")
    return [b"three"]


def too_long(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"12345678"]


def too_long_pieces(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    yield b"123"
    yield b"456"
    yield b"789"
    closed.append("too_long_pieces")


def too_short(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"123"]


def empty(environ, start_response):
    start_response("200 OK", [])
    return []


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return [b"not to be sent"]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"a"')])
    yield b"not to be sent"


def lazy(environ, start_response):
    """start_response is called when the first piece is asked for."""
    start_response("201 Created", [])
    yield b""
    yield b"lazy"


def fails(environ, start_response):
    raise ValueError("the secret reason")


def fails_late(environ, start_response):
    start_response("200 OK", [])
    yield b"begun"
    raise ValueError("late")


def fails_after_start(environ, start_response):
    start_response("200 OK", [("X-Lost", "1")])
    raise ValueError("before the body")


def exits(environ, start_response):
    sys.exit(7)


def corrects(environ, start_response):
    start_response("200 OK", [])
    try:
        raise ValueError
    except ValueError:
        start_response("503 Service Unavailable", [("X-Corrected", "1")], sys.exc_info())
    return [b"sorry"]


def corrects_late(environ, start_response):
    write = start_response("200 OK", [])
    write(b"begun")
    try:
        raise ValueError("too late")
    except ValueError:
        start_response("503 Service Unavailable", [], sys.exc_info())
    return [b"never"]


def starts_twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b""]


def never_starts(environ, start_response):
    return [b"body"]


def returns_text(environ, start_response):
    start_response("200 OK", [])
    return ["text"]


def yields_text(environ, start_response):
    start_response("200 OK", [])
    yield "text"


def returns_none(environ, start_response):
    start_response("200 OK", [])


BAD = {
    "status_number": (200, []),
    "status_bytes": (b"200 OK", []),
    "status_split": ("200 OK\r\nX: y", []),
    "status_interim": ("101 Switching Protocols", []),
    "headers_dict": ("200 OK", {"ab": "c"}),
    "name_bytes": ("200 OK", [(b"A", "b")]),
    "name_space": ("200 OK", [("A b", "c")]),
    "name_newline": ("200 OK", [("A\n", "c")]),
    "name_empty": ("200 OK", [("", "c")]),
    "value_bytes": ("200 OK", [("A", b"b")]),
    "value_number": ("200 OK", [("A", 1)]),
    "value_split": ("200 OK", [("A", "b\r\nSet-Cookie: x=y")]),
    "value_nul": ("200 OK", [("A", "b\0C")]),
    "value_wide": ("200 OK", [("A", "\u010a")]),
    "one_of_three": ("200 OK", [("A", "b", "c")]),
    "length_word": ("200 OK", [("Content-Length", "many")]),
    "length_two": ("200 OK", [("Content-Length", "1"), ("content-length", "2")]),
}


def bad(environ, start_response):
    start_response(*BAD[environ["QUERY_STRING"]])
    return [b"x"]


def drops(environ, start_response):
    start_response("200 Fine", [("Connection", "keep-alive"), ("Date", "now"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-L", "caf\xe9")])
    return [b"x"]


def prints(environ, start_response):
    print("printed \u2713 \ud800")
    sys.stdout.write("y" * 200000 + "\n")
    environ["wsgi.errors"].write("to wsgi.errors\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [])
    return [b"printed"]


def closes_stdout(environ, start_response):
    os.close(1)
    print("nobody reads this" * 1000)
    start_response("200 OK", [])
    return [b"fine"]


def ignores_body(environ, start_response):
    start_response("413 Content Too Large", [])
    return [b"no"]


def slow(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [])
    return [threading.current_thread().name.encode()]


together = threading.Barrier(4)


def meets(environ, start_response):
    """Answers only if four of these run at once."""
    together.wait(20)
    start_response("200 OK", [])
    return [b"met"]


def spins(environ, start_response):
    while True:
        pass


def locks_interpreter(environ, start_response):
    re.match(r"(a+)+$", "a" * 40 + "b")


def forks(environ, start_response):
    pid = os.fork()
    if pid == 0:
        sys.exit(5)
    _, status = os.waitpid(pid, 0)
    start_response("200 OK", [])
    return [str(os.waitstatus_to_exitcode(status)).encode()]


def outlived(environ, start_response):
    """A child that goes on after the worker must not keep the worker's sockets open."""
    pid = os.fork()
    if pid == 0:
        os.closerange(0, 3)
        time.sleep(15)
        os._exit(0)
    start_response("200 OK", [])
    return [str(pid).encode()]


def application(environ, start_response):
    name = environ["PATH_INFO"].split("/")[1]
    return globals()[name](environ, start_response)


def make_with(name, *, debug=False, more=()):
    assert (name, debug, more) == ("it's (:x", True, [1, None])
    return application


def make():
    return application


class Holder:
    inner = staticmethod(application)
