use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use crate::testing::{bytes, Host, HttpRequest, Reply};
use crate::{
    alg, Abilities, Compression, Content, Entry, Error, Kind, Level, Receipt, RedirectOptions, Request, Store, Stream,
    Time, TimeFormat, MAX_HTTP_ALL, MAX_INLINE, MAX_METRICS,
};

const URL: &str = "http://127.0.0.1/a";

/// Returns a host that answers with what it was sent, and all that it was asked.
fn echo() -> (Host, Rc<RefCell<Vec<HttpRequest>>>) {
    let host = Host::new();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let seen = asked.clone();
    host.on_http(move |r| {
        seen.borrow_mut().push(r.clone());
        Reply::new(200).header("x-name", "value").body(r.body.clone())
    });
    (host, asked)
}

#[test]
fn a_source_is_sent_again_and_again_and_a_body_once() {
    let (host, asked) = echo();
    let c = host.call();
    let source = host.stream("hello");
    source.read(&mut [0; 2]).unwrap();
    let response = c.http(&Request::new("PUT", URL).header("A", "b").credential("storage").stream(&source)).unwrap();
    assert_eq!((response.status, response.length, response.header("x-name")), (200, Some(5), Some("value")));
    let body = response.body.unwrap();
    assert_eq!(body.size(), Some(5));
    body.read(&mut [0; 1]).unwrap();
    c.http(&Request::new("PUT", URL).stream(&source).stream(&body).max(MAX_INLINE)).unwrap();
    assert_eq!(c.http(&Request::new("PUT", URL).stream(&body)).unwrap_err().kind, Kind::InvalidArgument);
    let asked = asked.borrow();
    assert_eq!(
        (asked[0].header("a"), &asked[0].credential[..], &asked[0].body[..]),
        (Some("b"), "storage", &b"hello"[..])
    );
    assert_eq!(asked[1].body, b"helloello");
    assert_eq!(asked.len(), 2);
}

#[test]
fn requests_side_by_side_are_answered_in_their_order_and_fail_alone() {
    let (host, asked) = echo();
    let c = host.call();
    let request = |data: &str, max| Request::new("PUT", URL).data(data.as_bytes().to_vec()).max(max);
    let outcomes = c.http_all(&[request("a", 9), request("too long", 3), request("c", 9).want(&[])]).unwrap();
    let said: Vec<_> =
        outcomes.iter().map(|o| o.as_ref().map_err(|e| e.kind).map(|r| (&r.data[..], r.header("x-name")))).collect();
    assert_eq!(said, [Ok((&b"a"[..], Some("value"))), Err(Kind::Limit), Ok((&b"c"[..], None))]);
    assert_eq!(asked.borrow().len(), 3);

    let stream = host.stream("hello");
    let endless = Request::new("PUT", URL).stream(&stream).outlast();
    assert_eq!(c.http(&endless).unwrap_err().kind, Kind::InvalidArgument);
    for refused in [
        vec![],
        vec![request("a", 1); MAX_HTTP_ALL + 1],
        vec![request("a", MAX_INLINE), request("b", 1)],
        vec![Request::new("PUT", URL).stream(&stream)],
    ] {
        assert_eq!(c.http_all(&refused).unwrap_err().kind, Kind::InvalidArgument);
    }
    assert_eq!(asked.borrow().len(), 3);
}

#[test]
fn a_sink_becomes_a_request_when_it_is_finished() {
    let (host, asked) = echo();
    let c = host.call();
    let mut sink = c.begin(&Request::new("PUT", URL), None).unwrap();
    sink.write(b"ab").unwrap();
    assert_eq!(sink.splice(&host.stream("cdef"), Some(2)).unwrap(), 2);
    let response = sink.finish(4, None).unwrap();
    assert_eq!(response.data, b"abcd");
    let mut dropped = c.begin(&Request::new("PUT", URL), None).unwrap();
    dropped.write(b"x").unwrap();
    drop(dropped);
    assert_eq!(asked.borrow().len(), 1);
}

