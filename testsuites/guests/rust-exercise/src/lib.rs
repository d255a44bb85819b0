//! A driver on a store, with what the others of this repository in Rust do not use: uploads done by the store, bytes that pass through it,
//! digests, compression, times and secrets. It fails on request, too.

#![deny(unsafe_code)]

mod checks;

use berth_guest::{
    range, Abilities, Call, Content, Delegate, Driver, Entry, Field, Fields, Manifest, Opened, Output, Page,
    Parameters, Receipts, RedirectOptions, Result, Store, Stream, Upload,
};

berth_guest::export!(manifest, open);

/// What is passed on as the store has it.
const PASSED: Abilities = Abilities::MOVE
    .union(Abilities::MOVE_TREE)
    .union(Abilities::DELETE_TREE)
    .union(Abilities::FILES_UNDER_FILES)
    .union(Abilities::IDEMPOTENT);

const DELEGATED: Abilities = Abilities::PARTS.union(Abilities::APPEND_COMMITTED);

fn manifest() -> Manifest {
    Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        description: "keeps everything in the store under",
        parameters: fields(&mut String::new()).schema(),
        stores: &["under"],
        secrets: &["salt", "bound"],
        abilities: PASSED.union(DELEGATED).union(Abilities::REDIRECT),
        ..Manifest::default()
    }
}

fn fields(mode: &mut String) -> Fields<'_> {
    Fields::new([Field::string("mode", mode)
        .one_of(&["delegate", "derived", "transform"])
        .describe("how uploads are done: by the store, in pieces put there, or by the store and changed on their way")])
}

fn open(c: &Call, parameters: &Parameters) -> Result<Opened<Layer>> {
    let mut mode = "delegate".to_owned();
    parameters.decode(fields(&mut mode))?;
    let info = c.store("under").info()?;
    let mut kept = PASSED;
    if mode != "transform" {
        kept |= Abilities::REDIRECT;
    }
    if mode != "derived" {
        kept |= DELEGATED;
    }
    let mut abilities = info.abilities & kept;
    if mode != "derived" {
        abilities |= Abilities::PARTS;
    }
    let transform = mode == "transform";
    Ok(Opened::new(Layer { transform }).abilities(abilities).max_object(info.max_object))
}

struct Layer {
    transform: bool,
}

impl Layer {
    /// Takes the end of changed content away from what the store says of it.
    fn seen(&self, mut e: Entry) -> Entry {
        if self.transform && !e.dir {
            e.size = e.size.saturating_sub(END.len() as u64);
        }
        e
    }
}

fn under(c: &Call) -> Store<'_> {
    c.store("under")
}

/// What the store has of each byte, and the other way round.
fn change(p: &mut [u8]) {
    p.iter_mut().for_each(|c| *c ^= 0x5a);
}

/// What ends changed content in the store, so that something is written when an upload is committed.
const END: &[u8] = b"$";

/// The state of a read; that of an upload is empty at first, and then another.
const READ: &[u8] = b"r";
const UPLOAD: &[u8] = b"u";

impl Driver for Layer {
    fn stat(&mut self, c: &Call, path: &str) -> Result<Entry> {
        match path.strip_prefix("/check~/") {
            Some(name) => checks::run(c, name),
            None => Ok(self.seen(under(c).stat(path)?)),
        }
    }

    fn list(&mut self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        let mut page = under(c).list(path, cursor, limit)?;
        page.entries = page.entries.into_iter().map(|e| self.seen(e)).collect();
        Ok(page)
    }

    fn read<'c>(&'c mut self, c: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        if !self.transform {
            return under(c).read(path, offset, length);
        }
        let mut content = under(c).read(path, 0, None)?; // whose length is that of this very content
        let part = range(content.length.saturating_sub(END.len() as u64), offset, length)?;
        content.length = part.end - part.start;
        content.skip = part.start;
        content.state = READ.to_vec();
        Ok(content)
    }

    fn put(&mut self, c: &Call, path: &str, body: Stream) -> Result<()> {
        if !self.transform {
            return under(c).put_streams(path, &[&body]);
        }
        let mut sink = under(c).begin(path)?;
        changed(&body, |p| sink.write(p))?;
        sink.write(END)?;
        sink.finish()
    }

    fn delete(&mut self, c: &Call, path: &str) -> Result<()> {
        under(c).delete(path)
    }

    fn delete_tree(&mut self, c: &Call, path: &str) -> Result<()> {
        self.abort_uploads(c, path)?;
        under(c).delete_tree(path)
    }

    fn move_to(&mut self, c: &Call, source: &str, dest: &str) -> Result<()> {
        under(c).move_to(source, dest)
    }

    fn redirect(&mut self, c: &Call, path: &str, options: &RedirectOptions) -> Result<String> {
        under(c).redirect(path, options)
    }

    fn open_upload<'c>(&'c mut self, _: &'c Call, path: &str, _: bool, _: &Receipts<'c>) -> Result<Upload<'c>> {
        let delegate = Delegate { store: "under".to_owned(), path: path.to_owned(), transform: self.transform };
        Ok(Upload::delegated(delegate))
    }

    fn abort_uploads(&mut self, c: &Call, path: &str) -> Result<()> {
        under(c).abort_uploads(path)
    }

    fn stream(&mut self, _: &Call, _: &str, state: &[u8], body: Option<Stream>, out: &mut Output) -> Result<Vec<u8>> {
        assert!(state.is_empty() || state == READ || state == UPLOAD, "the state {:?} is none of this driver's", state);
        if let Some(body) = body {
            changed(&body, |p| out.write(p))?;
        }
        Ok(UPLOAD.to_vec())
    }

    fn committing(&mut self, _: &Call, _: &str, _: u64, state: &[u8], out: Option<&mut Output>) -> Result<()> {
        assert_eq!(out.is_some(), self.transform, "an output is for the end of what was changed");
        assert!(state.is_empty() || state == UPLOAD, "the state {:?} is none of an upload's", state);
        out.map_or(Ok(()), |out| out.write(END))
    }
}

/// Hands what a stream has to `write`, changed.
fn changed(body: &Stream, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        let n = body.read(&mut piece)?;
        if n == 0 {
            return Ok(());
        }
        change(&mut piece[..n]);
        write(&piece[..n])?;
    }
}
