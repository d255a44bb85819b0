use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::vectors::{base64, hex, vectors, Tree};
use super::Host;
use crate::constants as numbers;
use crate::dispatch::{Dispatch, Guest};
use crate::driver::{Content, Delegate, Driver, Entry, Page, Part, Receipt, RedirectOptions, Upload, UploadLimits};
use crate::encoder::Map;
use crate::error::{Error, Kind, Result};
use crate::manifest::{Abilities, Manifest, Opened};
use crate::receipts::Receipts;
use crate::stream::{Output, Stream};
use crate::time::Time;
use crate::{Call, Parameters};

const OPS: [(&str, u32); 20] = [
    ("stat", numbers::OP_STAT),
    ("list", numbers::OP_LIST),
    ("read", numbers::OP_READ),
    ("put", numbers::OP_PUT),
    ("delete", numbers::OP_DELETE),
    ("delete_tree", numbers::OP_DELETE_TREE),
    ("copy", numbers::OP_COPY),
    ("move", numbers::OP_MOVE),
    ("concat", numbers::OP_CONCAT),
    ("list_tree", numbers::OP_LIST_TREE),
    ("redirect", numbers::OP_REDIRECT),
    ("upload_open", numbers::OP_UPLOAD_OPEN),
    ("upload_part", numbers::OP_UPLOAD_PART),
    ("upload_suspend", numbers::OP_UPLOAD_SUSPEND),
    ("upload_commit", numbers::OP_UPLOAD_COMMIT),
    ("upload_cancel", numbers::OP_UPLOAD_CANCEL),
    ("upload_abort", numbers::OP_UPLOAD_ABORT),
    ("stream", numbers::OP_STREAM),
    ("committing", numbers::OP_COMMITTING),
    ("list_uploads", numbers::OP_LIST_UPLOADS),
];

/// A driver that answers what a vector says and remembers what it was asked, by the keys of the ABI.
#[derive(Clone)]
struct Scripted {
    reply: Tree,
    fails: bool,
    asked: Rc<RefCell<BTreeMap<String, Tree>>>,
}

impl Scripted {
    fn new(reply: Tree, fails: bool) -> Scripted {
        Scripted { reply, fails, asked: Rc::default() }
    }

    fn text(&self, key: &str, s: &str) -> &Self {
        if !s.is_empty() {
            self.asked.borrow_mut().insert(key.to_owned(), Tree::Text(s.to_owned()));
        }
        self
    }

    fn int(&self, key: &str, n: i64) -> &Self {
        if n != 0 {
            self.asked.borrow_mut().insert(key.to_owned(), Tree::Int(n));
        }
        self
    }

    fn stream(&self, body: Option<&Stream<'_>>) -> &Self {
        if let Some(body) = body {
            self.int("body", body.handle.number.get());
            self.int("size", body.size().unwrap() as i64);
        }
        self
    }

    fn part(&self, part: &Part<'_>) -> &Self {
        let mut digests = BTreeMap::new();
        for name in ["crc32c", "md5"] {
            if let Some(digest) = part.digests.get(name) {
                digests.insert(name.to_owned(), Tree::Text(base64(digest)));
            }
        }
        if !digests.is_empty() {
            self.asked.borrow_mut().insert("digests".to_owned(), Tree::Map(digests));
        }
        assert_eq!(part.body.size(), Some(part.size));
        self.stream(Some(&part.body)).int("num", part.number.into()).int("off", part.offset as i64)
    }

    fn done(&self) -> Result<()> {
        if !self.fails {
            return Ok(());
        }
        let r = &self.reply;
        let mut e = Error::new(Kind::from_number(r.int("kind")), r.text("msg"))
            .retry_after(Duration::from_millis(r.uint("after")))
            .status(r.uint("status") as u16);
        e.temporary = r.flag("tmp");
        Err(e)
    }

    fn page(&self) -> Result<Page> {
        self.done()?;
        Ok(Page {
            entries: self.reply.list("entries").iter().map(entry).collect(),
            cursor: self.reply.text("cursor").into(),
        })
    }

    fn content<'c>(&self, c: &'c Call, data: &str) -> Content<'c> {
        let r = &self.reply;
        let body = r.int("body");
        Content {
            length: r.uint("len"),
            body: (body != 0).then(|| Stream::new(c, body, None)),
            data: r.bytes(data).into(),
            version: r.bytes("version"),
            state: r.bytes("stream"),
            skip: r.uint("skip"),
        }
    }
}

fn entry(t: &Tree) -> Entry {
    Entry {
        name: t.text("name").into(),
        size: t.uint("size"),
        time: Time::from_nanos(t.int("time")),
        dir: t.flag("dir"),
    }
}

impl Driver for Scripted {
    fn stat(&mut self, _: &Call, path: &str) -> Result<Entry> {
        self.text("path", path).done()?;
        Ok(entry(&self.reply))
    }

    fn list(&mut self, _: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.text("path", path).text("cursor", cursor).int("limit", limit as i64).page()
    }

