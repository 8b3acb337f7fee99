"""What happens around a Python app: its streams, its import, and what its threads are doing."""

import ast
import faulthandler
import html
import importlib
import io
import os
import select
import signal
import sys
import threading
import traceback


OURS = os.path.dirname(os.path.abspath(__file__))


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
    `entry` is "module:attribute", "module:factory(literals)" or "module", which means the first of `defaults` that it has.
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
    names, args, kwargs = read_attribute(attribute)
    found = module
    for part in names:
        try:
            found = getattr(found, part)
        except AttributeError:
            raise BootError("module %r has no %r" % (module_name, ".".join(names))) from None
    if args is not None:
        found = found(*args, **kwargs)
    if not callable(found):
        raise BootError("%s is a %s, which cannot be called" % (entry, type(found).__name__))
    return found


def read_attribute(text):
    """
    (names, args, kwargs) of "app", "a.b", "factory()" or "factory('production', debug=True)"; args is None without a call. As
    with Gunicorn arguments are literals: the entry is no place for code.
    """
    wrong = BootError("%r is neither a name nor a call with literals" % text)
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise wrong from None
    args = kwargs = None
    if isinstance(node, ast.Call):
        try:
            args = [ast.literal_eval(arg) for arg in node.args]
            kwargs = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
        except ValueError:
            raise wrong from None
        if None in kwargs:
            raise wrong
        node = node.func
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise wrong
    return [node.id, *names], args, kwargs


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


def trace():
    """The traceback of the exception at hand, from the app's first frame on."""
    kind, error, frames = sys.exc_info()
    top = frames
    while frames is not None and os.path.dirname(frames.tb_frame.f_code.co_filename) == OURS:
        frames = frames.tb_next
    return "".join(traceback.format_exception(kind, error, frames or top))


def error_page(head, text):
    """(content type, body) of an answer in `edge dev`: a page for who asks for one, as a browser does."""
    accepts = any(head[i].lower() == "accept" and "text/html" in head[i + 1] for i in range(12, len(head), 2))
    if not accepts:
        return b"text/plain; charset=utf-8", text.encode("utf-8", "replace")
    last = [line for line in text.rstrip("\n").split("\n") if line and not line[0].isspace()][-1]
    page = PAGE % tuple(map(html.escape, (last, last, "%s %s" % (head[0], head[1]), text)))
    return b"text/html; charset=utf-8", page.encode("utf-8", "replace")


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>%s</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}h1{font-size:1.3rem;overflow-wrap:anywhere}
pre{background:#f4f4f4;padding:1rem;overflow:auto;font-size:.9rem}@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}
pre{background:#222}}</style>
<h1>%s</h1>
<p>%s</p>
<pre>%s</pre>
"""


def stacks(doing):
    """What every thread is doing, as text. `doing(ident)` names what that thread works on, "" for nothing."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, top in sys._current_frames().items():
        if ident != threading.get_ident():
            stack = "".join(traceback.format_stack(top))
            parts.append("Thread %s: %s\n%s" % (names.get(ident, ident), doing(ident) or "idle", stack))
    return "\n".join(parts)
