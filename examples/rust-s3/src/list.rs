//! Listings.

use std::io::Read;

use berth_guest::{Call, Entry, Error, Kind, Page, Response, Result, MAX_LIST};

use crate::service::{source, Asked, S3};
use crate::text::{escape, time};
use crate::xml;

/// A page to ask for.
#[derive(Default)]
pub struct Listing<'a> {
    pub prefix: &'a str,
    /// Directories are listed, and not what is in them.
    pub children: bool,
    /// A key to begin after.
    pub after: String,
    pub cursor: &'a str,
    pub limit: usize,
}

impl S3 {
    /// One page of what is directly in the directory at `path`.
    pub fn children(&self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.keys(c, &Listing { prefix: &self.below(path), children: true, cursor, limit, ..Listing::default() })
    }

    /// One page of all files below the directory at `path`.
    pub fn all_below(&self, c: &Call, path: &str, start_after: &str, cursor: &str, limit: usize) -> Result<Page> {
        let prefix = &self.below(path);
        let after = match start_after {
            "" => String::new(),
            name => prefix.clone() + name,
        };
        self.keys(c, &Listing { prefix, after, cursor, limit, ..Listing::default() })
    }

    /// Calls `f` with every page of the files below the directory at `path`, of which `first` is there.
    pub fn each_page(
        &self,
        c: &Call,
        path: &str,
        first: Page,
        mut f: impl FnMut(&[Entry]) -> Result<()>,
    ) -> Result<()> {
        let mut page = first;
        loop {
            f(&page.entries)?;
            if page.cursor.is_empty() {
                return Ok(());
            }
            page = self.all_below(c, path, "", &page.cursor, MAX_LIST)?;
        }
    }

    /// Whether anything is below `path`.
    pub fn is_directory(&self, c: &Call, path: &str) -> Result<bool> {
        let page = self.keys(c, &Listing { prefix: &self.below(path), limit: 1, ..Listing::default() })?;
        Ok(!page.entries.is_empty())
    }

    fn keys(&self, c: &Call, l: &Listing<'_>) -> Result<Page> {
        let a = self.asks_keys(l);
        parse_keys(source(&self.send(c, a.action, &a.request, a.ok)?), l.prefix)
    }

    pub fn asks_keys(&self, l: &Listing<'_>) -> Asked<'static> {
        let mut query = format!("?list-type=2&max-keys={}&prefix={}", l.limit, escape(l.prefix, ""));
        if l.children {
            query += "&delimiter=%2F";
        }
        for (name, value) in [("&start-after=", &l.after[..]), ("&continuation-token=", l.cursor)] {
            if !value.is_empty() {
                query += name;
                query += &escape(value, "");
            }
        }
        let request = self.request("GET", self.bucket_url(&query));
        Asked { action: "s3:ListBucket", request, ok: &[200], long: true }
    }

    /// One page of the multipart uploads to what is below the directory at `path`.
    pub fn unfinished(&self, c: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        let prefix = self.below(path);
        let page = self.uploads(c, &prefix, cursor, limit)?;
        let mut entries = Vec::new();
        for u in page.uploads {
            let name = u.key.strip_prefix(&prefix).unwrap_or_default();
            if !name.is_empty() && !name.ends_with('/') {
                entries.push(Entry::file(name, 0, u.begun));
            }
        }
        Ok(Page { entries, cursor: page.cursor })
    }

    /// Calls `f` with every multipart upload to a key that begins with `prefix`, of which the first page is there.
    pub fn each_upload(
        &self,
        c: &Call,
        prefix: &str,
        first: Uploads,
        mut f: impl FnMut(&Begun) -> Result<()>,
    ) -> Result<()> {
        let mut page = first;
        loop {
            page.uploads.iter().try_for_each(&mut f)?;
            if page.cursor.is_empty() {
                return Ok(());
            }
            page = self.uploads(c, prefix, &page.cursor, MAX_LIST)?;
        }
    }

    /// One page of multipart uploads. The cursor is a key and an ID.
    fn uploads(&self, c: &Call, prefix: &str, cursor: &str, limit: usize) -> Result<Uploads> {
        let (key, id) = cursor.split_once('\n').unwrap_or_default();
        let ask = |id| {
            let a = self.asks_uploads(prefix, (key, id), limit);
            self.send(c, a.action, &a.request, a.ok)
        };
        let response = match ask(id) {
            Err(e) if e.status == 400 && !id.is_empty() => ask(""), // versitygw does not know the IDs that it gives
            response => response,
        };
        let page = read_uploads(response, prefix)?;
        match !page.cursor.is_empty() && page.cursor == cursor {
            true => Err(nowhere()),
            false => Ok(page),
        }
    }

    /// Asks for a page of multipart uploads, behind a key and an ID.
    pub fn asks_uploads(&self, prefix: &str, (key, id): (&str, &str), limit: usize) -> Asked<'static> {
        let mut query = format!("?uploads=&max-uploads={}&prefix={}", limit, escape(prefix, ""));
        for (name, value) in [("&key-marker=", key), ("&upload-id-marker=", id)] {
            if !value.is_empty() {
                query += name;
                query += &escape(value, "");
            }
        }
        let request = self.request("GET", self.bucket_url(&query));
        Asked { action: "s3:ListBucketMultipartUploads", request, ok: &[200], long: true }
    }
}

