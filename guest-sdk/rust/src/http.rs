use std::borrow::Cow;

use crate::call::{read_error, Call};
use crate::constants::{HOST_HTTP, HOST_HTTP_ALL, HOST_HTTP_BEGIN};
use crate::credentials::Keyed;
use crate::decoder::{Bad, Decoder};
use crate::encoder::{array, integer, text, Map};
use crate::error::{Error, Result};
use crate::stream::{Handle, Sink, Stream};

/// An HTTP request. `Host`, `Content-Length`, `Connection` and their like are the host's to set.
///
/// ```
/// use berth_guest::Request;
///
/// let r = Request::new("PUT", "https://store.example/a")
///     .header("content-type", "text/plain")
///     .data(&b"hello"[..])
///     .want(&["etag"]);
/// # let _ = r;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    method: Cow<'a, str>,
    url: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    data: Cow<'a, [u8]>,
    body: Vec<&'a Stream<'a>>,
    max: usize,
    want: Option<&'a [&'a str]>,
    outlast: bool,
    credential: Cow<'a, str>,
    sha256: Cow<'a, [u8]>,
    keyed: Vec<Keyed<'a>>,
}

impl<'a> Request<'a> {
    /// Returns a request without headers and body.
    pub fn new(method: impl Into<Cow<'a, str>>, url: impl Into<Cow<'a, str>>) -> Self {
        Request { method: method.into(), url: url.into(), ..Request::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a body from the driver's memory. A request has either data or streams.
    #[must_use]
    pub fn data(mut self, data: impl Into<Cow<'a, [u8]>>) -> Self {
        self.data = data.into();
        self
    }

    /// Adds a stream to the body. They are sent in order, each opened when it is reached.
    #[must_use]
    pub fn stream(mut self, stream: &'a Stream<'_>) -> Self {
        self.body.push(stream);
        self
    }

    /// Says how long a response's body may be to be answered as data, at most [`MAX_INLINE`](crate::MAX_INLINE) bytes.
    /// Unless this is called it is always a stream.
    #[must_use]
    pub fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Names the response headers to return, in lower case. Unless this is called they all are.
    #[must_use]
    pub fn want(mut self, headers: &'a [&'a str]) -> Self {
        self.want = Some(headers);
        self
    }

    /// Has the host not break the request off when the call is canceled once it was sent. It is for the one that makes a change, of which a
    /// service might do half, and which may then land after what was done next; a request with streams cannot have it.
    #[must_use]
    pub fn outlast(mut self) -> Self {
        self.outlast = true;
        self
    }

    /// Names the operator's credential with which the host signs the request; the driver then sets none of the headers of the
    /// credential's scheme.
    #[must_use]
    pub fn credential(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.credential = name.into();
        self
    }

    /// Says the body's raw digest: a scheme that signs the body then need not have it read twice.
    #[must_use]
    pub fn sha256(mut self, digest: impl Into<Cow<'a, [u8]>>) -> Self {
        self.sha256 = digest.into();
        self
    }

    /// Adds a value made of a key that the driver names and never has; at most [`MAX_KEYED`](crate::MAX_KEYED) of them.
    #[must_use]
    pub fn keyed(mut self, keyed: Keyed<'a>) -> Self {
        self.keyed.push(keyed);
        self
    }

    pub(crate) fn encode_target(&self, m: &mut Map<'_>) {
        m.text("method", &self.method);
        m.text("url", &self.url);
        if self.headers.is_empty() {
            return;
        }
        let b = m.key("headers");
        array(b, 2 * self.headers.len());
        for (name, value) in &self.headers {
            text(b, name);
            text(b, value);
        }
    }

    pub(crate) fn encode_credential(&self, m: &mut Map<'_>) {
        m.text("credential", &self.credential);
    }

    fn encode_signing(&self, m: &mut Map<'_>) {
        self.encode_credential(m);
        m.bytes("sha256", &self.sha256);
        if self.keyed.is_empty() {
            return;
        }
        let b = m.key("keyed");
        array(b, self.keyed.len());
        for k in &self.keyed {
            k.encode(b);
        }
    }

    fn encode(&self, m: &mut Map<'_>) {
        self.encode_target(m);
        m.bytes("data", &self.data);
        encode_streams(m, &self.body);
        encode_want(m, self.max, self.want);
        m.flag("outlast", self.outlast);
        self.encode_signing(m);
    }
}

/// Adds the handles of streams, if there are any.
pub(crate) fn encode_streams(m: &mut Map<'_>, streams: &[&Stream<'_>]) {
    if streams.is_empty() {
        return;
    }
    let b = m.key("body");
    array(b, streams.len());
    for s in streams {
        integer(b, s.handle.number.get());
    }
}

pub(crate) fn encode_want(m: &mut Map<'_>, max: usize, want: Option<&[&str]>) {
    m.uint("max", max as u64);
    if let Some(want) = want {
        m.texts("want", want); // none is not the same as all
    }
}

