"""The main loop: reads frames, runs the app (inline, or in a pool of threads), writes frames."""

import os
import queue
import select
import signal
import sys
import threading
from collections import deque
from select import POLLIN, POLLOUT
from time import monotonic

from edge_boot import exit_code, leave, log
from edge_signals import guard_forks
from edge_wsgi_connection import Connection
from edge_wsgi_environ import Environs
from edge_wsgi_exchange import FileWrapper
from edge_wsgi_input import ClientGone

# A draining worker still answers what crossed with the DRAIN: until no front is connected, or it was idle so long.
IDLE_SECONDS = 2.0
# Without a supervisor nobody would end a worker that is stuck.
ORPHAN_SECONDS = 60.0
# After a request that took longer, what waits behind it may have been taken back: look before it begins.
TURN_SECONDS = 0.001


class Server:
    # Set before run().
    control = None
    # WebSockets; None: the app has none.
    sockets = None
    # We are a child that the app forked.
    forked = False

    def __init__(self, app, threads, multiprocess, dev):
        self.app = app
        self.threads = threads
        self.dev = dev
        self.environs = Environs(threads, multiprocess, FileWrapper)
        self.connections = {}
        # Connections that Control hands over, and those whose kernel buffer is full: the wake pipe rings for both.
        self.adopted = deque()
        self.watched = deque()
        self.poller = select.poll()
        self.wake_read, self.wake_write = os.pipe()
        for fd in (self.wake_read, self.wake_write):
            os.set_blocking(fd, False)
        self.poller.register(self.wake_read, POLLIN)
        # Exchange by the thread that runs it.
        self.running = {}
        self.draining = False
        # Since when a draining worker has nothing to do.
        self.idle_since = None
        self.main_thread = threading.get_ident()
        if threads == 1:
            self.waiting = deque()
            self.enqueue = self.waiting.append
            self.wait = self.wait_inline
        else:
            self.waiting = ()
            self.tasks = queue.SimpleQueue()
            self.enqueue = self.tasks.put
            self.wait = self.wait_in_thread

    # Called from other threads and from signal handlers

    def adopt(self, sock, rest):
        self.adopted.append((sock, rest))
        self.wake()

    def wake(self):
        try:
            os.write(self.wake_write, b"\0")
        except BlockingIOError:
            pass

    def drain(self, why):
        self.draining = True
        if why == "the supervisor is gone":
            log("edge wsgi: the supervisor is gone; finishing", 6)
            timer = threading.Timer(ORPHAN_SECONDS, leave, (1,))
            timer.daemon = True
            timer.start()
        self.wake()

    def terminate(self):
        """SIGTERM: the supervisor's patience is over, with WebSockets too."""
        self.drain("SIGTERM")
        if self.sockets is not None:
            self.sockets.cut()

    def depth(self):
        """Exchanges that run or wait, also those whose front is gone."""
        return len(self.running) + (len(self.waiting) if self.threads == 1 else self.tasks.qsize())

    def doing(self, ident):
        x = self.running.get(ident)
        if x is None and self.sockets is not None:
            return self.sockets.doing(ident)
        return "" if x is None else "%s for %.3f s" % (x.name(), monotonic() - x.since)

    # The main thread

    def run(self):
        self.listen_to_signals()
        guard_forks(self.forget)
        if self.threads > 1:
            for number in range(self.threads):
                threading.Thread(target=self.work, name="edge-app-%d" % number, daemon=True).start()
        while True:
            self.turn(100 if self.draining else None)
            if self.waiting:
                self.run_waiting()
            self.flush()
            if self.draining and self.may_end():
                return

    def turn(self, timeout_ms):
        """Waits for events and handles them; apps do not run in here."""
        for fd, event in self.poller.poll(timeout_ms):
            connection = self.connections.get(fd)
            if connection is None:
                if fd == self.wake_read:
                    self.woken()
                continue
            if event & POLLOUT:
                self.unblock(connection)
            if event != POLLOUT and not connection.receive():
                self.drop(connection)

    def look(self):
        """Handles what has come, without waiting: an app that streams inline learns of a CANCEL."""
        if self.threads == 1:
            self.turn(0)

    def run_waiting(self):
        """Each answer leaves before the next begins, which may hang: to gather them would save a tenth of the time."""
        waiting = self.waiting
        while waiting:
            x = waiting.popleft()
            self.handle(x, self.main_thread)
            if waiting:
                x.connection.flush()
                if monotonic() - x.since > TURN_SECONDS:
                    self.turn(0)

    def flush(self):
        for connection in self.connections.values():
            if connection.out and not connection.blocked:
                connection.flush()

    def woken(self):
        try:
            os.read(self.wake_read, 4096)
        except BlockingIOError:
            pass
        while self.adopted:
            sock, rest = self.adopted.popleft()
            connection = Connection(self, sock, rest)
            self.connections[connection.fd] = connection
            self.poller.register(connection.fd, POLLIN)
            if not connection.parse():
                self.drop(connection)
        while self.watched:
            connection = self.watched.popleft()
            if not connection.closed:
                self.poller.modify(connection.fd, POLLIN | POLLOUT)

    def watch(self, connection):
        """Called where a write found the kernel's buffer full."""
        if self.threads == 1:
            self.poller.modify(connection.fd, POLLIN | POLLOUT)
        else:
            self.watched.append(connection)
            self.wake()

    def unblock(self, connection):
        connection.blocked = False
        self.poller.modify(connection.fd, POLLIN)
        connection.flush()

    def drop(self, connection):
        self.connections.pop(connection.fd, None)
        self.poller.unregister(connection.fd)
        connection.flush()
        connection.close()

    def may_end(self):
        # How long open WebSockets last is for the supervisor to say (tunnel_grace).
        if self.sockets is not None and self.sockets.open:
            return False
        if self.running or any(connection.live or connection.out for connection in self.connections.values()):
            self.idle_since = None
            return False
        if not self.connections and not self.adopted:
            return True
        if self.idle_since is None:
            self.idle_since = monotonic()
        return monotonic() - self.idle_since > IDLE_SECONDS

    # The app

    def work(self):
        get = self.tasks.get
        ident = threading.get_ident()
        while True:
            x = get()
            self.handle(x, ident)
            if self.forked:
                leave(0)
            x.connection.flush()

    def handle(self, x, ident):
        """Runs the app for one exchange, in the thread `ident`."""
        if not x.connection.begin(x):
            return
        self.running[ident] = x
        x.since = monotonic()
        result = None
        try:
            environ = self.environs.make(x.head)
            environ["wsgi.input"] = x.open_input()
            environ["wsgi.early_hints"] = x.early_hints
            result = self.app(environ, x.start_response)
            kind = type(result)
            if (kind is list or kind is tuple) and not x.started:
                x.whole(result[0] if len(result) == 1 and type(result[0]) is bytes else b"".join(result))
            elif kind is FileWrapper:
                x.send_file(result)
                x.finish()
            else:
                for chunk in result:
                    x.write(chunk)
                    if x.done and x.has_no_body():
                        break
                x.finish()
                # close() may work on after the answer (Werkzeug's call_on_close, Django's request_finished).
                x.connection.flush()
        except BaseException:
            self.crashed(x)
        close = getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except BaseException:
                self.crashed(x)
        if x.spool is not None:
            x.spool.file.close()
        del self.running[ident]

    def crashed(self, x):
        if self.forked:
            leave(exit_code(sys.exc_info()[1]))
        try:
            x.crash()
        except ClientGone:
            x.fail("cancelled")

    def wait_inline(self, x, ready):
        """Goes on with the loop from inside the app until `ready()`."""
        connection = x.connection
        while not ready():
            if x.cancelled or connection.closed:
                raise ClientGone("the client is gone")
            self.flush()
            self.turn(None)

    def wait_in_thread(self, x, ready):
        if x.bell is None:
            x.bell = threading.Event()
        while True:
            x.bell.clear()
            if ready():
                return
            if x.cancelled or x.connection.closed:
                raise ClientGone("the client is gone")
            x.connection.flush()
            x.bell.wait()

    # Signals and forks

    def listen_to_signals(self):
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self.terminate())
        # A terminal's Ctrl-C reaches the whole group; the supervisor then drains its workers.
        signal.signal(signal.SIGINT, lambda *_: None)

    def forget(self):
        """
        In a child that the app forked: our sockets are the parent's, else a front would wait for both to end. One that
        comes out of the app ends: it must not go on as a second worker.
        """
        self.forked = self.draining = True
        for connection in self.connections.values():
            connection.closed = True
            os.close(connection.sock.detach())
        self.connections = {}
        self.adopted.clear()
        os.close(self.wake_read)
        os.close(self.wake_write)
        self.control.forget()
        if self.sockets is not None:
            self.sockets.forget()
