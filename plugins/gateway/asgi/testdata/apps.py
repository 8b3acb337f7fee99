"""One app per behaviour, chosen by the first segment of the path; with a lifespan that counts."""

import asyncio
import hashlib
import json
import os
import re
import time

events = []


async def read_all(receive):
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("disconnected")
        body += message["body"]
        if not message["more_body"]:
            return body


async def start(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def answer(send, data, status=200, headers=()):
    await start(send, status, headers)
    await body(send, data)


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


async def scope(scope, receive, send):
    await answer(send, json.dumps({k: plain(v) for k, v in scope.items()}).encode())


async def echo(scope, receive, send):
    await answer(send, await read_all(receive))


async def digest(scope, receive, send):
    h = hashlib.sha256()
    n = 0
    more = True
    while more:
        message = await receive()
        h.update(message["body"])
        n += len(message["body"])
        more = message["more_body"]
    await answer(send, json.dumps({"bytes": n, "sha256": h.hexdigest()}).encode())


async def memory(scope, receive, send):
    await answer(send, re.search(rb"VmHWM:\s+(\d+)", open("/proc/self/status", "rb").read()).group(1))


async def download(scope, receive, send):
    size = int(scope["query_string"])
    await start(send, headers=[(b"content-length", b"%d" % size)])
    while size > 0:
        await body(send, b"d" * min(size, 65536), True)
        size -= 65536
    await body(send)


async def one_large(scope, receive, send):
    await answer(send, b"z" * int(scope["query_string"]))


async def stepwise(scope, receive, send):
    await start(send)
    await body(send, b"first", True)
    while not os.path.exists(scope["query_string"]):
        await asyncio.sleep(0.01)
    await body(send, b"second")


async def endless(scope, receive, send):
    await start(send)
    try:
        while True:
            await body(send, b"tick\n", True)
            await asyncio.sleep(0.005)
    except OSError as error:
        events.append("endless: %s" % type(error).__name__)
        raise


async def translates(scope, receive, send):
    """As Starlette's StreamingResponse does."""
    await start(send)
    try:
        while True:
            await body(send, b"tick\n", True)
            await asyncio.sleep(0.005)
    except OSError:
        events.append("translates")
        raise LookupError("what a framework calls it")


async def fails_after(scope, receive, send):
    """An error of its own once the client has left."""
    await read_all(receive)
    await receive()
    raise KeyError("an error of its own")


async def listens(scope, receive, send):
    """Waits for the disconnect, as Starlette's StreamingResponse does."""
    await start(send)
    await body(send, b"begun", True)
    await receive()
    events.append("listens: %s" % (await receive())["type"])


async def polls(scope, receive, send):
    """As Starlette's is_disconnected does, over and over; then how many of those are still remembered."""
    await read_all(receive)
    for _ in range(500):
        asking = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        asking.cancel()
        try:
            await asking
        except asyncio.CancelledError:
            pass
    await answer(send, b"%d" % len(receive.__self__.waiters))


async def ignores(scope, receive, send):
    """Neither sends nor receives: only a cancel of its task ends it."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        events.append("ignores: cancelled")
        raise


async def after_answer(scope, receive, send):
    await read_all(receive)
    await answer(send, b"done")
    events.append("after_answer: %s" % (await receive())["type"])
    await asyncio.sleep(0.05)
    events.append("after_answer: worked on")


async def seen(scope, receive, send):
    await answer(send, json.dumps(events).encode())


async def sleep(scope, receive, send):
    await asyncio.sleep(float(scope["query_string"]))
    await answer(send, b"slept")


async def blocks(scope, receive, send):
    time.sleep(float(scope["query_string"]))
    await answer(send, b"blocked")


arrived = 0
all_here = None


async def meets(scope, receive, send):
    """Answers only when fifty of these run at once."""
    global arrived, all_here
    if all_here is None:
        all_here = asyncio.Event()
    arrived += 1
    if arrived == 50:
        all_here.set()
    await all_here.wait()
    await answer(send, b"met")


async def too_long(scope, receive, send):
    await start(send, headers=[(b"content-length", b"5")])
    await body(send, b"123", True)
    await body(send, b"456", True)
    await body(send, b"789")


async def too_short(scope, receive, send):
    await start(send, headers=[(b"content-length", b"5")])
    await body(send, b"123")


async def too_short_pieces(scope, receive, send):
    await start(send, headers=[(b"content-length", b"5")])
    await body(send, b"12", True)
    await body(send, b"3")


async def no_content(scope, receive, send):
    await answer(send, b"not to be sent", 204)


async def fails(scope, receive, send):
    raise ValueError("the secret reason")


async def fails_late(scope, receive, send):
    await start(send)
    await body(send, b"begun", True)
    raise ValueError("late")


async def returns(scope, receive, send):
    pass


async def returns_early(scope, receive, send):
    await start(send)
    await body(send, b"begun", True)


async def starts_twice(scope, receive, send):
    await start(send)
    await start(send)


async def body_first(scope, receive, send):
    await body(send, b"x")


async def unknown_message(scope, receive, send):
    await send({"type": "http.response.nonsense"})


BAD = {
    "status_text": ("200 OK", []),
    "status_interim": (101, []),
    "name_text": (200, [("A", b"b")]),
    "name_space": (200, [(b"A b", b"c")]),
    "value_text": (200, [(b"A", "b")]),
    "value_split": (200, [(b"A", b"b\r\nSet-Cookie: x=y")]),
    "value_nul": (200, [(b"A", b"b\0C")]),
    "length_word": (200, [(b"content-length", b"many")]),
    "length_two": (200, [(b"content-length", b"1"), (b"content-length", b"2")]),
}


async def bad(scope, receive, send):
    await answer(send, b"x", *BAD[scope["query_string"].decode()])


async def drops(scope, receive, send):
    await answer(send, b"x", 200, [(b"connection", b"close"), (b"date", b"now"), (b"transfer-encoding", b"chunked"),
                                   (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-l", b"caf\xe9")])


async def hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
    await answer(send, b"hinted")


# WebSockets

async def socket(scope, receive, send):
    name = scope["path"].split("/")[1]
    await globals()["socket_" + name](scope, receive, send)


async def socket_echo(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    protocols = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": protocols[0] if protocols else None, "headers": [(b"x-a", b"1")]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            events.append("socket: %d %s" % (message["code"], message["reason"]))
            return
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "as asked"})
            events.append("socket: %s" % (await receive())["type"])
            return
        if message.get("text") == "fail":
            raise ValueError("socket failed")
        if "text" in message:
            await send({"type": "websocket.send", "text": "echo " + message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def socket_refuse(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def socket_deny(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"no")]})
    await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"you"})


async def socket_fails(scope, receive, send):
    raise ValueError("before the handshake")


async def socket_flood(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    for n in range(1000):
        await send({"type": "websocket.send", "bytes": b"f" * 10000})
    await send({"type": "websocket.close"})


async def socket_scope(scope_, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps({k: plain(v) for k, v in scope_.items()})})
    await send({"type": "websocket.close"})


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await socket(scope, receive, send)
    else:
        await globals()[scope["path"].removeprefix(scope["root_path"]).split("/")[1]](scope, receive, send)


async def lifespan(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["started"] = "yes"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    print("shut down cleanly")
    await send({"type": "lifespan.shutdown.complete"})


async def cannot_start(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def no_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await answer(send, json.dumps(scope["state"]).encode())