    fn read<'c>(&'c mut self, c: &'c Call, path: &str, offset: u64, length: Option<u64>) -> Result<Content<'c>> {
        self.text("path", path).int("off", offset as i64).int("len", length.map_or(-1, |n| n as i64)).done()?;
        Ok(self.content(c, "data"))
    }

    fn put(&mut self, _: &Call, path: &str, body: Stream<'_>) -> Result<()> {
        self.text("path", path).stream(Some(&body)).done()
    }

    fn delete(&mut self, _: &Call, path: &str) -> Result<()> {
        self.text("path", path).done()
    }

    fn delete_tree(&mut self, _: &Call, path: &str) -> Result<()> {
        self.text("path", path).done()
    }

    fn copy(&mut self, _: &Call, source: &str, dest: &str) -> Result<()> {
        self.text("path", source).text("dest", dest).done()
    }

    fn move_to(&mut self, _: &Call, source: &str, dest: &str) -> Result<()> {
        self.text("path", source).text("dest", dest).done()
    }

    fn concat(&mut self, _: &Call, dest: &str, sources: &[&str]) -> Result<()> {
        let paths: Vec<_> = sources.iter().map(|s| Tree::Text((*s).to_owned())).collect();
        if !paths.is_empty() {
            self.asked.borrow_mut().insert("paths".to_owned(), Tree::List(paths));
        }
        self.text("dest", dest).done()
    }

    fn list_tree(&mut self, _: &Call, path: &str, start_after: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.text("path", path).text("after", start_after).text("cursor", cursor).int("limit", limit as i64).page()
    }

    fn redirect(&mut self, _: &Call, path: &str, options: &RedirectOptions<'_>) -> Result<String> {
        self.text("path", path).text("method", options.method).text("remote", options.remote);
        self.text("forwarded", options.forwarded).done()?;
        Ok(self.reply.text("url").into())
    }

    fn open_upload<'c>(
        &'c mut self,
        c: &'c Call,
        path: &str,
        resume: bool,
        receipts: &Receipts<'c>,
    ) -> Result<Upload<'c>> {
        self.text("path", path).int("receipts", receipts.number());
        if resume {
            self.asked.borrow_mut().insert("append".to_owned(), Tree::Flag(true));
        }
        self.done()?;
        let r = &self.reply;
        let limits = r.get("limits");
        let delegate = (!r.text("store").is_empty()).then(|| Delegate {
            store: r.text("store").into(),
            path: r.text("dest").into(),
            transform: r.flag("transform"),
        });
        Ok(Upload {
            token: r.text("token").into(),
            limits: UploadLimits {
                min: limits.uint("min"),
                max: limits.uint("max"),
                count: limits.uint("count") as u32,
                multiple: limits.uint("multiple"),
                equal: limits.flag("equal"),
                sequential: limits.flag("seq"),
                total: limits.uint("total"),
                digests: limits.texts("digests").into_iter().map(String::from).collect(),
            },
            resumed: r.flag("resumed"),
            tail: self.content(c, "tail"),
            delegate,
        })
    }

    fn put_part(&mut self, _: &Call, token: &str, part: Part<'_>) -> Result<Vec<u8>> {
        self.text("token", token).part(&part).done()?;
        Ok(self.reply.bytes("data"))
    }

    fn suspend_upload(
        &mut self,
        _: &Call,
        token: &str,
        receipts: &Receipts<'_>,
        tail: Option<Stream<'_>>,
    ) -> Result<()> {
        self.text("token", token).int("receipts", receipts.number()).stream(tail.as_ref()).done()
    }

    fn commit_upload(&mut self, _: &Call, token: &str, receipts: &Receipts<'_>, last: Option<Part<'_>>) -> Result<()> {
        self.text("token", token).int("receipts", receipts.number());
        if let Some(last) = last {
            self.part(&last);
        }
        self.done()
    }

    fn cancel_upload(&mut self, _: &Call, token: &str) -> Result<()> {
        self.text("token", token).done()
    }

    fn abort_uploads(&mut self, _: &Call, path: &str) -> Result<()> {
        self.text("path", path).done()
    }

    fn list_uploads(&mut self, _: &Call, path: &str, cursor: &str, limit: usize) -> Result<Page> {
        self.text("path", path).text("cursor", cursor).int("limit", limit as i64).page()
    }

    fn stream(
        &mut self,
        _: &Call,
        path: &str,
        state: &[u8],
        body: Option<Stream<'_>>,
        out: &mut Output<'_>,
    ) -> Result<Vec<u8>> {
        self.text("path", path)
            .text("state", &base64(state))
            .stream(body.as_ref())
            .int("sink", out.handle.number.get())
            .done()?;
        Ok(self.reply.bytes("state"))
    }

    fn committing(
        &mut self,
        _: &Call,
        path: &str,
        size: u64,
        state: &[u8],
        out: Option<&mut Output<'_>>,
    ) -> Result<()> {
        self.text("path", path).int("size", size as i64).text("state", &base64(state));
        self.int("sink", out.map_or(0, |out| out.handle.number.get())).done()
    }
}

