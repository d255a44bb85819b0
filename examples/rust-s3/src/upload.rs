//! Uploads in parts, which are multipart uploads of S3.
//!
//! Any instance, in any process, goes on with a suspended upload: its state is an object beside the target. Of two that do, the one that
//! stores a part or suspends first has it, and the other fails with `Conflict`: each writes who it is into the state, under the condition that it is still the one that was found;
//! without `conditional-writes` both may get through, seldom.

use berth_guest::{Call, Content, Error, Kind, Part, Receipt, Receipts, Result, Stream, Upload};

use crate::service::{Asked, S3, WANT_OBJECT};
use crate::state::{conflict, random, State, Tail, Token, TAIL_SUFFIX};
use crate::text::escape;
use crate::xml;

/// A part as the list has it that completes an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub number: u32,
    pub tag: String,
}

impl Stored {
    fn of(r: &Receipt) -> Result<Stored> {
        match std::str::from_utf8(&r.data) {
            Ok(tag) => Ok(Stored { number: r.number, tag: tag.to_owned() }),
            Err(_) => Err(Error::invalid_argument("not a receipt of this driver")),
        }
    }
}

impl S3 {
    fn upload_url(&self, path: &str, id: &str) -> String {
        format!("{}?uploadId={}", self.url(path), escape(id, ""))
    }

    pub fn part_url(&self, path: &str, id: &str, number: u32) -> String {
        format!("{}&partNumber={}", self.upload_url(path, id), number)
    }

    /// Begins an upload, or goes on with the one that is suspended.
    pub fn begin<'c>(&self, c: &'c Call, path: &str, resume: bool, receipts: &Receipts<'_>) -> Result<Upload<'c>> {
        let mut t = Token { id: String::new(), writer: random(c, 8), base: None, path: path.to_owned() };
        if resume {
            if let Some(state) = self.load(c, path)? {
                t.base = Some(state.writer.clone());
                if let Some(upload) = self.resume(c, &mut t, &state, receipts)? {
                    return Ok(upload);
                }
            }
            if self.head(c, path)?.map_or(false, |object| object.size > 0) {
                return Err(Error::new(Kind::Unsupported, "content that has been committed cannot be appended to"));
            }
        }
        t.id = self.create_upload(c, path)?;
        Ok(Upload { token: t.text(), limits: self.config.limits(), ..Upload::default() })
    }

