//! What is kept of an upload that is suspended, beside its target.

use std::str::FromStr;

use berth_guest::{Call, Error, Kind, Receipt, Response, Result};

use crate::service::{source, Asked, S3, WANT_OBJECT};
use crate::text::hex;

/// These make the names of an upload's objects from that of its target.
pub const STATE_SUFFIX: &str = "~upload";
pub const TAIL_SUFFIX: &str = "~tail.";
/// The first line of a state object.
const MARK: &str = "rust-s3 upload 1";
/// The most bytes of one: 10,000 parts of 60 bytes, three times.
const MAX_STATE: u64 = 2 << 20;
/// How often a state is written that is another by then.
const ATTEMPTS: u32 = 5;

/// Names an upload, and what its writer began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    pub writer: String,
    /// The writer of the state when the upload was opened; `None` when there was none.
    pub base: Option<String>,
    pub path: String,
}

const NO_WRITER: &str = "-";

impl Token {
    pub fn text(&self) -> String {
        let base = self.base.as_deref().unwrap_or(NO_WRITER);
        [&self.id[..], &self.writer, base, &self.path].join(" ")
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Token> {
        match text.splitn(4, ' ').collect::<Vec<_>>()[..] {
            [id, writer, base, path] if path.starts_with('/') => Ok(Token {
                id: id.to_owned(),
                writer: writer.to_owned(),
                base: (base != NO_WRITER).then(|| base.to_owned()),
                path: path.to_owned(),
            }),
            _ => Err(Error::invalid_argument("not a token of this driver")),
        }
    }
}

/// A state object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub id: String,
    /// Another one for each process that goes on with the upload.
    pub writer: String,
    pub tail: Option<Tail>,
    pub parts: Vec<Receipt>,
    /// The ETag of the object, where it was read from one.
    pub tag: String,
}

/// The object with what was accepted after the last part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    pub path: String,
    pub length: u64,
}

impl State {
    /// Writes a line for each thing.
    pub fn text(&self) -> Result<String> {
        let mut lines = vec![MARK.to_owned(), format!("upload {}", self.id), format!("writer {}", self.writer)];
        if let Some(tail) = &self.tail {
            lines.push(format!("tail {} {}", tail.length, tail.path));
        }
        for r in &self.parts {
            let tag =
                std::str::from_utf8(&r.data).map_err(|_| Error::invalid_argument("not a receipt of this driver"))?;
            lines.push(format!("part {} {} {} {}", r.number, r.offset, r.size, tag));
        }
        Ok(lines.join("\n") + "\n")
    }

    /// The paths of what is kept of the upload to `path`: the state, and then what it names.
    pub fn objects(&self, path: &str) -> Vec<String> {
        let mut paths = vec![path.to_owned() + STATE_SUFFIX];
        paths.extend(self.tail.iter().map(|tail| tail.path.clone()));
        paths
    }

    pub fn parse(text: &str) -> Option<State> {
        let mut state = State::default();
        let text = text.strip_prefix(MARK)?.strip_prefix('\n')?.strip_suffix('\n')?; // the last line is whole
        for line in text.split('\n') {
            let (what, value) = line.split_once(' ')?;
            match what {
                "upload" => state.id = value.to_owned(),
                "writer" => state.writer = value.to_owned(),
                "tail" => {
                    let (length, path) = value.split_once(' ')?;
                    state.tail = Some(Tail { path: path.to_owned(), length: length.parse().ok()? });
                }
                "part" => {
                    let mut values = value.splitn(4, ' ');
                    state.parts.push(Receipt {
                        number: values.next()?.parse().ok()?,
                        offset: values.next()?.parse().ok()?,
                        size: values.next()?.parse().ok()?,
                        data: values.next()?.into(),
                    });
                }
                _ => return None,
            }
        }
        (!state.id.is_empty() && !state.writer.is_empty()).then_some(state)
    }
}

pub fn conflict(why: &str) -> Error {
    Error::new(Kind::Conflict, why)
}

