"""wsgi.input: request bodies of any size in constant memory."""

import io
import tempfile

from edge_frames import CREDIT_STEP

# A body of unknown length is kept in memory up to this, in a temporary file above.
SPOOL_IN_MEMORY = 1 << 20


class ClientGone(ConnectionResetError):
    """The client is gone, or the deadline passed: raised where the app reads or writes."""


class BodyStream(io.RawIOBase):
    """The DATA frames of an exchange, as they come; `io.BufferedReader` makes read, readline and the rest of it."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.chunk = b""
        self.at = 0
        self.consumed = 0

    def readable(self):
        return True

    def readinto(self, target):
        exchange = self.exchange
        size = len(self.chunk) - self.at
        if size == 0:
            while True:
                # Read before the queue: the main thread may add the last bytes and the end in between.
                ended = exchange.body_ended
                if exchange.body:
                    break
                if ended:
                    return 0
                exchange.wait(exchange.body_moved)
            self.chunk = exchange.body.popleft()
            self.at = 0
            size = len(self.chunk)
            if not exchange.body_ended:
                self.grant(size)
        size = min(size, len(target))
        target[:size] = memoryview(self.chunk)[self.at : self.at + size]
        self.at += size
        if self.at == len(self.chunk):
            self.chunk = b""
            self.at = 0
        return size

    def grant(self, size):
        """Lets the front send as much again, in steps."""
        self.consumed += size
        if self.consumed >= CREDIT_STEP:
            self.exchange.grant(self.consumed)
            self.consumed = 0


class Spool:
    """A body whose length is known only at its end: PEP 3333 apps need CONTENT_LENGTH before they run."""

    def __init__(self):
        self.file = io.BytesIO()
        self.size = 0
        self.on_disk = False
        # Bytes received and not yet granted back.
        self.owed = 0

    def write(self, data):
        if not self.on_disk and self.size + len(data) > SPOOL_IN_MEMORY:
            file = tempfile.TemporaryFile(prefix="edge-body-")
            file.write(self.file.getvalue())
            self.file = file
            self.on_disk = True
        self.file.write(data)
        self.size += len(data)

    def rewound(self):
        self.file.seek(0)
        return self.file
