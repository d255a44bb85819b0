//! Uploads, from when they are opened to when they are committed or suspended.

use std::collections::hash_map::DefaultHasher;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use berth_guest::{Digests, Error, Part, Receipt, Upload};

use super::*;
use crate::state::{conflict, State, Tail, Token, STATE_SUFFIX, TAIL_SUFFIX};
use crate::upload::{completion, Stored};

/// Parameters of a service that keeps both `a` and `a/b`, so that no place is looked at before a write.
const STORED: &str = r#", "files-under-files": "stored""#;

type Objects = Rc<RefCell<HashMap<String, Vec<u8>>>>;

/// A bucket with the one upload `id` to `/a`, whose parts have their number for a tag. It returns what it is asked, and its objects.
fn bucket(host: &Host) -> (Rc<RefCell<Vec<HttpRequest>>>, Objects) {
    bucket_of_many(host, |_, _| {})
}

/// A bucket in which others do something, before each request, of which they see the line.
fn bucket_of_many(
    host: &Host,
    others: impl Fn(&str, &mut HashMap<String, Vec<u8>>) + 'static,
) -> (Rc<RefCell<Vec<HttpRequest>>>, Objects) {
    let objects = Objects::default();
    let kept = objects.clone();
    let requests = asked(host, move |r| {
        let path = r.url.trim_start_matches("http://127.0.0.1:9000/registry");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut objects = kept.borrow_mut();
        others(&format!("{} {}", r.method, path), &mut objects);
        match (&r.method[..], query) {
            ("POST", "uploads=") => Reply::new(200)
                .body("<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"),
            ("POST", "uploadId=id") => Reply::new(200).body("<CompleteMultipartUploadResult/>"),
            ("GET", "uploadId=id&max-parts=1") => Reply::new(200).body("<ListPartsResult/>"),
            ("PUT", part) if !part.is_empty() => {
                Reply::new(200).header("etag", part.trim_start_matches("uploadId=id&partNumber="))
            }
            ("PUT", _) => {
                let now = objects.get(path).map(|content| tag_of(content));
                let holds = match (r.header("if-match"), r.header("if-none-match")) {
                    (None, None) => !path.ends_with(STATE_SUFFIX), // states are written under a condition
                    (Some(tag), None) => now.as_deref() == Some(tag),
                    (None, Some("*")) => now.is_none(),
                    _ => false,
                };
                if !holds {
                    return Reply::new(412).body(said("PreconditionFailed", ""));
                }
                objects.insert(path.to_owned(), r.body.clone());
                Reply::new(200)
            }
            ("DELETE", _) => {
                objects.remove(path);
                Reply::new(204)
            }
            _ => objects.get(path).map_or_else(
                || Reply::new(404),
                |content| Reply::new(200).header("etag", tag_of(content)).body(content.clone()),
            ),
        }
    });
    (requests, objects)
}

/// An ETag that is another one for other content.
fn tag_of(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:x}\"", hasher.finish())
}

fn receipt(number: u32, offset: u64, size: u64, data: impl Into<Vec<u8>>) -> Receipt {
    Receipt { number, offset, size, data: data.into() }
}

#[test]
fn an_upload_becomes_the_content() {
    let host = Host::new();
    let c = host.call();
    let (requests, _) = bucket(&host);
    let mut s3 = driver(&host, STORED);
    let receipts = host.empty_receipts();
    let upload = s3.open_upload(c, "/a", false, &receipts).unwrap();
    assert_eq!((upload.limits.min, upload.limits.count), (5 * MEBIBYTE, 10_000));
    assert_eq!((upload.resumed, upload.tail.length), (false, 0));
    let token = upload.token.clone();
    drop(upload);
    assert_eq!(receipts.all().unwrap(), []);

    let digests = Digests::from_iter([("sha256", [7; 32])]);
    let first = s3.put_part(c, &token, Part { digests, ..host.part(1, 0, "hello") }).unwrap();
    let receipts = host.receipts([receipt(1, 0, 5, first)]);
    s3.commit_upload(c, &token, &receipts, Some(host.part(2, 5, "!"))).unwrap();

    let want = [
        "POST /a?uploads=",
        "PUT /a?uploadId=id&partNumber=1",
        "GET /a~upload", // has another writer moved on?
        "PUT /a?uploadId=id&partNumber=2",
        "POST /a?uploadId=id",
    ];
    assert_eq!(lines(&requests), want);
    let requests = requests.borrow();
    assert!(requests.iter().all(|r| r.credential == "storage"), "{:?}", requests);
    assert_eq!((&requests[1].body[..], &requests[1].sha256[..]), (&b"hello"[..], &[7; 32][..]));
    assert_eq!((&requests[3].body[..], &requests[3].sha256[..]), (&b"!"[..], &[][..]));
    let parts = [1, 2].map(|number: u32| Stored { number, tag: number.to_string() });
    assert_eq!(String::from_utf8_lossy(&requests[4].body), completion(&parts));
    assert_eq!(requests.iter().map(|r| r.outlast).collect::<Vec<_>>(), [false, false, false, false, true]);
}

