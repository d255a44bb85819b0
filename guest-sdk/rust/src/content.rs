use crate::call::Call;
use crate::constants::{HOST_COMPRESS, HOST_HASH, HOST_HASH_BEGIN, HOST_HASH_FINISH};
use crate::driver::Digests;
use crate::encoder::Map;
use crate::error::Result;
use crate::http::encode_streams;
use crate::stream::{writer, Handle, Stream};

/// The names of algorithms.
pub mod alg {
    /// SHA-1, for digests and HMACs.
    pub const SHA1: &str = "sha1";
    /// SHA-256, for digests and HMACs.
    pub const SHA256: &str = "sha256";
    /// SHA-384, for HMACs.
    pub const SHA384: &str = "sha384";
    /// SHA-512, for HMACs.
    pub const SHA512: &str = "sha512";
    /// MD5, for digests.
    pub const MD5: &str = "md5";
    /// CRC-32C, for digests, big endian.
    pub const CRC32C: &str = "crc32c";
    /// The CRC-64 of ECMA-182, reflected, for digests, big endian.
    pub const CRC64: &str = "crc64";
}

/// How content is compressed.
#[derive(Clone, Copy, Debug)]
pub struct Compression {
    algorithm: &'static str,
    undo: bool,
    level: u8,
    max: u64,
}

impl Compression {
    /// Zstandard, at its usual level.
    pub fn zstd() -> Compression {
        Compression { algorithm: "zstd", undo: false, level: 0, max: 0 }
    }

    /// Gzip, at its usual level.
    pub fn gzip() -> Compression {
        Compression { algorithm: "gzip", ..Compression::zstd() }
    }

    /// Sets the level, from 1, fast, to 9, small.
    #[must_use]
    pub fn level(mut self, level: u8) -> Compression {
        self.level = level;
        self
    }

    /// Decompresses.
    #[must_use]
    pub fn undo(mut self) -> Compression {
        self.undo = true;
        self
    }

    /// Bounds the bytes that may come out: a read past them is `Limit`.
    #[must_use]
    pub fn max(mut self, bytes: u64) -> Compression {
        self.max = bytes;
        self
    }
}

/// Hashes what is written to it.
#[derive(Debug)]
pub struct HashSink<'c> {
    handle: Handle<'c>,
}

writer!(HashSink);

#[cfg(test)]
impl<'c> HashSink<'c> {
    pub(crate) fn on(call: &'c Call, number: i64) -> Self {
        HashSink { handle: Handle::new(call, number) }
    }

    pub(crate) fn handle(&self) -> i64 {
        self.handle.number.get()
    }
}

impl HashSink<'_> {
    /// Returns the digests, and of how many bytes they are.
    pub fn finish(self) -> Result<(Digests, u64)> {
        let number = self.handle.take();
        digests(self.handle.call, HOST_HASH_FINISH, "hash_finish", &mut |m| m.int("sink", number))
    }
}

fn digests(call: &Call, op: u32, name: &str, encode: &mut dyn FnMut(&mut Map<'_>)) -> Result<(Digests, u64)> {
    let mut digests = Digests::default();
    let mut size = 0;
    call.ask(op, name, encode, &mut |key, d| {
        match key {
            b"digests" => digests = d.digests()?,
            b"size" => size = d.uint()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((digests, size))
}

impl Call {
    /// Returns the digests of `data`. An algorithm that the host does not know is `InvalidArgument`.
    pub fn hash(&self, algorithms: &[&str], data: &[u8]) -> Result<Digests> {
        let (digests, _) = digests(self, HOST_HASH, "hash", &mut |m| {
            m.texts("algs", algorithms);
            m.bytes("data", data);
        })?;
        Ok(digests)
    }

    /// Returns the digests of what the streams have, in order, and of how many bytes. It reads them as a request's body would be
    /// read: the body of a response is used up.
    pub fn hash_streams(&self, algorithms: &[&str], streams: &[&Stream<'_>]) -> Result<(Digests, u64)> {
        let found = digests(self, HOST_HASH, "hash", &mut |m| {
            m.texts("algs", algorithms);
            encode_streams(m, streams);
        })?;
        streams.iter().for_each(|s| s.sent());
        Ok(found)
    }

    /// Starts a hash of what is written.
    pub fn hash_begin(&self, algorithms: &[&str]) -> Result<HashSink<'_>> {
        let number = self.ask_int(HOST_HASH_BEGIN, "hash_begin", "sink", &mut |m| {
            m.texts("algs", algorithms);
        })?;
        Ok(HashSink { handle: Handle::new(self, number) })
    }

    /// Returns a stream of the streams' content, in order, compressed or decompressed as it is read. It takes the bodies of responses
    /// over, which close with it. Content that is no such compression is `Corrupt` where it is read; zstd that needs more than
    /// 8 MiB for its window is `Limit`.
    pub fn compress(&self, how: Compression, streams: &[&Stream<'_>]) -> Result<Stream<'_>> {
        let number = self.ask_int(HOST_COMPRESS, "compress", "body", &mut |m| {
            m.text("alg", how.algorithm);
            m.flag("undo", how.undo);
            m.uint("level", how.level.into());
            encode_streams(m, streams);
            m.uint("max", how.max);
        })?;
        streams.iter().for_each(|s| s.sent());
        Ok(Stream::new(self, number, None))
    }
}
