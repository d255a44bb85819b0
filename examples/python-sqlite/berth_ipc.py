"""The protocol of Berth's drivers in a process of their own (docs/ipc.md, version 1.0), for Python 3.9 and later.

Copy this file beside a driver of your own. serve(manifest, open) is the whole main program; open(params) is called once
and returns an object with the attribute caps, the bits of its abilities (docs/abi.md, section 7), and these methods,
which run in a thread for each call, many at a time:

    stat(call, path)                 answers {"size", "time", "dir"}; what is zero may be left out of all answers
    list(call, path, cursor, limit)  answers {"entries", "cursor"}; an entry is as of stat, with "name"
    read(call, path, off, length)    answers how many bytes will come, and an iterable of bytes that has as many
    put(call, path, size)            stores call.body(size), an iterable of bytes that raises unless it has size bytes
    delete(call, path)

An operation fails by raising an Error. call.check() raises one when the host does not want the call any more.
"""
import json
import os
import socket
import struct
import sys
import threading

HELLO, CALL, REPLY, DATA, END, CREDIT, CANCEL, AGAIN, RECEIPTS = range(9)
DESCRIBE, OPEN, STAT, LIST, READ, PUT, DELETE = range(7)
METHODS = {STAT: "stat path", LIST: "list path cursor limit", READ: "read path off len", PUT: "put path size",
           DELETE: "delete path"}
ZERO = {"path": "", "cursor": "", "limit": 0, "off": 0, "len": 0, "size": 0}  # of a key that is absent
UNKNOWN, NOT_FOUND, INVALID_PATH, INVALID_OFFSET, UNSUPPORTED, CONFLICT, PERMISSION, CANCELED = range(8)
INVALID_ARGUMENT, CORRUPT, LIMIT, UNAVAILABLE, NO_SPACE = 9, 10, 11, 12, 14

MAX_MESSAGE, MAX_PAYLOAD = 1 << 20, (1 << 20) + 16
WINDOW = 256 << 10  # the credit that both sides of a body begin with
PIECE = 64 << 10  # of a body in one frame: a quarter of the window, so that both sides work at the same time
STACK = 512 << 10  # of a thread: stacks count against the process's memory, where 8 MiB each are too many


class Error(Exception):
    """Why an operation failed, in a line without secrets. temporary: the same call may succeed later."""
    def __init__(self, kind, text, temporary=False):
        super().__init__(text)
        self.kind, self.temporary = kind, temporary


def failure(e):
    """The error message for an exception. One that nobody classified goes to the log as well."""
    if not isinstance(e, Error):
        sys.excepthook(type(e), e, e.__traceback__)
        e = Error(UNKNOWN, f"{type(e).__name__}: {e}")
    line = " ".join(str(e).split())[:1000] or "failed"  # at most 4,000 of the 4,096 bytes there may be
    return pack({"err": {"kind": e.kind, "tmp": e.temporary, "msg": line}})


# MessagePack. Messages have a few of its types; the others are read too, for a key that is not known may have any.
FORMS = (">B", ">H", ">I", ">Q", ">b", ">h", ">i", ">q")
CODES = {  # of a code: what it begins, and the format of the length or number that follows, or that itself
    0xC0: ("value", None), 0xC2: ("value", False), 0xC3: ("value", True), 0xCA: ("value", ">f"), 0xCB: ("value", ">d"),
    **{0xD4 + i: ("ext", 1 << i) for i in range(5)},
    **{first + i: (what, form)
       for first, what, forms in ((0xC4, "bin", FORMS[:3]), (0xC7, "ext", FORMS[:3]), (0xCC, "value", FORMS),
                                  (0xD9, "str", FORMS[:3]), (0xDC, "array", FORMS[1:3]), (0xDE, "map", FORMS[1:3]))
       for i, form in enumerate(forms)},
}


def pack(value):
    """The bytes of a dict, and of what is in it, in the shortest form. Members with zero values are left out."""
    if isinstance(value, bool):
        return b"\xC3" if value else b"\xC2"
    if isinstance(value, int):
        return struct.pack(">b", value) if -32 <= value < 128 else _head(value, 0xCC, FORMS if value > 0 else FORMS[4:])
    if isinstance(value, str):
        data = value.encode()
        return _head(len(data), 0xD9, FORMS[:3], 0xA0, 32) + data
    if isinstance(value, bytes):
        return _head(len(value), 0xC4, FORMS[:3]) + value
    if isinstance(value, dict):
        members = [pack(key) + pack(member) for key, member in value.items() if member]
        return _head(len(members), 0xDE, FORMS[1:3], 0x80, 16) + b"".join(members)
    return _head(len(value), 0xDC, FORMS[1:3], 0x90, 16) + b"".join(pack(member) for member in value)


def _head(n, code, forms, fixed=0, below=0):
    if 0 <= n < below:
        return bytes((fixed | n,))
    bits = n.bit_length() if n >= 0 else (~n).bit_length() + 1
    i = next(i for i, form in enumerate(forms) if bits <= 8 * struct.calcsize(form))
    return bytes((code + i + 4 * (n < 0),)) + struct.pack(forms[i], n)


def unpack(data, at=0):
    """The value at data[at], and where it ends. What is no message raises."""
    code, at = data[at], at + 1
    if code < 0x80 or code >= 0xE0:
        return (code if code < 0x80 else code - 0x100), at
    what, n = ("map", code & 15) if code < 0x90 else ("array", code & 15) if code < 0xA0 else ("str", code & 31)
    if code >= 0xC0:
        what, n = CODES[code]
        if isinstance(n, str):
            (n,), at = struct.unpack_from(n, data, at), at + struct.calcsize(n)
    if what == "value":
        return n, at
    if what in ("map", "array"):
        members = []
        for _ in range(2 * n if what == "map" else n):
            member, at = unpack(data, at)
            members.append(member)
        return (dict(zip(members[::2], members[1::2])) if what == "map" else members), at
    end = at + n + (what == "ext")  # which has a byte for its type
    if end > len(data):
        raise ValueError("a message ends early")
    return (data[at:end].decode() if what == "str" else data[at:end]), end


