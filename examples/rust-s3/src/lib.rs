//! A storage driver for Amazon S3 and services that speak its protocol.
//!
//! Requests are signed by the host, with a credential that the driver names and never sees, and the bytes of blobs pass it by: the
//! driver says which request, and what an answer means. One concern is one module:
//!
//! - `config`: the parameters
//! - `service`: URLs and requests; `failure`: what refusals mean; `xml`, `text`: what is read and written
//! - `object`: one object; `list`: listings; `copy` and `tree`: many objects, or much of one
//! - `upload`: uploads in parts; `state`: what is kept of a suspended one

#![forbid(unsafe_code)]

mod config;
mod copy;
mod failure;
mod list;
mod object;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod upload;
mod xml;

use berth_guest::{
    Call, Content, Driver, Entry, Manifest, Opened, Page, Parameters, Part, Receipts, RedirectOptions, Result, Stream,
    Upload,
};

use config::Config;
use service::{ABILITIES, CREDENTIAL, S3};

berth_guest::export!(manifest, open);

fn manifest() -> Manifest {
    Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        description: "stores blobs in a bucket of Amazon S3 or of a service that speaks its protocol",
        parameters: Config::default().fields().schema(),
        hosts: &["{endpoint}"],
        credentials: &[CREDENTIAL],
        memory: 32 << 20,
        abilities: ABILITIES,
        ..Manifest::default()
    }
}

/// Opens the driver. It makes no request.
fn open(_: &Call, parameters: &Parameters<'_>) -> Result<Opened<S3>> {
    let s3 = S3::new(Config::decode(parameters)?)?;
    let (abilities, max_put) = (s3.abilities(), s3.config.max_put());
    Ok(Opened::new(s3).abilities(abilities).max_object(max_put))
}

impl Driver for S3 {
    fn stat(&mut self, c: &Call, path: &str) -> Result<Entry> {
        self.describe(c, path)
    }

    fn list(&mut self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.children(c, path, cursor, limit)
    }

    fn list_tree(&mut self, c: &Call, path: &str, start_after: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.all_below(c, path, start_after, cursor, limit)
    }

    fn read<'c>(&'c mut self, c: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        self.range(c, path, offset, length)
    }

    fn put(&mut self, c: &Call, path: &str, body: Stream<'_>) -> Result<()> {
        self.store(c, path, &body)
    }

    fn delete(&mut self, c: &Call, path: &str) -> Result<()> {
        self.remove(c, path)
    }

    fn delete_tree(&mut self, c: &Call, path: &str) -> Result<()> {
        self.remove_tree(c, path)
    }

    fn copy(&mut self, c: &Call, source: &str, dest: &str) -> Result<()> {
        self.copy_object(c, source, dest)
    }

    fn redirect(&mut self, c: &Call, path: &str, options: &RedirectOptions<'_>) -> Result<String> {
        self.presigned(c, path, options.method)
    }

    fn open_upload<'c>(
        &'c mut self,
        c: &'c Call,
        path: &str,
        resume: bool,
        receipts: &Receipts<'c>,
    ) -> Result<Upload<'c>> {
        self.begin(c, path, resume, receipts)
    }

    fn put_part(&mut self, c: &Call, token: &str, part: Part<'_>) -> Result<Vec<u8>> {
        self.part(c, &token.parse()?, &part)
    }

    fn suspend_upload(
        &mut self,
        c: &Call,
        token: &str,
        receipts: &Receipts<'_>,
        tail: Option<Stream<'_>>,
    ) -> Result<()> {
        self.suspend(c, &token.parse()?, receipts, tail.as_ref())
    }

    fn commit_upload(&mut self, c: &Call, token: &str, receipts: &Receipts<'_>, last: Option<Part<'_>>) -> Result<()> {
        self.commit(c, &token.parse()?, receipts, last.as_ref())
    }

    fn cancel_upload(&mut self, c: &Call, token: &str) -> Result<()> {
        self.cancel(c, &token.parse()?)
    }

    fn abort_uploads(&mut self, c: &Call, path: &str) -> Result<()> {
        self.end_all(c, path)
    }

    fn list_uploads(&mut self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.unfinished(c, path, cursor, limit)
    }
}
