"""Checks what an app gives to start_response, and makes the head of a RESPONSE frame of it."""

import re

from edge_heads import FORBIDDEN, LENGTH, PLAIN, TABLE_SIZE, HeadError, header_kind, standard_reasons

# CR and LF would split the answer; NUL separates the fields of a frame's head.
controls = re.compile("[\x00-\x08\x0a-\x1f\x7f]").search
digits = re.compile("[0-9]{1,18}\\Z").match
status_line = re.compile(r"[2-9][0-9][0-9] [^\x00-\x08\x0a-\x1f\x7f]*\Z").match


class Statuses(dict):
    """"404 Not Found" -> (404, "404\\0"); the standard reason is left out."""

    def __missing__(self, status):
        if type(status) is not str or not status_line(status):
            raise HeadError("status must be like '200 OK', not %r" % (status,))
        code = int(status[:3])
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
    if type(headers) is not list:
        raise HeadError("headers must be a list, not %s" % type(headers).__name__)
    try:
        for name, value in headers:
            kind = names[name]
            # isprintable is the cheap way to see that a value has no control character; it knows no NBSP and no tab.
            if not value.isprintable() and controls(value):
                raise HeadError("control character in header %r" % (name,))
            if kind is not PLAIN:
                if kind is LENGTH:
                    length = one_length(value, length)
                elif kind is FORBIDDEN:
                    raise HeadError("hop-by-hop header %r is the server's" % (name,))
                else:
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


def one_length(value, before):
    if not digits(value):
        raise HeadError("bad Content-Length %r" % (value,))
    if before >= 0:
        raise HeadError("two Content-Length")
    return int(value)
