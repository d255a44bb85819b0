//! Everything below a directory.

use std::io::Read;

use berth_guest::{alg, Call, Error, Kind, Page, Result, MAX_LIST};

use crate::config::Config;
use crate::failure::Said;
use crate::list::{parse_keys, read_uploads, Listing, Uploads};
use crate::object::removed;
use crate::service::{source, Asked, S3};
use crate::state::{State, STATE_SUFFIX};
use crate::text::base64;
use crate::xml;

/// How long the first page of a listing is that is asked for beside others: with the paths of a registry it comes with the reply.
const FIRST_PAGE: usize = 300;
const ACTION: &str = "s3:DeleteObject";

/// What there is of uploads to a path and below it: the first pages of two listings, and the state of the upload to the path itself.
#[derive(Default)]
struct Found {
    begun: Uploads,
    files: Page,
    state: Option<State>,
}

impl S3 {
    /// Removes `path` and all below it, and ends the uploads to there. They end first: what is removed then stays away.
    pub fn remove_tree(&self, c: &Call, path: &str) -> Result<()> {
        self.end_found(c, path, self.look(c, path, false)?)?;
        let below = self.below(path);
        let mut asked = vec![self.asks_all(&below)];
        if path != "/" {
            asked.push(self.asks_removal(path));
        }
        let mut responses = self.send_all(c, asked)?.into_iter();
        let first = responses.next().map_or_else(|| Ok(Page::default()), |r| parse_keys(source(&r?), &below))?;
        responses.try_for_each(removed)?;
        self.each_page(c, path, first, |entries| {
            let mut keys = Vec::new();
            for e in entries {
                match e.name.strip_suffix(STATE_SUFFIX) {
                    Some(target) => self.end(c, &join(path, target))?, // which removes the entry too
                    None => keys.push(self.key(&join(path, &e.name))),
                }
            }
            self.remove_keys(c, &keys)
        })
    }

    /// Ends every upload to `path` and below it.
    pub fn end_all(&self, c: &Call, path: &str) -> Result<()> {
        self.end_found(c, path, self.look(c, path, true)?)
    }

    /// Looks for the uploads to `path`, and to what is below it: for suspended ones there only with `below`.
    fn look(&self, c: &Call, path: &str, below: bool) -> Result<Found> {
        let prefix = self.below(path);
        let key = prefix.strip_suffix('/').unwrap_or(&prefix);
        let mut asked = vec![self.asks_uploads(key, ("", ""), MAX_LIST)];
        if below {
            asked.push(self.asks_all(&prefix));
        }
        if path != "/" {
            asked.push(self.asks_state(path));
        }
        let mut responses = self.send_all(c, asked)?.into_iter();
        let mut found = Found::default();
        let mut next = || responses.next().unwrap_or_else(|| Err(Error::new(Kind::Corrupt, "an answer is missing")));
        found.begun = read_uploads(next(), key)?;
        if below {
            found.files = parse_keys(source(&next()?), &prefix)?;
        }
        if path != "/" {
            found.state = self.read_state(path, &next()?)?;
        }
        Ok(found)
    }

    /// Ends what was found, and what is on further pages. The states go first: what is left when the rest fails is resumed by nobody.
    fn end_found(&self, c: &Call, path: &str, found: Found) -> Result<()> {
        if let Some(state) = found.state {
            self.forget(c, path, &state)?;
            self.abort(c, path, &state.id)?;
        }
        self.each_page(c, path, found.files, |entries| {
            let targets = entries.iter().filter_map(|e| e.name.strip_suffix(STATE_SUFFIX));
            targets.map(|target| join(path, target)).try_for_each(|target| self.end(c, &target))
        })?;
        let below = self.below(path);
        let key = below.strip_suffix('/').unwrap_or(&below);
        self.each_upload(c, key, found.begun, |u| match u.key == key || u.key.starts_with(&below) {
            true => self.abort(c, self.path(&u.key), &u.id),
            false => Ok(()),
        })
    }

    fn asks_all(&self, prefix: &str) -> Asked<'static> {
        self.asks_keys(&Listing { prefix, limit: FIRST_PAGE, ..Listing::default() })
    }

    /// Removes up to a thousand objects with one request; one by one where a service has no such request.
    fn remove_keys(&self, c: &Call, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let list = deletion(keys);
        let digests = c.hash(&[alg::MD5], list.as_bytes())?; // S3 demands one of the body
        let md5 = digests.get(alg::MD5).unwrap_or_default();
        let request = self
            .request("POST", self.bucket_url("?delete="))
            .header("content-md5", base64(md5))
            .header("content-type", "application/xml")
            .data(list.as_bytes());
        match self.send(c, ACTION, &request, &[200]) {
            Err(e) if e.kind == Kind::Unsupported => {
                let paths: Vec<_> = keys.iter().map(|key| self.path(key).to_owned()).collect();
                self.remove_each(c, &paths)
            }
            response => deleted(source(&response?), &self.config),
        }
    }
}

/// Returns the path of what is called `name` in the directory at `path`.
pub fn join(path: &str, name: &str) -> String {
    path.trim_end_matches('/').to_owned() + "/" + name
}

/// Writes the body of a deletion of many objects, which answers with those that it fails for.
pub fn deletion(keys: &[String]) -> String {
    let object = |key: &String| format!("<Object><Key>{}</Key></Object>", xml::escape(key));
    let list: String = keys.iter().map(object).collect();
    format!("<Delete xmlns=\"{}\"><Quiet>true</Quiet>{}</Delete>", xml::NAMESPACE, list)
}

/// Reads the answer to a deletion of many objects. Of those that failed the first is the error, with how many there were; one that is not
/// there has not failed.
pub fn deleted(from: impl Read, config: &Config) -> Result<()> {
    let (mut failures, mut said) = (0, Said::default());
    let mut first: Option<(String, Error)> = None;
    let root = xml::parse(from, &mut |path, text| {
        if let Some(name) = path.strip_prefix("DeleteResult/Error/") {
            said.set(name, text);
        } else if path.strip_prefix("Error/").map(|name| said.set(name, text)).is_none() && path == "DeleteResult/Error"
        {
            let said = std::mem::take(&mut said);
            let e = said.error(config, ACTION, 0);
            if e.kind != Kind::NotFound {
                failures += 1;
                first.get_or_insert((said.key, e));
            }
        }
        Ok(())
    })?;
    match (&root[..], first) {
        ("Error", _) => Err(said.late(config, ACTION)),
        ("DeleteResult", None) => Ok(()),
        ("DeleteResult", Some((key, mut e))) => {
            e.message =
                format!("{} of the objects were not removed, the first of them {}: {}", failures, key, e.message);
            Err(e)
        }
        _ => Err(Error::new(Kind::Corrupt, "the service answers a deletion with something else")),
    }
}
