use core::time::Duration;

use super::vectors::{base64, hex, vectors, Tree};
use super::Host;
use crate::constants as numbers;
use crate::content::{Compression, HashSink};
use crate::credentials::{Encoding, Key, Keyed};
use crate::driver::{Digests, Entry, Receipt, RedirectOptions};
use crate::error::{Kind, Result};
use crate::http::{Request, Response};
use crate::receipts::Receipts;
use crate::store::StoreSink;
use crate::stream::{Handle, Sink, Stream};
use crate::time::{Time, TimeFormat};
use crate::Call;

const OPS: [&str; 28] = [
    "http",
    "http_begin",
    "http_finish",
    "receipts_get",
    "receipts_set",
    "presign",
    "hmac",
    "secret",
    "hash",
    "hash_begin",
    "hash_finish",
    "compress",
    "time_format",
    "time_parse",
    "metric",
    "store_info",
    "store_stat",
    "store_list",
    "store_read",
    "store_put",
    "store_begin",
    "store_finish",
    "store_delete",
    "store_delete_tree",
    "store_move",
    "store_redirect",
    "store_abort",
    "http_all",
];

fn streams<'c>(call: &'c Call, r: &Tree) -> Vec<Stream<'c>> {
    let handles = r.handles("body").into_iter();
    handles.map(|h| Stream::given(call, h, 0)).collect()
}

fn refs<'a, 'c>(streams: &'a [Stream<'c>]) -> Vec<&'a Stream<'c>> {
    streams.iter().collect()
}

fn format(name: &str) -> TimeFormat {
    let all = [TimeFormat::Rfc3339, TimeFormat::Http, TimeFormat::IsoBasic, TimeFormat::Date];
    all.into_iter().find(|f| f.name() == name).unwrap()
}

