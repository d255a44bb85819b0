use std::borrow::Cow;

use crate::call::Call;
use crate::constants as numbers;
use crate::decoder::{Bad, Decoder};
use crate::driver::{Content, Entry, Page, RedirectOptions};
use crate::encoder::Map;
use crate::error::Result;
use crate::http::encode_streams;
use crate::manifest::Abilities;
use crate::stream::{writer, Handle, Stream};
use crate::time::Time;

/// A driver of the operator's that this one may call. Its methods owe what those of [`Driver`](crate::Driver) do. Names with
/// `~` in it are the caller's to use, as long as it made them.
#[derive(Clone, Debug)]
pub struct Store<'c> {
    call: &'c Call,
    name: Cow<'c, str>,
}

/// What a store does. `MOVE`, `MOVE_TREE` and `DELETE_TREE` are always among the abilities; `COPY`, `CONCAT` and `PARTS` never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// The store's abilities.
    pub abilities: Abilities,
    /// The most bytes of a put; 0 means no limit.
    pub max_object: u64,
}

impl Call {
    /// Returns the store of that name. It asks nothing: one that the operator has not granted is `Denied` when it is used.
    pub fn store<'c>(&'c self, name: impl Into<Cow<'c, str>>) -> Store<'c> {
        Store { call: self, name: name.into() }
    }
}

impl<'c> Store<'c> {
    fn begin_message(&self, m: &mut Map<'_>, path: &str) {
        m.text("store", &self.name);
        m.text("path", path);
    }

    /// Runs an operation on a path, in whose reply only an error matters.
    fn run(&self, op: u32, name: &str, path: &str, dest: &str) -> Result<()> {
        self.call.ask_nothing(op, name, &mut |m| {
            self.begin_message(m, path);
            m.text("dest", dest);
        })
    }