#[test]
fn what_is_not_there_is_refused() {
    let host = Host::new();
    let c = host.call();
    let signed = Request::new("GET", URL).credential("storage");
    for (done, text) in [
        (
            c.http(&Request::new("GET", URL)).map(drop),
            "denied by policy: GET http://127.0.0.1/a: the test answers no requests; see on_http",
        ),
        (
            c.presign(&signed, Duration::from_secs(1)).map(drop),
            "denied by policy: GET http://127.0.0.1/a: the test presigns nothing; see on_presign",
        ),
        (c.hash(&[alg::MD5], b"").map(drop), "unsupported: the test says no digests; see on_hash"),
        (c.secret("salt").map(drop), "denied by policy: the test lends no secret \"salt\"; see set_secret"),
        (c.store("under").put("/a", b""), "denied by policy: the test grants no store \"under\"; see grant"),
        (c.hmac("salt", alg::SHA256, b"").map(drop), "unsupported: the host for tests has no operation 6"),
        (
            c.compress(Compression::gzip(), &[&host.stream("")]).map(drop),
            "unsupported: the host for tests has no operation 11",
        ),
    ] {
        assert_eq!(done.unwrap_err().to_string(), text);
    }
}

#[test]
fn a_driver_gets_the_headers_that_it_wants() {
    let host = Host::new();
    host.on_http(|_| Reply::new(200).header("etag", "1").header("x-a", "2").body("hello"));
    let names = |want| {
        let mut request = Request::new("GET", URL);
        if let Some(want) = want {
            request = request.want(want);
        }
        let response = host.call().http(&request).unwrap();
        response.headers.into_iter().map(|h| h.0).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["etag", "x-a"]);
    assert_eq!(names(Some(&["x-b", "x-a"])), ["x-a"]);
    assert!(names(Some(&[])).is_empty());
}

#[test]
fn the_answer_to_a_head_has_a_length_and_no_body() {
    let (host, _) = echo();
    let response = host.call().http(&Request::new("HEAD", URL).data(&b"hello"[..]).max(MAX_INLINE)).unwrap();
    assert_eq!((response.length, response.data.len(), response.body.is_none()), (Some(5), 0, true));
}

