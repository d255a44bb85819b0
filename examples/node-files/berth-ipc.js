"use strict";
// The protocol of Berth's drivers in a process of their own (docs/ipc.md, version 1.0), for Node 18 and later.
//
// Copy this file beside a driver of your own. serve(manifest, open) is the whole main program; open(params) is called
// once and promises an object with caps, the bits of its abilities (docs/abi.md, section 7), and these methods, which
// many calls use at a time:
//
//   stat(call, path)                 promises {size, time, dir}; what is zero may be left out of all answers
//   list(call, path, cursor, limit)  promises {entries, cursor}; an entry is as of stat, with name
//   read(call, path, off, length)    promises {length, body}: how many bytes will come, and, if there are any, an
//                                    asynchronous iterable of Buffers that has as many
//   put(call, path, size)            stores call.body(size), such an iterable, which throws unless it has size bytes
//   delete(call, path)
//
// An operation fails by throwing a DriverError. call.check() throws one when the host does not want the call any more.
const net = require("node:net");

const [HELLO, CALL, REPLY, DATA, END, CREDIT, CANCEL, , RECEIPTS] = Array(9).keys();
const [DESCRIBE, OPEN, STAT, LIST, READ, PUT, DELETE] = Array(7).keys();
const KIND = {
  UNKNOWN: 0, NOT_FOUND: 1, INVALID_PATH: 2, INVALID_OFFSET: 3, UNSUPPORTED: 4, CONFLICT: 5, PERMISSION: 6, CANCELED: 7,
  INVALID_ARGUMENT: 9, CORRUPT: 10, LIMIT: 11, UNAVAILABLE: 12, NO_SPACE: 14,
};
const [MAX_MESSAGE, MAX_PAYLOAD, HEADER] = [1 << 20, (1 << 20) + 16, 9];
const WINDOW = 256 << 10; // the credit that both sides of a body begin with
const PIECE = 64 << 10; // of a body in one frame: a quarter of the window, so that both sides work at the same time
const [STRING, BINARY, ARRAY, MAP] = [[0xd9, 0xda, 0xdb], [0xc4, 0xc5, 0xc6], [0, 0xdc, 0xdd], [0, 0xde, 0xdf]];
const quit = (text) => process.exit(console.error(text) ?? 1);
const uint32 = (n) => Buffer.of(n >>> 24, n >>> 16, n >>> 8, n);

// DriverError is why an operation failed, in a line without secrets. temporary: the same call may succeed later.
class DriverError extends Error {
  constructor(kind, text, temporary = false) {
    super(text);
    Object.assign(this, { kind, temporary });
  }
}

// failure returns the error message for what was thrown. What nobody classified goes to the log as well.
function failure(e) {
  if (!(e instanceof DriverError)) {
    console.error(e);
    e = new DriverError(KIND.UNKNOWN, String(e));
  }
  const msg = e.message.replace(/\s+/g, " ").slice(0, 1000) || "failed"; // in at most 3,000 of 4,096 bytes
  return pack({ err: { kind: e.kind, tmp: e.temporary, msg } });
}

// pack returns the bytes of an object, and of what is in it, in the shortest form. Zero values are left out.
function pack(value) {
  if (value === true) return Buffer.of(0xc3);
  if (typeof value === "number" || typeof value === "bigint") return packNumber(BigInt(value));
  if (typeof value === "string") return head(Buffer.byteLength(value), 0xa0, 32, STRING, Buffer.from(value));
  if (value instanceof Uint8Array) return head(value.length, 0, 0, BINARY, value);
  if (Array.isArray(value)) return head(value.length, 0x90, 16, ARRAY, ...value.map(pack));
  const members = Object.entries(value).filter(([, member]) => member);
  return head(members.length, 0x80, 16, MAP, ...members.flat().map(pack));
}

function packNumber(n) {
  if (n >= -32n && n < 128n) return Buffer.of(Number(n & 0xffn));
  const i = [8, 16, 32, 64].findIndex((bits) => (n < 0 ? BigInt.asIntN(bits, n) : BigInt.asUintN(bits, n)) === n);
  return coded((n < 0 ? 0xd0 : 0xcc) + i, n, 1 << i);
}

