use crate::call::{too_long, Call, Imports};
use crate::constants as numbers;
use crate::decoder::{Bad, Decoder};
use crate::driver::{Content, Digests, Driver, Page, Part, RedirectOptions, Upload, UploadLimits};
use crate::encoder::{self, Map};
use crate::error::{Error, Result};
use crate::fields::Parameters;
use crate::manifest::{Manifest, Opened};
use crate::receipts::Receipts;
use crate::stream::{Output, Stream};

/// Opens a driver with parameters that satisfy the manifest's schema. It runs once on each instance and must not depend on
/// being run once.
pub type OpenFn<D> = fn(&Call, &Parameters<'_>) -> Result<Opened<D>>;

/// Every key that a request may have. What is borrowed is part of the message.
#[derive(Default)]
struct Request<'m> {
    params: &'m [u8],
    path: &'m str,
    cursor: &'m str,
    dest: &'m str,
    after: &'m str,
    method: &'m str,
    remote: &'m str,
    forwarded: &'m str,
    token: &'m str,
    paths: Vec<&'m str>,
    state: &'m [u8],
    limit: u64,
    off: u64,
    /// The key `len`; 0 when it is absent.
    len: i64,
    size: u64,
    body: i64,
    num: u64,
    receipts: i64,
    sink: i64,
    append: bool,
    digests: Digests,
}

impl<'m> Request<'m> {
    fn decode(message: &'m [u8]) -> core::result::Result<Self, Bad> {
        let mut r = Request::default();
        let mut d = Decoder::new(message);
        for _ in 0..d.map()? {
            match d.key()? {
                b"path" => r.path = d.text()?,
                b"off" => r.off = d.uint()?,
                b"len" => r.len = d.int()?,
                b"size" => r.size = d.uint()?,
                b"body" => r.body = d.int()?,
                b"cursor" => r.cursor = d.text()?,
                b"limit" => r.limit = d.uint()?,
                b"dest" => r.dest = d.text()?,
                b"paths" => {
                    for _ in 0..d.array()? {
                        r.paths.push(d.text()?);
                    }
                }
                b"after" => r.after = d.text()?,
                b"method" => r.method = d.text()?,
                b"remote" => r.remote = d.text()?,
                b"forwarded" => r.forwarded = d.text()?,
                b"append" => r.append = d.flag()?,
                b"receipts" => r.receipts = d.int()?,
                b"token" => r.token = d.text()?,
                b"num" => r.num = d.uint()?,
                b"digests" => r.digests = d.digests()?,
                b"params" => r.params = d.bytes()?,
                b"state" => r.state = d.bytes()?,
                b"sink" => r.sink = d.int()?,
                _ => d.skip()?,
            }
        }
        d.end()?;
        Ok(r)
    }

    /// Makes a stream of the body, if there is one.
    fn stream<'c>(&self, call: &'c Call) -> Option<Stream<'c>> {
        (self.body != 0).then(|| self.body_of(call))
    }

    fn body_of<'c>(&self, call: &'c Call) -> Stream<'c> {
        Stream::given(call, self.body, self.size)
    }

    fn part<'c>(&mut self, call: &'c Call) -> Result<Part<'c>> {
        Ok(Part {
            number: u32::try_from(self.num).map_err(|_| Bad::Format)?,
            offset: self.off,
            size: self.size,
            body: self.body_of(call),
            digests: core::mem::take(&mut self.digests),
        })
    }

    /// Makes an output of the sink, if there is one.
    fn output<'c>(&self, call: &'c Call) -> Option<Output<'c>> {
        (self.sink != 0).then(|| Output::new(call, self.sink))
    }

    /// The key `len` of a read.
    fn length(&self) -> Result<Option<u64>> {
        match self.len {
            -1 => Ok(None),
            n => Ok(Some(u64::try_from(n).map_err(|_| Bad::Format)?)),
        }
    }
}

/// What the host's messages go to.
pub trait Dispatch {
    /// Runs one operation and returns the reply, which is good until the next one.
    fn dispatch(&mut self, op: u32, message: &[u8]) -> &[u8];
}

