"""Checks the status and headers of an ASGI answer, and makes the head of a RESPONSE frame of them."""

import re

from edge_heads import LENGTH, PLAIN, TABLE_SIZE, HeadError, header_kind, one_length, passes

# CR and LF would split the answer; NUL separates the fields of a frame's head.
controls = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]").search


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
                    before = length
                    length = one_length(str(value, "latin-1"), before)
                    if before >= 0:
                        continue
                    value = b"%d" % length
                elif not passes("asgi", kind, status, str(name, "latin-1"), str(value, "latin-1")):
                    continue
            fields.append(name)
            fields.append(value)
        return b"\0".join(fields), length
    except TypeError as error:
        raise HeadError("headers must be pairs of bytes: %s" % error) from None
