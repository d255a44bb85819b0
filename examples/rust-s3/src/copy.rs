//! Copies within the bucket.

use berth_guest::{Call, Error, Kind, Result};

use crate::config::{MAX_PARTS, MAX_REQUEST};
use crate::object::Object;
use crate::service::{Asked, S3};
use crate::upload::Stored;

/// How often a copy in parts is begun whose source is replaced meanwhile, or whose upload is ended.
const ATTEMPTS: u32 = 3;
/// How many ranges are copied at a time: a service that copies byte by byte answers none of them sooner for that.
const AT_ONCE: usize = 4;
const ACTION: &str = "s3:GetObject and s3:PutObject";

impl S3 {
    /// Copies an object: with one request, or in ranges what is longer than the threshold.
    pub fn copy_object(&self, c: &Call, source: &str, dest: &str) -> Result<()> {
        self.placed(c, dest, || {
            let (mut attempt, mut threshold) = (1, self.config.copy_threshold());
            loop {
                let from = self.head(c, source)?.ok_or_else(Error::not_found)?;
                let done = match from.size > threshold {
                    true => self.copy_parts(c, source, dest, &from),
                    false => self.copy_whole(c, source, dest),
                };
                match done {
                    Err(e) if e.status == 412 && attempt < ATTEMPTS => attempt += 1,
                    // Another Move to the same path ends what is under way there, but not a copy with one request.
                    Err(e) if e.kind == Kind::Conflict && e.status != 409 && attempt < ATTEMPTS => {
                        threshold = MAX_REQUEST;
                        attempt += 1;
                    }
                    Err(e) if e.status == 500 => return Err(self.missing(c, source).unwrap_or(e)),
                    Err(e) if e.status == 501 && from.size > threshold && threshold < MAX_REQUEST => {
                        let message = format!("set parameter \"copy-threshold\" to {}: {}", MAX_REQUEST, e.message);
                        return Err(Error { message, ..e });
                    }
                    done => return done,
                }
            }
        })
    }

    /// Returns `NotFound` when the object has gone: versitygw then says no more than that a copy of it failed.
    fn missing(&self, c: &Call, path: &str) -> Option<Error> {
        match self.head(c, path) {
            Ok(None) => Some(Error::not_found()),
            _ => None,
        }
    }

    fn copy_whole(&self, c: &Call, source: &str, dest: &str) -> Result<()> {
        let request = self.creating("PUT", self.url(dest)).header("x-amz-copy-source", self.copy_source(source));
        self.send_slow(c, ACTION, &request, "CopyObjectResult", &mut |_, _| {})
    }

    /// Copies one version of the source. What it began is aborted when it fails.
    fn copy_parts(&self, c: &Call, source: &str, dest: &str, from: &Object) -> Result<()> {
        let id = self.create_upload(c, dest)?;
        let done = self.copy_ranges(c, source, dest, &id, from).and_then(|parts| self.complete(c, dest, &id, &parts));
        if done.is_err() {
            let _ = self.abort(c, dest, &id); // the first failure says more
        }
        done
    }

    /// Copies the ranges, as many at a time as go side by side.
    fn copy_ranges(&self, c: &Call, source: &str, dest: &str, id: &str, from: &Object) -> Result<Vec<Stored>> {
        let asks = |number, (first, last)| {
            let mut request = self
                .request("PUT", self.part_url(dest, id, number))
                .header("x-amz-copy-source", self.copy_source(source))
                .header("x-amz-copy-source-range", format!("bytes={}-{}", first, last));
            if !from.tag.is_empty() {
                request = request.header("x-amz-copy-source-if-match", from.tag.clone());
            }
            Asked { action: ACTION, request, ok: &[200], long: false }
        };
        let mut parts = Vec::new();
        let mut numbered = (1..).zip(ranges(from.size, self.config.copy_part()));
        loop {
            let batch: Vec<_> = numbered.by_ref().take(AT_ONCE).collect();
            if batch.is_empty() {
                return Ok(parts);
            }
            let asked = batch.iter().map(|(number, range)| asks(*number, *range)).collect();
            for ((number, _), response) in batch.iter().zip(self.send_all(c, asked)?) {
                let mut tag = String::new();
                self.read_slow(&response?, ACTION, "CopyPartResult", &mut |path, text| {
                    if path == "CopyPartResult/ETag" {
                        tag = text.to_owned();
                    }
                })?;
                if tag.is_empty() {
                    return Err(Error::new(Kind::Corrupt, "the service gives a copied part no ETag"));
                }
                parts.push(Stored { number: *number, tag });
            }
        }
    }
}

/// Returns the first and the last byte of each range of `part` bytes; of more, when an upload could not have so many.
pub fn ranges(size: u64, part: u64) -> impl Iterator<Item = (u64, u64)> {
    let most = u64::from(MAX_PARTS);
    let part = part.max((size + most - 1) / most).max(1);
    (0..size).step_by(part as usize).map(move |first| (first, size.min(first + part) - 1))
}
