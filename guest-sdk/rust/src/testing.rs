//! A host for tests of drivers, natively.
//!
//! A test says what the world answers, calls the driver's methods with [`Host::call`], and looks at what the driver asked for:
//!
//! ```
//! use berth_guest::testing::{Host, Reply};
//! use berth_guest::Request;
//!
//! let host = Host::new();
//! host.on_http(|r| match (&r.method[..], &r.url[..]) {
//!     ("GET", "http://127.0.0.1/a") => Reply::new(200).header("etag", "1").body("hello"),
//!     _ => Reply::new(404),
//! });
//! let c = host.call();
//!
//! let response = c.http(&Request::new("GET", "http://127.0.0.1/a")).unwrap();
//! assert_eq!(response.header("etag"), Some("1"));
//! assert_eq!(response.body.unwrap().read_all(100).unwrap(), b"hello");
//!
//! let body = host.stream("what a put is given"); // for Driver::put
//! assert_eq!(body.size(), Some(19));
//! ```
//!
//! | What a driver uses | What a test says, or sees |
//! |---|---|
//! | HTTP, presigned URLs | [`Host::on_http`], [`Host::on_presign`] |
//! | digests | [`Host::on_hash`] |
//! | secrets | [`Host::set_secret`] |
//! | stores | [`Host::grant`] |
//! | the clock, which stands; a sleep moves it on | [`Host::set_now`] |
//! | metrics, the log | [`Host::metric`], [`Host::log`] |
//! | times as text; randomness, the same in each run | nothing |
//!
//! What the methods of a driver are given besides comes from [`Host::stream`], [`Host::output`], [`Host::part`],
//! [`Host::receipts`] and [`Host::empty_receipts`]; [`bytes`] reads what they answer with.
//!
//! HMACs and compression are `Unsupported`. The operator's policy, deadlines, and limits that are of sizes and numbers are not there:
//! the conformance suite, on the real host, has them.

mod asked;
mod content;
mod credentials;
mod http;
mod metrics;
mod receipts;
mod store;
mod time;

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::HashMap;
use std::rc::Rc;

use crate::call::{Call, Imports, Level};
use crate::constants as numbers;
use crate::decoder::Bad;
use crate::driver::Content;
use crate::encoder::{self, Map};
use crate::error::{Error, Kind, Result};
use crate::stream::{Output, Stream};
use crate::time::Time;
use asked::Asked;

pub use http::{HttpRequest, Reply};

/// A host that lends what a test says.
pub struct Host {
    state: Rc<State>,
    call: Call,
}

#[derive(Default)]
struct State {
    now: Cell<i64>,
    last: Cell<i64>,
    seed: Cell<u64>,
    streams: RefCell<HashMap<i64, Bytes>>,
    /// What becomes of the streams that are sinks.
    pending: RefCell<HashMap<i64, Pending>>,
    receipts: RefCell<HashMap<i64, receipts::Table>>,
    stores: RefCell<HashMap<String, store::Files>>,
    secrets: RefCell<HashMap<String, Vec<u8>>>,
    metrics: RefCell<HashMap<String, metrics::Metric>>,
    http: RefCell<Option<http::Handler>>,
    presign: RefCell<Option<credentials::Presigner>>,
    hash: RefCell<Option<content::Hasher>>,
    waiting: RefCell<Vec<u8>>,
    log: RefCell<Vec<(Level, String)>>,
}

/// The bytes of a stream or a sink.
#[derive(Default)]
struct Bytes {
    content: Vec<u8>,
    at: usize,
    /// It is sent from its first byte, again and again.
    source: bool,
}

/// What a sink is for, once it is finished.
enum Pending {
    Http(HttpRequest),
    Hash(Vec<String>),
    Store { store: String, path: String },
}

impl Host {
    /// Returns a host whose clock stands at 2023-11-14T22:13:20Z and which answers no request.
    pub fn new() -> Host {
        let state = Rc::new(State::default());
        state.now.set(1_700_000_000_000_000_000);
        let call = Call::new(Box::new(Sandbox(state.clone())));
        Host { state, call }
    }

    /// Returns what a driver's methods are given.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Sets the clock.
    pub fn set_now(&self, now: Time) {
        self.state.now.set(now.as_nanos());
    }