#[test]
fn an_upload_may_have_more_parts_than_a_page_of_receipts() {
    let host = Host::new();
    let (requests, _) = bucket(&host);
    let receipts = host.receipts((1..=600).map(|number| receipt(number, 0, MEBIBYTE, number.to_string())));
    driver(&host, STORED).commit_upload(host.call(), "id w - /a", &receipts, None).unwrap();
    let parts: Vec<_> = (1..=600).map(|number: u32| Stored { number, tag: number.to_string() }).collect();
    let requests = requests.borrow();
    let complete = requests.last().expect("requests");
    assert_eq!(String::from_utf8_lossy(&complete.body), completion(&parts));
}

#[test]
fn an_upload_of_nothing_is_an_object_of_nothing() {
    let host = Host::new();
    let (requests, _) = bucket(&host);
    let receipts = host.receipts([]);
    driver(&host, STORED).commit_upload(host.call(), "id w - /a", &receipts, Some(host.part(1, 0, ""))).unwrap();
    assert_eq!(lines(&requests), ["GET /a~upload", "PUT /a", "DELETE /a?uploadId=id"]);
    assert_eq!(requests.borrow()[1].body, b"");
}

#[test]
fn a_receipt_of_something_else_is_refused() {
    let host = Host::new();
    let (requests, _) = bucket(&host);
    let receipts = host.receipts([receipt(1, 0, 1, [0xff])]);
    let e = driver(&host, STORED).commit_upload(host.call(), "id w - /a", &receipts, None).unwrap_err();
    assert_eq!((e.kind, &e.message[..]), (Kind::InvalidArgument, "not a receipt of this driver"));
    assert_eq!(lines(&requests), ["GET /a~upload"]);
}

#[test]
fn another_instance_goes_on_with_a_suspended_upload() {
    let host = Host::new();
    let c = host.call();
    let (requests, objects) = bucket(&host);
    let names = || {
        let mut names: Vec<_> = objects.borrow().keys().cloned().collect();
        names.sort();
        names
    };
    let receipts: Vec<_> = (1..=300).map(|n| receipt(n, u64::from(n - 1) * 5, 5, n.to_string())).collect();
    let mut s3 = driver(&host, STORED);
    let begun = s3.open_upload(c, "/a", true, &host.empty_receipts()).unwrap().token; // there is none to be resumed
    s3.suspend_upload(c, &begun, &host.receipts(receipts.clone()), Some(host.stream("tail"))).unwrap();
    assert_eq!(names().len(), 2, "{:?}", names());
    assert!(names()[0].starts_with("/a~tail.") && names()[1] == "/a~upload", "{:?}", names());

    let mut other = driver(&host, STORED);
    let found = host.empty_receipts();
    let Upload { token, resumed, tail, .. } = other.open_upload(c, "/a", true, &found).unwrap();
    assert!(resumed);
    assert_eq!(bytes(tail).unwrap(), b"tail");
    assert_eq!(found.all().unwrap(), receipts);

    other.put_part(c, &token, host.part(301, 1500, "tail and more")).unwrap();
    let e = s3.suspend_upload(c, &begun, &found, None).unwrap_err();
    assert_eq!((e.kind, &e.message[..]), (Kind::Conflict, "another writer has moved on"));
    requests.borrow_mut().clear();
    other.commit_upload(c, &token, &host.receipts(receipts), None).unwrap();
    assert_eq!(names(), [""; 0]);
    assert_eq!(lines(&requests)[..2], ["GET /a~upload", "POST /a?uploadId=id"]);
}

