"""Checks the status and headers of an ASGI answer, and makes the head of a RESPONSE frame of them."""

import re

from edge_heads import FORBIDDEN, LENGTH, PLAIN, TABLE_SIZE, HeadError, header_kind

# CR and LF would split the answer; NUL separates the fields of a frame's head.
controls = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]").search
digits = re.compile(b"[0-9]{1,18}\\Z").match


class Names(dict):
    """Header name -> what it is."""

    def __missing__(self, name):
        if type(name) is not bytes:
            raise HeadError("header names must be bytes, not %r" % (name,))
        if len(self) >= TABLE_SIZE:
            self.clear()
        kind = self[name] = header_kind(name.decode("latin-1"))
        return kind


names = Names()


def check_head(status, headers, least=200):
    """(head, length): `head` is that of the RESPONSE frame; `length` is the Content-Length, or -1."""
    if not isinstance(status, int) or not least <= status <= 999:
        raise HeadError("status must be a number from %d on, not %r" % (least, status))
    # The standard reason: an empty field.
    fields = [b"%d\0" % status]
    length = -1
    try:
        for name, value in headers:
            kind = names[name]
            if controls(value):
                raise HeadError("control character in header %r" % (name,))
            if kind is not PLAIN:
                if kind is LENGTH:
                    if length >= 0 or not digits(value):
                        raise HeadError("bad Content-Length %r" % (value,))
                    length = int(value)
                elif kind is FORBIDDEN:
                    # Frameworks that speak HTTP themselves pass these on; here the front frames the body.
                    continue
                else:
                    continue
            fields.append(name)
            fields.append(value)
        return b"\0".join(fields), length
    except TypeError as error:
        raise HeadError("headers must be pairs of bytes: %s" % error) from None