    /// Returns a stream of `content`, as a put or a part is given.
    pub fn stream(&self, content: impl Into<Vec<u8>>) -> Stream<'_> {
        let content = content.into();
        let size = content.len() as u64;
        let bytes = Bytes { content, at: 0, source: true };
        Stream::given(&self.call, self.state.add(bytes), size)
    }

    /// Returns what [`Driver::stream`](crate::Driver::stream) writes to; [`written`](Host::written) has it then.
    pub fn output(&self) -> Output<'_> {
        Output::new(&self.call, self.state.add(Bytes::default()))
    }

    /// Returns what was written to an output.
    pub fn written(&self, out: &Output<'_>) -> Vec<u8> {
        let streams = self.state.streams.borrow();
        let bytes = streams.get(&out.handle.number.get());
        bytes.map_or_else(Vec::new, |bytes| bytes.content.clone())
    }

    /// Returns the lines that were logged.
    pub fn log(&self) -> Vec<(Level, String)> {
        self.state.log.borrow().clone()
    }
}

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

/// Returns the bytes of content that a driver answers a read with, of data or of a body; of a body that has fewer than it promises it
/// is an error. Content that is to be made by [`Driver::stream`](crate::Driver::stream) is `Unsupported`.
pub fn bytes(content: Content<'_>) -> Result<Vec<u8>> {
    if !content.state.is_empty() {
        return Err(Error::unsupported("content with a state"));
    }
    let length = usize::try_from(content.length).map_err(|_| Bad::Format)?;
    let mut data = match content.body {
        Some(body) => body.read_all(usize::MAX >> 1)?,
        None => content.data.into_owned(),
    };
    if data.len() < length {
        let text = format!("{} bytes are promised, and there are {}", length, data.len());
        return Err(Error::new(Kind::Corrupt, text));
    }
    data.truncate(length);
    Ok(data)
}

impl State {
    /// Returns a number that no handle has had.
    fn handle(&self) -> i64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    fn add(&self, bytes: Bytes) -> i64 {
        let handle = self.handle();
        self.streams.borrow_mut().insert(handle, bytes);
        handle
    }

    /// Returns the data of a request, or what its streams have. A body is used up by that.
    fn content(&self, asked: &Asked<'_>) -> Result<Vec<u8>> {
        let mut content = asked.data.to_vec();
        let mut streams = self.streams.borrow_mut();
        for handle in &asked.body {
            let bytes = streams.get(handle).ok_or_else(closed)?;
            if bytes.source {
                content.extend_from_slice(&bytes.content);
                continue;
            }
            content.extend_from_slice(&bytes.content[bytes.at..]);
            streams.remove(handle);
        }
        Ok(content)
    }

    /// Makes a sink, and answers with it.
    fn begin(&self, pending: Pending, mut m: Map<'_>) {
        let handle = self.add(Bytes::default());
        self.pending.borrow_mut().insert(handle, pending);
        m.int("sink", handle);
    }

    /// Ends a sink, and returns what was written to it.
    fn finish(&self, sink: i64) -> Result<(Pending, Vec<u8>)> {
        let pending = self.pending.borrow_mut().remove(&sink).ok_or_else(closed)?;
        let bytes = self.streams.borrow_mut().remove(&sink).ok_or_else(closed)?;
        Ok((pending, bytes.content))
    }

    fn now(&self) -> Time {
        Time::from_nanos(self.now.get())
    }

