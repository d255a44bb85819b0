use core::ops::Range;
use std::borrow::Cow;

use crate::call::Call;
use crate::error::{Error, Result};
use crate::receipts::Receipts;
use crate::stream::{Output, Stream};
use crate::time::Time;

/// What the author of a driver writes. [`stat`](Driver::stat), [`list`](Driver::list), [`read`](Driver::read),
/// [`put`](Driver::put) and [`delete`](Driver::delete) make one. Of the rest, override what the abilities declare that
/// [`Opened`](crate::Opened) answers with; what is not overridden is [`Kind::Unsupported`](crate::Kind::Unsupported).
///
/// Paths are absolute and clean. Names with `~` are the host's private names: store them like any other.
///
/// An instance runs one call at a time, and the next call may meet another instance: what must outlive a call belongs
/// on the backend, unless the manifest says `instances: 1`. What a call lends, streams and the rest that has its
/// lifetime, ends with the call.
#[allow(unused_variables)]
pub trait Driver {
    /// Describes the file or directory at `path`. `/` must succeed when the backend is reachable. Nothing there is
    /// `NotFound`. The entry's name is not looked at.
    fn stat(&mut self, c: &Call, path: &str) -> Result<Entry>;

    /// Returns one page of the direct children of the directory at `path`, at most `limit` entries. `cursor` is empty at
    /// first, and then what the page before said. Names ascend in byte order across pages, a directory counted as its name
    /// followed by `/`, unless [`Abilities::UNSORTED`](crate::Abilities::UNSORTED) is declared. A missing directory is
    /// `NotFound` or an empty page; a file is `NotFound`.
    fn list(&mut self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page>;

    /// Opens `length` bytes from `offset`; `None` means to the end, and a range past the end is clamped, as
    /// [`range`] does. An offset equal to the size is empty content; beyond is `InvalidOffset`. The content may borrow from
    /// the driver.
    fn read<'c>(&'c mut self, c: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>>;

    /// Stores `body` at `path`, atomically, creating directories above it. A body that ends early or fails leaves the old
    /// content.
    fn put(&mut self, c: &Call, path: &str, body: Stream<'_>) -> Result<()>;

    /// Removes the file at `path`, or the directory there if it is empty. Nothing there is `NotFound` or no error.
    fn delete(&mut self, c: &Call, path: &str) -> Result<()>;

    /// Removes `path` and all below it (`DELETE_TREE`). With `PARTS` it does what
    /// [`abort_uploads`](Driver::abort_uploads) does, too.
    fn delete_tree(&mut self, c: &Call, path: &str) -> Result<()> {
        Err(Error::unsupported("delete_tree"))
    }

    /// Copies a file, atomically for readers of `dest` (`COPY`). A missing source is `NotFound` and leaves `dest` alone.
    fn copy(&mut self, c: &Call, source: &str, dest: &str) -> Result<()> {
        Err(Error::unsupported("copy"))
    }

    /// Moves a file, replacing one at `dest`, atomically for readers of `dest` (`MOVE`); directories too with
    /// `MOVE_TREE`.
    fn move_to(&mut self, c: &Call, source: &str, dest: &str) -> Result<()> {
        Err(Error::unsupported("move"))
    }

    /// Stores at `dest` the contents of `sources`, in order (`CONCAT`).
    fn concat(&mut self, c: &Call, dest: &str, sources: &[&str]) -> Result<()> {
        Err(Error::unsupported("concat"))
    }

    /// Returns one page of all files below `path` with relative names, ascending, beginning after `start_after`
    /// (`LIST_TREE`).
    fn list_tree(&mut self, c: &Call, path: &str, start_after: &str, cursor: &str, limit: usize) -> Result<Page> {
        Err(Error::unsupported("list_tree"))
    }

    /// Returns a URL the content may be fetched from, or an empty one (`REDIRECT`).
    fn redirect(&mut self, c: &Call, path: &str, options: &RedirectOptions<'_>) -> Result<String> {
        Err(Error::unsupported("redirect"))
    }

    /// Opens an upload to `path` (`PARTS`, as are all that follow up to [`abort_uploads`](Driver::abort_uploads)). Without
    /// `resume` it is a fresh one. With `resume` it continues the suspended one if there is one: `resumed` is set, the
    /// receipts of its parts are put into `receipts`, and the tail is answered. Opening disturbs no other writer. It may be
    /// lazy: what costs a request can wait for the first part. All state of an unfinished upload lies beside its target, in
    /// names with `~`.
    fn open_upload<'c>(
        &'c mut self,
        c: &'c Call,
        path: &str,
        resume: bool,
        receipts: &Receipts<'c>,
    ) -> Result<Upload<'c>> {
        Err(Error::unsupported("open_upload"))
    }

    /// Stores one part and returns its receipt, opaque, at most [`MAX_RECEIPT`](crate::MAX_RECEIPT) bytes. Parts run in
    /// parallel, on several instances. Repeating a number replaces.
    fn put_part(&mut self, c: &Call, token: &str, part: Part<'_>) -> Result<Vec<u8>> {
        Err(Error::unsupported("put_part"))
    }

