use core::mem;
use core::ops::Bound;
use std::collections::BTreeMap;

use super::asked::Asked;
use super::{closed, Bytes, Host, Pending, State};
use crate::constants::{self as numbers, MAX_LIST};
use crate::driver::{range, Entry, Page};
use crate::encoder::{self, Map};
use crate::error::{Error, Kind, Result};
use crate::manifest::Abilities;
use crate::time::Time;

impl Host {
    /// Grants an empty store, in memory, which redirects nowhere; any other is `Denied`. A test fills it, and looks into it, as a
    /// driver does.
    ///
    /// ```
    /// let host = berth_guest::testing::Host::new();
    /// host.grant("under");
    /// let under = host.call().store("under");
    /// under.put("/a/b", b"hello").unwrap();
    /// assert!(under.stat("/a").unwrap().dir);
    /// assert_eq!(under.read("/a/b", 1, Some(2)).unwrap().length, 2);
    /// ```
    pub fn grant(&self, store: &str) {
        self.state.stores.borrow_mut().insert(store.to_owned(), Files::default());
    }
}

/// The files of a store by path. A directory is there while something is below it.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, File>);

struct File {
    content: Vec<u8>,
    written: Time,
}

impl File {
    fn entry(&self, name: &str) -> Entry {
        Entry::file(name, self.content.len() as u64, self.written)
    }
}

impl State {
    /// Runs an operation of a store, but for that of its sinks which ends them.
    pub(super) fn store(&self, op: u32, asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
        let mut stores = self.stores.borrow_mut();
        let missing = || Error::new(Kind::Denied, format!("the test grants no store {:?}; see grant", asked.store));
        let files = stores.get_mut(asked.store).ok_or_else(missing)?;
        let (path, dest) = (asked.path, asked.dest);
        let root = matches!(op, numbers::HOST_STORE_STAT | numbers::HOST_STORE_LIST) && path == "/";
        if op != numbers::HOST_STORE_INFO && !root {
            check_path(path)?;
        }
        match op {
            numbers::HOST_STORE_INFO => {
                let abilities = Abilities::MOVE | Abilities::MOVE_TREE | Abilities::DELETE_TREE;
                m.uint("caps", abilities.bits());
            }
            numbers::HOST_STORE_STAT => {
                let entry = files.stat(path)?;
                m.uint("size", entry.size);
                m.int("time", entry.time.as_nanos());
                m.flag("dir", entry.dir);
            }
            numbers::HOST_STORE_LIST => {
                let page = files.list(path, asked.cursor, asked.limit)?;
                let b = m.key("entries");
                encoder::array(b, page.entries.len());
                page.entries.iter().for_each(|e| encoder::entry(b, &e.name, e));
                m.text("cursor", &page.cursor);
            }
            numbers::HOST_STORE_READ => {
                let content = &files.file(path)?.content;
                let part = range(content.len() as u64, asked.off, asked.length)?;
                let content = content[part.start as usize..part.end as usize].to_vec();
                m.uint("len", content.len() as u64);
                if !content.is_empty() {
                    m.int("body", self.add(Bytes { content, ..Bytes::default() }));
                }
            }
            numbers::HOST_STORE_PUT => files.put(path, self.content(asked)?, self.now())?,
            numbers::HOST_STORE_BEGIN => {
                self.begin(Pending::Store { store: asked.store.to_owned(), path: path.to_owned() }, m);
            }
            numbers::HOST_STORE_DELETE if files.stat(path)?.dir => {
                return Err(Error::new(Kind::Conflict, "the directory is not empty"));
            }
            numbers::HOST_STORE_DELETE | numbers::HOST_STORE_DELETE_TREE => drop(files.take(path)?),
            numbers::HOST_STORE_MOVE => check_path(dest).and_then(|_| files.move_to(path, dest))?,
            numbers::HOST_STORE_ABORT => {} // there are no uploads
            _ => return Err(Error::new(Kind::Unsupported, format!("the store {:?} does not redirect", asked.store))),
        }
        Ok(())
    }