/// Answers the host's operations.
pub(crate) struct Guest<D> {
    pub(crate) call: Call,
    manifest: fn() -> Manifest,
    open: OpenFn<D>,
    pub(crate) driver: Option<D>,
    reply: Vec<u8>,
}

impl<D: Driver> Guest<D> {
    pub(crate) fn new(imports: Box<dyn Imports>, manifest: fn() -> Manifest, open: OpenFn<D>) -> Self {
        Guest { call: Call::new(imports), manifest, open, driver: None, reply: Vec::with_capacity(1 << 10) }
    }

    fn run(&mut self, op: u32, message: &[u8]) -> Result<()> {
        let mut r = Request::decode(message)?;
        let b = &mut self.reply;
        match op {
            numbers::OP_DESCRIBE => {
                let json = (self.manifest)().json();
                Map::new(b).bytes("manifest", json.as_bytes());
                return Ok(());
            }
            numbers::OP_OPEN => {
                let opened = (self.open)(&self.call, &Parameters::new(r.params))?;
                self.driver = Some(opened.driver);
                let mut m = Map::new(b);
                m.uint("caps", opened.abilities.bits());
                m.uint("maxobj", opened.max_object);
                return Ok(());
            }
            _ => {}
        }
        match &mut self.driver {
            Some(driver) => run(driver, &self.call, op, &mut r, b),
            None => Err(Error::invalid_argument("the driver is not open")),
        }
    }
}

impl<D: Driver> Dispatch for Guest<D> {
    fn dispatch(&mut self, op: u32, message: &[u8]) -> &[u8] {
        self.reply.clear();
        let mut done = self.run(op, message);
        if done.is_ok() && self.reply.len() > numbers::MAX_MESSAGE {
            done = Err(too_long());
        }
        if let Err(e) = done {
            self.reply.clear();
            encoder::error(&mut self.reply, &e);
        }
        &self.reply
    }
}

/// Runs an operation of an open driver and writes its reply.
fn run<D: Driver>(driver: &mut D, c: &Call, op: u32, r: &mut Request<'_>, b: &mut Vec<u8>) -> Result<()> {
    let limit = usize::try_from(r.limit).unwrap_or(numbers::MAX_LIST);
    match op {
        numbers::OP_STAT => {
            encoder::entry(b, "", &driver.stat(c, r.path)?);
            return Ok(());
        }
        numbers::OP_LIST => return encode_page(b, &driver.list(c, r.path, r.cursor, limit)?),
        numbers::OP_READ => {
            let length = r.length()?;
            return encode_read(b, driver.read(c, r.path, r.off, length)?);
        }
        numbers::OP_PUT => driver.put(c, r.path, r.body_of(c))?,
        numbers::OP_DELETE => driver.delete(c, r.path)?,
        numbers::OP_DELETE_TREE => driver.delete_tree(c, r.path)?,
        numbers::OP_COPY => driver.copy(c, r.path, r.dest)?,
        numbers::OP_MOVE => driver.move_to(c, r.path, r.dest)?,
        numbers::OP_CONCAT => driver.concat(c, r.dest, &r.paths)?,
        numbers::OP_LIST_TREE => {
            let page = driver.list_tree(c, r.path, r.after, r.cursor, limit)?;
            return encode_page(b, &page);
        }
        numbers::OP_LIST_UPLOADS => {
            let page = driver.list_uploads(c, r.path, r.cursor, limit)?;
            return encode_page(b, &page);
        }
        numbers::OP_REDIRECT => {
            let options = RedirectOptions { method: r.method, remote: r.remote, forwarded: r.forwarded };
            let url = driver.redirect(c, r.path, &options)?;
            Map::new(b).text("url", &url);
            return Ok(());
        }
        numbers::OP_STREAM => {
            let mut out = r.output(c).ok_or(Bad::Format)?;
            let state = driver.stream(c, r.path, r.state, r.stream(c), &mut out)?;
            Map::new(b).bytes("state", &state);
            return Ok(());
        }
        numbers::OP_COMMITTING => {
            let mut out = r.output(c);
            driver.committing(c, r.path, r.size, r.state, out.as_mut())?;
        }
        _ => return run_upload(driver, c, op, r, b),
    }
    Map::new(b);
    Ok(())
}

