"""
A WSGI worker of edge: worker.py ENTRY DIR THREADS, with a listening unix socket as descriptor 3.
It speaks the worker protocol, version 1. Python 3.9 or newer, and nothing beside it.
"""

import gc
import os
import sys

from edge_boot import enable_faulthandler, load_or_exit, redirect_streams, stacks
from edge_fork import fork_workers
from edge_frames import Control, hello, inherited_listener
from edge_wsgi_server import Server


def main(entry, directory, threads):
    redirect_streams()
    enable_faulthandler()
    listener = inherited_listener()
    app = load_or_exit(entry, directory, ("application", "app"))
    if "EDGE_FORK" in os.environ:
        listener = fork_workers(listener, os.environ.pop("EDGE_FORK"))
    # What was made at boot stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    server = Server(app, listener, threads, os.environ.get("EDGE_DEV") == "1")
    greeting = hello("wsgi", threads)
    Control(listener, greeting, server.adopt, server.drain, lambda: stacks(server.doing), depth=server.depth).start()
    server.run()
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