    pub(super) fn store_finish(&self, asked: &Asked<'_>) -> Result<()> {
        match self.finish(asked.sink)? {
            (Pending::Store { store, path }, content) => {
                let mut stores = self.stores.borrow_mut();
                stores.get_mut(&store).ok_or_else(closed)?.put(&path, content, self.now())
            }
            _ => Err(closed()),
        }
    }
}

impl Files {
    /// Returns the files below a directory, by relative name.
    fn below(&self, path: &str) -> impl Iterator<Item = (&str, &File)> {
        let directory = path.trim_end_matches('/').to_owned() + "/";
        let from = (Bound::Excluded(&directory[..]), Bound::Unbounded);
        self.0.range::<str, _>(from).map_while(move |(path, file)| Some((path.strip_prefix(&directory)?, file)))
    }

    fn stat(&self, path: &str) -> Result<Entry> {
        match self.0.get(path) {
            Some(file) => Ok(file.entry("")),
            None if path == "/" || self.below(path).next().is_some() => Ok(Entry::dir("")),
            None => Err(Error::not_found()),
        }
    }

    fn file(&self, path: &str) -> Result<&File> {
        self.0.get(path).ok_or_else(Error::not_found)
    }

    fn list(&self, path: &str, cursor: &str, limit: u64) -> Result<Page> {
        if limit < 1 || limit > MAX_LIST as u64 {
            return Err(Error::invalid_argument(format!("store_list: the limit {} is not 1 to {}", limit, MAX_LIST)));
        }
        if !self.stat(path)?.dir {
            return Err(Error::not_found());
        }
        let mut page = Page::default();
        for (name, file) in self.below(path) {
            let (key, entry) = match name.split_once('/') {
                Some((dir, _)) => (&name[..=dir.len()], Entry::dir(dir)),
                None => (name, file.entry(name)),
            };
            if key <= cursor || page.entries.last().map_or(false, |last| last.dir && last.name == entry.name) {
                continue;
            }
            if page.entries.len() as u64 == limit {
                let last = &page.entries[page.entries.len() - 1];
                page.cursor = last.name.clone() + if last.dir { "/" } else { "" };
                break;
            }
            page.entries.push(entry);
        }
        Ok(page)
    }

    fn put(&mut self, path: &str, content: Vec<u8>, written: Time) -> Result<()> {
        self.check_place(path)?;
        self.0.insert(path.to_owned(), File { content, written });
        Ok(())
    }

    /// Returns `InvalidPath` where there can be no file: below one, or in the place of a directory.
    fn check_place(&self, path: &str) -> Result<()> {
        for (at, _) in path.match_indices('/').skip(1) {
            if self.0.contains_key(&path[..at]) {
                return Err(Error::invalid_path(format!("{} is a file", &path[..at])));
            }
        }
        match self.below(path).next() {
            Some(_) => Err(Error::invalid_path("there is a directory")),
            None => Ok(()),
        }
    }

    /// Takes out a file, or all below a directory.
    fn take(&mut self, path: &str) -> Result<BTreeMap<String, File>> {
        let all = mem::take(&mut self.0).into_iter();
        let (taken, kept): (BTreeMap<_, _>, _) = all.partition(|(p, _)| is_within(p, path));
        self.0 = kept;
        match taken.is_empty() {
            true => Err(Error::not_found()),
            false => Ok(taken),
        }
    }

    fn move_to(&mut self, source: &str, dest: &str) -> Result<()> {
        let dir = self.stat(source)?.dir;
        if source == dest {
            return Ok(());
        }
        if is_within(dest, source) {
            return Err(Error::invalid_path("a path cannot be moved to below itself"));
        }
        if dir && self.stat(dest).is_ok() {
            return Err(Error::invalid_path("a directory cannot replace what is there"));
        }
        self.check_place(dest)?;
        let moved = self.take(source)?;
        self.0.extend(moved.into_iter().map(|(path, file)| (dest.to_owned() + &path[source.len()..], file)));
        Ok(())
    }
}

/// Whether `path` is the directory or below it.
fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).map_or(false, |rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns `InvalidPath` for what is no absolute and clean path.
fn check_path(path: &str) -> Result<()> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~');
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.chars().all(in_name);
    match path.strip_prefix('/') {
        Some(names) if names.split('/').all(is_name) => Ok(()),
        _ => Err(Error::invalid_path("not a path of this store")),
    }
}