fn refuse(_: &Call, _: &Parameters<'_>) -> Result<Opened<Scripted>> {
    Err(Error::unsupported("open"))
}

fn guest(driver: Scripted) -> Guest<Scripted> {
    let mut guest = Guest::new(Box::new(Host::default()), Manifest::default, refuse);
    guest.driver = Some(driver);
    guest
}

fn number(op: &str) -> Option<u32> {
    OPS.iter().find(|o| o.0 == op).map(|o| o.1)
}

#[test]
fn requests_arrive_as_the_golden_vectors_say() {
    let mut seen = Vec::new();
    for v in vectors().unwrap_or_default() {
        let op = match number(&v.op) {
            Some(op) if v.dir == "request" => op,
            _ => continue,
        };
        let driver = Scripted::new(Tree::Map(BTreeMap::new()), false);
        let asked = driver.asked.clone();
        let reply = guest(driver).dispatch(op, &v.message).to_vec();
        assert_eq!(hex(&reply), "80", "{}", v.name);
        assert_eq!(Tree::Map(asked.take()), v.value, "{}", v.name);
        seen.push(v.op);
    }
    seen.dedup();
    assert!(seen.is_empty() || OPS.iter().all(|o| seen.iter().any(|s| s == o.0)), "only {:?} were tried", seen);
}

#[test]
fn replies_are_the_golden_vectors() {
    let mut seen = Vec::new();
    for v in vectors().unwrap_or_default() {
        let op = match number(&v.op) {
            Some(op) if v.dir != "request" => op,
            _ => continue,
        };
        let mut guest = guest(Scripted::new(v.value, v.dir == "error"));
        let reply = guest.dispatch(op, b"\x81\xa4sink\x01");
        assert_eq!(hex(reply), hex(&v.message), "{} {}", v.dir, v.name);
        seen.push(v.op);
    }
    assert!(seen.is_empty() || OPS.iter().all(|o| seen.iter().any(|s| s == o.0)), "only {:?} were tried", seen);
}

#[test]
fn open_answers_the_golden_replies() {
    fn whole(_: &Call, p: &Parameters<'_>) -> Result<Opened<Scripted>> {
        assert_eq!(p.as_bytes(), b"{\"endpoint\":\"http://127.0.0.1:1\"}");
        let opened = Opened::new(Scripted::new(Tree::Int(0), false));
        Ok(opened.abilities(Abilities::CONDITIONAL | Abilities::MOVE).max_object(5 << 30))
    }
    fn without(_: &Call, p: &Parameters<'_>) -> Result<Opened<Scripted>> {
        assert_eq!(p.as_bytes(), b"{}");
        Ok(Opened::new(Scripted::new(Tree::Int(0), false)))
    }
    let vectors = match vectors() {
        Some(vectors) => vectors,
        None => return,
    };
    let find = |dir: &str, name: &str| {
        let v = vectors.iter().find(|v| v.op == "open" && v.dir == dir && v.name == name);
        v.map(|v| v.message.clone()).unwrap_or_else(|| panic!("there is no {} {}", dir, name))
    };
    for (open, request, reply) in
        [(whole as crate::OpenFn<Scripted>, "open", "open"), (without, "open with features", "open without abilities")]
    {
        let mut guest = Guest::new(Box::new(Host::default()), Manifest::default, open);
        let got = hex(guest.dispatch(numbers::OP_OPEN, &find("request", request)));
        assert_eq!(got, hex(&find("reply", reply)), "{}", reply);
    }
}

#[test]
fn receipts_come_in_pages() {
    let host = Host::default();
    let call = host.call();
    assert_eq!(Receipts::new(&call, 0).all().unwrap(), []);
    let e = Receipts::new(&call, 0).set(&[]).unwrap_err();
    assert_eq!(e.kind, Kind::InvalidArgument);
    let many = vec![Receipt::default(); numbers::MAX_RECEIPT_PAGE + 1];
    host.reply.replace(vec![0x80]);
    Receipts::new(&call, 5).set(&many).unwrap();
    assert_eq!(hex(&host.request.borrow()), "82a87265636569707473".to_owned() + "05a4706167659180");
}

#[test]
fn all_receipts_are_those_of_all_pages() {
    let page = |numbers: core::ops::RangeInclusive<u32>| {
        let mut b = Vec::new();
        let mut m = Map::new(&mut b);
        let list = m.key("page");
        crate::encoder::array(list, numbers.clone().count());
        for n in numbers {
            Map::new(list).uint("num", n.into());
        }
        b
    };
    let host = Host::answering(&page(257..=300));
    host.before.replace(vec![page(1..=256)]);
    let call = host.call();
    let all = Receipts::new(&call, 5).all().unwrap();
    assert!(all.iter().map(|r| r.number).eq(1..=300), "{:?}", all);
    assert_eq!(hex(&host.request.borrow()), "83a8726563656970747305a56166746572cd0100a56c696d6974cd0100");
}
