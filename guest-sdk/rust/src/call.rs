use core::cell::RefCell;
use core::fmt;
use core::time::Duration;

use crate::constants as numbers;
use crate::decoder::{Bad, Decoder};
use crate::encoder::Map;
use crate::error::{Error, Kind, Result};
use crate::time::Time;

/// The functions of module `berth`, with slices in place of pointers.
pub(crate) trait Imports {
    fn call(&self, op: u32, request: &[u8], out: &mut [u8]) -> i64;
    fn take(&self, out: &mut [u8]) -> i64;
    fn read(&self, handle: i64, p: &mut [u8]) -> i64;
    fn write(&self, handle: i64, p: &[u8]) -> i64;
    fn splice(&self, dst: i64, src: i64, n: i64) -> i64;
    fn close(&self, handle: i64) -> i64;
    fn now(&self) -> i64;
    fn random(&self, p: &mut [u8]) -> i64;
    fn log(&self, level: u32, line: &[u8]) -> i64;
    /// Waits. It is WASI's and no function of module `berth`.
    fn sleep(&self, nanoseconds: u64);
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// For who looks for a fault.
    Debug = 0,
    /// Worth knowing.
    Info = 1,
    /// Something is not as it should be.
    Warn = 2,
    /// Something has failed.
    Error = 3,
}

/// One operation's access to the world: HTTP to the origins that the operator allows, stores, credentials and secrets that
/// he lends by name, the clock, randomness and the log. It ends with the method that it was given to.
pub struct Call {
    imports: Box<dyn Imports>,
    request: RefCell<Vec<u8>>,
    reply: RefCell<Vec<u8>>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

/// The room for replies: most are shorter, and longer ones are taken with a second call.
const ROOM: usize = 16 << 10;

/// What reads the value of a reply's key that it knows.
pub(crate) type Field<'f> = &'f mut dyn FnMut(&[u8], &mut Decoder<'_>) -> core::result::Result<bool, Bad>;

impl Call {
    pub(crate) fn new(imports: Box<dyn Imports>) -> Call {
        Call { imports, request: RefCell::new(Vec::with_capacity(1 << 10)), reply: RefCell::new(Vec::new()) }
    }

    pub(crate) fn imports(&self) -> &dyn Imports {
        &*self.imports
    }

    /// Sends the message that `encode` writes and reads the reply with `field`.
    pub(crate) fn ask(
        &self,
        op: u32,
        name: &str,
        encode: &mut dyn FnMut(&mut Map<'_>),
        field: Field<'_>,
    ) -> Result<()> {
        let mut request = self.request.borrow_mut();
        request.clear();
        encode(&mut Map::new(&mut request));
        if request.len() > numbers::MAX_MESSAGE {
            return Err(too_long());
        }
        let mut reply = self.reply.borrow_mut();
        if reply.len() < ROOM {
            reply.resize(ROOM, 0);
        }
        let n = check(self.imports.call(op, &request, &mut reply), name)?;
        if n > numbers::MAX_MESSAGE {
            return Err(too_long());
        }
        if n > reply.len() {
            reply.resize(n, 0);
            let taken = check(self.imports.take(&mut reply[..n]), name)?;
            if taken != n {
                return Err(Bad::Truncated.into());
            }
        }
        read_reply(&reply[..n], field)
    }

    /// [`Call::ask`] for replies in which only an error matters.
    pub(crate) fn ask_nothing(&self, op: u32, name: &str, encode: &mut dyn FnMut(&mut Map<'_>)) -> Result<()> {
        self.ask(op, name, encode, &mut |_, _| Ok(false))
    }

    /// [`Call::ask`] for one number, which may be a handle.
    pub(crate) fn ask_int(&self, op: u32, name: &str, key: &str, encode: &mut dyn FnMut(&mut Map<'_>)) -> Result<i64> {
        let mut n = 0;
        self.ask(op, name, encode, &mut |k, d| {
            let known = k == key.as_bytes();
            if known {
                n = d.int()?;
            }
            Ok(known)
        })?;
        Ok(n)
    }

    /// [`Call::ask`] for one string.
    pub(crate) fn ask_text(
        &self,
        op: u32,
        name: &str,
        key: &str,
        encode: &mut dyn FnMut(&mut Map<'_>),
    ) -> Result<String> {
        let mut text = String::new();
        self.ask(op, name, encode, &mut |k, d| {
            let known = k == key.as_bytes();
            if known {
                text = d.string()?;
            }
            Ok(known)
        })?;
        Ok(text)
    }

    /// Returns the time.
    pub fn now(&self) -> Time {
        Time::from_nanos(self.imports.now())
    }

    /// Fills `p` with random bytes.
    pub fn random(&self, p: &mut [u8]) {
        self.imports.random(p);
    }

    /// Writes one line to the host's log: at most [`MAX_TEXT`](crate::MAX_TEXT) bytes, escaped and rate-limited there.
    pub fn log(&self, level: Level, line: &str) {
        self.imports.log(level as u32, cut(line, numbers::MAX_TEXT).as_bytes());
    }

    /// Waits. When the call's time is over first, it does not come back.
    pub fn sleep(&self, wait: Duration) {
        let nanoseconds = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.imports.sleep(nanoseconds);
    }
}

/// Returns the beginning of `s` that has at most `most` bytes and whole characters.
pub(crate) fn cut(s: &str, most: usize) -> &str {
    let mut end = s.len().min(most);
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

pub(crate) fn too_long() -> Error {
    Error::new(Kind::Limit, "a message is longer than allowed")
}

/// Turns the negative result of an import into an error.
pub(crate) fn check(n: i64, name: &str) -> Result<usize> {
    if let Ok(n) = usize::try_from(n) {
        return Ok(n);
    }
    let kind = Kind::from_number(-(n.saturating_add(1)));
    let mut e = Error::new(kind, "the host refused ".to_owned() + name);
    e.temporary = kind == Kind::Unavailable;
    Err(e)
}

fn read_reply(reply: &[u8], field: Field<'_>) -> Result<()> {
    let mut failure = None;
    let mut d = Decoder::new(reply);
    d.fields(&mut |key, d| {
        if key != b"err" {
            return field(key, d);
        }
        failure = Some(read_error(d)?);
        Ok(true)
    })?;
    d.end()?;
    failure.map_or(Ok(()), Err)
}

pub(crate) fn read_error(d: &mut Decoder<'_>) -> core::result::Result<Error, Bad> {
    let mut e = Error::new(Kind::Unknown, "");
    d.fields(&mut |key, d| {
        match key {
            b"kind" => e.kind = Kind::from_number(d.int()?),
            b"tmp" => e.temporary = d.flag()?,
            b"after" => e.retry_after = Duration::from_millis(d.uint()?),
            b"status" => e.status = u16::try_from(d.uint()?).unwrap_or(0),
            b"msg" => e.message = d.string()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(e)
}
