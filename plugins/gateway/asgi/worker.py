"""
An ASGI worker of edge: worker.py ENTRY DIR CONCURRENCY, with a listening unix socket as descriptor 3.
It speaks the worker protocol, version 1. Python 3.9 or newer, and nothing beside it; uvloop when the app has it.
"""

import gc
import os
import sys

from edge_asgi_server import Server, new_loop, serve
from edge_boot import enable_faulthandler, leave, load_or_exit, redirect_streams
from edge_fork import fork_workers
from edge_frames import Control, hello, inherited_listener


def main(entry, directory, concurrency):
    redirect_streams()
    enable_faulthandler()
    listener = inherited_listener()
    app = load_or_exit(entry, directory, ("application", "app"))
    if "EDGE_FORK" in os.environ:
        listener = fork_workers(listener, os.environ.pop("EDGE_FORK"))
    loop = new_loop()
    server = Server(app, loop, os.environ.get("EDGE_DEV") == "1")

    def ready():
        # What was made at boot stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        Control(listener, hello("asgi", concurrency, messages=True), server.adopt, server.drain, server.stack, server.ping).start()

    leave(serve(server, ready))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