    /// Goes on with the upload of a state, unless it has ended at the service: then the state was left behind by a crash.
    fn resume<'c>(
        &self,
        c: &'c Call,
        t: &mut Token,
        state: &State,
        receipts: &Receipts<'_>,
    ) -> Result<Option<Upload<'c>>> {
        t.id = state.id.clone();
        if !self.is_alive(c, t)? {
            return Ok(None);
        }
        let mut upload = Upload { token: t.text(), limits: self.config.limits(), resumed: true, ..Upload::default() };
        if let Some(tail) = &state.tail {
            let response = self.open(c, self.request("GET", self.url(&tail.path)), &[200, 404])?;
            if response.status == 404 {
                return Ok(None);
            }
            match response.body {
                Some(body) if response.length == Some(tail.length) => {
                    upload.tail = Content::from_body(body, tail.length)
                }
                _ => return Err(Error::new(Kind::Corrupt, "the tail of an upload is not as long as its state says")),
            }
        }
        receipts.set(&state.parts)?;
        Ok(Some(upload))
    }

    /// Begins a multipart upload and returns its ID.
    pub fn create_upload(&self, c: &Call, path: &str) -> Result<String> {
        let request = self.creating("POST", self.url(path) + "?uploads=");
        let mut id = String::new();
        self.send_slow(c, "s3:PutObject", &request, "InitiateMultipartUploadResult", &mut |path, text| {
            if path == "InitiateMultipartUploadResult/UploadId" {
                id = text.to_owned();
            }
        })?;
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::new(Kind::Corrupt, "the service gives an upload no usable ID"));
        }
        Ok(id)
    }

    /// Whether the upload has not ended.
    fn is_alive(&self, c: &Call, t: &Token) -> Result<bool> {
        let a = self.asks_parts(t);
        Ok(self.send(c, a.action, &a.request, a.ok)?.status == 200)
    }

    fn asks_parts(&self, t: &Token) -> Asked<'static> {
        let request = self.request("GET", self.upload_url(&t.path, &t.id) + "&max-parts=1");
        Asked { action: "s3:ListMultipartUploadParts", request, ok: &[200, 404], long: false }
    }

    /// Stores a part, of an upload that is taken over if need be. The receipt is its tag.
    pub fn part(&self, c: &Call, t: &Token, part: &Part<'_>) -> Result<Vec<u8>> {
        if t.base.is_some() {
            self.claim(c, t, self.current(c, t)?)?;
        }
        self.send_part(c, t, part)
    }

    fn send_part(&self, c: &Call, t: &Token, part: &Part<'_>) -> Result<Vec<u8>> {
        let sha256 = part.digests.get("sha256").unwrap_or_default();
        let url = self.part_url(&t.path, &t.id, part.number);
        let request = self.request("PUT", url).stream(&part.body).sha256(sha256).want(WANT_OBJECT);
        let response = match self.send(c, "s3:PutObject", &request, &[200]) {
            // A service may hang up in the middle of a part whose upload ends meanwhile, and versitygw answers 500.
            Err(e) if e.kind == Kind::Unavailable && matches!(self.is_alive(c, t), Ok(false)) => {
                Err(conflict("the upload has been ended"))
            }
            sent => sent.map_err(ended),
        }?;
        match response.header("etag") {
            Some(tag) if !tag.is_empty() && tag.chars().all(|c| c.is_ascii_graphic()) => Ok(tag.into()),
            _ => Err(Error::new(Kind::Corrupt, "the service gives a part no usable ETag")),
        }
    }

    /// Takes a resumed upload over before its first part is stored: two writers' parts of one number would replace each other.
    fn claim(&self, c: &Call, t: &Token, current: Option<State>) -> Result<()> {
        match current {
            Some(state) if state.writer != t.writer => {
                self.save(c, t, &State { writer: t.writer.clone(), ..state.clone() }, Some(state))
            }
            _ => Ok(()),
        }
    }

    /// Stores what it takes to go on. The tail comes before the state that names it, under a name of its own.
    pub fn suspend(&self, c: &Call, t: &Token, receipts: &Receipts<'_>, tail: Option<&Stream<'_>>) -> Result<()> {
        let before = self.current(c, t)?;
        let mut state =
            State { id: t.id.clone(), writer: t.writer.clone(), parts: receipts.all()?, ..State::default() };
        if let Some((tail, length)) = tail.and_then(|tail| Some((tail, tail.size().filter(|n| *n > 0)?))) {
            let path = format!("{}{}{}.{}", t.path, TAIL_SUFFIX, t.writer, random(c, 4));
            self.store(c, &path, tail)?;
            state.tail = Some(Tail { path, length });
        }
        if let Err(e) = self.save(c, t, &state, before.clone()) {
            if matches!(e.kind, Kind::Conflict | Kind::Unsupported) {
                let _ = self.remove_unnamed_tail(c, &t.path, &state); // the error to tell is e
            }
            return Err(e);
        }
        // Deletions end uploads without asking their writers. Had one done so before the state was written, nobody would end
        // this upload again.
        let alive = match before.and_then(|before| before.tail) {
            Some(tail) => {
                let [_, parts] = self.send_both(c, [self.asks_removal(&tail.path), self.asks_parts(t)])?; // nothing names the tail any more
                parts?.status == 200
            }
            None => self.is_alive(c, t)?,
        };
        if alive {
            return Ok(());
        }
        self.forget(c, &t.path, &state)?;
        Err(conflict("the upload has been ended"))
    }

    /// Makes the parts the content.
    pub fn commit(&self, c: &Call, t: &Token, receipts: &Receipts<'_>, last: Option<&Part<'_>>) -> Result<()> {
        let before = self.current(c, t)?;
        let mut parts = receipts.all()?.iter().map(Stored::of).collect::<Result<Vec<_>>>()?;
        if let Some(last) = last.filter(|last| last.size > 0) {
            self.claim(c, t, before.clone())?;
            let data = self.send_part(c, t, last)?;
            parts.push(Stored::of(&Receipt { number: last.number, data, ..Receipt::default() })?);
        }
        if parts.is_empty() {
            self.store_nothing(c, &t.path)?;
            self.abort(c, &t.path, &t.id)?;
        } else {
            self.placed(c, &t.path, || self.complete(c, &t.path, &t.id, &parts))?;
        }
        if let Some(state) = before {
            let _ = self.remove_each(c, &state.objects(&t.path)); // nobody resumes an upload that has ended
        }
        Ok(())
    }

    fn store_nothing(&self, c: &Call, path: &str) -> Result<()> {
        self.placed(c, path, || self.send(c, "s3:PutObject", &self.creating("PUT", self.url(path)), &[200]).map(drop))
    }

    /// Has the service put the parts together.
    pub fn complete(&self, c: &Call, path: &str, id: &str, parts: &[Stored]) -> Result<()> {
        let list = completion(parts);
        let request = self
            .request("POST", self.upload_url(path, id))
            .header("content-type", "application/xml")
            .data(list.as_bytes())
            .outlast(); // minio loses an upload whose completion is broken off, and what is at its path
        self.send_slow(c, "s3:PutObject", &request, "CompleteMultipartUploadResult", &mut |_, _| {}).map_err(ended)
    }

    /// Ends an upload. What another writer has gone on with stays.
    pub fn cancel(&self, c: &Call, t: &Token) -> Result<()> {
        if let Some(state) = self.load(c, &t.path)?.filter(|state| state.id == t.id) {
            if state.writer != t.writer && Some(&state.writer) != t.base.as_ref() {
                return Ok(());
            }
            self.forget(c, &t.path, &state)?;
        }
        self.abort(c, &t.path, &t.id)
    }

    /// Ends the upload that is suspended at `path`, if there is one.
    pub fn end(&self, c: &Call, path: &str) -> Result<()> {
        match self.load(c, path)? {
            Some(state) => {
                self.forget(c, path, &state)?;
                self.abort(c, path, &state.id)
            }
            None => Ok(()),
        }
    }

    /// Aborts a multipart upload. One that is gone is no error.
    pub fn abort(&self, c: &Call, path: &str, id: &str) -> Result<()> {
        let request = self.request("DELETE", self.upload_url(path, id));
        let send = || self.send(c, "s3:AbortMultipartUpload", &request, &[200, 204, 404]);
        let sent = match send() {
            Err(e) if e.status == 500 => send(), // versitygw, where two meet
            sent => sent,
        };
        match sent {
            Err(e) if e.kind == Kind::Conflict => Ok(()),
            done => done.map(drop),
        }
    }
}

/// Makes a `Conflict` of an upload that is not there: another writer has ended it.
fn ended(e: Error) -> Error {
    match e.kind {
        Kind::NotFound => conflict("the upload has been ended"),
        _ => e,
    }
}

/// Writes the list of parts that completes an upload.
pub fn completion(parts: &[Stored]) -> String {
    let part =
        |p: &Stored| format!("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", p.number, xml::escape(&p.tag));
    let list: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload xmlns=\"{}\">{}</CompleteMultipartUpload>", xml::NAMESPACE, list)
}
