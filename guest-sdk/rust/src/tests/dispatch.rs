use core::time::Duration;

use super::vectors::{hex, tree};
use super::Host;
use crate::constants as numbers;
use crate::decoder::Decoder;
use crate::dispatch::{Dispatch, Guest};
use crate::driver::{Content, Driver, Entry, Page};
use crate::error::{Error, Kind, Result};
use crate::manifest::{Abilities, Manifest, Opened};
use crate::stream::Stream;
use crate::time::Time;
use crate::{Call, Parameters};

/// A driver of the five functions, which answers what it holds.
pub(super) struct Five {
    pub(super) content: Vec<u8>,
    pub(super) error: Option<Error>,
}

impl Driver for Five {
    fn stat(&mut self, _: &Call, _: &str) -> Result<Entry> {
        match self.error.take() {
            Some(e) => Err(e),
            None => Ok(Entry::dir("is not looked at")),
        }
    }

    fn list(&mut self, _: &Call, _: &str, _: &str, limit: usize) -> Result<Page> {
        let name = "x".repeat(300);
        let entries = vec![Entry::file(name, 1, Time::UNKNOWN); limit.min(10_000)];
        Ok(Page { entries, cursor: String::new() })
    }

    fn read<'c>(&'c mut self, c: &'c Call, path: &str, _: u64, _: Option<u64>) -> Result<Content<'c>> {
        match path {
            "/body" => Ok(Content::from_body(Stream::new(c, 9, None), 5)),
            "/used" => {
                let body = Stream::new(c, 9, None);
                body.sent();
                Ok(Content::from_body(body, 5))
            }
            "/version" => Ok(Content::from_data(&self.content[..]).version("v")),
            _ => Ok(Content::from_data(&self.content[..])),
        }
    }

    fn put(&mut self, _: &Call, _: &str, body: Stream<'_>) -> Result<()> {
        self.content = body.read_all(100)?;
        Ok(())
    }

    fn delete(&mut self, c: &Call, _: &str) -> Result<()> {
        drop(Stream::new(c, 8, None));
        Ok(())
    }
}

fn open(_: &Call, _: &Parameters<'_>) -> Result<Opened<Five>> {
    let driver = Five { content: b"hello".to_vec(), error: None };
    Ok(Opened::new(driver).abilities(Abilities::COPY | Abilities::LIST_UPLOADS).max_object(5 << 30))
}

fn manifest() -> Manifest {
    Manifest { name: "five", version: "1.0.0", instances: 1, abilities: Abilities::COPY, ..Manifest::default() }
}

/// Returns an open guest.
pub(super) fn guest(host: &Host) -> Guest<Five> {
    let mut guest = Guest::new(Box::new(host.clone()), manifest, open);
    guest.dispatch(numbers::OP_OPEN, b"\x80");
    guest
}

/// Returns the error that a reply is.
pub(super) fn error(reply: &[u8]) -> Error {
    let host = Host::answering(reply);
    let asked = host.call().ask_nothing(0, "", &mut |_| {});
    asked.expect_err("a reply that is an error")
}

const ROOT: &[u8] = b"\x81\xa4path\xa1/";

#[test]
fn describe_answers_the_manifest() {
    let mut guest = Guest::new(Box::new(Host::default()), manifest, open);
    let reply = guest.dispatch(numbers::OP_DESCRIBE, b"\x80").to_vec();
    let json = tree(&mut Decoder::new(&reply)).bytes("manifest");
    let want = concat!(
        r#"{"name":"five","version":"1.0.0","description":"","schema":{"type":"object","additionalProperties":false,"properties":{}},"#,
        r#""hosts":[],"instances":1,"abilities":["copy"]}"#
    );
    assert_eq!(String::from_utf8(json).unwrap(), want);
}

#[test]
fn nothing_but_describe_and_open_comes_before_open() {
    let mut guest = Guest::new(Box::new(Host::default()), manifest, open);
    let e = error(guest.dispatch(numbers::OP_STAT, ROOT));
    assert_eq!((e.kind, e.message.as_str()), (Kind::InvalidArgument, "the driver is not open"));
    let reply = guest.dispatch(numbers::OP_OPEN, b"\x80");
    assert_eq!(tree(&mut Decoder::new(reply)).int("caps"), 1 << 13 | 1);
    assert_eq!(hex(guest.dispatch(numbers::OP_STAT, ROOT)), "81a3646972c3");
}

#[test]
fn what_a_driver_does_not_have_is_unsupported() {
    let mut guest = guest(&Host::default());
    let others = [
        numbers::OP_DELETE_TREE,
        numbers::OP_COPY,
        numbers::OP_MOVE,
        numbers::OP_CONCAT,
        numbers::OP_LIST_TREE,
        numbers::OP_REDIRECT,
        numbers::OP_UPLOAD_OPEN,
        numbers::OP_UPLOAD_PART,
        numbers::OP_UPLOAD_SUSPEND,
        numbers::OP_UPLOAD_COMMIT,
        numbers::OP_UPLOAD_CANCEL,
        numbers::OP_UPLOAD_ABORT,
        numbers::OP_LIST_UPLOADS,
        numbers::OP_STREAM,
        22,
        u32::MAX,
    ];
    for op in others {
        let e = error(guest.dispatch(op, b"\x82\xa4path\xa1/\xa4sink\x01"));
        assert_eq!(e.kind, Kind::Unsupported, "operation {}", op);
        assert!(e.message.ends_with("is not supported by this driver"), "{}", e);
    }
    assert_eq!(hex(guest.dispatch(numbers::OP_COMMITTING, ROOT)), "80");
}

