"""One request and its answer: start_response, write, and the frames that leave."""

import io
from collections import deque

from edge_boot import error_page, log, trace
from edge_frames import CREDIT, CREDIT_STEP, DATA, EARLY, END, ERROR, FIRST_CREDIT
from edge_wsgi_head import check_head, interim_head
from edge_wsgi_input import BodyStream, ClientGone

# Largest piece of a body in one frame; not above FIRST_CREDIT.
PIECE = 262144


class FileWrapper:
    """wsgi.file_wrapper: sent in large pieces, without a bytes object for each."""

    def __init__(self, filelike, blksize=8192):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration


class Exchange:
    """The main thread adds to `body`, `granted`, `cancelled`; the thread that runs the app does the rest."""

    # Defaults stand in the class: most exchanges never touch them.

    # A body of unknown length that is being collected.
    spool = None
    # Credit for the answer; two counters with one writer each need no lock.
    granted = FIRST_CREDIT
    spent = 0
    cancelled = False
    # Rung by the main thread when something came; made by a pool thread that has to wait.
    bell = None
    # Bytes of the RESPONSE head, its status, and its Content-Length (-1: none).
    answer = None
    code = 0
    length = -1
    # Bytes of body sent.
    sent = 0
    # The app runs or ran.
    begun = False
    # The RESPONSE frame left; and a frame with END left.
    started = False
    done = False
    # When the app began, on the monotonic clock in seconds.
    since = 0.0

    def __init__(self, connection, id, head, body, body_ended):
        self.connection = connection
        self.id = id
        # Fields of the REQUEST head.
        self.head = head
        # Received and not yet read by the app: bytes when all of it came with the head, else a deque of chunks.
        self.body = body
        self.body_ended = body_ended

    # What the app sees

    def start_response(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                # Breaks the circle of traceback and frame.
                exc_info = None
        elif self.answer is not None:
            raise AssertionError("start_response was called before; only an error may replace the headers")
        self.code, self.answer, self.length = check_head(status, headers)
        return self.write

    def early_hints(self, headers):
        """wsgi.early_hints, as Gunicorn has it: 103 with these headers, now; nothing once the answer has begun."""
        if self.started or self.done or self.cancelled:
            return
        pairs = [tuple(part.decode("latin-1") if isinstance(part, bytes) else part for part in pair) for pair in headers]
        head = interim_head(pairs)
        self.connection.emit(self, EARLY, 0, head, len(head))
        self.connection.flush()

    def write(self, data):
        """Sends one piece of body at once."""
        if type(data) is not bytes and not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("the body must be bytes, not %s" % type(data).__name__)
        size = len(data)
        if size == 0:
            self.leave_head()
            return
        if self.length >= 0 and self.sent + size > self.length:
            data = self.truncated(data)
            size = len(data)
        if self.done:
            return
        if not self.started:
            self.begin()
            if self.done:
                return
            if size <= PIECE:
                self.respond(data, END if size == self.length else 0)
                self.connection.flush()
                return
        self.stream_out(data, size)

    def stream_out(self, data, size):
        """Body bytes as credit comes; noticing in between that the client is gone."""
        view = data if size <= PIECE else memoryview(data).cast("B")
        at = 0
        while at < size:
            n = min(self.room(), size - at)
            piece = view if n == size else view[at : at + n]
            at += n
            flags = END if self.sent + n == self.length else 0
            if self.started:
                self.sent += n
                self.spent += n
                if flags:
                    self.done = True
                self.connection.emit(self, DATA, flags, piece)
            else:
                self.respond(piece, flags)
            self.connection.flush()
            if not self.done:
                self.connection.server.look()
                if self.cancelled:
                    raise ClientGone("the client is gone")

    # The answer

    def has_no_body(self):
        return self.head[0] == "HEAD" or self.code == 304 or self.code == 204

    def begin(self):
        """Before the first byte of the body: an answer that has none ends here."""
        if self.answer is None:
            raise AssertionError("the body began before start_response was called")
        if self.has_no_body():
            self.respond(b"", END)
            self.connection.flush()

    def leave_head(self):
        """An empty piece sends the head, as with Gunicorn: what follows may be long in coming, and is not waited for."""
        if self.answer is None or self.started or self.done:
            return
        self.begin()
        if not self.started:
            self.respond(b"", END if self.length == 0 else 0)
            self.connection.flush()

    def respond(self, data, flags):
        """The RESPONSE frame, with the first piece of the body."""
        self.started = True
        if flags:
            self.done = True
        else:
            self.sent = self.spent = len(data)
        if type(data) is not bytes:
            # A view on a buffer that is used again.
            data = bytes(data)
        self.connection.emit_head(self.id, self.answer, flags, data)

    def whole(self, data):
        """The complete body, when nothing was written before: with a Content-Length of its own if the app gave none."""
        size = len(data)
        if self.answer is None:
            raise AssertionError("start_response was not called")
        if size == self.length and size <= PIECE and self.head[0] != "HEAD" and self.code != 304:
            self.respond(data, END)
        elif self.has_no_body():
            if self.length < 0 and self.head[0] == "HEAD" and self.code >= 200 and size:
                self.answer += b"\0Content-Length\0%d" % size
            self.respond(b"", END)
        elif self.length < 0:
            self.answer += b"\0Content-Length\0%d" % size
            self.length = size
            if size <= PIECE:
                self.respond(data, END)
            else:
                self.write(data)
        else:
            if size:
                self.write(data)
            self.finish()

    def finish(self):
        """After the last piece of the body."""
        if self.done:
            return
        if self.answer is None:
            raise AssertionError("start_response was not called")
        if 0 <= self.sent < self.length and not self.has_no_body():
            self.fail("body of %s ended after %d bytes of %d" % (self.name(), self.sent, self.length))
        elif self.started:
            self.connection.emit(self, DATA, END, b"")
            self.done = True
        else:
            if self.length < 0 and not self.has_no_body():
                self.answer += b"\0Content-Length\x000"
            self.respond(b"", END)

    def send_file(self, file):
        """A file in pieces of up to 256 kB, through one buffer."""
        read_into = getattr(file.filelike, "readinto", None)
        view = memoryview(bytearray(PIECE))
        while not self.done:
            if self.granted - self.spent < CREDIT_STEP:
                self.wait(self.credit_for_step)
            size = min(self.granted - self.spent, PIECE)
            if self.length >= 0:
                size = min(size, self.length - self.sent)
            if read_into is None:
                data = file.filelike.read(size)
            else:
                data = view[: read_into(view[:size]) or 0]
            if not data:
                break
            self.write(data)

    def truncated(self, data):
        log("edge wsgi: %s gave more than its Content-Length of %d bytes; the rest is not sent"
            % (self.name(), self.length))
        return data[: self.length - self.sent]

    def crash(self):
        """The app raised: 500 while that can still be said, else the answer is cut so that it does not look whole."""
        if self.cancelled:
            if not self.done:
                self.fail("cancelled")
            return
        text = trace()
        log("edge wsgi: error in %s\n%s" % (self.name(), text))
        if self.done:
            return
        if self.started:
            self.fail("the app raised an exception after its headers")
            return
        kind, body = b"text/plain; charset=utf-8", b"Internal Server Error\n"
        if self.connection.server.dev:
            kind, body = error_page(self.head, text)
        self.answer = b"500\0\0Content-Type\0" + kind
        self.code = 500
        self.length = -1
        self.whole(body[:PIECE])

    def fail(self, text):
        """Ends the exchange with ERROR."""
        self.done = True
        self.connection.emit(self, ERROR, END, text.encode("utf-8", "replace")[:1024])

    # Waiting

    def room(self):
        """Credit; waits for some."""
        if self.granted == self.spent:
            self.wait(self.credit_moved)
        return min(self.granted - self.spent, PIECE)

    def credit_moved(self):
        return self.granted > self.spent

    def credit_for_step(self):
        return self.granted - self.spent >= CREDIT_STEP

    def body_moved(self):
        return self.body or self.body_ended

    def wait(self, ready):
        """Until `ready()`; ClientGone once nobody waits for the answer."""
        self.connection.server.wait(self, ready)

    def ring(self):
        """Something came: wakes the thread that waits for it."""
        if self.bell is not None:
            self.bell.set()

    def stream(self, first):
        """The body comes in pieces, of which this is the first."""
        self.body = deque()
        if first:
            self.body.append(first)

    def grant(self, size):
        self.connection.emit(self, CREDIT, 0, b"", size)
        self.connection.flush()

    def open_input(self):
        """wsgi.input."""
        if self.spool is not None:
            return self.spool.rewound()
        if type(self.body) is bytes:
            return io.BytesIO(self.body)
        return io.BufferedReader(BodyStream(self), CREDIT_STEP)

    def name(self):
        return "%s %s" % (self.head[0], self.head[1])
