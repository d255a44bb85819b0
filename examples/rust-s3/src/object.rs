//! One object.

use berth_guest::{
    Call, Content, Entry, Error, Kind, Request, Response, Result, Stream, Time, TimeFormat, MAX_HTTP_ALL,
};

use crate::config::Tree;
use crate::list::{parse_keys, Listing};
use crate::service::{source, Asked, CREDENTIAL, S3, WANT_OBJECT};

/// How often a write is tried that met a directory which was just being removed.
const ATTEMPTS: u32 = 5;

/// What a service says of an object.
#[derive(Debug)]
pub struct Object {
    pub size: u64,
    pub time: Time,
    /// Tells this content from any other at the key.
    pub tag: String,
}

impl S3 {
    /// Describes what is at `path`. Where there is no object there may be a directory, which is a prefix of others.
    pub fn describe(&self, c: &Call, path: &str) -> Result<Entry> {
        if path == "/" {
            self.is_directory(c, path)?;
            return Ok(Entry::dir(""));
        }
        if let Some(object) = self.head(c, path)? {
            return Ok(Entry::file("", object.size, object.time));
        }
        match self.is_directory(c, path)? {
            true => Ok(Entry::dir("")),
            false => Err(Error::not_found()),
        }
    }

    /// Asks for an object without its content.
    pub fn head(&self, c: &Call, path: &str) -> Result<Option<Object>> {
        let a = self.asks_head(path);
        self.read_head(c, &self.send(c, a.action, &a.request, a.ok)?)
    }

