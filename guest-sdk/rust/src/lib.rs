//! What a Berth storage driver written in Rust imports.
//!
//! A driver implements [`Driver`]: `stat`, `list`, `read`, `put` and `delete` are enough. Its crate, of type `cdylib`, hands two
//! functions to [`export!`] and is built with
//!
//! ```text
//! cargo build --release --target wasm32-unknown-unknown
//! ```
//!
//! A driver reaches the world through the [`Call`] that every method is given and through nothing else: HTTP to the origins its
//! operator allows, the clock, randomness and the log, and what the operator lends it by name. The bytes of blobs stay outside
//! the sandbox: a driver handles [`Stream`]s, names them in requests and answers with them. What a call lends cannot outlive
//! it, and is given back when it is dropped.
//!
//! Requests are signed by the host, with a credential that the driver names in a [`Request`] and never sees;
//! [`Call::presign`] makes URLs the same way, and [`Call::hmac`] with [`Keyed`] does for schemes of the driver's own. Other
//! drivers that it may call are [`Call::store`]: it answers reads with their content, and has them do its uploads
//! ([`Delegate`]). Digests and compression of streams are the host's work too ([`Call::hash_streams`], [`Call::compress`]).
//! Bytes that the driver itself has to change pass through [`Driver::stream`].
//!
//! A panic ends the instance; the operation fails with its message, file and line.
//!
//! Tests run natively, over the host of module `testing`. The crate has no dependency. docs/abi.md of Berth is the contract it fulfils.

#![deny(missing_docs)]
#![deny(unsafe_code)]
#![warn(rust_2018_idioms)]

#[doc(hidden)]
#[path = "export.rs"]
pub mod __export;
#[cfg(target_os = "wasi")]
compile_error!("build for wasm32-unknown-unknown: the C library of WASI has a free of its own, beside which a driver cannot export one");

mod call;
mod constants;
mod content;
mod credentials;
mod decoder;
mod dispatch;
mod driver;
mod encoder;
mod error;
mod fields;
mod http;
mod json;
mod manifest;
mod receipts;
mod store;
mod stream;
#[allow(unsafe_code)]
mod sys;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod time;
mod values;

pub use call::{Call, Level};
pub use constants::{
    MAX_CURSOR, MAX_DEPTH, MAX_HANDLES, MAX_HEADERS, MAX_HEADER_BYTES, MAX_HTTP_ALL, MAX_INLINE, MAX_KEYED, MAX_LIST,
    MAX_MESSAGE, MAX_METRICS, MAX_MODULE, MAX_NAME, MAX_PRESIGN, MAX_RECEIPT, MAX_RECEIPTS, MAX_RECEIPT_PAGE,
    MAX_RESPONSE_HEADER_BYTES, MAX_SKIP, MAX_STATE, MAX_STORE_DEPTH, MAX_TEXT, MAX_TOKEN, MAX_VERSION,
};
pub use content::{alg, Compression, HashSink};
pub use credentials::{Encoding, Key, Keyed};
pub use dispatch::OpenFn;
pub use driver::{
    range, Content, Delegate, Digests, Driver, Entry, Page, Part, Receipt, RedirectOptions, Upload, UploadLimits,
    MAX_PIECE,
};
pub use error::{Error, Kind, Result};
pub use fields::{Field, Fields, Parameters, Schema};
pub use http::{Request, Response};
pub use manifest::{Abilities, Manifest, Opened};
pub use receipts::Receipts;
pub use store::{Store, StoreInfo, StoreSink};
pub use stream::{Output, Sink, Stream};
pub use time::{Time, TimeFormat};