#[test]
fn an_answer_may_fail_after_its_status() {
    let host = Host::new();
    asked(&host, |r| match &r.method[..] {
        "POST" => Reply::new(200).body(said("InternalError", "late")),
        _ => Reply::new(404),
    });
    let s3 = driver(&host, r#", "files-under-files": "refused""#);
    let parts = [Stored { number: 1, tag: "\"<&\"".to_owned() }];
    let e = s3.complete(host.call(), "/a", "id", &parts).unwrap_err();
    assert_eq!((e.kind, e.temporary, e.status), (Kind::Unavailable, true, 500));
    assert!(completion(&parts).contains("<Part><PartNumber>1</PartNumber><ETag>\"&lt;&amp;\"</ETag></Part>"));
}

#[test]
fn a_part_of_an_upload_that_has_ended_is_a_conflict() {
    for (status, code, alive, want) in [
        (200, "", 200, Ok(b"\"tag\"".to_vec())),
        (500, "InternalError", 404, Err(Kind::Conflict)),
        (500, "InternalError", 200, Err(Kind::Unavailable)),
        (404, "NoSuchUpload", 404, Err(Kind::Conflict)),
        (404, "NoSuchBucket", 404, Err(Kind::InvalidArgument)),
        (403, "AccessDenied", 404, Err(Kind::Permission)),
    ] {
        let host = Host::new();
        let requests = asked(&host, move |r| match &r.method[..] {
            "PUT" => Reply::new(status).header("etag", "\"tag\"").body(said(code, "")),
            _ => Reply::new(alive),
        });
        let done = driver(&host, "").put_part(host.call(), "id writer - /a", host.part(2, 4, "part"));
        assert_eq!(done.map_err(|e| e.kind), want, "{} {}", status, code);
        assert_eq!(lines(&requests)[0], "PUT /a?uploadId=id&partNumber=2");
    }
}

#[test]
fn an_upload_that_another_has_taken_over_is_left_alone() {
    for (token, want) in [
        ("id w - /a", Ok(())),                          // its own
        ("id v w /a", Ok(())),                          // it was resumed, and nothing done
        ("id v - /a", Err("another writer has moved")), // of another writer
        ("id v x /a", Err("another writer has moved")),
    ] {
        let host = Host::new();
        let requests = asked(&host, |r| match &r.method[..] {
            "GET" => Reply::new(200).body("rust-s3 upload 1\nupload id\nwriter w\ntail 4 /a~tail.w.1\n"),
            "PUT" => Reply::new(200).header("etag", "1"),
            _ => Reply::new(204),
        });
        let mut s3 = driver(&host, "");
        let current = s3.current(host.call(), &token.parse().unwrap());
        match want {
            Ok(()) => assert!(current.unwrap().is_some(), "{}", token),
            Err(words) => {
                let e = current.unwrap_err();
                assert!(e.kind == Kind::Conflict && e.message.starts_with(words), "{}: {}", token, e);
            }
        }
        requests.borrow_mut().clear();
        s3.cancel_upload(host.call(), token).unwrap();
        let deleted: Vec<_> = lines(&requests).into_iter().filter(|line| line.starts_with("DELETE")).collect();
        let all = ["DELETE /a~upload", "DELETE /a~tail.w.1", "DELETE /a?uploadId=id"];
        assert_eq!(deleted, if want.is_ok() { &all[..] } else { &[] }, "{}", token);
    }
}

#[test]
fn a_state_replaces_the_one_that_was_found() {
    let host = Host::new();
    let c = host.call();
    let (requests, objects) = bucket(&host);
    let s3 = driver(&host, STORED);
    let token = |text: &str| text.parse::<Token>().unwrap();
    let by = |writer: &str| State { id: "id".to_owned(), writer: writer.to_owned(), ..State::default() };
    s3.save(c, &token("id a - /a"), &by("a"), None).unwrap();

    // Two go on with it: the later finds that it is another by now.
    let found = s3.current(c, &token("id b a /a")).unwrap();
    s3.save(c, &token("id b a /a"), &by("b"), found.clone()).unwrap();
    let e = s3.save(c, &token("id c a /a"), &by("c"), found.clone()).unwrap_err();
    assert!(e.kind == Kind::Conflict && e.message.contains("another writer has moved on"), "{}", e);

    // One that has replaced it itself goes on from there.
    s3.save(c, &token("id b a /a"), &by("b"), found).unwrap();
    assert_eq!(State::parse(std::str::from_utf8(&objects.borrow()["/a~upload"]).unwrap()).unwrap().writer, "b");

    // One that began where there was nothing meets it.
    let e = s3.save(c, &token("id d - /a"), &by("d"), None).unwrap_err();
    assert_eq!(e.kind, Kind::Conflict);

    // A service that knows no conditions is sent none.
    let s3 = driver(&host, r#", "conditional-writes": false"#);
    requests.borrow_mut().clear();
    let _refused = s3.save(c, &token("id b a /a"), &by("b"), None);
    let conditional = |r: &HttpRequest| r.header("if-match").or_else(|| r.header("if-none-match")).is_some();
    assert!(!requests.borrow().iter().any(conditional));
}

#[test]
fn a_suspend_that_is_overtaken_leaves_no_tail_that_nothing_names() {
    let state = |writer: &str, tail| State { id: "id".to_owned(), writer: writer.to_owned(), tail, ..State::default() };
    for named in [false, true] {
        let host = Host::new();
        // The other writer takes over what this one has found; or what it has stored before, without an answer, and with its tail.
        let (_, objects) = bucket_of_many(&host, move |line, objects| {
            if line == "PUT /a~upload" {
                let path = objects.keys().find(|path| path.contains(TAIL_SUFFIX)).expect("a tail").clone();
                let other = state("b", named.then_some(Tail { path, length: 4 }));
                objects.insert("/a~upload".to_owned(), other.text().unwrap().into_bytes());
            }
        });
        objects.borrow_mut().insert("/a~upload".to_owned(), state("w", None).text().unwrap().into_bytes());
        let tail = host.stream("tail");
        let e = driver(&host, STORED).suspend_upload(host.call(), "id v w /a", &host.empty_receipts(), Some(tail));
        assert_eq!(e.unwrap_err(), conflict("another writer has moved on"));
        assert_eq!(objects.borrow().keys().any(|path| path.contains(TAIL_SUFFIX)), named);
    }
}

#[test]
fn a_service_that_knows_no_conditions_is_told_what_to_do_about_it() {
    let host = Host::new();
    asked(&host, |r| match &r.method[..] {
        "PUT" => Reply::new(501).body(said("NotImplemented", "If-None-Match")),
        _ => Reply::new(404),
    });
    let s3 = driver(&host, STORED);
    let state = State { id: "id".to_owned(), writer: "w".to_owned(), ..State::default() };
    let e = s3.save(host.call(), &"id w - /a".parse().unwrap(), &state, None).unwrap_err();
    assert_eq!((e.kind, e.status), (Kind::Unsupported, 501));
    assert!(e.message.starts_with("set parameter \"conditional-writes\" to false: the service answers"), "{}", e);
}

#[test]
fn states_are_read_as_they_were_written() {
    let state = State {
        id: "id".to_owned(),
        writer: "w".to_owned(),
        tail: Some(Tail { path: "/a~tail.1".to_owned(), length: 7 }),
        parts: vec![receipt(1, 0, 5, "\"1\""), receipt(2, 5, 6, "\"2\"")],
        ..State::default()
    };
    let text = state.text().unwrap();
    assert_eq!(State::parse(&text), Some(state.clone()));
    for at in 0..text.len() {
        let parsed = State::parse(&text[..at]);
        assert!(parsed.is_none() || text[..at].ends_with('\n'), "{}", &text[..at]);
    }
    assert_eq!(State::parse(&text.replace("upload 1", "upload 2")), None);
    assert_eq!(State::parse(&text.replace("part 1", "part x")), None);
    let invalid = State { parts: vec![Receipt { data: vec![0xff], ..Receipt::default() }], ..state };
    assert_eq!(invalid.text().unwrap_err().kind, Kind::InvalidArgument);
}

#[test]
fn tokens_are_read_as_they_were_written() {
    for base in [None, Some("b".to_owned())] {
        let token = Token { id: "i".to_owned(), writer: "w".to_owned(), base, path: "/a/b".to_owned() };
        assert_eq!(token.text().parse::<Token>(), Ok(token));
    }
    let other: std::result::Result<Token, Error> = "i w -".parse();
    assert_eq!(other.unwrap_err().kind, Kind::InvalidArgument);
}