    pub fn asks_head(&self, path: &str) -> Asked<'static> {
        let request = self.request("HEAD", self.url(path)).want(WANT_OBJECT);
        Asked { action: "s3:GetObject", request, ok: &[200, 404], long: false }
    }

    pub fn read_head(&self, c: &Call, response: &Response<'_>) -> Result<Option<Object>> {
        if response.status == 404 {
            return Ok(None);
        }
        let modified = response.header("last-modified").unwrap_or_default();
        Ok(Some(Object {
            size: response.length.ok_or_else(no_length)?,
            time: c.parse_time(modified, TimeFormat::Http).unwrap_or(Time::UNKNOWN),
            tag: response.header("etag").unwrap_or_default().to_owned(),
        }))
    }

    /// Opens a range of an object. The response's body is the answer: the host holds what it is a part of against what was asked for.
    pub fn range<'c>(&self, c: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        if path == "/" {
            return Err(Error::new(Kind::NotFound, "it is a directory"));
        }
        let mut request = self.request("GET", self.url(path));
        match length {
            Some(n) if n > 0 => {
                let last = offset.saturating_add(n - 1);
                request = request.header("range", format!("bytes={}-{}", offset, last));
            }
            None if offset == 0 => {}
            _ => request = request.header("range", format!("bytes={}-", offset)),
        }
        let response = self.open(c, request, &[200, 206, 416])?;
        if response.status == 416 {
            drop(response);
            return self.at_end(c, path, offset);
        }
        let found = response.length.ok_or_else(no_length)?;
        match response.body {
            Some(body) if length != Some(0) => Ok(Content::from_body(body, found)),
            _ => Ok(Content::default()),
        }
    }

    /// Runs a request whose answer is a body to be passed on.
    pub fn open<'c>(&self, c: &'c Call, request: Request<'_>, ok: &[u16]) -> Result<Response<'c>> {
        self.send(c, "s3:GetObject", &request.max(0), ok)
    }

    /// What a range means that a service has not: nothing at the very end, an error beyond.
    fn at_end(&self, c: &Call, path: &str, offset: u64) -> Result<Content<'static>> {
        let object = self.head(c, path)?.ok_or_else(Error::not_found)?;
        if offset > object.size {
            return Err(Error::new(Kind::InvalidOffset, format!("the content has {} bytes", object.size)));
        }
        if offset < object.size {
            return Err(Error::new(Kind::Conflict, "the content was replaced meanwhile"));
        }
        Ok(Content::default())
    }

    /// Stores an object. A service replaces one in one step.
    pub fn store(&self, c: &Call, path: &str, body: &Stream<'_>) -> Result<()> {
        self.placed(c, path, || {
            let request = self.creating("PUT", self.url(path)).stream(body);
            self.send(c, "s3:PutObject", &request, &[200]).map(drop)
        })
    }

    /// Removes an object. There are no empty directories to be removed.
    pub fn remove(&self, c: &Call, path: &str) -> Result<()> {
        let a = self.asks_removal(path);
        removed(self.send(c, a.action, &a.request, a.ok))
    }

    pub fn asks_removal(&self, path: &str) -> Asked<'static> {
        let request = self.request("DELETE", self.url(path));
        Asked { action: "s3:DeleteObject", request, ok: &[200, 204, 404], long: false }
    }

    /// Removes some objects, each with a request.
    pub fn remove_each(&self, c: &Call, paths: &[String]) -> Result<()> {
        paths.chunks(MAX_HTTP_ALL).try_for_each(|paths| {
            let asked = paths.iter().map(|path| self.asks_removal(path)).collect();
            self.send_all(c, asked)?.into_iter().try_for_each(removed)
        })
    }

    /// Returns a URL with which somebody without the credential gets the object.
    pub fn presigned(&self, c: &Call, path: &str, method: &str) -> Result<String> {
        match method {
            "GET" | "HEAD" => {
                let request = Request::new(method, self.url(path)).credential(CREDENTIAL);
                c.presign(&request, self.config.redirect)
            }
            _ => Ok(String::new()),
        }
    }

    /// Runs a write to `path`, and makes what it fails with `InvalidPath` where there can be no file.
    pub fn placed(&self, c: &Call, path: &str, write: impl Fn() -> Result<()>) -> Result<()> {
        if self.tree == Tree::Checked {
            self.check_place(c, path)?;
        }
        let mut attempt = 1;
        loop {
            let done = write();
            match &done {
                Err(e) if self.tree != Tree::Stored && matches!(e.status, 409 | 500) => {}
                // What minio says of a directory that is just being removed.
                Err(e) if self.tree == Tree::Checked && e.status == 403 => {}
                _ => return done,
            }
            match self.check_place(c, path) {
                Err(e) if e.kind == Kind::InvalidPath => return Err(e),
                Err(_) => return done, // which says more
                Ok(()) => {}
            }
            if attempt == ATTEMPTS {
                return done;
            }
            attempt += 1;
        }
    }

    /// Returns `InvalidPath` where there can be no file: below one, or in the place of a directory.
    fn check_place(&self, c: &Call, path: &str) -> Result<()> {
        let above: Vec<_> = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]).collect();
        let prefix = self.below(path);
        let mut asked: Vec<_> = above.iter().map(|path| self.asks_head(path)).collect();
        asked.push(self.asks_keys(&Listing { prefix: &prefix, limit: 1, ..Listing::default() }));
        let mut responses = self.send_all(c, asked)?.into_iter();
        for (path, response) in above.iter().zip(&mut responses) {
            if self.read_head(c, &response?)?.is_some() {
                return Err(Error::invalid_path(format!("{} is a file", path)));
            }
        }
        for response in responses {
            if !parse_keys(source(&response?), &prefix)?.entries.is_empty() {
                return Err(Error::invalid_path("there is a directory"));
            }
        }
        Ok(())
    }
}

/// What a removal is that found nothing.
pub fn removed(sent: Result<Response<'_>>) -> Result<()> {
    match sent {
        Err(e) if e.kind == Kind::NotFound => Ok(()),
        done => done.map(drop),
    }
}

fn no_length() -> Error {
    Error::new(Kind::Corrupt, "the service does not say how long the content is")
}