/// Asks the host for what a vector says, and returns what the caller is given, on one line.
fn ask(call: &Call, op: &str, r: &Tree) -> Result<String> {
    let body = streams(call, r);
    let store = call.store(r.text("store"));
    let path = r.text("path");
    Ok(match op {
        "http" | "http_begin" | "presign" => ask_http(call, op, r)?,
        "http_all" => {
            let wants: Vec<_> =
                r.list("requests").iter().map(|r| (*r.get("want") != Tree::Int(0), r.texts("want"))).collect();
            let asked = r.list("requests").iter().zip(&wants);
            let requests: Vec<_> = asked.map(|(r, (named, want))| plain(r, named.then(|| &want[..]))).collect();
            let outcomes = call.http_all(&requests)?;
            let lines = outcomes
                .iter()
                .map(|o| o.as_ref().map_or_else(|e| format!("{:?} {} {}", e.kind, e.temporary, e.message), response));
            lines.collect::<Vec<_>>().join("; ")
        }
        "http_finish" => {
            let want = r.texts("want");
            let want = (!want.is_empty()).then(|| &want[..]);
            let sink = Sink { handle: Handle::new(call, r.int("sink")) };
            response(&sink.finish(r.uint("max") as usize, want)?)
        }
        "receipts_get" => {
            let page = Receipts::new(call, r.int("receipts")).page(r.uint("after") as u32, r.uint("limit") as usize)?;
            let lines = page.iter().map(|r| format!("{} {} {} {}", r.number, r.offset, r.size, base64(&r.data)));
            lines.collect::<Vec<_>>().join("; ")
        }
        "receipts_set" => {
            let page = r.list("page").iter().map(|r| Receipt {
                number: r.uint("num") as u32,
                offset: r.uint("off"),
                size: r.uint("size"),
                data: r.bytes("data"),
            });
            Receipts::new(call, r.int("receipts")).set(&page.collect::<Vec<_>>())?;
            String::new()
        }
        "hmac" => {
            let (alg, data) = (r.text("alg"), r.bytes("data"));
            let made = match r.int("key") {
                0 => call.hmac(r.text("secret"), alg, &data)?,
                key => Key { handle: Handle::new(call, key) }.hmac(alg, &data)?,
            };
            made.handle.number.get().to_string()
        }
        "secret" => base64(&call.secret(r.text("name"))?),
        "hash" if body.is_empty() => digests(&call.hash(&r.texts("algs"), &r.bytes("data"))?, 0),
        "hash" => {
            let (found, size) = call.hash_streams(&r.texts("algs"), &refs(&body))?;
            digests(&found, size)
        }
        "hash_begin" => call.hash_begin(&r.texts("algs"))?.handle().to_string(),
        "hash_finish" => {
            let (found, size) = HashSink::on(call, r.int("sink")).finish()?;
            digests(&found, size)
        }
        "compress" => {
            let mut how = if r.text("alg") == "gzip" { Compression::gzip() } else { Compression::zstd() };
            if r.flag("undo") {
                how = how.undo();
            }
            how = how.level(r.uint("level") as u8).max(r.uint("max"));
            call.compress(how, &refs(&body))?.handle.number.get().to_string()
        }
        "time_format" => call.format_time(Time::from_nanos(r.int("time")), format(r.text("format")))?,
        "time_parse" => call.parse_time(r.text("text"), format(r.text("format")))?.as_nanos().to_string(),
        "metric" => {
            if r.text("type") == "gauge" {
                call.gauge(r.text("name"), r.uint("value"));
            } else {
                call.count(r.text("name"), r.uint("value"));
            }
            String::new()
        }
        "store_info" => {
            let info = store.info()?;
            format!("{:?} {}", info.abilities.names(), info.max_object)
        }
        "store_stat" => entry(&store.stat(path)?),
        "store_list" => {
            let page = store.list(path, r.text("cursor"), r.uint("limit") as usize)?;
            let lines: Vec<_> = page.entries.iter().map(entry).collect();
            lines.join("; ") + "; cursor " + &page.cursor
        }
        "store_read" => {
            let content = store.read(path, r.uint("off"), r.length("len"))?;
            let body = content.body.unwrap();
            format!("{} {}", content.length, body.handle.number.get())
        }
        "store_put" => {
            if body.is_empty() {
                store.put(path, &r.bytes("data"))?;
            } else {
                store.put_streams(path, &refs(&body))?;
            }
            String::new()
        }
        "store_begin" => store.begin(path)?.handle().to_string(),
        "store_finish" => {
            StoreSink::on(call, r.int("sink")).finish()?;
            String::new()
        }
        "store_delete" => store.delete(path).map(|_| String::new())?,
        "store_delete_tree" => store.delete_tree(path).map(|_| String::new())?,
        "store_move" => store.move_to(path, r.text("dest")).map(|_| String::new())?,
        "store_redirect" => {
            let options =
                RedirectOptions { method: r.text("method"), remote: r.text("remote"), forwarded: r.text("forwarded") };
            store.redirect(path, &options)?
        }
        "store_abort" => store.abort_uploads(path).map(|_| String::new())?,
        _ => panic!("{} is not asked", op),
    })
}

fn ask_http(call: &Call, op: &str, r: &Tree) -> Result<String> {
    let body = streams(call, r);
    let want = r.texts("want");
    let keys: Vec<_> = r.list("keyed").iter().map(|k| (k, Key { handle: Handle::new(call, k.int("key")) })).collect();
    let mut request = plain(r, (*r.get("want") != Tree::Int(0)).then(|| &want[..]));
    for s in &body {
        request = request.stream(s);
    }
    for (k, key) in &keys {
        let encoding = match k.text("enc") {
            "hex" => Encoding::Hex,
            "base64url" => Encoding::Base64Url,
            _ => Encoding::Base64,
        };
        request = request.keyed(Keyed::new(k.text("name"), k.text("text"), key, encoding));
    }
    Ok(match op {
        "http" => response(&call.http(&request)?),
        "presign" => call.presign(&request, Duration::from_secs(r.uint("seconds")))?,
        _ => call.begin(&request, r.length("size"))?.handle.number.get().to_string(),
    })
}

/// A request without streams and keys.
fn plain<'a>(r: &'a Tree, want: Option<&'a [&'a str]>) -> Request<'a> {
    let mut request = Request::new(r.text("method"), r.text("url")).data(r.bytes("data")).max(r.uint("max") as usize);
    request = request.credential(r.text("credential")).sha256(r.bytes("sha256"));
    for pair in r.texts("headers").chunks(2) {
        request = request.header(pair[0].to_owned(), pair[1].to_owned());
    }
    if r.flag("outlast") {
        request = request.outlast();
    }
    match want {
        Some(want) => request.want(want),
        None => request,
    }
}

