//! Requests to the bucket.

use std::io::Read;

use berth_guest::{Abilities, Call, Error, Kind, Request, Response, Result, MAX_HTTP_ALL, MAX_INLINE};

use crate::config::{Config, Tree};
use crate::failure::{failure, Said};
use crate::text::escape;
use crate::xml;

/// The name of what the host signs requests with.
pub const CREDENTIAL: &str = "storage";
/// An answer of at most so many bytes comes with the reply, and a longer one as a stream.
const INLINE: usize = 64 << 10;

/// The headers that failures are understood by.
const WANT: &[&str] = &["retry-after", "x-amz-bucket-region"];
/// These and what is asked of an object.
pub const WANT_OBJECT: &[&str] = &["retry-after", "x-amz-bucket-region", "last-modified", "etag"];

/// What the driver does whatever its parameters say. Files are moved by the host: it copies, and deletes what it has copied.
const BASE: Abilities = Abilities::COPY
    .union(Abilities::PARTS)
    .union(Abilities::LIST_TREE)
    .union(Abilities::DELETE_TREE)
    .union(Abilities::LIST_UPLOADS)
    .union(Abilities::IDEMPOTENT);
/// All that it can do.
pub const ABILITIES: Abilities = BASE.union(Abilities::REDIRECT).union(Abilities::FILES_UNDER_FILES);

/// A bucket, or what is below a prefix in one.
#[derive(Debug)]
pub struct S3 {
    pub config: Config,
    pub tree: Tree,
    /// The bucket's URL, without `/` at its end.
    url: String,
    /// What all keys begin with.
    root: String,
    /// The headers of requests that begin an object.
    headers: Vec<(&'static str, String)>,
}

impl S3 {
    pub fn new(config: Config) -> Result<S3> {
        Ok(S3 {
            tree: config.tree(),
            url: config.bucket_url()?,
            root: config.prefix(),
            headers: config.object_headers(),
            config,
        })
    }

    /// Returns what the driver does with these parameters.
    pub fn abilities(&self) -> Abilities {
        let mut abilities = BASE;
        if !self.config.redirect.is_zero() {
            abilities |= Abilities::REDIRECT;
        }
        if self.tree == Tree::Stored {
            abilities |= Abilities::FILES_UNDER_FILES;
        }
        abilities
    }

    /// The key of a path.
    pub fn key(&self, path: &str) -> String {
        self.root.clone() + path.trim_start_matches('/')
    }