/// Returns `n` random bytes in hexadecimal digits.
pub fn random(c: &Call, n: usize) -> String {
    let mut bytes = vec![0; n];
    c.random(&mut bytes);
    hex(&bytes)
}

impl S3 {
    /// Reads the state of the upload to `path`.
    pub fn load(&self, c: &Call, path: &str) -> Result<Option<State>> {
        let a = self.asks_state(path);
        self.read_state(path, &self.send(c, a.action, &a.request, a.ok)?)
    }

    /// Asks for the state of the upload to `path`.
    pub fn asks_state(&self, path: &str) -> Asked<'static> {
        let request = self.request("GET", self.url(&(path.to_owned() + STATE_SUFFIX))).want(WANT_OBJECT);
        Asked { action: "s3:GetObject", request, ok: &[200, 404], long: true }
    }

    pub fn read_state(&self, path: &str, response: &Response<'_>) -> Result<Option<State>> {
        use std::io::Read;
        if response.status == 404 {
            return Ok(None);
        }
        let mut text = Vec::new();
        source(response).take(MAX_STATE + 1).read_to_end(&mut text)?;
        let state = match text.len() as u64 <= MAX_STATE {
            true => String::from_utf8(text).ok().and_then(|text| State::parse(&text)),
            false => None,
        };
        let corrupt = || {
            Error::new(Kind::Corrupt, format!("the state of an upload, {}{}, cannot be understood", path, STATE_SUFFIX))
        };
        let tag = response.header("etag").unwrap_or_default().to_owned();
        Ok(Some(State { tag, ..state.ok_or_else(corrupt)? }))
    }

    /// Reads the state, and fails with `Conflict` when it is another writer's than `t`'s and not what `t` began with.
    pub fn current(&self, c: &Call, t: &Token) -> Result<Option<State>> {
        let state = self.load(c, &t.path)?;
        match (&state, &t.base) {
            (None, Some(_)) => Err(conflict("another writer has ended the upload")),
            (Some(s), base) if s.writer != t.writer && Some(&s.writer) != base.as_ref() => {
                Err(conflict("another writer has moved on"))
            }
            _ => Ok(state),
        }
    }

    /// Stores the state of `t`'s upload where that is still `before`, as [`S3::current`] has read it: of two writers that found the same one has it.
    pub fn save(&self, c: &Call, t: &Token, state: &State, mut before: Option<State>) -> Result<()> {
        let text = state.text()?;
        let mut attempt = 1;
        loop {
            let mut request = self.creating("PUT", self.url(&(t.path.clone() + STATE_SUFFIX))).data(text.as_bytes());
            if self.config.conditional_writes {
                request = match &before {
                    Some(state) => request.header("if-match", state.tag.clone()),
                    None => request.header("if-none-match", "*"),
                };
            }
            match self.send(c, "s3:PutObject", &request, &[200]) {
                Err(e) if matches!(e.status, 404 | 409 | 412) && attempt < ATTEMPTS => {}
                Err(e) if e.status == 501 && self.config.conditional_writes => {
                    let message = format!("set parameter \"conditional-writes\" to false: {}", e.message);
                    return Err(Error { message, ..e });
                }
                done => return done.map(drop),
            }
            // It was this writer itself, with another part or a request without an answer, or another.
            before = self.current(c, t)?;
            attempt += 1;
        }
    }

    /// Removes the tail of a state that another writer's has kept from its place. It stays where that names it: `state` may have been there before.
    pub fn remove_unnamed_tail(&self, c: &Call, path: &str, state: &State) -> Result<()> {
        match &state.tail {
            Some(tail) if self.load(c, path)?.and_then(|now| now.tail).as_ref() != Some(tail) => {
                self.remove(c, &tail.path)
            }
            _ => Ok(()),
        }
    }

    /// Removes a state and then what it names, but for the upload.
    pub fn forget(&self, c: &Call, path: &str, state: &State) -> Result<()> {
        state.objects(path).iter().try_for_each(|object| self.remove(c, object))
    }
}