// head begins rest, of n bytes or members; codes are those for n in 1, 2 and 4 bytes.
function head(n, fixed, below, codes, ...rest) {
  const i = [0x100, 0x10000, 0x100000000].findIndex((most, i) => n < most && codes[i]);
  return Buffer.concat([n < below ? Buffer.of(fixed | n) : coded(codes[i], BigInt(n), 1 << i), ...rest]);
}

function coded(code, n, bytes) {
  const buffer = Buffer.alloc(9, code);
  buffer.writeBigUInt64BE(BigInt.asUintN(64, n << BigInt(64 - 8 * bytes)), 1);
  return buffer.subarray(0, 1 + bytes);
}

// unpack returns the object of a message; what is none throws. All types of MessagePack are read, for a key that is not
// known may have any; an ext has its type as its first byte.
function unpack(data) {
  let at = 0;
  const take = (n) => {
    if (at + n > data.length) throw new RangeError("a message ends early");
    return data.subarray(at, (at += n));
  };
  const size = (bytes) => take(bytes).readUIntBE(0, bytes);
  const array = (length) => Array.from({ length }, next);
  const map = (length) => Object.fromEntries(Array.from({ length }, () => [next(), next()]));
  const next = () => {
    const code = size(1);
    if (code < 0x80) return code;
    if (code < 0x90) return map(code & 15);
    if (code < 0xa0) return array(code & 15);
    if (code < 0xc0) return String(take(code & 31));
    if (code >= 0xe0) return code - 0x100;
    if (code >= 0xc4 && code <= 0xc6) return take(size(1 << (code - 0xc4)));
    if (code >= 0xc7 && code <= 0xc9) return take(size(1 << (code - 0xc7)) + 1);
    if (code >= 0xcc && code <= 0xce) return size(1 << (code - 0xcc));
    if (code >= 0xd0 && code <= 0xd2) return take(1 << (code - 0xd0)).readIntBE(0, 1 << (code - 0xd0));
    if (code >= 0xd4 && code <= 0xd8) return take((1 << (code - 0xd4)) + 1);
    if (code >= 0xd9 && code <= 0xdb) return String(take(size(1 << (code - 0xd9))));
    switch (code) {
      case 0xc0: return null;
      case 0xc2: case 0xc3: return code === 0xc3;
      case 0xca: return take(4).readFloatBE();
      case 0xcb: return take(8).readDoubleBE();
      case 0xcf: return Number(take(8).readBigUInt64BE());
      case 0xd3: return Number(take(8).readBigInt64BE());
      case 0xdc: case 0xdd: return array(size(2 * (code - 0xdb)));
      case 0xde: case 0xdf: return map(size(2 * (code - 0xdd)));
    }
    throw new RangeError(`a message has a value that begins with ${code}`);
  };
  return next();
}

// Call is a call under way.
class Call {
  constructor(link, number) {
    Object.assign(this, { link, number, chunks: [], end: null, credit: WINDOW, canceled: false, wake: () => {} });
  }

  came(kind, payload) {
    if (kind === DATA) this.chunks.push(payload);
    if (kind === END) this.end = payload.length > 0 ? unpack(payload) : {};
    if (kind === CREDIT) this.credit += payload.readUInt32BE();
    if (kind === CANCEL) this.canceled = true;
    this.wake();
  }

  check() {
    if (this.canceled) throw new DriverError(KIND.CANCELED, "the call was cancelled");
  }

  // until waits for what comes for the call, or throws when it is cancelled. One at a time waits.
  async until(there) {
    while (!there() && !this.canceled) await new Promise((resolve) => (this.wake = resolve));
    this.check();
  }

  // body gives the request's body. It throws when the body ends with an error or does not have size bytes.
  async *body(size) {
    let got = 0, consumed = 0;
    for (;;) {
      await this.until(() => this.chunks.length > 0 || this.end);
      const chunk = this.chunks.shift();
      if (!chunk) break;
      got += chunk.length;
      yield chunk;
      consumed += chunk.length;
      if (consumed < WINDOW / 2) continue;
      this.link.send(this.number, CREDIT, uint32(consumed));
      consumed = 0;
    }
    const { err } = this.end;
    if (err) throw new DriverError(err.kind ?? KIND.UNKNOWN, `the body: ${err.msg}`, err.tmp);
    if (got !== size) throw new DriverError(KIND.CORRUPT, `the body has ${got} bytes, not ${size}`);
  }