/// Runs an operation of the part protocol.
fn run_upload<D: Driver>(driver: &mut D, c: &Call, op: u32, r: &mut Request<'_>, b: &mut Vec<u8>) -> Result<()> {
    let receipts = Receipts::new(c, r.receipts);
    match op {
        numbers::OP_UPLOAD_OPEN => {
            let upload = driver.open_upload(c, r.path, r.append, &receipts)?;
            return encode_upload(b, upload);
        }
        numbers::OP_UPLOAD_PART => {
            let part = r.part(c)?;
            let receipt = driver.put_part(c, r.token, part)?;
            Map::new(b).bytes("data", &receipt);
            return Ok(());
        }
        numbers::OP_UPLOAD_SUSPEND => driver.suspend_upload(c, r.token, &receipts, r.stream(c))?,
        numbers::OP_UPLOAD_COMMIT => {
            let last = match r.body {
                0 => None,
                _ => Some(r.part(c)?),
            };
            driver.commit_upload(c, r.token, &receipts, last)?;
        }
        numbers::OP_UPLOAD_CANCEL => driver.cancel_upload(c, r.token)?,
        numbers::OP_UPLOAD_ABORT => driver.abort_uploads(c, r.path)?,
        _ => return Err(Error::unsupported("this operation")),
    }
    Map::new(b);
    Ok(())
}

fn encode_page(b: &mut Vec<u8>, page: &Page) -> Result<()> {
    let mut m = Map::new(b);
    if !page.entries.is_empty() {
        let b = m.key("entries");
        encoder::array(b, page.entries.len());
        for e in &page.entries {
            encoder::entry(b, &e.name, e);
        }
    }
    m.text("cursor", &page.cursor);
    Ok(())
}

fn encode_read(b: &mut Vec<u8>, content: Content<'_>) -> Result<()> {
    let mut m = Map::new(b);
    m.uint("len", content.length);
    let some_data = !content.data.is_empty();
    if some_data && (content.body.is_some() || !content.state.is_empty()) {
        return Err(Error::invalid_argument("content has data and a body or a state"));
    }
    if let Some(body) = content.body {
        m.int("body", body.into_reply()?);
    }
    let mut data = &*content.data;
    if !content.version.is_empty() {
        data = &data[..data.len().min(numbers::MAX_INLINE)];
    }
    m.bytes("data", data);
    if some_data {
        m.bytes("version", &content.version);
    }
    m.bytes("stream", &content.state);
    m.uint("skip", content.skip);
    Ok(())
}

fn encode_upload(b: &mut Vec<u8>, upload: Upload<'_>) -> Result<()> {
    let mut m = Map::new(b);
    if let Some(delegate) = upload.delegate {
        m.text("store", &delegate.store);
        m.text("dest", &delegate.path);
        m.flag("transform", delegate.transform);
        return Ok(());
    }
    m.text("token", &upload.token);
    if upload.limits != UploadLimits::default() {
        encode_limits(m.map("limits"), &upload.limits);
    }
    m.flag("resumed", upload.resumed);
    let tail = upload.tail;
    if !tail.state.is_empty() || !tail.version.is_empty() {
        let text = "an upload's tail has a state or a version, which are for what read answers";
        return Err(Error::invalid_argument(text));
    }
    if tail.length == 0 {
        return Ok(());
    }
    match tail.body {
        Some(body) => m.int("body", body.into_reply()?),
        None => m.bytes("tail", &tail.data),
    }
    m.uint("len", tail.length);
    Ok(())
}

fn encode_limits(mut m: Map<'_>, limits: &UploadLimits) {
    m.uint("min", limits.min);
    m.uint("max", limits.max);
    m.uint("count", limits.count.into());
    m.uint("multiple", limits.multiple);
    m.flag("equal", limits.equal);
    m.flag("seq", limits.sequential);
    m.uint("total", limits.total);
    if !limits.digests.is_empty() {
        m.texts("digests", &limits.digests);
    }
}
