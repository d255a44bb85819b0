use core::cell::Cell;
use core::fmt;
use core::mem;
use std::io;

use crate::call::{check, Call};
use crate::constants::{HOST_HTTP_FINISH, KIND_INVALID_ARGUMENT};
use crate::error::{Error, Kind, Result};
use crate::http::{encode_want, Exchange, Response};

/// A handle of the host's that is given back when it is dropped. 0 is none.
pub(crate) struct Handle<'c> {
    pub(crate) call: &'c Call,
    pub(crate) number: Cell<i64>,
}

impl<'c> Handle<'c> {
    pub(crate) fn new(call: &'c Call, number: i64) -> Self {
        Handle { call, number: Cell::new(number) }
    }

    /// Takes the number out, so that nothing is given back.
    pub(crate) fn take(&self) -> i64 {
        self.number.replace(0)
    }

    pub(crate) fn write(&self, p: &[u8]) -> Result<()> {
        if p.is_empty() {
            return Ok(());
        }
        check(self.call.imports().write(self.number.get(), p), "to write").map(|_| ())
    }

    pub(crate) fn splice(&self, src: &Stream<'_>, n: Option<u64>) -> Result<u64> {
        let n = n.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
        let moved = self.call.imports().splice(self.number.get(), src.handle.number.get(), n);
        u64::try_from(moved).or_else(|_| check(moved, "to splice").map(|n| n as u64))
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        let number = self.take();
        if number != 0 {
            self.call.imports().close(number); // the call's end does the same
        }
    }
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handle {}", self.number.get())
    }
}

/// Bytes that the host holds: the body of an operation or of a response.
///
/// The first kind may be named in a request body again and again and is sent from its first byte; the second is sent from
/// where it stands, and is used up by that. A stream that is dropped is closed; one that is moved into an answer passes to
/// the host.
#[derive(Debug)]
pub struct Stream<'c> {
    pub(crate) handle: Handle<'c>,
    size: Option<u64>,
    source: bool,
}

impl<'c> Stream<'c> {
    /// Makes a stream of a body.
    pub(crate) fn new(call: &'c Call, number: i64, size: Option<u64>) -> Self {
        Stream { handle: Handle::new(call, number), size, source: false }
    }

    /// Makes a stream of what the host gives with an operation, and takes back by itself.
    pub(crate) fn given(call: &'c Call, number: i64, size: u64) -> Self {
        Stream { handle: Handle::new(call, number), size: Some(size), source: true }
    }

    /// The number of bytes of the whole, if it is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Reads up to `p.len()` bytes; 0 at the end.
    pub fn read(&self, p: &mut [u8]) -> Result<usize> {
        let number = self.handle.number.get();
        if p.is_empty() || number == 0 && self.size == Some(0) {
            return Ok(0);
        }
        if number == 0 {
            return Err(Error::invalid_argument("the body is used up: a request that named it was sent"));
        }
        let n = check(self.handle.call.imports().read(number, p), "to read")?;
        Ok(n.min(p.len()))
    }

    /// Reads what is left, at most `limit` bytes; more is [`Kind::Limit`], and so is what there is no memory for.
    pub fn read_all(&self, limit: usize) -> Result<Vec<u8>> {
        let limit = limit.min(isize::MAX as usize - 1);
        let too_long = || Error::new(Kind::Limit, "a body is longer than was expected");
        let first = match self.size {
            Some(n) if n > limit as u64 => return Err(too_long()),
            Some(n) => n as usize,
            None => 4096.min(limit),
        };
        let mut out = Vec::new();
        resize(&mut out, first + 1)?;
        let mut filled = 0;
        loop {
            if filled == out.len() {
                resize(&mut out, (2 * filled).min(limit + 1))?;
            }
            let n = self.read(&mut out[filled..])?;
            filled += n;
            if filled > limit {
                return Err(too_long());
            }
            if n == 0 {
                out.truncate(filled);
                return Ok(out);
            }
        }
    }

    /// Fills `p`; a stream that ends before is [`Kind::Unknown`].
    pub fn read_exact(&self, mut p: &mut [u8]) -> Result<()> {
        while !p.is_empty() {
            match self.read(p)? {
                0 => return Err(Error::new(Kind::Unknown, "a body ends early")),
                n => p = &mut mem::take(&mut p)[n..],
            }
        }
        Ok(())
    }

    /// Called when a request that named the stream was sent: a body is used up.
    pub(crate) fn sent(&self) {
        if !self.source {
            self.handle.take();
        }
    }

    /// Passes the stream to the host, with a reply.
    pub(crate) fn into_reply(self) -> Result<i64> {
        match self.handle.take() {
            0 => Err(Error::new(
                Kind::from_number(KIND_INVALID_ARGUMENT.into()),
                "an answer has a stream that is used up",
            )),
            number => Ok(number),
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if self.source {
            self.handle.take(); // the host's own, which end with the call
        }
    }
}

impl io::Read for Stream<'_> {
    fn read(&mut self, p: &mut [u8]) -> io::Result<usize> {
        Ok(Stream::read(self, p)?)
    }
}

/// What all that can be written to has.
macro_rules! writer {
    ($name:ident) => {
        impl $name<'_> {
            /// Writes all of `p`.
            pub fn write(&mut self, p: &[u8]) -> Result<()> {
                self.handle.write(p)
            }

            /// Moves `n` bytes of a stream, or all, without their passing through the driver, and returns how many there were.
            pub fn splice(&mut self, from: &Stream<'_>, n: Option<u64>) -> Result<u64> {
                self.handle.splice(from, n)
            }
        }

        impl std::io::Write for $name<'_> {
            fn write(&mut self, p: &[u8]) -> std::io::Result<usize> {
                self.handle.write(p)?;
                Ok(p.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}
pub(crate) use writer;

/// The body of a request that is being written. One that is dropped aborts the request.
#[derive(Debug)]
pub struct Sink<'c> {
    pub(crate) handle: Handle<'c>,
}

writer!(Sink);

impl<'c> Sink<'c> {
    /// Ends the body and returns the response; `max` and `want` are as in [`Request`](crate::Request).
    pub fn finish(self, max: usize, want: Option<&[&str]>) -> Result<Response<'c>> {
        let call = self.handle.call;
        let mut exchange = Exchange::default();
        call.ask(
            HOST_HTTP_FINISH,
            "http_finish",
            &mut |m| {
                m.int("sink", self.handle.number.get());
                encode_want(m, max, want);
            },
            &mut |key, d| exchange.field(key, d),
        )?;
        self.handle.take();
        Ok(exchange.response(call))
    }
}

/// What [`Driver::stream`](crate::Driver::stream) and [`Driver::committing`](crate::Driver::committing) write to. It is the
/// host's, which ends it.
#[derive(Debug)]
pub struct Output<'c> {
    pub(crate) handle: Handle<'c>,
}

writer!(Output);

impl<'c> Output<'c> {
    pub(crate) fn new(call: &'c Call, number: i64) -> Self {
        Output { handle: Handle::new(call, number) }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.handle.take();
    }
}

/// Makes `out` so long, with zeros.
fn resize(out: &mut Vec<u8>, len: usize) -> Result<()> {
    let more = len.saturating_sub(out.len());
    if out.try_reserve_exact(more).is_err() {
        return Err(Error::new(Kind::Limit, format!("there is no memory for {} bytes of a body", len)));
    }
    out.resize(len, 0);
    Ok(())
}
