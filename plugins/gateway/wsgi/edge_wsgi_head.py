"""Checks what an app gives to start_response, and makes the head of a RESPONSE frame of it."""

import re

from edge_boot import warn_once
from edge_heads import LENGTH, PLAIN, TABLE_SIZE, HeadError, header_kind, one_length, passes, standard_reasons

# CR and LF would split the answer; NUL separates the fields of a frame's head.
controls = re.compile("[\x00-\x08\x0a-\x1f\x7f]").search
status_line = re.compile(r"[2-9][0-9][0-9](?: [^\x00-\x08\x0a-\x1f\x7f]*)?\Z").match


class Statuses(dict):
    """"404 Not Found" -> (404, "404\\0"); the standard reason is left out."""

    def __missing__(self, status):
        if type(status) is not str or not status_line(status):
            raise HeadError("status must be like '200 OK', not %r" % (status,))
        code = int(status[:3])
        if len(status) == 3:
            warn_once("edge wsgi: the app answers with the status %r; PEP 3333 asks for a reason: '200 OK'; said once" % (status,))
        reason = status[4:]
        value = (code, status[:3] + "\0" + ("" if reason == standard_reasons.get(code) else reason))
        if len(self) >= TABLE_SIZE:
            self.clear()
        self[status] = value
        return value


class Names(dict):
    """Header name -> what it is."""

    def __missing__(self, name):
        if type(name) is not str:
            raise HeadError("header names must be str, not %r" % (name,))
        if len(self) >= TABLE_SIZE:
            self.clear()
        kind = self[name] = header_kind(name)
        return kind


statuses = Statuses()
names = Names()


def check_head(status, headers):
    """(code, head, length): `head` is that of the RESPONSE frame; `length` is the Content-Length, or -1."""
    code, start = statuses[status]
    fields = [start]
    length = -1
    if isinstance(headers, (str, bytes, dict)):
        raise HeadError("headers must be pairs of str, not a %s" % type(headers).__name__)
    try:
        for name, value in headers:
            kind = names[name]
            # isprintable is the cheap way to see that a value has no control character; it knows no NBSP and no tab.
            if not value.isprintable() and controls(value):
                raise HeadError("control character in header %r" % (name,))
            if kind is not PLAIN:
                if kind is LENGTH:
                    before = length
                    length = one_length(value, before)
                    if before >= 0:
                        continue
                    value = str(length)
                elif not passes("wsgi", kind, code, name, value):
                    continue
            fields.append(name)
            fields.append(value)
        return code, "\0".join(fields).encode("latin-1"), length
    except HeadError:
        raise
    except UnicodeEncodeError as error:
        raise HeadError("header is not Latin-1: %s" % error) from None
    except (AttributeError, TypeError, ValueError) as error:
        raise HeadError("headers must be pairs of str: %s" % error) from None


def interim_head(headers):
    """Head of an EARLY frame with status 103 (RFC 8297)."""
    _, head, _ = check_head("200 OK", headers)
    return b"103" + head[3:]