fn response(r: &Response<'_>) -> String {
    let body = r.body.as_ref().map_or(0, |b| b.handle.number.get());
    format!("{} {:?} {:?} {} {:?}", r.status, r.headers, r.length, body, r.data)
}

fn entry(e: &Entry) -> String {
    format!("{} {} {} {}", e.name, e.size, e.time.as_nanos(), e.dir)
}

fn digests(d: &Digests, size: u64) -> String {
    let names = ["crc32c", "md5"].iter();
    let all: Vec<_> = names.filter_map(|n| d.get(n).map(|d| format!("{} {}", n, hex(d)))).collect();
    all.join(" ") + " of " + &size.to_string()
}

#[test]
fn requests_of_the_host_are_the_golden_ones() {
    let mut seen = Vec::new();
    for v in vectors().unwrap_or_default() {
        let op = match OPS.iter().position(|op| *op == v.op) {
            Some(op) if v.dir == "request" => op,
            _ => continue,
        };
        let host = Host::answering(b"\x80");
        let call = host.call();
        if v.op == "store_read" {
            host.reply.replace(b"\x81\xa4body\x07".to_vec());
        }
        if v.op == "http_all" {
            host.reply.replace(b"\x81\xa7replies\x92\x80\x80".to_vec());
        }
        ask(&call, &v.op, &v.value).unwrap();
        assert_eq!(hex(&host.request.borrow()), hex(&v.message), "{}", v.name);
        assert_eq!(host.op.get() as usize, op, "{}", v.name);
        seen.push(op);
    }
    seen.dedup();
    assert!(seen.is_empty() || (0..OPS.len()).all(|op| seen.contains(&op)), "only {:?} were tried", seen);
    assert_eq!(OPS.len(), numbers::HOST_HTTP_ALL as usize + 1);
}

