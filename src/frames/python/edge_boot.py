"""What happens around a Python app: its streams, its import, and what its threads are doing."""

import faulthandler
import importlib
import io
import os
import select
import signal
import sys
import threading
import traceback


class Output(io.RawIOBase):
    """
    stdout or stderr of a worker. Never raises: a log reader that is gone or slow must not become a 500
    (print() on a closed pipe raises BrokenPipeError). What cannot be written within a second is dropped.
    """

    def __init__(self, fd):
        self._fd = fd

    def fileno(self):
        return self._fd

    def writable(self):
        return True

    def isatty(self):
        return os.isatty(self._fd)

    def write(self, data):
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view:
                try:
                    view = view[os.write(self._fd, view) :]
                except BlockingIOError:
                    # poll, not select: an app may hold more than 1,024 descriptors.
                    poll = select.poll()
                    poll.register(self._fd, select.POLLOUT)
                    if not poll.poll(1000):
                        break
        except OSError:
            pass
        return size


def redirect_streams():
    """Line-buffered stdout and stderr that take any text (a C locale knows only ASCII) and never fail."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.BufferedWriter(Output(fd), 65536)
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


def log(text, level=3):
    """One entry, in one write, so that those of threads do not mix (docs/worker-protocol.md; 3 error, 4 warning, 6 info)."""
    lines = text.rstrip("\n").replace("\n", "\n<%d>\t" % level)
    sys.stderr.write("<%d>%s\n" % (level, lines))
    sys.stderr.flush()


def take_arguments():
    """
    (entry, directory, number, ...) of worker.py's command line. The app sees what a server's users see, its own name and the
    entry, and no more: programs take sys.argv[1] for theirs.
    """
    _, entry, directory, number, *more = sys.argv
    sys.argv[1:] = [entry]
    return (entry, directory, int(number), *more)


warned = set()


def warn_once(text):
    """A warning that would else come with every request."""
    # Bounded: apps may make texts of what clients send.
    if text not in warned and len(warned) < 100:
        warned.add(text)
        log(text, 4)


class BootError(Exception):
    """The app cannot be started; the message says why."""


def load_app(entry, directory, defaults):
    """
    `entry` is "module:attribute", "module:factory()" or "module", which means the first of `defaults` that it has.
    The app's folder comes first in sys.path, in place of the folder of this file.
    """
    sys.path[0:1] = [directory]
    module_name, _, attribute = entry.partition(":")
    module = importlib.import_module(module_name)
    if not attribute:
        for attribute in defaults:
            if hasattr(module, attribute):
                break
        else:
            raise BootError("module %r has no %s" % (module_name, " or ".join(map(repr, defaults))))
    call = attribute.endswith("()")
    if call:
        attribute = attribute[:-2]
    found = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise BootError("module %r has no %r" % (module_name, attribute)) from None
    if call:
        found = found()
    if not callable(found):
        raise BootError("%s is a %s, which cannot be called" % (entry, type(found).__name__))
    return found


def load_or_exit(entry, directory, defaults):
    """The app; without one the reason goes to stderr and the worker exits with 3."""
    try:
        return load_app(entry, directory, defaults)
    except BootError as error:
        log("cannot load %s: %s" % (entry, error))
    except BaseException:
        # The frames of importlib and of this file say nothing to the app's author.
        kind, error, trace = sys.exc_info()
        while trace is not None and of_the_import(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        log("cannot load %s:\n%s" % (entry, "".join(traceback.format_exception(kind, error, trace))))
    leave(3)


def of_the_import(file):
    return file in (__file__, importlib.__file__) or file.startswith("<frozen importlib")


def exit_code(error):
    """Of a process that ends by `error`, as the interpreter has it."""
    if not isinstance(error, SystemExit):
        return 1
    return 0 if error.code is None else error.code if isinstance(error.code, int) else 1


def leave(code):
    """Ends the process also when threads of the app still run."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(code)


def enable_faulthandler():
    """
    SIGUSR1 writes the stack of all threads to stderr from C: that works even where the control thread cannot run
    because an extension holds the interpreter lock (a catastrophic regular expression does).
    """
    faulthandler.enable(file=2)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)


def stacks(doing):
    """What every thread is doing, as text. `doing(ident)` names what that thread works on, "" for nothing."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, top in sys._current_frames().items():
        if ident != threading.get_ident():
            stack = "".join(traceback.format_stack(top))
            parts.append("Thread %s: %s\n%s" % (names.get(ident, ident), doing(ident) or "idle", stack))
    return "\n".join(parts)