    /// Makes receipts and tail durable for [`open_upload`](Driver::open_upload). `Conflict`: another writer has moved on.
    fn suspend_upload(
        &mut self,
        c: &Call,
        token: &str,
        receipts: &Receipts<'_>,
        tail: Option<Stream<'_>>,
    ) -> Result<()> {
        Err(Error::unsupported("suspend_upload"))
    }

    /// Makes the parts, followed by `last`, visible at the path, atomically, and removes the upload's state. It is not
    /// repeated.
    fn commit_upload(&mut self, c: &Call, token: &str, receipts: &Receipts<'_>, last: Option<Part<'_>>) -> Result<()> {
        Err(Error::unsupported("commit_upload"))
    }

    /// Ends the upload and removes what it stored. An unknown token is no error.
    fn cancel_upload(&mut self, c: &Call, token: &str) -> Result<()> {
        Err(Error::unsupported("cancel_upload"))
    }

    /// Ends every unfinished upload to `path` and to everything below it. For uploads that are done in a store it passes
    /// that on to the store.
    fn abort_uploads(&mut self, c: &Call, path: &str) -> Result<()> {
        Err(Error::unsupported("abort_uploads"))
    }

    /// Returns one page of the unfinished uploads to paths below the directory at `path` that `list` and `list_tree` show
    /// nothing of, whoever began them, in no order (`LIST_UPLOADS`). An entry's name is the target's, relative to `path`, its
    /// time when the upload was begun, its size 0; a target may occur more than once. A missing directory is an empty
    /// page. [`abort_uploads`](Driver::abort_uploads) of a target ends those that are listed of it.
    fn list_uploads(&mut self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        Err(Error::unsupported("list_uploads"))
    }

    /// Writes to `out`, for one of two purposes, which `state` tells apart. It runs beside other calls, on an instance of
    /// its own.
    ///
    /// For a read that was answered with a state it is what the object has from where the state begins; `body` is the one that
    /// was answered with it. When writing fails with `Canceled` the reader has all it wants, or is gone, and the method
    /// returns.
    ///
    /// For a piece of an upload that was delegated with `transform`, at most [`MAX_PIECE`] bytes, which `body` has, what is
    /// written is what the store gets. `state` is then what was returned for the piece before, empty at the first, and the
    /// frames that are written must end where the piece does. A piece may come again, with the same state, after a failure;
    /// of the first attempt nothing is kept.
    fn stream(
        &mut self,
        c: &Call,
        path: &str,
        state: &[u8],
        body: Option<Stream<'_>>,
        out: &mut Output<'_>,
    ) -> Result<Vec<u8>> {
        Err(Error::unsupported("stream"))
    }

    /// Is asked before a delegated upload to `path` becomes visible, with its size before it was transformed. An error
    /// prevents that, and there is none unless this is overridden. With `transform`, `state` is what
    /// [`stream`](Driver::stream) returned last, and what is written to `out` ends the content; else there is no `out`.
    fn committing(
        &mut self,
        c: &Call,
        path: &str,
        size: u64,
        state: &[u8],
        out: Option<&mut Output<'_>>,
    ) -> Result<()> {
        Ok(())
    }
}

/// The most bytes of a piece of an upload that [`Driver::stream`] is given.
pub const MAX_PIECE: usize = 4 << 20;

/// Returns the part of an object of `size` bytes that a read asks for.
///
/// ```
/// use berth_guest::{range, Kind};
///
/// assert_eq!(range(10, 4, Some(100)).unwrap(), 4..10);
/// assert_eq!(range(10, 10, None).unwrap(), 10..10);
/// assert_eq!(range(10, 11, None).unwrap_err().kind, Kind::InvalidOffset);
/// ```
pub fn range(size: u64, offset: u64, length: Option<u64>) -> Result<Range<u64>> {
    if offset > size {
        return Err(Error::invalid_offset());
    }
    let end = length.map_or(size, |n| size.min(offset.saturating_add(n)));
    Ok(offset..end)
}

/// Describes one file or directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name within the listed directory; relative to it in `list_tree`; not looked at in `stat`.
    pub name: String,
    /// The length of a file in bytes, 0 for a directory.
    pub size: u64,
    /// When a file was last written.
    pub time: Time,
    /// A directory.
    pub dir: bool,
}

impl Entry {
    /// Describes a file.
    pub fn file(name: impl Into<String>, size: u64, time: Time) -> Entry {
        Entry { name: name.into(), size, time, dir: false }
    }

    /// Describes a directory.
    pub fn dir(name: impl Into<String>) -> Entry {
        Entry { name: name.into(), dir: true, ..Entry::default() }
    }
}

/// A part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Continues the listing; empty at the end. At most [`MAX_CURSOR`](crate::MAX_CURSOR) bytes, and never the one that was
    /// given.
    pub cursor: String,
}