#[test]
fn golden_replies_of_the_host_are_read() {
    let handle = "12884901895";
    let (long, at) = ("c~".to_owned() + &"x".repeat(200), "1700000000123456789");
    let want = [
        ("http with data", r#"207 [("etag", "\"1\"")] Some(4) 0 [60, 120, 47, 62]"#.to_owned()),
        ("http with a body", format!(r#"200 [("etag", "\"1\"")] None {} []"#, handle)),
        ("http without a body", "204 [] Some(0) 0 []".to_owned()),
        ("http_begin", handle.to_owned()),
        ("http_finish", "201 [] Some(0) 0 []".to_owned()),
        ("receipts_get", "1 0 5242880 ZXRhZy0x; 2 5242880 5242880 AP8=".to_owned()),
        ("presign", "http://127.0.0.1:1/a?sig=1".to_owned()),
        ("hmac", handle.to_owned()),
        ("secret", "czNjcmV0".to_owned()),
        ("hash", "crc32c 03040506 md5 0102 of 3".to_owned()),
        ("hash_begin", handle.to_owned()),
        ("hash_finish", "crc32c 03040506 of 70000".to_owned()),
        ("compress", handle.to_owned()),
        ("time_format", "Tue, 14 Nov 2023 22:13:20 GMT".to_owned()),
        ("time_parse", "-1".to_owned()),
        ("store_info", r#"["move"] 67108864"#.to_owned()),
        ("store_stat", format!(" 65536 {} false", at)),
        ("store_list", format!("a 1 {} false; blobs 0 0 true; {}; cursor next", at, long)),
        ("store_read", format!("200 {}", handle)),
        ("store_begin", handle.to_owned()),
        ("store_redirect", "http://127.0.0.1:1/a".to_owned()),
        (
            "http_all",
            r#"200 [("etag", "\"1\"")] Some(4) 0 [60, 120, 47, 62]; Unavailable true no answer; 204 [] Some(0) 0 []"#
                .to_owned(),
        ),
    ];
    let mut seen = 0;
    for v in vectors().unwrap_or_default() {
        if !OPS.contains(&v.op.as_str()) || v.dir != "reply" {
            continue;
        }
        let host = Host::answering(&v.message);
        let asked = Tree::Map(
            [("format", "http"), ("alg", "gzip")].map(|(k, v)| (k.to_owned(), Tree::Text(v.to_owned()))).into(),
        );
        let asked = match (v.op.as_str(), asked) {
            ("hash", _) => Tree::Map([("body".to_owned(), Tree::List(vec![Tree::Int(1)]))].into()),
            ("hmac", _) => Tree::Map([("secret".to_owned(), Tree::Text("s".to_owned()))].into()),
            ("http_all", _) => {
                let one = || Tree::Map([("method".to_owned(), Tree::Text("GET".to_owned()))].into());
                Tree::Map([("requests".to_owned(), Tree::List((0..3).map(|_| one()).collect()))].into())
            }
            ("receipts_get" | "receipts_set", _) => Tree::Map([("receipts".to_owned(), Tree::Int(1))].into()),
            (_, asked) => asked,
        };
        let call = host.call();
        let got = ask(&call, &v.op, &asked).unwrap_or_else(|e| panic!("{}: {}", v.name, e));
        match want.iter().find(|w| w.0 == v.name) {
            Some((_, want)) if v.op == "store_list" => {
                let entry = v.value.list("entries").last().unwrap();
                let want = want.replace(
                    &long,
                    &format!(
                        "{} {} {} {}",
                        entry.text("name"),
                        entry.int("size"),
                        entry.int("time"),
                        entry.flag("dir")
                    ),
                );
                assert_eq!(got, want, "{}", v.name);
            }
            Some((_, want)) => assert_eq!(&got, want, "{}", v.name),
            None => assert_eq!(got, "", "{}", v.name),
        }
        seen += 1;
    }
    assert!(seen == 0 || seen >= want.len(), "{} replies were read", seen);
}

#[test]
fn errors_of_the_host_are_read() {
    let host = Host::answering(b"\x81\xa3err\x82\xa4kind\x0d\xa3msg\xabnot granted");
    let one = |key: &str| {
        Tree::Map([(key.to_owned(), Tree::Int(1)), ("format".to_owned(), Tree::Text("http".to_owned()))].into())
    };
    for op in OPS.iter().filter(|op| **op != "metric") {
        let r = if op.starts_with("receipts") { one("receipts") } else { one("sink") };
        let call = host.call();
        if *op == "receipts_set" {
            let e = Receipts::new(&call, 1).set(&[Receipt::default()]).unwrap_err();
            assert_eq!(e.kind, Kind::Denied);
            continue;
        }
        let e = ask(&call, op, &r).expect_err(op);
        assert_eq!(e.to_string(), "denied by policy: not granted", "{}", op);
    }
}

#[test]
fn a_request_has_data_or_streams() {
    let host = Host::default();
    let call = host.call();
    let body = Stream::given(&call, 1, 1);
    let e = call.http(&Request::new("PUT", "http://127.0.0.1/").data(&b"x"[..]).stream(&body)).unwrap_err();
    assert_eq!((e.kind, e.message.as_str()), (Kind::InvalidArgument, "a request has both data and streams"));
}

#[test]
fn what_a_request_uses_up_is_not_given_back() {
    let host = Host::answering(b"\x80");
    let call = host.call();
    {
        let body = Stream::new(&call, 3, None);
        let kept = Stream::new(&call, 4, None);
        call.http(&Request::new("PUT", "http://127.0.0.1/").stream(&body)).unwrap();
        host.reply.replace(b"\x81\xa3err\x80".to_vec());
        call.http(&Request::new("PUT", "http://127.0.0.1/").stream(&kept)).unwrap_err();
    }
    assert_eq!(*host.closed.borrow(), [4]);
}

#[test]
fn what_is_written_goes_to_the_host() {
    use std::io::Write;

    let host = Host::default();
    host.content.replace(b"spliced".to_vec());
    let call = host.call();
    let body = Stream::given(&call, 1, 7);
    let mut sink = HashSink::on(&call, 6);
    sink.write(b"bytes ").unwrap();
    std::io::Write::write_all(&mut sink, b"and ").unwrap();
    assert_eq!(sink.splice(&body, Some(3)).unwrap(), 3);
    assert_eq!(sink.splice(&body, None).unwrap(), 4);
    sink.flush().unwrap();
    assert_eq!(*host.written.borrow(), b"bytes and spliced");
    host.failure.set(-8);
    let e: crate::Error = Write::write(&mut sink, b"x").unwrap_err().into();
    assert_eq!((e.kind, e.message.as_str()), (Kind::Canceled, "the host refused to write"));
    drop(sink);
    assert_eq!(*host.closed.borrow(), [6]);
}
