//! A driver on a store that changes each byte of what is read, for the measurement of what the sandbox costs a program that computes.

#![forbid(unsafe_code)]

mod scramble;

use berth_guest::{
    range, Abilities, Call, Content, Driver, Entry, Manifest, Opened, Output, Page, Parameters, Result, Stream,
};

use scramble::{Scramble, PIECE};

berth_guest::export!(manifest, open);

fn manifest() -> Manifest {
    Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        description: "keeps everything in the store under, and changes what is read",
        stores: &["under"],
        abilities: Abilities::MOVE,
        ..Manifest::default()
    }
}

fn open(_: &Call, _: &Parameters<'_>) -> Result<Opened<Transform>> {
    Ok(Opened::new(Transform).abilities(Abilities::MOVE))
}

struct Transform;

impl Driver for Transform {
    fn stat(&mut self, c: &Call, path: &str) -> Result<Entry> {
        c.store("under").stat(path)
    }

    fn list(&mut self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        c.store("under").list(path, cursor, limit)
    }

    fn read<'c>(&'c mut self, c: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        let mut content = c.store("under").read(path, 0, None)?; // each byte depends on all before it
        let part = range(content.length, offset, length)?;
        content.length = part.end - part.start;
        content.skip = part.start;
        content.state = b"r".to_vec();
        Ok(content)
    }

    fn put(&mut self, c: &Call, path: &str, body: Stream<'_>) -> Result<()> {
        c.store("under").put_streams(path, &[&body])
    }

    fn delete(&mut self, c: &Call, path: &str) -> Result<()> {
        c.store("under").delete(path)
    }

    fn move_to(&mut self, c: &Call, source: &str, dest: &str) -> Result<()> {
        c.store("under").move_to(source, dest)
    }

    fn stream(
        &mut self,
        _: &Call,
        _: &str,
        _: &[u8],
        body: Option<Stream<'_>>,
        out: &mut Output<'_>,
    ) -> Result<Vec<u8>> {
        let mut scramble = Scramble::new();
        let mut piece = vec![0; PIECE];
        if let Some(body) = body {
            loop {
                let n = body.read(&mut piece)?;
                if n == 0 {
                    break;
                }
                scramble.change(&mut piece[..n]);
                out.write(&piece[..n])?;
            }
        }
        Ok(Vec::new())
    }
}