class Call:
    """A call under way. The receiving thread says what came for it, and a thread of its own does it."""
    def __init__(self, link, number):
        self.link, self.number = link, number
        self.changed = threading.Condition()  # guards the rest
        self.chunks, self.end = [], None  # the request's body, and the error message or {} it ended with
        self.credit, self.canceled = WINDOW, False

    def came(self, kind, payload):
        with self.changed:
            if kind == DATA:
                self.chunks.append(payload)
            elif kind == END:
                self.end = unpack(payload)[0] if payload else {}
            elif kind == CREDIT:
                self.credit += struct.unpack(">I", payload)[0]
            elif kind == CANCEL:
                self.canceled = True
            self.changed.notify()

    def check(self):
        if self.canceled:
            raise Error(CANCELED, "the call was cancelled")

    def body(self, size):
        """The request's body. It raises when the body ends with an error or does not have size bytes."""
        got = consumed = 0
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.chunks or self.end is not None or self.canceled)
                self.check()
                chunk = self.chunks.pop(0) if self.chunks else None
            if chunk is None:
                break
            got += len(chunk)
            yield chunk
            consumed += len(chunk)
            if consumed >= WINDOW // 2:
                self.link.send(self.number, CREDIT, struct.pack(">I", consumed))
                consumed = 0
        if self.end:
            e = self.end["err"]
            raise Error(e.get("kind", UNKNOWN), f"the body: {e.get('msg', '')}", e.get("tmp", False))
        if got != size:
            raise Error(CORRUPT, f"the body has {got} bytes, not {size}")

    def send(self, data):
        """Sends bytes of the reply's body as there is credit."""
        rest = memoryview(data)
        while rest:
            with self.changed:
                self.changed.wait_for(lambda: self.credit or self.canceled)
                self.check()
                n = min(len(rest), self.credit, PIECE)
                self.credit -= n
            self.link.send(self.number, DATA, rest[:n])
            rest = rest[n:]

    def run(self, op, request):
        """Does the call. It is forgotten before its last frame is sent, for then the host may use its number again."""
        last = REPLY
        try:
            reply, chunks = self.link.answer(self, op, request)
            payload = pack(reply)
            if len(payload) > MAX_MESSAGE:
                raise Error(LIMIT, f"the reply has {len(payload)} bytes, more than {MAX_MESSAGE}")
            if chunks is not None:
                self.link.send(self.number, REPLY, payload)
                last, payload = END, b""
                for chunk in chunks:
                    self.send(chunk)
        except Exception as e:
            payload = failure(e)
        del self.link.calls[self.number]
        self.link.send(self.number, last, payload)


class Link:
    """The socket to the host."""
    def __init__(self, manifest, open_driver):
        self.manifest, self.open_driver, self.driver, self.calls = manifest, open_driver, None, {}
        self.socket, self.turn = socket.socket(fileno=3), threading.Lock()

    def send(self, number, kind, payload):
        with self.turn:
            try:
                self.socket.sendall(b"".join((struct.pack(">IIB", len(payload), number, kind), payload)))
            except OSError:
                os._exit(0)  # the host has gone

    def answer(self, call, op, request):
        """What a request is answered with, and the reply's body or None."""
        if op == DESCRIBE:
            return {"manifest": json.dumps(self.manifest).encode()}, None
        if op == OPEN:
            self.driver = self.open_driver(json.loads(request.get("params", b"{}")))
            return {"caps": self.driver.caps}, None
        if op not in METHODS:
            raise Error(UNSUPPORTED, f"operation {op} is not supported by this driver")
        method, *keys = METHODS[op].split()
        answer = getattr(self.driver, method)(call, *(request.get(key, ZERO[key]) for key in keys))
        if op != READ:
            return answer or {}, None
        return ({"len": answer[0], "body": 1}, answer[1]) if answer[0] else ({}, None)

    def receive(self, stream):
        """Takes what the host sends until that ends. It never waits for a call. ValueError: the host broke a rule."""
        while header := stream.read(9):
            length, number, kind = struct.unpack(">IIB", header)
            if length > MAX_PAYLOAD or kind > RECEIPTS or kind == REPLY:
                raise ValueError(f"a frame of type {kind} with {length} bytes")
            payload = stream.read(length)
            if len(payload) < length:
                break
            if kind == HELLO:
                version = json.loads(payload).get("version", "")
                if version.split(".")[0] != "1":
                    raise ValueError(f"the host speaks version {version}, and this driver 1.0")
                self.send(0, HELLO, b'{"version":"1.0"}')
            elif kind == CALL:
                self.calls[number] = call = Call(self, number)
                threading.Thread(target=call.run, args=(payload[0], unpack(payload, 5)[0]), daemon=True).start()
            elif number in self.calls:
                self.calls[number].came(kind, payload)


def serve(manifest, open_driver):
    """Serves the host until descriptor 3 is at its end, and ends the process without waiting for what is under way."""
    threading.stack_size(STACK)
    try:
        link = Link(manifest, open_driver)
        link.receive(link.socket.makefile("rb", WINDOW))
    except Exception as e:
        print(f"{manifest['name']}: descriptor 3, the socket to Berth: {e!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)
