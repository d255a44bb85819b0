//! MessagePack as anybody may write it. Nothing here panics or takes memory that the bytes at hand do not account for.

use crate::constants::{KIND_CORRUPT, MAX_DEPTH};
use crate::driver::Digests;
use crate::error::{Error, Kind};

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    Truncated,
    Format,
    Deep,
    Trailing,
}

impl From<Bad> for Error {
    fn from(bad: Bad) -> Error {
        let text = match bad {
            Bad::Truncated => "a message ends too early",
            Bad::Format => "a message has a value of another type than expected",
            Bad::Deep => "a message is nested too deeply",
            Bad::Trailing => "a message goes on after its end",
        };
        Error::new(Kind::from_number(KIND_CORRUPT.into()), text)
    }
}

type Result<T> = core::result::Result<T, Bad>;

/// The head of a value, with the number that it holds or that follows it.
#[derive(Clone, Copy)]
enum Head {
    Unsigned(u64),
    Signed(i64),
    Nil,
    Bool(bool),
    Text(u64),
    Bytes(u64),
    /// Bytes that follow and mean nothing here: floats and extensions.
    Other(u64),
    Array(u64),
    Map(u64),
}

pub(crate) struct Decoder<'a> {
    b: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(b: &'a [u8]) -> Self {
        Decoder { b }
    }

    /// The first byte of what is left.
    #[cfg(test)]
    pub(crate) fn first(&self) -> u8 {
        self.b[0]
    }

    /// Says whether all has been read.
    pub(crate) fn end(&self) -> Result<()> {
        if self.b.is_empty() {
            Ok(())
        } else {
            Err(Bad::Trailing)
        }
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8]> {
        if n > self.b.len() as u64 {
            return Err(Bad::Truncated);
        }
        let (taken, rest) = self.b.split_at(n as usize);
        self.b = rest;
        Ok(taken)
    }

    fn number(&mut self, width: u64) -> Result<u64> {
        let p = self.take(width)?;
        Ok(p.iter().fold(0, |n, &c| n << 8 | u64::from(c)))
    }

    fn head(&mut self) -> Result<Head> {
        let c = self.take(1)?[0];
        Ok(match c {
            0x00..=0x7f => Head::Unsigned(c.into()),
            0x80..=0x8f => Head::Map((c & 0x0f).into()),
            0x90..=0x9f => Head::Array((c & 0x0f).into()),
            0xa0..=0xbf => Head::Text((c & 0x1f).into()),
            0xc0 => Head::Nil,
            0xc1 => return Err(Bad::Format),
            0xc2 | 0xc3 => Head::Bool(c == 0xc3),
            0xc4..=0xc6 => Head::Bytes(self.number(1 << (c - 0xc4))?),
            0xc7..=0xc9 => Head::Other(self.number(1 << (c - 0xc7))? + 1),
            0xca => Head::Other(4),
            0xcb => Head::Other(8),
            0xcc..=0xcf => Head::Unsigned(self.number(1 << (c - 0xcc))?),
            0xd0..=0xd3 => {
                let width = 1 << (c - 0xd0);
                let shift = 64 - 8 * width;
                Head::Signed((self.number(width)? << shift) as i64 >> shift)
            }
            0xd4..=0xd8 => Head::Other(1 + (1 << (c - 0xd4))),
            0xd9..=0xdb => Head::Text(self.number(1 << (c - 0xd9))?),
            0xdc | 0xdd => Head::Array(self.number(2 << (c - 0xdc))?),
            0xde | 0xdf => Head::Map(self.number(2 << (c - 0xde))?),
            0xe0..=0xff => Head::Signed((c as i8).into()),
        })
    }

    /// Checks a count against the bytes left, of which each item has at least `size`.
    fn count(&self, n: u64, size: usize) -> Result<usize> {
        if n > (self.b.len() / size) as u64 {
            return Err(Bad::Truncated);
        }
        Ok(n as usize)
    }

    pub(crate) fn map(&mut self) -> Result<usize> {
        match self.head()? {
            Head::Map(n) => self.count(n, 2),
            _ => Err(Bad::Format),
        }
    }

    pub(crate) fn array(&mut self) -> Result<usize> {
        match self.head()? {
            Head::Array(n) => self.count(n, 1),
            _ => Err(Bad::Format),
        }
    }

    /// Reads a string's bytes, which need not be UTF-8: for keys.
    pub(crate) fn key(&mut self) -> Result<&'a [u8]> {
        match self.head()? {
            Head::Text(n) => self.take(n),
            _ => Err(Bad::Format),
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        core::str::from_utf8(self.key()?).map_err(|_| Bad::Format)
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        self.text().map(String::from)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        match self.head()? {
            Head::Bytes(n) => self.take(n),
            _ => Err(Bad::Format),
        }
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        match self.head()? {
            Head::Bool(v) => Ok(v),
            _ => Err(Bad::Format),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        match self.head()? {
            Head::Unsigned(n) => i64::try_from(n).map_err(|_| Bad::Format),
            Head::Signed(n) => Ok(n),
            _ => Err(Bad::Format),
        }
    }

    /// Reads a number that is not negative.
    pub(crate) fn uint(&mut self) -> Result<u64> {
        u64::try_from(self.int()?).map_err(|_| Bad::Format)
    }

    /// Reads a number that is not negative, or -1 for one that is not known.
    pub(crate) fn length(&mut self) -> Result<Option<u64>> {
        match self.int()? {
            -1 => Ok(None),
            n => u64::try_from(n).map(Some).map_err(|_| Bad::Format),
        }
    }

    pub(crate) fn digests(&mut self) -> Result<Digests> {
        let mut digests = Digests::default();
        for _ in 0..self.map()? {
            let name = self.string()?;
            digests.0.push((name, self.bytes()?.to_vec()));
        }
        Ok(digests)
    }

    /// Passes over one value, whatever it is, without recursion.
    pub(crate) fn skip(&mut self) -> Result<()> {
        let mut left = [0; MAX_DEPTH]; // items still to come at each level
        let mut depth = 0;
        left[0] = 1;
        loop {
            while left[depth] == 0 {
                if depth == 0 {
                    return Ok(());
                }
                depth -= 1;
            }
            left[depth] -= 1;
            let items = match self.head()? {
                Head::Text(n) | Head::Bytes(n) | Head::Other(n) => {
                    self.take(n)?;
                    0
                }
                Head::Array(n) => self.count(n, 1)?,
                Head::Map(n) => 2 * self.count(n, 2)?,
                Head::Unsigned(_) | Head::Signed(_) | Head::Nil | Head::Bool(_) => 0,
            };
            if items > 0 {
                depth += 1;
                if depth == MAX_DEPTH {
                    return Err(Bad::Deep);
                }
                left[depth] = items;
            }
        }
    }

    /// Reads a map, handing each key to `field`, which reads the value of one that it knows and says so.
    pub(crate) fn fields(&mut self, field: &mut dyn FnMut(&[u8], &mut Self) -> Result<bool>) -> Result<()> {
        for _ in 0..self.map()? {
            let key = self.key()?;
            if !field(key, self)? {
                self.skip()?;
            }
        }
        Ok(())
    }
}
