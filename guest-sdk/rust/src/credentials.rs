use core::time::Duration;
use std::borrow::Cow;

use crate::call::Call;
use crate::constants::{HOST_HMAC, HOST_PRESIGN, HOST_SECRET};
use crate::encoder::Map;
use crate::error::Result;
use crate::http::Request;
use crate::stream::Handle;

/// How a key is written into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// In lower case.
    Hex,
    /// With padding.
    Base64,
    /// With padding.
    Base64Url,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
            Encoding::Base64Url => "base64url",
        }
    }
}

/// A value of a request that is made of a key.
#[derive(Clone, Debug)]
pub struct Keyed<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, str>,
    key: &'a Key<'a>,
    encoding: Encoding,
}

impl<'a> Keyed<'a> {
    /// Puts a value into the header `name`, or into the parameter of the query whose name follows `?`. In `text`, `{key}`,
    /// once, stands for the key.
    pub fn new(
        name: impl Into<Cow<'a, str>>,
        text: impl Into<Cow<'a, str>>,
        key: &'a Key<'_>,
        encoding: Encoding,
    ) -> Self {
        Keyed { name: name.into(), text: text.into(), key, encoding }
    }

    pub(crate) fn encode(&self, b: &mut Vec<u8>) {
        let mut m = Map::new(b);
        m.text("name", &self.name);
        m.text("text", &self.text);
        m.int("key", self.key.handle.number.get());
        m.text("enc", self.encoding.name());
    }
}

/// What an HMAC of a secret is: it is named and never read. It is given back when it is dropped.
#[derive(Debug)]
pub struct Key<'c> {
    pub(crate) handle: Handle<'c>,
}

impl<'c> Key<'c> {
    /// Keys `data` with this key, which stays. `algorithm` is one of [`alg`](crate::alg), except MD5 and the checksums.
    pub fn hmac(&self, algorithm: &str, data: &[u8]) -> Result<Key<'c>> {
        hmac(self.handle.call, algorithm, data, &mut |m| {
            m.int("key", self.handle.number.get());
        })
    }
}

fn hmac<'c>(call: &'c Call, algorithm: &str, data: &[u8], key: &mut dyn FnMut(&mut Map<'_>)) -> Result<Key<'c>> {
    let number = call.ask_int(HOST_HMAC, "hmac", "key", &mut |m| {
        key(m);
        m.text("alg", algorithm);
        m.bytes("data", data);
    })?;
    Ok(Key { handle: Handle::new(call, number) })
}

impl Call {
    /// Keys `data` with the secret of that name, which the operator must have bound to origins: to these the result may go, with
    /// [`Request::keyed`]. A secret that is not there is `Denied`.
    pub fn hmac(&self, secret: &str, algorithm: &str, data: &[u8]) -> Result<Key<'_>> {
        hmac(self, algorithm, data, &mut |m| m.text("secret", secret))
    }

    /// Returns the value of a secret that the operator has marked as readable; any other is `Denied`. It must not go into errors
    /// and logs.
    pub fn secret(&self, name: &str) -> Result<Vec<u8>> {
        let mut value = Vec::new();
        self.ask(HOST_SECRET, "secret", &mut |m| m.text("name", name), &mut |key, d| {
            let known = key == b"data";
            if known {
                value = d.bytes()?.to_vec();
            }
            Ok(known)
        })?;
        Ok(value)
    }

    /// Returns a URL with which somebody without the credential may make the request, of which method, URL, headers and credential
    /// count, for so long: whole seconds, 1 to [`MAX_PRESIGN`](crate::MAX_PRESIGN). A credential whose scheme has no such URLs
    /// is `Unsupported`.
    pub fn presign(&self, r: &Request<'_>, valid: Duration) -> Result<String> {
        self.ask_text(HOST_PRESIGN, "presign", "url", &mut |m| {
            r.encode_target(m);
            r.encode_credential(m);
            m.uint("seconds", valid.as_secs());
        })
    }
}
