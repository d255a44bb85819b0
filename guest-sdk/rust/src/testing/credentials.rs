use core::time::Duration;

use super::asked::Asked;
use super::{Host, HttpRequest, State};
use crate::constants::MAX_PRESIGN;
use crate::encoder::Map;
use crate::error::{Error, Kind, Result};

/// What makes presigned URLs.
pub(super) type Presigner = Box<dyn FnMut(&HttpRequest, Duration) -> Result<String>>;

impl Host {
    /// Has `handler` make the URLs that [`Call::presign`](crate::Call::presign) returns, of a request without a body that names a
    /// credential, and of how long it is valid; without, each is `Denied`. A credential whose scheme has none is one for which it
    /// returns `Unsupported`.
    ///
    /// ```
    /// use berth_guest::testing::Host;
    /// use berth_guest::Request;
    /// use core::time::Duration;
    ///
    /// let host = Host::new();
    /// host.on_presign(|r, valid| Ok(format!("{}?{}&by={}&for={}", r.url, r.method, r.credential, valid.as_secs())));
    ///
    /// let request = Request::new("GET", "http://127.0.0.1/a").credential("storage");
    /// let url = host.call().presign(&request, Duration::from_secs(60)).unwrap();
    /// assert_eq!(url, "http://127.0.0.1/a?GET&by=storage&for=60");
    /// ```
    pub fn on_presign(&self, handler: impl FnMut(&HttpRequest, Duration) -> Result<String> + 'static) {
        self.state.presign.replace(Some(Box::new(handler)));
    }

    /// Lends a secret that [`Call::secret`](crate::Call::secret) may read; any other is `Denied`.
    ///
    /// ```
    /// let host = berth_guest::testing::Host::new();
    /// host.set_secret("salt", "s3cret");
    /// assert_eq!(host.call().secret("salt").unwrap(), b"s3cret");
    /// ```
    pub fn set_secret(&self, name: &str, value: impl Into<Vec<u8>>) {
        self.state.secrets.borrow_mut().insert(name.to_owned(), value.into());
    }
}

impl State {
    pub(super) fn presign(&self, asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
        if asked.seconds < 1 || asked.seconds > MAX_PRESIGN as u64 {
            let text = format!("presign: {} seconds, not 1 to {}", asked.seconds, MAX_PRESIGN);
            return Err(Error::invalid_argument(text));
        }
        if asked.credential.is_empty() {
            return Err(Error::invalid_argument("presign: the request names no credential"));
        }
        let mut handler = self.presign.borrow_mut();
        let handler = handler.as_mut().ok_or_else(|| {
            let text = format!("{} {}: the test presigns nothing; see on_presign", asked.method, asked.url);
            Error::new(Kind::Denied, text)
        })?;
        m.text("url", &handler(&HttpRequest::of(asked), Duration::from_secs(asked.seconds))?);
        Ok(())
    }

    pub(super) fn secret(&self, asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
        let secrets = self.secrets.borrow();
        let value = secrets.get(asked.name).ok_or_else(|| {
            let text = format!("the test lends no secret {:?}; see set_secret", asked.name);
            Error::new(Kind::Denied, text)
        })?;
        m.bytes("data", value);
        Ok(())
    }
}
