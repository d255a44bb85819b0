use super::asked::Asked;
use super::{closed, Bytes, Host, Pending, State};
use crate::constants::{MAX_HTTP_ALL, MAX_INLINE};
use crate::encoder::{array, error, Map};
use crate::error::{Error, Kind, Result};

/// An HTTP request that a driver has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, as the driver set them.
    pub headers: Vec<(String, String)>,
    /// The body, of all its streams.
    pub body: Vec<u8>,
    /// The credential that the driver named; empty without.
    pub credential: String,
    /// The digest that the driver said the body has; empty without.
    pub sha256: Vec<u8>,
    /// Whether it is not broken off when its call ends.
    pub outlast: bool,
}

impl HttpRequest {
    /// Returns the first value of the header with the name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|h| h.0.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// Makes one without a body.
    pub(super) fn of(asked: &Asked<'_>) -> HttpRequest {
        HttpRequest {
            method: asked.method.to_owned(),
            url: asked.url.to_owned(),
            headers: asked.headers.clone(),
            body: Vec::new(),
            credential: asked.credential.to_owned(),
            sha256: asked.sha256.to_owned(),
            outlast: asked.outlast,
        }
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    /// An answer without headers and body.
    pub fn new(status: u16) -> Reply {
        Reply { status, ..Reply::default() }
    }

    /// Adds a header, whose name is in lower case. A driver that says which headers it wants gets no others.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body. Of the answer to a HEAD it is the length alone.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }
}

/// What answers requests.
pub(super) type Handler = Box<dyn FnMut(&HttpRequest) -> Reply>;

impl Host {
    /// Has `handler` answer HTTP requests; without, each is `Denied`.
    pub fn on_http(&self, handler: impl FnMut(&HttpRequest) -> Reply + 'static) {
        self.state.http.replace(Some(Box::new(handler)));
    }
}

impl State {
    pub(super) fn http(&self, asked: &Asked<'_>, m: Map<'_>) -> Result<()> {
        if asked.outlast && !asked.body.is_empty() {
            return Err(Error::invalid_argument("a request with streams, which end with the call, cannot outlast it"));
        }
        let request = HttpRequest { body: self.content(asked)?, ..HttpRequest::of(asked) };
        self.exchange(&request, asked, m, false)
    }

    /// Answers one after the other what the host asks side by side, and checks all before, as that does.
    pub(super) fn http_all(&self, asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
        let count = asked.requests.len();
        let room: u64 = asked.requests.iter().fold(0, |sum, r| sum.saturating_add(r.max));
        if count == 0
            || count > MAX_HTTP_ALL
            || room > MAX_INLINE as u64
            || asked.requests.iter().any(|r| !r.body.is_empty())
        {
            return Err(Error::invalid_argument(format!(
                "{} requests side by side, or what they have or may be answered",
                count
            )));
        }
        let replies = m.key("replies");
        array(replies, count);
        for r in &asked.requests {
            let at = replies.len();
            let request = HttpRequest { body: r.data.to_vec(), ..HttpRequest::of(r) };
            if let Err(e) = self.exchange(&request, r, Map::new(replies), true) {
                replies.truncate(at);
                error(replies, &e);
            }
        }
        Ok(())
    }

    pub(super) fn http_finish(&self, asked: &Asked<'_>, m: Map<'_>) -> Result<()> {
        match self.finish(asked.sink)? {
            (Pending::Http(request), body) => self.exchange(&HttpRequest { body, ..request }, asked, m, false),
            _ => Err(closed()),
        }
    }

    /// Has a request answered; with `inline` by data alone.
    fn exchange(&self, request: &HttpRequest, asked: &Asked<'_>, mut m: Map<'_>, inline: bool) -> Result<()> {
        let mut handler = self.http.borrow_mut();
        let handler = handler.as_mut().ok_or_else(|| {
            let text = format!("{} {}: the test answers no requests; see on_http", request.method, request.url);
            Error::new(Kind::Denied, text)
        })?;
        let reply = handler(request);
        m.uint("status", reply.status.into());
        let wanted = |name: &str| asked.want.as_ref().map_or(true, |want| want.contains(&name));
        let headers = reply.headers.iter().filter(|h| wanted(&h.0));
        let headers: Vec<&str> = headers.flat_map(|h| [&h.0[..], &h.1[..]]).collect();
        if !headers.is_empty() {
            m.texts("headers", &headers);
        }
        let length = reply.body.len() as u64;
        m.uint("len", length);
        if length == 0 || request.method == "HEAD" {
            return Ok(());
        }
        if length <= asked.max {
            m.bytes("data", &reply.body);
        } else if inline {
            return Err(Error::new(Kind::Limit, format!("the answer has more than {} bytes", asked.max)));
        } else {
            m.int("body", self.add(Bytes { content: reply.body, ..Bytes::default() }));
        }
        Ok(())
    }
}