/// What a read answers: so many bytes, of a body, from where it stands, or of memory, or to be made by
/// [`Driver::stream`].
#[derive(Debug, Default)]
pub struct Content<'c> {
    /// The number of bytes, which is a promise.
    pub length: u64,
    /// The stream that has them.
    pub body: Option<Stream<'c>>,
    /// Or the bytes themselves, all of them: for small content, at most [`MAX_INLINE`](crate::MAX_INLINE) bytes, and with a
    /// version for any that the driver has in memory.
    pub data: Cow<'c, [u8]>,
    /// Tells this content of the path from any other that was there or will be, in at most
    /// [`MAX_VERSION`](crate::MAX_VERSION) bytes. With it `data` may be longer than the host is given at once: when the
    /// reader gets there the host asks for what is left, and if the version is another by then the read fails. It is for
    /// `read` only.
    pub version: Vec<u8>,
    /// Or, when it is not empty, what [`Driver::stream`] is given, together with `body` if there is one; at most
    /// [`MAX_STATE`](crate::MAX_STATE) bytes. It is for `read` only.
    pub state: Vec<u8>,
    /// How many bytes that [`Driver::stream`] writes are before the first one asked for; at most
    /// [`MAX_SKIP`](crate::MAX_SKIP).
    pub skip: u64,
}

impl<'c> Content<'c> {
    /// Content from memory, the driver's own or borrowed from it.
    pub fn from_data(data: impl Into<Cow<'c, [u8]>>) -> Self {
        let data = data.into();
        Content { length: data.len() as u64, data, ..Content::default() }
    }

    /// Sets the version of `data`.
    #[must_use]
    pub fn version(mut self, version: impl Into<Vec<u8>>) -> Self {
        self.version = version.into();
        self
    }

    /// `length` bytes of a stream, which passes to the host.
    pub fn from_body(body: Stream<'c>, length: u64) -> Self {
        Content { length, body: Some(body), ..Content::default() }
    }

    /// `length` bytes that [`Driver::stream`] makes of `state`, after the first `skip` that it writes.
    pub fn from_state(state: Vec<u8>, skip: u64, length: u64) -> Self {
        Content { length, state, skip, ..Content::default() }
    }
}

/// Says who follows a redirect, and with which method.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedirectOptions<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The address of who asks.
    pub remote: &'a str,
    /// On whose behalf, as a proxy says.
    pub forwarded: &'a str,
}

/// An open upload.
#[derive(Debug, Default)]
pub struct Upload<'c> {
    /// Names the upload in every further call: opaque, at most [`MAX_TOKEN`](crate::MAX_TOKEN) bytes.
    pub token: String,
    /// Bound the parts.
    pub limits: UploadLimits,
    /// A suspended upload is being continued.
    pub resumed: bool,
    /// What was accepted after the last part: its length is 0 when there is nothing.
    pub tail: Content<'c>,
    /// Has a store do the upload. Everything else is then left out, and of this driver only `stream`, `committing` and
    /// `abort_uploads` are asked.
    pub delegate: Option<Delegate>,
}

impl Upload<'_> {
    /// An upload in a store.
    pub fn delegated(delegate: Delegate) -> Self {
        Upload { delegate: Some(delegate), ..Upload::default() }
    }
}

/// An upload in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delegate {
    /// The name of a granted store.
    pub store: String,
    /// Where in it the content goes.
    pub path: String,
    /// Has the content pass through [`Driver::stream`].
    pub transform: bool,
}

/// Bound the parts of an upload; 0 means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadLimits {
    /// The fewest bytes of a part; the last may be smaller.
    pub min: u64,
    /// The most bytes of a part.
    pub max: u64,
    /// The most parts.
    pub count: u32,
    /// What every part's size but the last's is a multiple of.
    pub multiple: u64,
    /// All parts but the last have one size.
    pub equal: bool,
    /// One part at a time, in order.
    pub sequential: bool,
    /// The most bytes of an upload.
    pub total: u64,
    /// The digests wanted with each part: `sha256`, `md5`, `crc32c`.
    pub digests: Vec<String>,
}

/// One part of an upload.
#[derive(Debug)]
pub struct Part<'c> {
    /// Counts from 1.
    pub number: u32,
    /// Where in the upload it begins.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
    /// The content.
    pub body: Stream<'c>,
    /// The digests that the limits asked for.
    pub digests: Digests,
}

/// Raw digests by algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests(pub(crate) Vec<(String, Vec<u8>)>);

impl Digests {
    /// Returns the digest of an algorithm.
    pub fn get(&self, algorithm: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|d| d.0 == algorithm)?;
        Some(&found.1)
    }
}

/// Digests by the names of their algorithms, for tests: those of parts come from the host.
impl<A: Into<String>, D: Into<Vec<u8>>> FromIterator<(A, D)> for Digests {
    fn from_iter<I: IntoIterator<Item = (A, D)>>(digests: I) -> Digests {
        Digests(digests.into_iter().map(|(algorithm, digest)| (algorithm.into(), digest.into())).collect())
    }
}

/// Says that a part is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The part's number, from 1.
    pub number: u32,
    /// Where in the upload it begins.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
    /// What the driver has said of it.
    pub data: Vec<u8>,
}