/// Reads a page of multipart uploads. A service that does not list them has none.
pub fn read_uploads(sent: Result<Response<'_>>, prefix: &str) -> Result<Uploads> {
    match sent {
        Err(e) if e.kind == Kind::Unsupported => Ok(Uploads::default()),
        response => parse_uploads(source(&response?), prefix),
    }
}

/// A multipart upload that has not ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Begun {
    pub key: String,
    pub id: String,
    pub begun: berth_guest::Time,
}

#[derive(Debug, Default)]
pub struct Uploads {
    pub uploads: Vec<Begun>,
    pub cursor: String,
}

fn corrupt(what: &str) -> Error {
    Error::new(Kind::Corrupt, format!("a listing cannot be understood: {}", what))
}

fn nowhere() -> Error {
    corrupt("it goes on and does not say where")
}

/// Reads a listing of keys. Files and directories come apart, and are put together in order.
pub fn parse_keys(from: impl Read, prefix: &str) -> Result<Page> {
    let mut page = Page::default();
    let (mut key, mut size, mut modified) = (String::new(), None, String::new());
    let (mut truncated, mut next) = (false, String::new());
    let root = xml::parse(from, &mut |path, text| {
        match path.strip_prefix("ListBucketResult/").unwrap_or_default() {
            "IsTruncated" => truncated = text == "true",
            "NextContinuationToken" => next = text.to_owned(),
            "CommonPrefixes/Prefix" => {
                let name = text.strip_prefix(prefix).and_then(|name| name.strip_suffix('/')).unwrap_or_default();
                if name.is_empty() {
                    return Err(corrupt("it has a prefix that was not asked for"));
                }
                page.entries.push(Entry::dir(name));
            }
            "Contents/Key" => key = text.to_owned(),
            "Contents/Size" => size = text.parse::<u64>().ok(),
            "Contents/LastModified" => modified = text.to_owned(),
            "Contents" => {
                let size = size.take().ok_or_else(|| corrupt("it has a key without a size"))?;
                let name = key.strip_prefix(prefix).ok_or_else(|| corrupt("it has a key that was not asked for"))?;
                if !name.is_empty() && !name.ends_with('/') {
                    // the others are what some put there for a directory
                    page.entries.push(Entry::file(name, size, time(&modified)));
                }
                key.clear();
                modified.clear();
            }
            _ => {}
        }
        Ok(())
    })?;
    if root != "ListBucketResult" {
        return Err(corrupt("it is something else"));
    }
    if truncated {
        page.cursor = next;
        if page.cursor.is_empty() {
            return Err(nowhere());
        }
    }
    page.entries.sort_by(|a, b| order(a).cmp(order(b)));
    Ok(page)
}

/// The bytes that an entry is ordered by.
fn order(e: &Entry) -> impl Iterator<Item = u8> + '_ {
    e.name.bytes().chain(e.dir.then_some(b'/'))
}

/// Reads a listing of multipart uploads.
pub fn parse_uploads(from: impl Read, prefix: &str) -> Result<Uploads> {
    let mut page = Uploads::default();
    let mut upload = Begun::default();
    let (mut truncated, mut key, mut id) = (false, String::new(), String::new());
    let root = xml::parse(from, &mut |path, text| {
        match path.strip_prefix("ListMultipartUploadsResult/").unwrap_or_default() {
            "IsTruncated" => truncated = text == "true",
            "NextKeyMarker" => key = text.to_owned(),
            "NextUploadIdMarker" => id = text.to_owned(),
            "Upload/Key" => upload.key = text.to_owned(),
            "Upload/UploadId" => upload.id = text.to_owned(),
            "Upload/Initiated" => upload.begun = time(text),
            "Upload" => {
                let upload = std::mem::take(&mut upload);
                if upload.id.is_empty() || !upload.key.starts_with(prefix) {
                    return Err(corrupt("it has an upload that was not asked for, or one without an ID"));
                }
                page.uploads.push(upload);
            }
            _ => {}
        }
        Ok(())
    })?;
    if root != "ListMultipartUploadsResult" {
        return Err(corrupt("it is something else"));
    }
    if truncated {
        page.cursor = key + "\n" + &id;
        if page.cursor == "\n" {
            return Err(nowhere());
        }
    }
    Ok(page)
}