    /// Runs an operation and returns its reply.
    fn run(&self, op: u32, message: &[u8]) -> Result<Vec<u8>> {
        let asked = Asked::decode(message)?;
        let mut reply = Vec::new();
        let m = Map::new(&mut reply);
        match op {
            numbers::HOST_HTTP => self.http(&asked, m),
            numbers::HOST_HTTP_ALL => self.http_all(&asked, m),
            numbers::HOST_HTTP_BEGIN => {
                self.begin(Pending::Http(HttpRequest::of(&asked)), m);
                Ok(())
            }
            numbers::HOST_HTTP_FINISH => self.http_finish(&asked, m),
            numbers::HOST_RECEIPTS_GET => self.receipts_get(&asked, m),
            numbers::HOST_RECEIPTS_SET => self.receipts_set(asked),
            numbers::HOST_PRESIGN => self.presign(&asked, m),
            numbers::HOST_SECRET => self.secret(&asked, m),
            numbers::HOST_HASH => self.hash(&asked, m),
            numbers::HOST_HASH_BEGIN => self.hash_begin(&asked, m),
            numbers::HOST_HASH_FINISH => self.hash_finish(&asked, m),
            numbers::HOST_TIME_FORMAT => time::format(&asked, m),
            numbers::HOST_TIME_PARSE => time::parse(&asked, m),
            numbers::HOST_METRIC => self.metric(&asked),
            numbers::HOST_STORE_FINISH => self.store_finish(&asked),
            numbers::HOST_STORE_INFO..=numbers::HOST_STORE_ABORT => self.store(op, &asked, m),
            _ => Err(Error::new(Kind::Unsupported, format!("the host for tests has no operation {}", op))),
        }?;
        Ok(reply)
    }
}

fn closed() -> Error {
    Error::invalid_argument("a handle that is closed, or was never there")
}

/// The result of an import that failed.
fn refused(kind: Kind) -> i64 {
    -(1 + kind as i64)
}

struct Sandbox(Rc<State>);

impl Imports for Sandbox {
    fn call(&self, op: u32, request: &[u8], out: &mut [u8]) -> i64 {
        let reply = self.0.run(op, request).unwrap_or_else(|e| {
            let mut reply = Vec::new();
            encoder::error(&mut reply, &e);
            reply
        });
        if let Some(out) = out.get_mut(..reply.len()) {
            out.copy_from_slice(&reply);
            return reply.len() as i64;
        }
        let length = reply.len() as i64;
        self.0.waiting.replace(reply);
        length
    }

    fn take(&self, out: &mut [u8]) -> i64 {
        let reply = self.0.waiting.take();
        out[..reply.len()].copy_from_slice(&reply);
        reply.len() as i64
    }

    fn read(&self, handle: i64, p: &mut [u8]) -> i64 {
        match self.0.streams.borrow_mut().get_mut(&handle) {
            Some(bytes) => {
                let left = &bytes.content[bytes.at..];
                let n = p.len().min(left.len());
                p[..n].copy_from_slice(&left[..n]);
                bytes.at += n;
                n as i64
            }
            None => refused(Kind::InvalidArgument),
        }
    }

    fn write(&self, handle: i64, p: &[u8]) -> i64 {
        match self.0.streams.borrow_mut().get_mut(&handle) {
            Some(bytes) => {
                bytes.content.extend_from_slice(p);
                p.len() as i64
            }
            None => refused(Kind::InvalidArgument),
        }
    }

    fn splice(&self, dst: i64, src: i64, n: i64) -> i64 {
        let left = self.0.streams.borrow().get(&src).map_or(0, |bytes| bytes.content.len() - bytes.at);
        let mut moved = vec![0; usize::try_from(n).unwrap_or(left).min(left)];
        match self.read(src, &mut moved) {
            n if n < 0 => n,
            _ => self.write(dst, &moved),
        }
    }

    fn close(&self, handle: i64) -> i64 {
        self.0.pending.borrow_mut().remove(&handle);
        match self.0.streams.borrow_mut().remove(&handle) {
            Some(_) => 0,
            None => refused(Kind::InvalidArgument),
        }
    }

    fn now(&self) -> i64 {
        self.0.now.get()
    }

    fn random(&self, p: &mut [u8]) -> i64 {
        for c in p {
            let next = self.0.seed.get().wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1); // Knuth's MMIX, the same in each run
            self.0.seed.set(next);
            *c = (next >> 56) as u8;
        }
        0
    }

    fn log(&self, level: u32, line: &[u8]) -> i64 {
        let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error];
        let line = String::from_utf8_lossy(line).into_owned();
        self.0.log.borrow_mut().push((levels[level as usize & 3], line));
        0
    }

    fn sleep(&self, nanoseconds: u64) {
        let now = self.0.now.get().saturating_add(i64::try_from(nanoseconds).unwrap_or(i64::MAX));
        self.0.now.set(now); // nobody waits in a test
    }
}
