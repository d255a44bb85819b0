//! A storage driver that keeps what it is given in memory: the least that makes a driver.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use berth_guest::{
    range, Abilities, Call, Content, Driver, Entry, Error, Kind, Manifest, Opened, Page, Parameters, Result, Stream,
    Time,
};

berth_guest::export!(manifest, open);

fn manifest() -> Manifest {
    Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        description: "keeps objects in memory",
        instances: 1, // objects live in the instance, so there must be no other
        abilities: ABILITIES,
        ..Manifest::default()
    }
}

/// The host reads more than a message holds in pieces, and cannot while this one instance puts: moving and joining is the
/// driver's own work.
const ABILITIES: Abilities = Abilities::MOVE.union(Abilities::CONCAT);

fn open(c: &Call, _: &Parameters) -> Result<Opened<Memory>> {
    let memory = Memory {
        objects: BTreeMap::new(),
        versions: c.now().as_nanos() as u64, // so that those after a crash are others
    };
    Ok(Opened::new(memory).abilities(ABILITIES))
}

struct Object {
    content: Vec<u8>,
    written: Time,
    version: u64,
}

/// Objects by path. Directories are what is above them.
struct Memory {
    objects: BTreeMap<String, Object>,
    versions: u64,
}

impl Memory {
    fn is_dir(&self, path: &str) -> bool {
        path == "/" || self.below(path).next().is_some()
    }

    /// What is below the directory at `path`: names relative to it, and objects.
    fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let dir = directory(path);
        let at = dir.len();
        self.objects
            .range(dir.clone()..)
            .take_while(move |(path, _)| path.starts_with(&dir))
            .map(move |(path, object)| (&path[at..], object))
    }

    fn get(&self, path: &str) -> Result<&Object> {
        self.objects.get(path).ok_or_else(Error::not_found)
    }

    /// Reports whether an object can be at `path`.
    fn check(&self, path: &str) -> Result<()> {
        if self.is_dir(path) {
            return Err(Error::invalid_path("there is a directory"));
        }
        let mut above = path.match_indices('/').skip(1);
        if above.any(|(at, _)| self.objects.contains_key(&path[..at])) {
            return Err(Error::invalid_path("a file is above it"));
        }
        Ok(())
    }

    fn store(&mut self, c: &Call, path: &str, content: Vec<u8>) {
        self.versions += 1;
        let object = Object { content, written: c.now(), version: self.versions };
        self.objects.insert(path.to_owned(), object);
    }
}

/// Returns what the paths below a directory begin with.
fn directory(path: &str) -> String {
    path.trim_end_matches('/').to_owned() + "/"
}

impl Driver for Memory {
    fn stat(&mut self, _: &Call, path: &str) -> Result<Entry> {
        match self.objects.get(path) {
            Some(object) => Ok(Entry::file("", object.content.len() as u64, object.written)),
            None if self.is_dir(path) => Ok(Entry::dir("")),
            None => Err(Error::not_found()),
        }
    }

    /// The cursor is the last name of the page before, a directory's with `/`.
    fn list(&mut self, _: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        if !self.is_dir(path) {
            return Err(Error::not_found());
        }
        let mut page = Page::default();
        let mut last = cursor.to_owned();
        for (name, object) in self.below(path) {
            let (entry, key) = match name.find('/') {
                Some(at) => (Entry::dir(&name[..at]), &name[..=at]),
                None => (Entry::file(name, object.content.len() as u64, object.written), name),
            };
            if key <= &last[..] {
                continue;
            }
            if page.entries.len() == limit {
                page.cursor = last;
                break;
            }
            last = key.to_owned();
            page.entries.push(entry);
        }
        Ok(page)
    }

    fn read<'c>(&'c mut self, _: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        let object = self.get(path)?;
        let part = range(object.content.len() as u64, offset, length)?;
        let content = Content::from_data(&object.content[part.start as usize..part.end as usize]);
        Ok(content.version(object.version.to_be_bytes()))
    }

    fn put(&mut self, c: &Call, path: &str, body: Stream) -> Result<()> {
        self.check(path)?;
        let content = body.read_all(usize::MAX)?;
        self.store(c, path, content);
        Ok(())
    }

    fn delete(&mut self, _: &Call, path: &str) -> Result<()> {
        if self.is_dir(path) {
            return Err(Error::invalid_path("the directory is not empty"));
        }
        self.objects.remove(path).map(|_| ()).ok_or_else(Error::not_found)
    }

    fn move_to(&mut self, _: &Call, source: &str, dest: &str) -> Result<()> {
        self.get(source)?;
        self.check(dest)?;
        let object = self.objects.remove(source).ok_or_else(Error::not_found)?;
        self.objects.insert(dest.to_owned(), object);
        Ok(())
    }

    fn concat(&mut self, c: &Call, dest: &str, sources: &[&str]) -> Result<()> {
        self.check(dest)?;
        let mut size = 0;
        for source in sources {
            size += self.get(source)?.content.len();
        }
        let mut content = Vec::new();
        if content.try_reserve_exact(size).is_err() {
            return Err(Error::new(Kind::Limit, "there is no memory for the whole"));
        }
        for source in sources {
            content.extend_from_slice(&self.get(source)?.content);
        }
        self.store(c, dest, content);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