#[test]
fn a_presigned_url_is_what_the_test_makes_of_a_request() {
    let host = Host::new();
    let c = host.call();
    host.on_presign(|r, valid| match &r.method[..] {
        "GET" => Ok(format!("{}?{}&{:?}&{}", r.url, r.credential, r.headers, valid.as_secs())),
        _ => Err(Error::new(Kind::Unsupported, "no such URLs")),
    });
    let request = Request::new("GET", URL).credential("storage").header("A", "b");
    let url = c.presign(&request, Duration::from_secs(604_800)).unwrap();
    assert_eq!(url, r#"http://127.0.0.1/a?storage&[("A", "b")]&604800"#);
    for (request, seconds, want) in [
        (Request::new("PUT", URL).credential("storage"), 1, "unsupported: no such URLs"),
        (Request::new("GET", URL), 1, "invalid argument: presign: the request names no credential"),
        (request.clone(), 0, "invalid argument: presign: 0 seconds, not 1 to 604800"),
        (request, 604_801, "invalid argument: presign: 604801 seconds, not 1 to 604800"),
    ] {
        assert_eq!(c.presign(&request, Duration::from_secs(seconds)).unwrap_err().to_string(), want);
    }
}

#[test]
fn digests_are_of_data_of_streams_and_of_what_is_written() {
    let (host, _) = echo();
    let c = host.call();
    host.on_hash(|algorithm, content| [algorithm.as_bytes(), b" ", content].concat());
    let digests = c.hash(&[alg::MD5, alg::CRC32C, alg::MD5], b"hello").unwrap();
    assert_eq!(digests.get(alg::MD5), Some(&b"md5 hello"[..]));
    assert_eq!(digests.get(alg::CRC32C), Some(&b"crc32c hello"[..]));
    assert_eq!(digests.get(alg::SHA1), None);

    let source = host.stream("hello");
    let body = c.http(&Request::new("PUT", URL).stream(&source)).unwrap().body.unwrap();
    body.read(&mut [0; 3]).unwrap();
    let (digests, size) = c.hash_streams(&[alg::SHA256], &[&source, &body]).unwrap();
    assert_eq!((digests.get(alg::SHA256), size), (Some(&b"sha256 hellolo"[..]), 7));
    assert_eq!(body.read(&mut [0; 1]).unwrap_err().kind, Kind::InvalidArgument);

    let mut sink = c.hash_begin(&[alg::CRC64]).unwrap();
    sink.write(b"ab").unwrap();
    sink.splice(&source, Some(1)).unwrap();
    let (digests, size) = sink.finish().unwrap();
    assert_eq!((digests.get(alg::CRC64), size), (Some(&b"crc64 abh"[..]), 3));
}

#[test]
fn algorithms_that_the_host_does_not_know_are_refused() {
    let host = Host::new();
    host.on_hash(|_, _| vec![1]);
    for algorithms in [&[][..], &["md4"], &[alg::SHA512], &[alg::MD5; 9]] {
        let e = host.call().hash(algorithms, b"").unwrap_err();
        assert_eq!(e.kind, Kind::InvalidArgument, "{:?}", algorithms);
        let e = host.call().hash_begin(algorithms).unwrap_err();
        assert_eq!(e.kind, Kind::InvalidArgument, "{:?}", algorithms);
    }
    assert_eq!(host.call().hash(&[alg::MD5; 8], b"").unwrap().get(alg::MD5), Some(&[1][..]));
}

fn receipt(number: u32, data: &str) -> Receipt {
    Receipt { number, offset: 10, size: 20, data: data.into() }
}

#[test]
fn receipts_come_in_pages_and_ascend() {
    let host = Host::new();
    let receipts = host.receipts((1..=513).rev().map(|number| receipt(number, "tag")));
    let numbers = |after, limit| receipts.page(after, limit).unwrap().iter().map(|r| r.number).collect::<Vec<_>>();
    assert_eq!(numbers(0, 256), (1..=256).collect::<Vec<_>>());
    assert_eq!(numbers(512, 256), [513]);
    assert_eq!(numbers(513, 1), []);
    assert_eq!(receipts.all().unwrap().len(), 513);
    assert_eq!(receipts.page(6, 1).unwrap(), [receipt(7, "tag")]);
    for limit in [0, 257] {
        assert_eq!(receipts.page(0, limit).unwrap_err().kind, Kind::InvalidArgument, "{}", limit);
    }
    assert_eq!(receipts.set(&[receipt(1, "")]).unwrap_err().kind, Kind::InvalidArgument);
}

#[test]
fn receipts_of_an_upload_that_is_opened_are_put_there() {
    let host = Host::new();
    let receipts = host.empty_receipts();
    assert_eq!(receipts.all().unwrap(), []);
    receipts.set(&(1..=300).map(|number| receipt(number, "a")).collect::<Vec<_>>()).unwrap();
    receipts.set(&[receipt(300, "b")]).unwrap();
    let all = receipts.all().unwrap();
    assert_eq!((all.len(), &all[298], &all[299]), (300, &receipt(299, "a"), &receipt(300, "b")));
    for number in [0, 100_001] {
        assert_eq!(receipts.set(&[receipt(number, "")]).unwrap_err().kind, Kind::InvalidArgument, "{}", number);
    }
    assert_eq!(host.empty_receipts().all().unwrap(), []); // of another upload
}

#[test]
fn times_are_written_and_read() {
    let host = Host::new();
    let c = host.call();
    use TimeFormat::{Date, Http, IsoBasic, Rfc3339};
    for (format, nanos, text) in [
        (Rfc3339, 0, "1970-01-01T00:00:00Z"),
        (Rfc3339, 951_868_799_000_000_000, "2000-02-29T23:59:59Z"),
        (Rfc3339, -9_214_560_000_000_000_000, "1678-01-01T00:00:00Z"),
        (Rfc3339, 9_214_646_399_000_000_000, "2261-12-31T23:59:59Z"),
        (Http, 1_700_000_000_000_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
        (Http, -1_000_000_000, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (IsoBasic, 1_700_000_000_000_000_000, "20231114T221320Z"),
        (Date, 1_699_920_000_000_000_000, "20231114"),
    ] {
        let time = Time::from_nanos(nanos);
        assert_eq!(c.format_time(time, format).unwrap(), text);
        assert_eq!(c.parse_time(text, format), Ok(time), "{}", text);
    }
    assert_eq!(c.format_time(Time::from_nanos(-1), Rfc3339).unwrap(), "1969-12-31T23:59:59Z"); // whole seconds
    for (format, text, nanos) in [
        (Rfc3339, "2023-11-14T23:13:20.5+01:00", 1_700_000_000_500_000_000),
        (Rfc3339, "2023-11-14T19:43:20-02:30", 1_700_000_000_000_000_000),
        (Rfc3339, "1677-12-31T23:59:59.1234567899-00:01", -9_214_559_940_876_543_211),
        (Http, "Tuesday, 14-Nov-23 22:13:20 GMT", 1_700_000_000_000_000_000),
        (Http, "Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777_000_000_000),
        (Http, "Sun Nov  6 08:49:37 1994", 784_111_777_000_000_000),
        (Http, "Tue Nov 14 22:13:20 2023", 1_700_000_000_000_000_000),
    ] {
        assert_eq!(c.parse_time(text, format), Ok(Time::from_nanos(nanos)), "{}", text);
    }
}

#[test]
fn other_texts_are_no_times() {
    let host = Host::new();
    use TimeFormat::{Date, Http, IsoBasic, Rfc3339};
    for (format, text) in [
        (Rfc3339, ""),
        (Rfc3339, "2023-11-14"),
        (Rfc3339, "2023-11-14T22:13:20"),
        (Rfc3339, "2023-11-14T22:13:20.Z"),
        (Rfc3339, "2023-11-14T22:13:20Z "),
        (Rfc3339, "2023-11-14T22:13:20+0100"),
        (Rfc3339, "2023-11-14T22:13:20+24:00"),
        (Rfc3339, "2023-02-29T00:00:00Z"),
        (Rfc3339, "2023-00-01T00:00:00Z"),
        (Rfc3339, "2023-13-01T00:00:00Z"),
        (Rfc3339, "2023-01-00T00:00:00Z"),
        (Rfc3339, "2023-01-32T00:00:00Z"),
        (Rfc3339, "2023-01-01T24:00:00Z"),
        (Rfc3339, "2023-01-01T00:60:00Z"),
        (Rfc3339, "2023-01-01T00:00:60Z"),
        (Rfc3339, "2023-01-01T00:00:+1Z"),
        (Rfc3339, "1677-12-31T23:59:59Z"),
        (Rfc3339, "2262-01-01T00:00:00Z"),
        (Http, "Tue, 14 Nov 2023 22:13:20 UTC"),
        (Http, "Die, 14 Nov 2023 22:13:20 GMT"),
        (Http, "Tue, 14 Nov 23 22:13:20 GMT"),
        (IsoBasic, "20231114T221320"),
        (Date, "2023111"),
        (Date, "202311\u{661}"),
    ] {
        let e = host.call().parse_time(text, format).unwrap_err();
        assert_eq!(e.kind, Kind::InvalidArgument, "{}", text);
        assert!(e.message.starts_with(&format!("{:?} is no time of the format ", text)), "{}", e);
    }
}

#[test]
fn metrics_are_counted_and_what_is_none_is_a_warning() {
    let host = Host::new();
    let c = host.call();
    c.count("retries", 2);
    c.count("retries", 3);
    c.gauge("open", 7);
    c.gauge("open", 4);
    assert_eq!((host.metric("retries"), host.metric("open")), (Some(5), Some(4)));
    assert_eq!(host.log(), []);
    c.gauge("retries", 1);
    c.count("Retries", 1);
    (2..=MAX_METRICS).for_each(|n| c.count(&format!("n-{}", n), 1));
    assert_eq!(host.metric("retries"), Some(5));
    assert_eq!((host.metric("Retries"), host.metric("n-64")), (None, None));
    let log = host.log();
    assert_eq!(log.len(), 3, "{:?}", log);
    assert_eq!(log[0].0, Level::Warn);
    assert_eq!(log[0].1, "the metric retries: invalid argument: the metric retries is a counter, not a gauge");
}

/// Returns a store with files, which have their path for content.
fn store<'h>(host: &'h Host, paths: &[&str]) -> Store<'h> {
    host.grant("under");
    let store = host.call().store("under");
    paths.iter().for_each(|path| store.put(path, path.as_bytes()).unwrap());
    store
}

fn stored(store: &Store<'_>, path: &str) -> Result<Vec<u8>, Kind> {
    store.read(path, 0, None).and_then(bytes).map_err(|e| e.kind)
}

#[test]
fn what_is_put_into_a_store_is_there() {
    let host = Host::new();
    let under = store(&host, &["/d/a"]);
    let info = under.info().unwrap();
    assert_eq!(info.abilities, Abilities::MOVE | Abilities::MOVE_TREE | Abilities::DELETE_TREE);
    assert_eq!(info.max_object, 0);
    assert_eq!(under.stat("/d/a"), Ok(Entry::file("", 4, host.call().now())));
    assert_eq!((under.stat("/d"), under.stat("/")), (Ok(Entry::dir("")), Ok(Entry::dir(""))));
    assert_eq!(under.stat("/b").unwrap_err().kind, Kind::NotFound);

    let part = under.read("/d/a", 1, Some(2)).unwrap();
    assert_eq!(part.body.as_ref().and_then(Stream::size), Some(2));
    assert_eq!(bytes(part).unwrap(), b"d/");
    assert!(under.read("/d/a", 4, None).unwrap().body.is_none());
    assert!(under.read("/d/a", 0, Some(0)).unwrap().body.is_none());
    assert_eq!(under.read("/d/a", 5, None).unwrap_err().kind, Kind::InvalidOffset);
    assert_eq!(stored(&under, "/d"), Err(Kind::NotFound));

    under.put_streams("/b", &[&host.stream("he"), &under.read("/d/a", 3, None).unwrap().body.unwrap()]).unwrap();
    assert_eq!(stored(&under, "/b"), Ok(b"hea".to_vec()));
    let mut sink = under.begin("/b").unwrap();
    sink.write(b"written").unwrap();
    assert_eq!(stored(&under, "/b"), Ok(b"hea".to_vec()));
    sink.finish().unwrap();
    assert_eq!(stored(&under, "/b"), Ok(b"written".to_vec()));
    let mut dropped = under.begin("/c").unwrap();
    dropped.write(b"x").unwrap();
    drop(dropped);
    assert_eq!(stored(&under, "/c"), Err(Kind::NotFound));
    under.abort_uploads("/").unwrap_err();
    under.abort_uploads("/b").unwrap();
    assert_eq!(under.redirect("/b", &RedirectOptions::default()).unwrap_err().kind, Kind::Unsupported);
}

#[test]
fn a_store_lists_in_order_and_in_pages() {
    let host = Host::new();
    let under = store(&host, &["/d/a/1", "/d/a/2", "/d/a-b", "/d/a0", "/e"]);
    for limit in [1, 2, 3, 4] {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = under.list("/d", &cursor, limit).unwrap();
            assert!(page.entries.len() <= limit, "{:?}", page);
            names.extend(page.entries.into_iter().map(|e| (e.name, e.size, e.dir)));
            cursor = page.cursor;
            if cursor.is_empty() {
                break;
            }
        }
        let want =
            [("a-b", 6, false), ("a", 0, true), ("a0", 5, false)].map(|(n, size, dir)| (n.to_owned(), size, dir));
        assert_eq!(names, want, "{} at a time", limit);
    }
    assert_eq!(under.list("/", "", 10).unwrap().entries.len(), 2);
    for (path, limit, kind) in [("/e", 1, Kind::NotFound), ("/f", 1, Kind::NotFound), ("/d", 0, Kind::InvalidArgument)]
    {
        assert_eq!(under.list(path, "", limit).unwrap_err().kind, kind, "{}", path);
    }
}

#[test]
fn a_store_moves_and_deletes_files_and_directories() {
    let host = Host::new();
    let under = store(&host, &["/a/b", "/a/c/d", "/ab", "/e"]);
    under.move_to("/a", "/f/g").unwrap();
    assert_eq!((stored(&under, "/f/g/c/d"), stored(&under, "/ab")), (Ok(b"/a/c/d".to_vec()), Ok(b"/ab".to_vec())));
    assert_eq!(under.stat("/a").unwrap_err().kind, Kind::NotFound);
    under.move_to("/ab", "/e").unwrap();
    under.move_to("/e", "/e").unwrap();
    assert_eq!((stored(&under, "/e"), stored(&under, "/ab")), (Ok(b"/ab".to_vec()), Err(Kind::NotFound)));
    for (source, dest, kind) in [
        ("/a", "/b", Kind::NotFound),
        ("/f", "/f/h", Kind::InvalidPath),
        ("/f", "/e", Kind::InvalidPath),
        ("/e", "/f", Kind::InvalidPath),
        ("/e", "/f/g/b/h", Kind::InvalidPath),
        ("/e", "h", Kind::InvalidPath),
    ] {
        assert_eq!(under.move_to(source, dest).unwrap_err().kind, kind, "{} to {}", source, dest);
    }
    assert_eq!(under.delete("/f").unwrap_err().kind, Kind::Conflict);
    under.delete("/f/g/b").unwrap();
    under.delete_tree("/f").unwrap();
    for path in ["/f", "/f/g/b"] {
        assert_eq!(under.delete(path).unwrap_err().kind, Kind::NotFound, "{}", path);
        assert_eq!(under.delete_tree(path).unwrap_err().kind, Kind::NotFound, "{}", path);
    }
    assert_eq!(stored(&under, "/e"), Ok(b"/ab".to_vec()));
}

#[test]
fn a_store_takes_no_path_that_cannot_be() {
    let host = Host::new();
    let under = store(&host, &["/a/b"]);
    for path in ["/", "", "a", "/a/", "/a//c", "/a/./c", "/a/../c", "/a b", "/a", "/a/b/c"] {
        assert_eq!(under.put(path, b"x").unwrap_err().kind, Kind::InvalidPath, "{:?}", path);
    }
    under.put("/a/b~c", b"x").unwrap();
}

#[test]
fn the_clock_stands_and_the_log_is_kept() {
    let host = Host::new();
    let c = host.call();
    assert_eq!(c.now().as_secs(), 1_700_000_000);
    host.set_now(Time::from_secs(5));
    c.sleep(core::time::Duration::from_secs(2));
    assert_eq!(c.now(), Time::from_secs(7));
    c.log(Level::Warn, "look");
    assert_eq!(host.log(), [(Level::Warn, "look".to_owned())]);
    let mut random = [0; 8];
    c.random(&mut random);
    assert_ne!(random, [0; 8]);
}

#[test]
fn content_is_its_promise() {
    let host = Host::new();
    let body = || host.stream("hello");
    assert_eq!(bytes(Content::from_body(body(), 4)).unwrap(), b"hell");
    assert_eq!(bytes(Content::from_data(&b"ab"[..])).unwrap(), b"ab");
    assert_eq!(bytes(Content::from_body(body(), 6)).unwrap_err().kind, Kind::Corrupt);
    assert_eq!(bytes(Content::from_state(vec![1], 0, 1)).unwrap_err().kind, Kind::Unsupported);
    let mut out = host.output();
    out.splice(&body(), None).unwrap();
    out.write(b"!").unwrap();
    assert_eq!(host.written(&out), b"hello!");
}