    /// Says what the store does.
    pub fn info(&self) -> Result<StoreInfo> {
        let mut info = StoreInfo::default();
        self.call.ask(numbers::HOST_STORE_INFO, "store_info", &mut |m| self.begin_message(m, ""), &mut |key, d| {
            match key {
                b"caps" => info.abilities = Abilities::from_bits(d.uint()?),
                b"maxobj" => info.max_object = d.uint()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(info)
    }

    /// Describes the file or directory at `path`.
    pub fn stat(&self, path: &str) -> Result<Entry> {
        let mut entry = Entry::default();
        self.call.ask(
            numbers::HOST_STORE_STAT,
            "store_stat",
            &mut |m| self.begin_message(m, path),
            &mut |key, d| entry_field(&mut entry, key, d),
        )?;
        Ok(entry)
    }

    /// Returns one page of the direct children of the directory at `path`, at most `limit` entries and
    /// [`MAX_LIST`](crate::MAX_LIST), ascending.
    pub fn list(&self, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        let mut page = Page::default();
        self.call.ask(
            numbers::HOST_STORE_LIST,
            "store_list",
            &mut |m| {
                self.begin_message(m, path);
                m.text("cursor", cursor);
                m.uint("limit", limit as u64);
            },
            &mut |key, d| {
                match key {
                    b"entries" => {
                        for _ in 0..d.array()? {
                            let mut entry = Entry::default();
                            d.fields(&mut |key, d| entry_field(&mut entry, key, d))?;
                            page.entries.push(entry);
                        }
                    }
                    b"cursor" => page.cursor = d.string()?,
                    _ => return Ok(false),
                }
                Ok(true)
            },
        )?;
        Ok(page)
    }

    /// Opens `length` bytes from `offset`, or all to the end. The content has a body unless it is empty.
    pub fn read(&self, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        let (mut size, mut body) = (0, 0);
        self.call.ask(
            numbers::HOST_STORE_READ,
            "store_read",
            &mut |m| {
                self.begin_message(m, path);
                m.uint("off", offset);
                match length {
                    Some(n) => m.uint("len", n),
                    None => m.int("len", -1),
                }
            },
            &mut |key, d| {
                match key {
                    b"len" => size = d.uint()?,
                    b"body" => body = d.int()?,
                    _ => return Ok(false),
                }
                Ok(true)
            },
        )?;
        if body == 0 {
            return Ok(Content::default());
        }
        let body = Stream::new(self.call, body, Some(size));
        Ok(Content::from_body(body, size))
    }

    /// Stores `data` at `path`, atomically.
    pub fn put(&self, path: &str, data: &[u8]) -> Result<()> {
        self.call.ask_nothing(numbers::HOST_STORE_PUT, "store_put", &mut |m| {
            self.begin_message(m, path);
            m.bytes("data", data);
        })
    }

    /// Stores at `path` what the streams have, in order, atomically. It reads them as a request's body would be read.
    pub fn put_streams(&self, path: &str, streams: &[&Stream<'_>]) -> Result<()> {
        self.call.ask_nothing(numbers::HOST_STORE_PUT, "store_put", &mut |m| {
            self.begin_message(m, path);
            encode_streams(m, streams);
        })?;
        streams.iter().for_each(|s| s.sent());
        Ok(())
    }

    /// Starts content of unknown length at `path`, which becomes visible when the sink is finished.
    pub fn begin(&self, path: &str) -> Result<StoreSink<'c>> {
        let number = self.call.ask_int(numbers::HOST_STORE_BEGIN, "store_begin", "sink", &mut |m| {
            self.begin_message(m, path);
        })?;
        Ok(StoreSink { handle: Handle::new(self.call, number) })
    }

    /// Removes the file at `path`, or the directory there if it is empty.
    pub fn delete(&self, path: &str) -> Result<()> {
        self.run(numbers::HOST_STORE_DELETE, "store_delete", path, "")
    }

    /// Removes `path` and all below it.
    pub fn delete_tree(&self, path: &str) -> Result<()> {
        self.run(numbers::HOST_STORE_DELETE_TREE, "store_delete_tree", path, "")
    }

    /// Moves a file or a directory, replacing a file at `dest`.
    pub fn move_to(&self, source: &str, dest: &str) -> Result<()> {
        self.run(numbers::HOST_STORE_MOVE, "store_move", source, dest)
    }

    /// Returns a URL the content may be fetched from, or an empty one.
    pub fn redirect(&self, path: &str, options: &RedirectOptions<'_>) -> Result<String> {
        self.call.ask_text(numbers::HOST_STORE_REDIRECT, "store_redirect", "url", &mut |m| {
            self.begin_message(m, path);
            m.text("method", options.method);
            m.text("remote", options.remote);
            m.text("forwarded", options.forwarded);
        })
    }

    /// Ends every unfinished upload to `path` and to everything below it.
    pub fn abort_uploads(&self, path: &str) -> Result<()> {
        self.run(numbers::HOST_STORE_ABORT, "store_abort", path, "")
    }
}

fn entry_field(entry: &mut Entry, key: &[u8], d: &mut Decoder<'_>) -> core::result::Result<bool, Bad> {
    match key {
        b"name" => entry.name = d.string()?,
        b"size" => entry.size = d.uint()?,
        b"time" => entry.time = Time::from_nanos(d.int()?),
        b"dir" => entry.dir = d.flag()?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Content that is being written into a store. One that is dropped leaves nothing.
#[derive(Debug)]
pub struct StoreSink<'c> {
    handle: Handle<'c>,
}

writer!(StoreSink);

#[cfg(test)]
impl<'c> StoreSink<'c> {
    pub(crate) fn on(call: &'c Call, number: i64) -> Self {
        StoreSink { handle: Handle::new(call, number) }
    }

    pub(crate) fn handle(&self) -> i64 {
        self.handle.number.get()
    }
}

impl StoreSink<'_> {
    /// Makes the content visible, atomically.
    pub fn finish(self) -> Result<()> {
        let number = self.handle.take();
        self.handle.call.ask_nothing(numbers::HOST_STORE_FINISH, "store_finish", &mut |m| {
            m.int("sink", number);
        })
    }
}
