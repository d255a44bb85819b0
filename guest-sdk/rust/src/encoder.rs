//! MessagePack as this side writes it: each value in its shortest format, zero values left out.

use crate::call::cut;
use crate::constants::MAX_TEXT;
use crate::driver::Entry;
use crate::error::Error;

/// Appends the first byte of a format and the number after it, which has `width` bytes.
fn head(b: &mut Vec<u8>, format: u8, n: u64, width: usize) {
    b.push(format);
    b.extend_from_slice(&n.to_be_bytes()[8 - width..]);
}

fn count(b: &mut Vec<u8>, n: usize, fix: u8, wide: u8) {
    match n {
        0..=15 => b.push(fix | n as u8),
        16..=0xffff => head(b, wide, n as u64, 2),
        _ => head(b, wide + 1, n as u64, 4),
    }
}

/// Begins an array of `n` values.
pub(crate) fn array(b: &mut Vec<u8>, n: usize) {
    count(b, n, 0x90, 0xdc);
}

pub(crate) fn text(b: &mut Vec<u8>, s: &str) {
    match s.len() {
        n @ 0..=31 => b.push(0xa0 | n as u8),
        n @ 32..=0xff => head(b, 0xd9, n as u64, 1),
        n @ 0x100..=0xffff => head(b, 0xda, n as u64, 2),
        n => head(b, 0xdb, n as u64, 4),
    }
    b.extend_from_slice(s.as_bytes());
}

pub(crate) fn bytes(b: &mut Vec<u8>, p: &[u8]) {
    match p.len() {
        n @ 0..=0xff => head(b, 0xc4, n as u64, 1),
        n @ 0x100..=0xffff => head(b, 0xc5, n as u64, 2),
        n => head(b, 0xc6, n as u64, 4),
    }
    b.extend_from_slice(p);
}

pub(crate) fn unsigned(b: &mut Vec<u8>, n: u64) {
    match n {
        0..=0x7f => b.push(n as u8),
        0x80..=0xff => head(b, 0xcc, n, 1),
        0x100..=0xffff => head(b, 0xcd, n, 2),
        0x1_0000..=0xffff_ffff => head(b, 0xce, n, 4),
        _ => head(b, 0xcf, n, 8),
    }
}

pub(crate) fn integer(b: &mut Vec<u8>, n: i64) {
    match n {
        0..=i64::MAX => unsigned(b, n as u64),
        -32..=-1 => b.push(n as u8),
        -0x80..=-33 => head(b, 0xd0, n as u64, 1),
        -0x8000..=-0x81 => head(b, 0xd1, n as u64, 2),
        -0x8000_0000..=-0x8001 => head(b, 0xd2, n as u64, 4),
        _ => head(b, 0xd3, n as u64, 8),
    }
}

/// A map that is being written: at most 15 keys, whose zero values are left out.
pub(crate) struct Map<'a> {
    b: &'a mut Vec<u8>,
    at: usize,
}

impl<'a> Map<'a> {
    pub(crate) fn new(b: &'a mut Vec<u8>) -> Self {
        let at = b.len();
        b.push(0x80);
        Map { b, at }
    }

    /// Adds a key, whose value must follow.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.b[self.at] += 1;
        text(self.b, key);
        self.b
    }

    pub(crate) fn map(&mut self, key: &str) -> Map<'_> {
        Map::new(self.key(key))
    }

    pub(crate) fn text(&mut self, key: &str, s: &str) {
        if !s.is_empty() {
            text(self.key(key), s);
        }
    }

    pub(crate) fn bytes(&mut self, key: &str, p: &[u8]) {
        if !p.is_empty() {
            bytes(self.key(key), p);
        }
    }

    pub(crate) fn int(&mut self, key: &str, n: i64) {
        if n != 0 {
            integer(self.key(key), n);
        }
    }

    pub(crate) fn uint(&mut self, key: &str, n: u64) {
        if n != 0 {
            unsigned(self.key(key), n.min(i64::MAX as u64)); // the most that the host takes
        }
    }

    pub(crate) fn flag(&mut self, key: &str, v: bool) {
        if v {
            self.key(key).push(0xc3);
        }
    }

    /// Adds an array of strings, also an empty one.
    pub(crate) fn texts<S: AsRef<str>>(&mut self, key: &str, list: &[S]) {
        let b = self.key(key);
        array(b, list.len());
        for s in list {
            text(b, s.as_ref());
        }
    }
}

pub(crate) fn entry(b: &mut Vec<u8>, name: &str, e: &Entry) {
    let mut m = Map::new(b);
    m.text("name", name);
    m.uint("size", e.size);
    m.int("time", e.time.as_nanos());
    m.flag("dir", e.dir);
}

/// Writes a reply that is an error.
pub(crate) fn error(b: &mut Vec<u8>, e: &Error) {
    let mut m = Map::new(b);
    let mut m = m.map("err");
    m.uint("kind", e.kind as u64);
    m.flag("tmp", e.temporary);
    m.uint("after", u64::try_from(e.retry_after.as_millis()).unwrap_or(u64::MAX >> 1));
    m.uint("status", e.status.into());
    let control = |c: char| c < ' ';
    if e.message.contains(control) {
        m.text("msg", cut(&e.message.replace(control, " "), MAX_TEXT));
    } else {
        m.text("msg", cut(&e.message, MAX_TEXT));
    }
}
