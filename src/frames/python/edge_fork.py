"""
A warm parent: it has imported the app, and forks a worker whenever the supervisor asks (docs/worker-protocol.md, "Forking").
What the import made is shared between all of them until somebody writes to it.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import threading

from edge_boot import log


def fork_workers(listener, output):
    """Returns in every worker, with its own listener; never in the parent. `output`: where workers' stdout and stderr go."""
    if threading.active_count() > 1:
        names = ", ".join(t.name for t in threading.enumerate() if t is not threading.current_thread())
        log("edge: preload: threads that the import started do not exist in the workers: %s" % names, 4)
    supervisor, _ = listener.accept()
    listener.close()
    # The collector would write to every object that it looks at, and so end the sharing.
    gc.collect()
    gc.freeze()
    return Parent(supervisor, output).run()


class Parent:
    def __init__(self, supervisor, output):
        self.supervisor = supervisor
        self.output = output
        self.buffer = b""
        self.wake_read, self.wake_write = os.pipe()
        for fd in (self.wake_read, self.wake_write):
            os.set_blocking(fd, False)
        # A handler of our own, else the signal is ignored and the pipe silent.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write)
        self.say({"ready": os.getpid()})

    def run(self):
        while True:
            ready, _, _ = select.select([self.supervisor, self.wake_read], [], [])
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
                self.reap()
            if self.supervisor in ready:
                data = self.supervisor.recv(65536)
                if not data:
                    # Workers see the end of their own connection to the supervisor.
                    os._exit(0)
                self.buffer += data
                while b"\n" in self.buffer:
                    line, self.buffer = self.buffer.split(b"\n", 1)
                    listener = self.fork(json.loads(line))
                    if listener is not None:
                        return listener

    def fork(self, order):
        """The listener in the worker, None in the parent."""
        try:
            # Made before the fork: the supervisor may connect as soon as it hears of the worker.
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(order["socket"])
            os.chmod(order["socket"], 0o600)
            listener.listen(128)
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
        except OSError as error:
            self.say({"failed": order["fork"], "error": str(error)})
            return None
        if pid:
            listener.close()
            self.say({"forked": order["fork"], "pid": pid})
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.supervisor.close()
        for fd in (self.wake_read, self.wake_write):
            os.close(fd)
        # A group of its own, so that what it starts can be ended with it.
        os.setpgid(0, 0)
        out = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        out.connect(self.output)
        out.sendall(b"%d\n" % order["fork"])
        for fd in (1, 2):
            os.dup2(out.fileno(), fd)
        out.close()
        os.environ.update(order["env"])
        return listener

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            killed = os.WIFSIGNALED(status)
            name = signal.Signals(os.WTERMSIG(status)).name if killed else None
            self.say({"exited": pid, "code": None if killed else os.WEXITSTATUS(status), "signal": name})

    def say(self, message):
        try:
            self.supervisor.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(0)