/// An HTTP response. Redirects are not followed and content is not decompressed. Its body is closed when it is dropped.
#[derive(Debug, Default)]
pub struct Response<'c> {
    /// The status, of any kind.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's length, if it is known.
    pub length: Option<u64>,
    /// The body; there is none when it is data or empty.
    pub body: Option<Stream<'c>>,
    /// The body, when it has at most as many bytes as the request said.
    pub data: Vec<u8>,
}

impl<'c> Response<'c> {
    /// Returns the first value of the header with the lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|h| h.0 == name)?;
        Some(&found.1)
    }
}

/// What a reply to `http` says.
#[derive(Default)]
pub(crate) struct Exchange {
    status: u16,
    headers: Vec<(String, String)>,
    length: Option<u64>,
    body: i64,
    data: Vec<u8>,
    said: bool,
}

impl Exchange {
    pub(crate) fn field(&mut self, key: &[u8], d: &mut Decoder<'_>) -> core::result::Result<bool, Bad> {
        match key {
            b"status" => self.status = u16::try_from(d.uint()?).map_err(|_| Bad::Format)?,
            b"headers" => {
                let n = d.array()?;
                if n % 2 != 0 {
                    return Err(Bad::Format);
                }
                self.headers.reserve((n / 2).min(64));
                for _ in 0..n / 2 {
                    let name = d.string()?;
                    self.headers.push((name, d.string()?));
                }
            }
            b"len" => {
                self.length = d.length()?;
                self.said = true;
            }
            b"body" => self.body = d.int()?,
            b"data" => self.data = d.bytes()?.to_vec(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn response(self, call: &Call) -> Response<'_> {
        let length = if self.said { self.length } else { Some(0) };
        Response {
            status: self.status,
            headers: self.headers,
            length,
            body: match self.body {
                0 => None,
                number => Some(Stream::new(call, number, length)),
            },
            data: self.data,
        }
    }
}

/// Reads one of several replies.
fn read_outcome(d: &mut Decoder<'_>) -> core::result::Result<Result<Exchange>, Bad> {
    let mut exchange = Exchange::default();
    let mut failure = None;
    d.fields(&mut |key, d| {
        if key != b"err" {
            return exchange.field(key, d);
        }
        failure = Some(read_error(d)?);
        Ok(true)
    })?;
    Ok(failure.map_or(Ok(exchange), Err))
}

impl Call {
    /// Runs a request. Any status is a response; an error says that the exchange failed, and for a request that changes
    /// something it may have happened all the same.
    pub fn http(&self, r: &Request<'_>) -> Result<Response<'_>> {
        if !r.data.is_empty() && !r.body.is_empty() {
            return Err(Error::invalid_argument("a request has both data and streams"));
        }
        let mut exchange = Exchange::default();
        self.ask(HOST_HTTP, "http", &mut |m| r.encode(m), &mut |key, d| exchange.field(key, d))?;
        for s in &r.body {
            s.sent();
        }
        Ok(exchange.response(self))
    }

    /// Runs requests side by side, in no particular order: several cost the time of one. Each may fail by itself. An error of the whole says
    /// that none was sent, unless the call has ended or the answers' headers do not fit a message: [`Request::want`] names those that are needed. There are at most [`MAX_HTTP_ALL`](crate::MAX_HTTP_ALL), their bodies are data, and what they answer is data too: what has
    /// more than [`Request::max`] bytes is a `Limit` error of its own, and of all requests that is at most [`MAX_INLINE`](crate::MAX_INLINE).
    pub fn http_all(&self, requests: &[Request<'_>]) -> Result<Vec<Result<Response<'_>>>> {
        if requests.iter().any(|r| !r.body.is_empty()) {
            return Err(Error::invalid_argument("of requests side by side each has data, and no stream"));
        }
        let mut replies: Vec<Result<Exchange>> = Vec::with_capacity(requests.len());
        self.ask(
            HOST_HTTP_ALL,
            "http_all",
            &mut |m| {
                let b = m.key("requests");
                array(b, requests.len());
                requests.iter().for_each(|r| r.encode(&mut Map::new(b)));
            },
            &mut |key, d| {
                if key != b"replies" {
                    return Ok(false);
                }
                for _ in 0..d.array()? {
                    replies.push(read_outcome(d)?);
                }
                Ok(true)
            },
        )?;
        if replies.len() != requests.len() {
            return Err(Bad::Format.into());
        }
        Ok(replies.into_iter().map(|reply| reply.map(|exchange| exchange.response(self))).collect())
    }

    /// Starts a request whose body the driver writes into the sink; without a size its length is not known. The request's data,
    /// streams, `max` and `want` are not looked at.
    pub fn begin(&self, r: &Request<'_>, size: Option<u64>) -> Result<Sink<'_>> {
        let number = self.ask_int(HOST_HTTP_BEGIN, "http_begin", "sink", &mut |m| {
            r.encode_target(m);
            match size {
                Some(n) => m.uint("size", n),
                None => m.int("size", -1),
            }
            r.encode_signing(m);
        })?;
        Ok(Sink { handle: Handle::new(self, number) })
    }
}