#[test]
fn errors_cross_in_one_line() {
    let mut guest = guest(&Host::default());
    let cases = [
        ("two\nlines\t".to_owned(), "two lines ".to_owned()),
        ("\u{e4}".repeat(2049), "\u{e4}".repeat(2048)),
        ("x".repeat(4095) + "\u{e4}", "x".repeat(4095)),
    ];
    for (message, want) in cases {
        let sent = Error::new(Kind::Unavailable, message).temporary().status(503);
        guest.driver.as_mut().unwrap().error = Some(sent.clone().retry_after(Duration::from_micros(1500)));
        let got = error(guest.dispatch(numbers::OP_STAT, ROOT));
        assert_eq!(got, Error { message: want, retry_after: Duration::from_millis(1), ..sent });
    }
}

#[test]
fn a_reply_that_is_too_long_is_an_error() {
    let mut guest = guest(&Host::default());
    let e = error(guest.dispatch(numbers::OP_LIST, b"\x82\xa4path\xa1/\xa5limit\xcd\x20\x00"));
    assert_eq!((e.kind, e.message.as_str()), (Kind::Limit, "a message is longer than allowed"));
    let reply = guest.dispatch(numbers::OP_LIST, b"\x82\xa4path\xa1/\xa5limit\x02");
    assert_eq!(tree(&mut Decoder::new(reply)).list("entries").len(), 2);
}

#[test]
fn of_content_with_a_version_as_much_is_sent_as_fits() {
    let mut guest = guest(&Host::default());
    guest.driver.as_mut().unwrap().content = vec![1; 600_000];
    let reply = guest.dispatch(numbers::OP_READ, b"\x82\xa4path\xa8/version\xa3len\xff").to_vec();
    let reply = tree(&mut Decoder::new(&reply));
    assert_eq!((reply.int("len"), reply.bytes("data").len()), (600_000, numbers::MAX_INLINE));
    assert_eq!(reply.bytes("version"), b"v");
}

#[test]
fn a_body_in_an_answer_passes_to_the_host() {
    let host = Host::default();
    let mut guest = guest(&host);
    let reply = guest.dispatch(numbers::OP_READ, b"\x82\xa4path\xa5/body\xa3len\xff").to_vec();
    assert_eq!(tree(&mut Decoder::new(&reply)).int("body"), 9);
    assert_eq!(*host.closed.borrow(), []);
    let e = error(guest.dispatch(numbers::OP_READ, b"\x82\xa4path\xa5/used\xa3len\xff"));
    assert_eq!(e.message, "an answer has a stream that is used up");
}

#[test]
fn what_is_dropped_is_given_back_but_for_what_was_given() {
    let host = Host::default();
    host.content.replace(b"new".to_vec());
    let mut guest = guest(&host);
    guest.dispatch(numbers::OP_PUT, b"\x83\xa4path\xa2/a\xa4size\x03\xa4body\x07");
    assert_eq!(guest.driver.as_ref().unwrap().content, b"new");
    assert_eq!(*host.closed.borrow(), []);
    guest.dispatch(numbers::OP_DELETE, b"\x81\xa4path\xa2/a");
    assert_eq!(*host.closed.borrow(), [8]);
}

#[test]
fn a_body_that_is_longer_than_allowed_is_a_limit() {
    let host = Host::default();
    host.content.replace(vec![0; 101]);
    let mut guest = guest(&host);
    let e = error(guest.dispatch(numbers::OP_PUT, b"\x83\xa4path\xa2/a\xa4size\x65\xa4body\x07"));
    assert_eq!((e.kind, e.message.as_str()), (Kind::Limit, "a body is longer than was expected"));
}

#[test]
fn refusals_of_the_host_are_errors() {
    let host = Host::default();
    let call = host.call();
    let stream = Stream::given(&call, 7, 3);
    host.failure.set(-13);
    let e = stream.read(&mut [0; 3]).unwrap_err();
    assert_eq!((e.kind, e.temporary), (Kind::Unavailable, true));
    assert_eq!(e.to_string(), "unavailable: the host refused to read");
    host.failure.set(i64::MIN);
    assert_eq!(call.secret("s").unwrap_err().kind, Kind::Unknown);
    host.failure.set(0);
    let e = stream.read_exact(&mut [0; 3]).unwrap_err();
    assert_eq!(e.to_string(), "unknown error: a body ends early");
}

#[test]
fn long_replies_are_taken() {
    let mut reply = b"\x81\xa4data\xc6\x00\x07\x00\x00".to_vec();
    reply.resize(reply.len() + (7 << 16), 5);
    let host = Host::answering(&reply);
    let call = host.call();
    assert_eq!(call.secret("s").unwrap(), vec![5; 7 << 16]);
    host.reply.replace(vec![0; numbers::MAX_MESSAGE + 1]);
    assert_eq!(call.secret("s").unwrap_err().kind, Kind::Limit);
}

#[test]
fn a_metric_that_is_refused_is_a_warning() {
    let host = Host::answering(b"\x81\xa3err\x82\xa4kind\x0b\xa3msg\xa9too\x20many!");
    host.call().count("retries", 1);
    assert_eq!(*host.log.borrow(), ["the metric retries: limit reached: too many!"]);
}