    /// The path of a key that begins as all do. It has no `/` before it, which [`S3::key`] does not miss.
    pub fn path<'k>(&self, key: &'k str) -> &'k str {
        key.strip_prefix(&self.root[..]).unwrap_or(key)
    }

    /// What the keys below the directory at `path` begin with.
    pub fn below(&self, path: &str) -> String {
        match path {
            "/" => self.root.clone(),
            _ => self.key(path) + "/",
        }
    }

    /// The URL of the object at `path`.
    pub fn url(&self, path: &str) -> String {
        self.key_url(&self.key(path))
    }

    pub fn key_url(&self, key: &str) -> String {
        self.url.clone() + "/" + &escape(key, "/")
    }

    /// The URL of the bucket itself.
    pub fn bucket_url(&self, query: &str) -> String {
        self.url.clone() + if self.config.is_virtual() { "/" } else { "" } + query
    }

    /// The object at `path` as the header of a copy has it.
    pub fn copy_source(&self, path: &str) -> String {
        "/".to_owned() + &self.config.bucket + "/" + &escape(&self.key(path), "/")
    }

    /// Returns a request that the host signs.
    pub fn request<'a>(&self, method: &'a str, url: String) -> Request<'a> {
        Request::new(method, url).credential(CREDENTIAL).max(INLINE).want(WANT)
    }

    /// Returns a request that begins an object.
    pub fn creating<'a>(&'a self, method: &'a str, url: String) -> Request<'a> {
        let request = self.request(method, url);
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, &value[..]))
    }

    /// Runs a request, and makes an error of every status but those of `ok`. `action` is what a policy must grant for it.
    pub fn send<'c>(&self, c: &'c Call, action: &str, request: &Request<'_>, ok: &[u16]) -> Result<Response<'c>> {
        let response = c.http(request)?;
        if ok.contains(&response.status) {
            return Ok(response);
        }
        Err(failure(c, &self.config, action, &response))
    }

    /// Runs requests side by side, any number of them, and makes of each what [`S3::send`] does. One with a long answer is asked again by itself when that
    /// does not fit.
    pub fn send_all<'c>(&self, c: &'c Call, asked: Vec<Asked<'_>>) -> Result<Vec<Result<Response<'c>>>> {
        let mut responses = Vec::with_capacity(asked.len());
        for batch in asked.chunks(MAX_HTTP_ALL) {
            let max = MAX_INLINE / batch.len();
            let requests: Vec<_> = batch.iter().map(|a| a.request.clone().max(max)).collect();
            for (a, outcome) in batch.iter().zip(c.http_all(&requests)?) {
                responses.push(match outcome {
                    Ok(response) if a.ok.contains(&response.status) => Ok(response),
                    Ok(response) => Err(failure(c, &self.config, a.action, &response)),
                    Err(e) if e.kind == Kind::Limit && a.long => self.send(c, a.action, &a.request, a.ok),
                    Err(e) => Err(e),
                });
            }
        }
        Ok(responses)
    }

    /// [`S3::send_all`] of two.
    pub fn send_both<'c>(&self, c: &'c Call, asked: [Asked<'_>; 2]) -> Result<[Result<Response<'c>>; 2]> {
        let responses = self.send_all(c, asked.into())?;
        responses.try_into().map_err(|_| Error::new(Kind::Corrupt, "an answer is missing"))
    }

    /// Runs a request whose answer may begin with 200 before it is known to have failed: it is one whose root is `root`, or an error.
    /// `f` is called with the answer's elements.
    pub fn send_slow(
        &self,
        c: &Call,
        action: &str,
        request: &Request<'_>,
        root: &str,
        f: &mut dyn FnMut(&str, &str),
    ) -> Result<()> {
        self.read_slow(&self.send(c, action, request, &[200])?, action, root, f)
    }

    /// Reads the answer to such a request.
    pub fn read_slow(
        &self,
        response: &Response<'_>,
        action: &str,
        root: &str,
        f: &mut dyn FnMut(&str, &str),
    ) -> Result<()> {
        let mut said = Said::default();
        let found = xml::parse(source(response), &mut |path, text| {
            match path.strip_prefix("Error/") {
                Some(name) => said.set(name, text),
                None => f(path, text),
            }
            Ok(())
        })?;
        if found == root {
            return Ok(());
        }
        if found == "Error" {
            return Err(said.late(&self.config, action));
        }
        Err(Error::new(
            Kind::Corrupt,
            format!("the service answers {} with an element {:?} where {:?} belongs", action, found, root),
        ))
    }
}

/// One of several requests, and what [`S3::send`] is told of it.
pub struct Asked<'a> {
    pub action: &'a str,
    pub request: Request<'a>,
    pub ok: &'a [u16],
    /// The answer may be long, and nothing comes of asking twice.
    pub long: bool,
}

/// Returns the body of an answer, wherever it is.
pub fn source<'r>(response: &'r Response<'_>) -> Box<dyn Read + 'r> {
    match &response.body {
        Some(body) => Box::new(Body(body)),
        None => Box::new(&response.data[..]),
    }
}

/// A stream that is read through a reference.
struct Body<'r, 'c>(&'r berth_guest::Stream<'c>);

impl Read for Body<'_, '_> {
    fn read(&mut self, p: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.0.read(p)?)
    }
}
