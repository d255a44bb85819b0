use super::asked::Asked;
use super::{closed, Host, Pending, State};
use crate::content::alg;
use crate::encoder::Map;
use crate::error::{Error, Kind, Result};

/// What says digests.
pub(super) type Hasher = Box<dyn FnMut(&str, &[u8]) -> Vec<u8>>;

/// The most algorithms of a request.
const MAX_ALGORITHMS: usize = 8;

impl Host {
    /// Has `handler` say the digest of content by an algorithm of [`alg`](crate::alg), for [`Call::hash`](crate::Call::hash) and its
    /// like; without, they are `Unsupported`. The crate has no hash of its own: a test has one of the crates for that, or says
    /// what it then looks for.
    ///
    /// ```
    /// use berth_guest::{alg, testing::Host};
    ///
    /// let host = Host::new();
    /// host.on_hash(|algorithm, content| format!("{} of {} bytes", algorithm, content.len()).into());
    ///
    /// let digests = host.call().hash(&[alg::MD5], b"hello").unwrap();
    /// assert_eq!(digests.get(alg::MD5), Some(&b"md5 of 5 bytes"[..]));
    /// ```
    pub fn on_hash(&self, handler: impl FnMut(&str, &[u8]) -> Vec<u8> + 'static) {
        self.state.hash.replace(Some(Box::new(handler)));
    }
}

impl State {
    pub(super) fn hash(&self, asked: &Asked<'_>, m: Map<'_>) -> Result<()> {
        let algorithms = algorithms(asked)?;
        self.digests(&algorithms, &self.content(asked)?, m)
    }

    pub(super) fn hash_begin(&self, asked: &Asked<'_>, m: Map<'_>) -> Result<()> {
        self.begin(Pending::Hash(algorithms(asked)?), m);
        Ok(())
    }

    pub(super) fn hash_finish(&self, asked: &Asked<'_>, m: Map<'_>) -> Result<()> {
        match self.finish(asked.sink)? {
            (Pending::Hash(algorithms), content) => self.digests(&algorithms, &content, m),
            _ => Err(closed()),
        }
    }

    fn digests(&self, algorithms: &[String], content: &[u8], mut m: Map<'_>) -> Result<()> {
        let mut handler = self.hash.borrow_mut();
        let missing = || Error::new(Kind::Unsupported, "the test says no digests; see on_hash");
        let handler = handler.as_mut().ok_or_else(missing)?;
        let mut digests = m.map("digests");
        for algorithm in algorithms {
            digests.bytes(algorithm, &handler(algorithm, content));
        }
        m.uint("size", content.len() as u64);
        Ok(())
    }
}

/// Returns the algorithms that are asked for, each once.
fn algorithms(asked: &Asked<'_>) -> Result<Vec<String>> {
    if asked.algs.is_empty() || asked.algs.len() > MAX_ALGORITHMS {
        let text = format!("hash: {} algorithms, not 1 to {}", asked.algs.len(), MAX_ALGORITHMS);
        return Err(Error::invalid_argument(text));
    }
    let mut algorithms = Vec::new();
    for name in &asked.algs {
        if ![alg::SHA256, alg::SHA1, alg::MD5, alg::CRC32C, alg::CRC64].contains(name) {
            return Err(Error::invalid_argument(format!("hash: there is no algorithm {:?}", name)));
        }
        if !algorithms.iter().any(|before| before == name) {
            algorithms.push((*name).to_owned());
        }
    }
    Ok(algorithms)
}