  // send sends bytes of the reply's body as there is credit.
  async send(data) {
    while (data.length > 0) {
      await this.until(() => this.credit > 0);
      const piece = data.subarray(0, Math.min(this.credit, PIECE));
      this.credit -= piece.length;
      this.link.send(this.number, DATA, piece);
      data = data.subarray(piece.length);
    }
  }

  // run does the call. It is forgotten before its last frame is sent, for then the host may use its number again.
  async run(op, request) {
    let last = REPLY, payload;
    try {
      const { length, body, ...reply } = await this.link.answer(this, op, request);
      payload = pack(length ? { len: length, body: 1 } : reply);
      if (payload.length > MAX_MESSAGE) throw new DriverError(KIND.LIMIT, `a reply of ${payload.length} bytes`);
      if (length) {
        this.link.send(this.number, REPLY, payload);
        last = END;
        payload = Buffer.alloc(0);
        for await (const chunk of body) await this.send(chunk);
      }
    } catch (e) {
      payload = failure(e);
    }
    this.link.calls.delete(this.number);
    this.link.send(this.number, last, payload);
  }
}

// Link is the socket to the host.
class Link {
  constructor(manifest, open) {
    Object.assign(this, { manifest, open, calls: new Map(), driver: null, socket: new net.Socket({ fd: 3 }) });
  }

  send(number, kind, payload) {
    this.socket.write(Buffer.concat([uint32(payload.length), uint32(number), Buffer.of(kind), payload]));
  }

  async answer(call, op, { path = "", cursor = "", limit = 0, off = 0, len = 0, size = 0, params = "{}" }) {
    switch (op) {
      case DESCRIBE: return { manifest: Buffer.from(JSON.stringify(this.manifest)) };
      case OPEN: return { caps: (this.driver = await this.open(JSON.parse(params))).caps };
      case STAT: return this.driver.stat(call, path);
      case LIST: return this.driver.list(call, path, cursor, limit);
      case READ: return this.driver.read(call, path, off, len);
      case PUT: return (await this.driver.put(call, path, size)) ?? {};
      case DELETE: return (await this.driver.delete(call, path)) ?? {};
    }
    throw new DriverError(KIND.UNSUPPORTED, `operation ${op} is not supported by this driver`);
  }

  // take handles a frame of the host's. It throws when the host broke a rule.
  take(number, kind, payload) {
    if (kind === HELLO) {
      const { version } = JSON.parse(payload);
      if (!/^1\./.test(version)) quit(`Berth speaks version ${version} and this driver 1.0: update Berth`);
      this.send(0, HELLO, Buffer.from('{"version":"1.0"}'));
    } else if (kind === CALL) {
      const call = new Call(this, number);
      this.calls.set(number, call);
      call.run(payload[0], unpack(payload.subarray(5)));
    } else this.calls.get(number)?.came(kind, payload);
  }

  receive() {
    let rest = Buffer.alloc(0);
    this.socket.on("data", (chunk) => {
      rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      while (rest.length >= HEADER) {
        const [length, kind] = [rest.readUInt32BE(), rest[8]];
        if (length > MAX_PAYLOAD || kind > RECEIPTS || kind === REPLY) throw new Error(`a frame of type ${kind}`);
        if (rest.length < HEADER + length) break;
        this.take(rest.readUInt32BE(4), kind, rest.subarray(HEADER, HEADER + length));
        rest = rest.subarray(HEADER + length);
      }
    });
    for (const event of ["close", "error"]) this.socket.on(event, () => process.exit(0)); // the host has gone
  }
}

// serve serves the host until descriptor 3 is at its end, and ends the process without waiting for what is under way, or
// with an exception when the host breaks a rule.
const serve = (manifest, open) => new Link(manifest, open).receive();
for (const signal of ["SIGINT", "SIGHUP", "SIGTERM"]) process.on(signal, () => {}); // they are the host's to act on

module.exports = { serve, DriverError, KIND };
