//! What the driver asks a service for, and makes of its answers. The conformance suite runs it against real ones.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use berth_guest::testing::{bytes, Host, HttpRequest, Reply};
use berth_guest::{Abilities, Driver, Entry, Kind, Parameters, RedirectOptions, Result, Time};

use crate::config::Config;
use crate::copy::ranges;
use crate::list::{parse_keys, parse_uploads};
use crate::service::S3;
use crate::tree::{deleted, deletion};
use crate::{manifest, open};

mod uploads;

const MEBIBYTE: u64 = 1 << 20;

/// Opens a driver with these parameters besides those that it must have.
fn with(host: &Host, parameters: &str) -> Result<S3> {
    let json = format!(r#"{{"endpoint": "http://127.0.0.1:9000/", "bucket": "registry"{}}}"#, parameters);
    open(host.call(), &Parameters::new(json.as_bytes())).map(|opened| opened.driver)
}

fn driver(host: &Host, parameters: &str) -> S3 {
    with(host, parameters).unwrap()
}

fn config() -> Config {
    driver(&Host::new(), "").config
}

/// Has `answer` answer, and returns what is asked for.
fn asked(host: &Host, mut answer: impl FnMut(&HttpRequest) -> Reply + 'static) -> Rc<RefCell<Vec<HttpRequest>>> {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let requests = asked.clone();
    host.on_http(move |r| {
        requests.borrow_mut().push(r.clone());
        answer(r)
    });
    asked
}

/// The methods and the paths of requests.
fn lines(requests: &RefCell<Vec<HttpRequest>>) -> Vec<String> {
    let line = |r: &HttpRequest| r.method.clone() + " " + r.url.trim_start_matches("http://127.0.0.1:9000/registry");
    requests.borrow().iter().map(line).collect()
}

fn said(code: &str, message: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>", code, message)
}

#[test]
fn the_manifest_says_what_the_operator_may_set() {
    let m = manifest();
    assert_eq!((m.name, m.hosts, m.credentials), ("rust-s3", &["{endpoint}"][..], &["storage"][..]));
    assert!(m.parameters.as_str().contains(r#""required":["endpoint","bucket"]"#));
    let abilities = |parameters| driver(&Host::new(), parameters).abilities();
    assert!(abilities("").has(Abilities::REDIRECT) && !abilities("").has(Abilities::FILES_UNDER_FILES));
    assert!(!abilities(r#", "redirect": "0s""#).has(Abilities::REDIRECT));
    assert_eq!(abilities(r#", "files-under-files": "stored""#), m.abilities);
}

#[test]
fn parameters_that_cannot_be_are_named() {
    for (parameters, words) in [
        (r#", "endpoint": "127.0.0.1""#, r#"parameter "endpoint" must be http://HOST:PORT"#),
        (r#", "endpoint": "http://a/b""#, r#"parameter "endpoint""#),
        (r#", "endpoint": "http://me:secret@a""#, r#"parameter "endpoint""#),
        (r#", "bucket": "A_B""#, r#"parameter "bucket""#),
        (r#", "bucket": "-ab""#, r#"parameter "bucket""#),
        (r#", "rootdirectory": "a//b""#, r#"parameter "rootdirectory""#),
        (r#", "rootdirectory": "a/../b""#, r#"parameter "rootdirectory""#),
        (r#", "rootdirectory": "a~b""#, r#"parameter "rootdirectory""#),
        (r#", "addressing": "virtual""#, r#"parameter "addressing" must be path"#),
        (r#", "kms-key-id": "a""#, r#"parameter "kms-key-id""#),
        (r#", "redirect": "169h""#, r#"parameter "redirect""#),
        (r#", "redirect": "1500ms""#, r#"parameter "redirect""#),
        (r#", "min-part-size": 6000000, "max-part-size": 5242880"#, r#"parameter "min-part-size" must be at most"#),
        (r#", "max-part-size": 1"#, r#"parameter "max-part-size" must be 5242880 to 5368709120"#),
        (r#", "storage-class": "GLACIER""#, r#"parameter "storage-class" must be one of"#),
    ] {
        let e = with(&Host::new(), parameters).unwrap_err();
        assert_eq!(e.kind, Kind::InvalidArgument, "{}", parameters);
        assert!(e.message.contains(words) && !e.message.contains("secret"), "{}: {}", parameters, e.message);
    }
}

#[test]
fn objects_have_urls() {
    let s3 = driver(&Host::new(), r#", "rootdirectory": "/one/registry/""#);
    assert_eq!(s3.url("/a/b~c"), "http://127.0.0.1:9000/registry/one/registry/a/b~c");
    assert_eq!(s3.bucket_url("?a"), "http://127.0.0.1:9000/registry?a");
    assert_eq!((s3.below("/"), s3.below("/a")), ("one/registry/".to_owned(), "one/registry/a/".to_owned()));
    assert_eq!(s3.copy_source("/a"), "/registry/one/registry/a");
    assert_eq!(s3.key(s3.path("one/registry/a/b")), "one/registry/a/b");
    assert_eq!(s3.key_url("a b"), "http://127.0.0.1:9000/registry/a%20b");
    let json = br#"{"endpoint": "https://s3.example:444", "bucket": "registry", "addressing": "virtual"}"#;
    let s3 = open(Host::new().call(), &Parameters::new(json)).unwrap().driver;
    assert_eq!(s3.url("/a"), "https://registry.s3.example:444/a");
    assert_eq!(s3.bucket_url("?a"), "https://registry.s3.example:444/?a");
}

#[test]
fn what_begins_an_object_says_how_it_is_kept() {
    let host = Host::new();
    let parameters = r#", "storage-class": "STANDARD_IA", "encryption": "aws:kms", "kms-key-id": "k", "files-under-files": "refused""#;
    let mut s3 = driver(&host, parameters);
    let requests = asked(&host, |r| match &r.method[..] {
        "POST" => Reply::new(200)
            .body("<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"),
        _ => Reply::new(200),
    });
    s3.put(host.call(), "/a", host.stream("content")).unwrap();
    assert_eq!(s3.create_upload(host.call(), "/a").unwrap(), "id");
    assert_eq!(lines(&requests), ["PUT /a", "POST /a?uploads="]);
    assert_eq!(requests.borrow()[0].body, b"content");
    for r in requests.borrow().iter() {
        assert_eq!(r.credential, "storage");
        assert_eq!(r.header("x-amz-storage-class"), Some("STANDARD_IA"));
        assert_eq!(r.header("x-amz-server-side-encryption"), Some("aws:kms"));
        assert_eq!(r.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("k"));
    }
}

#[test]
fn refusals_have_kinds_and_one_line() {
    for (reply, kind, temporary, words) in [
        (Reply::new(404).body(said("NoSuchKey", "gone")), Kind::NotFound, false, "404 NoSuchKey: gone"),
        (
            Reply::new(404).body(said("NoSuchBucket", "")),
            Kind::InvalidArgument,
            false,
            "there is no bucket \"registry\": make it",
        ),
        (
            Reply::new(403).body(said("AccessDenied", "No.")),
            Kind::Permission,
            false,
            "credential \"storage\" may not: grant it s3:ListBucket",
        ),
        (
            Reply::new(403).body(said("SignatureDoesNotMatch", "")),
            Kind::Permission,
            false,
            "look at the secret key of credential \"storage\"",
        ),
        (Reply::new(403).body(said("InvalidAccessKeyId", "")), Kind::Permission, false, "does not know the access key"),
        (Reply::new(400).body(said("ExpiredToken", "")), Kind::Permission, false, "renew the session token"),
        (Reply::new(403).body(said("RequestTimeTooSkewed", "")), Kind::Permission, false, "clock"),
        (
            Reply::new(400)
                .body(said("AuthorizationHeaderMalformed", "").replace("</Error>", "<Region>eu-1</Region></Error>")),
            Kind::InvalidArgument,
            false,
            "is in region eu-1: look at parameter \"endpoint\"",
        ),
        (Reply::new(301).header("x-amz-bucket-region", "eu-2"), Kind::InvalidArgument, false, "is in region eu-2"),
        (Reply::new(503).body(said("SlowDown", "a\n  b\u{7}")), Kind::Unavailable, true, "503 SlowDown: a b"),
        (Reply::new(500).body(said("InternalError", "")), Kind::Unavailable, true, "500 InternalError"),
        (Reply::new(400).body(said("RequestTimeout", "")), Kind::Unavailable, true, "400 RequestTimeout"),
        (Reply::new(501).body(said("NotImplemented", "")), Kind::Unsupported, false, "501"),
        (Reply::new(507).body(said("XMinioStorageFull", "")), Kind::NoSpace, false, "507"),
        (Reply::new(400).body(said("EntityTooLarge", "")), Kind::Limit, false, "400"),
        (Reply::new(502).body("<html><body>bad gateway"), Kind::Unavailable, true, "502"),
        (Reply::new(418), Kind::Unknown, false, "the service answers s3:ListBucket with 418"),
        (Reply::new(400).body(said("Odd", &"x ".repeat(4000))), Kind::Unknown, false, "400 Odd: x x"),
    ] {
        let host = Host::new();
        let status = format!("{:?}", reply);
        asked(&host, move |_| reply.clone());
        let e = driver(&host, "").list(host.call(), "/", "", 1).unwrap_err();
        assert_eq!((e.kind, e.temporary), (kind, temporary), "{}", status);
        assert!(e.message.contains(words), "{}: want {:?} in {:?}", status, words, e.message);
        assert!(e.message.len() < 600 && !e.message.contains('\n'), "{}", e.message);
    }
}

#[test]
fn a_service_says_how_long_it_wants_to_be_left_alone() {
    for (status, value, want) in [
        (503, "7", 7),
        (503, "100000", 3600),
        (503, "-1", 0),
        (400, "7", 0),
        (503, "Tue, 14 Nov 2023 22:13:29 GMT", 9), // the host's clock stands at 22:13:20
        (503, "Tue, 14 Nov 2023 22:13:19 GMT", 0),
    ] {
        let host = Host::new();
        asked(&host, move |_| Reply::new(status).header("retry-after", value).body(said("", "")));
        let e = driver(&host, "").list(host.call(), "/", "", 1).unwrap_err();
        assert_eq!(e.retry_after, Duration::from_secs(want), "{} {}", status, value);
    }
}

#[test]
fn objects_are_described() {
    let host = Host::new();
    let requests = asked(&host, |r| match (&r.method[..], r.url.ends_with("/a")) {
        ("HEAD", true) => Reply::new(200).header("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT").body("content"),
        ("GET", _) if r.url.ends_with("&prefix=d%2F") => Reply::new(200)
            .body("<ListBucketResult><Contents><Key>d/e</Key><Size>1</Size></Contents></ListBucketResult>"),
        ("GET", _) => Reply::new(200).body("<ListBucketResult/>"),
        _ => Reply::new(404),
    });
    let mut s3 = driver(&host, "");
    assert_eq!(s3.stat(host.call(), "/a"), Ok(Entry::file("", 7, Time::from_secs(1_700_000_000))));
    assert_eq!(s3.stat(host.call(), "/d"), Ok(Entry::dir("")));
    assert_eq!(s3.stat(host.call(), "/e").unwrap_err().kind, Kind::NotFound);
    assert_eq!(lines(&requests)[..2], ["HEAD /a", "HEAD /d"]);
}

#[test]
fn clients_are_sent_to_presigned_urls() {
    let host = Host::new();
    host.on_presign(|r, valid| Ok(format!("{}?{}&{}&{}", r.url, r.method, r.credential, valid.as_secs())));
    let redirect = |parameters, method| {
        let options = RedirectOptions { method, ..RedirectOptions::default() };
        driver(&host, parameters).redirect(host.call(), "/a/b", &options)
    };
    for (parameters, method, want) in [
        ("", "GET", "http://127.0.0.1:9000/registry/a/b?GET&storage&1200"),
        (r#", "redirect": "1h""#, "HEAD", "http://127.0.0.1:9000/registry/a/b?HEAD&storage&3600"),
        (r#", "rootdirectory": "r""#, "GET", "http://127.0.0.1:9000/registry/r/a/b?GET&storage&1200"),
        ("", "PUT", ""),
    ] {
        assert_eq!(redirect(parameters, method).as_deref(), Ok(want), "{} {}", method, parameters);
    }
}

#[test]
fn ranges_are_asked_for() {
    for (offset, length, want) in [
        (0, None, None),
        (3, None, Some("bytes=3-")),
        (0, Some(4), Some("bytes=0-3")),
        (3, Some(4), Some("bytes=3-6")),
        (3, Some(0), Some("bytes=3-")),
        (3, Some(u64::MAX), Some("bytes=3-18446744073709551615")),
    ] {
        let host = Host::new();
        let requests = asked(&host, |_| Reply::new(206).body("content"));
        let mut s3 = driver(&host, "");
        let content = bytes(s3.read(host.call(), "/a", offset, length).unwrap()).unwrap();
        assert_eq!(content, if length == Some(0) { &b""[..] } else { b"content" });
        assert_eq!(requests.borrow()[0].header("range"), want);
    }
}

#[test]
fn a_range_at_the_end_is_empty() {
    let at = |offset| {
        let host = Host::new();
        asked(&host, |r| match &r.method[..] {
            "GET" => Reply::new(416).body(said("InvalidRange", "")),
            _ => Reply::new(200).body("1234"), // whose length the answer to HEAD has
        });
        let read = driver(&host, "").read(host.call(), "/a", offset, None).map(|content| content.length);
        read.map_err(|e| e.kind)
    };
    assert_eq!(at(4), Ok(0));
    assert_eq!(at(5), Err(Kind::InvalidOffset));
    assert_eq!(at(3), Err(Kind::Conflict));
}

#[test]
fn a_place_is_looked_at_before_a_write() {
    let host = Host::new();
    let requests = asked(&host, |r| match (&r.method[..], &r.url[r.url.len() - 2..]) {
        ("HEAD", "/b") => Reply::new(200),
        ("GET", _) => Reply::new(200)
            .body("<ListBucketResult><Contents><Key>d/e</Key><Size>1</Size></Contents></ListBucketResult>"),
        _ => Reply::new(404),
    });
    let mut s3 = driver(&host, "");
    let e = s3.put(host.call(), "/a/b/c", host.stream("")).unwrap_err();
    assert_eq!((e.kind, &e.message[..]), (Kind::InvalidPath, "/a/b is a file"));
    assert_eq!(lines(&requests), ["HEAD /a", "HEAD /a/b", "GET ?list-type=2&max-keys=1&prefix=a%2Fb%2Fc%2F"]);
    let e = s3.put(host.call(), "/d", host.stream("")).unwrap_err();
    assert_eq!((e.kind, &e.message[..]), (Kind::InvalidPath, "there is a directory"));
}

#[test]
fn listings_are_in_order() {
    let page = parse_keys(
        &br#"<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>p/</Prefix>
            <IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>
            <Contents><Key>p/a-b</Key><Size>1</Size><LastModified>1970-01-01T00:00:01.000Z</LastModified></Contents>
            <Contents><Key>p/</Key><Size>0</Size></Contents>
            <Contents><Key>p/a0</Key><Size>2</Size><Owner><ID>x</ID></Owner></Contents>
            <CommonPrefixes><Prefix>p/a/</Prefix></CommonPrefixes></ListBucketResult>"#[..],
        "p/",
    )
    .unwrap();
    let entries: Vec<_> = page.entries.iter().map(|e| (&e.name[..], e.dir, e.size)).collect();
    assert_eq!(entries, [("a-b", false, 1), ("a", true, 0), ("a0", false, 2)]);
    assert_eq!(page.entries[0].time, Time::from_secs(1));
    assert_eq!(page.entries[2].time, Time::UNKNOWN);
    assert_eq!(page.cursor, "a&b");
}

#[test]
fn listings_that_cannot_be_are_corrupt() {
    for inside in [
        "<Contents><Key>q/a</Key><Size>1</Size></Contents>",
        "<Contents><Key>p/a</Key></Contents>",
        "<Contents><Key>p/a</Key><Size>-1</Size></Contents>",
        "<Contents><Size>1</Size></Contents>",
        "<CommonPrefixes><Prefix>q/</Prefix></CommonPrefixes>",
        "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>",
        "<IsTruncated>true</IsTruncated>",
        "<Contents>",
    ] {
        let document = format!("<ListBucketResult>{}</ListBucketResult>", inside);
        assert_eq!(parse_keys(document.as_bytes(), "p/").unwrap_err().kind, Kind::Corrupt, "{}", inside);
    }
    assert_eq!(parse_keys(&b"<html></html>"[..], "").unwrap_err().kind, Kind::Corrupt);
}

#[test]
fn uploads_are_listed() {
    let document = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
        <NextUploadIdMarker>i</NextUploadIdMarker><Upload><Key>p/a</Key><UploadId>1</UploadId>\
        <Initiator><ID>x</ID></Initiator><Initiated>1970-01-01T00:00:01Z</Initiated></Upload></ListMultipartUploadsResult>";
    let page = parse_uploads(document.as_bytes(), "p/").unwrap();
    assert_eq!(page.cursor, "k\ni");
    assert_eq!((&page.uploads[0].key[..], &page.uploads[0].id[..]), ("p/a", "1"));
    assert_eq!(page.uploads[0].begun, Time::from_secs(1));
    assert_eq!(parse_uploads(document.as_bytes(), "q").unwrap_err().kind, Kind::Corrupt);
    let without = document.replace("<UploadId>1</UploadId>", "");
    assert_eq!(parse_uploads(without.as_bytes(), "p/").unwrap_err().kind, Kind::Corrupt);
}

#[test]
fn deletions_that_fail_are_counted() {
    let keys = ["a<b".to_owned(), "c".to_owned()];
    assert!(deletion(&keys)
        .contains("<Quiet>true</Quiet><Object><Key>a&lt;b</Key></Object><Object><Key>c</Key></Object></Delete>"));
    let answer = |inside: &str| deleted(format!("<DeleteResult>{}</DeleteResult>", inside).as_bytes(), &config());
    let error = |key, code| format!("<Error><Key>{}</Key><Code>{}</Code><Message>m</Message></Error>", key, code);
    answer("").unwrap();
    answer("<Deleted><Key>a</Key></Deleted>").unwrap();
    answer(&error("a", "NoSuchKey")).unwrap();
    let e = answer(&(error("a", "AccessDenied") + &error("b", "NoSuchKey") + &error("c", "SlowDown"))).unwrap_err();
    assert_eq!((e.kind, e.temporary), (Kind::Permission, false));
    assert!(
        e.message.starts_with("2 of the objects were not removed, the first of them a: credential"),
        "{}",
        e.message
    );
    assert!(e.message.contains("grant it s3:DeleteObject"), "{}", e.message);
    assert!(answer(&error("a", "SlowDown")).unwrap_err().temporary);
    assert_eq!(deleted(said("InternalError", "").as_bytes(), &config()).unwrap_err().kind, Kind::Unavailable);
    assert_eq!(deleted(&b"<a/>"[..], &config()).unwrap_err().kind, Kind::Corrupt);
}

#[test]
fn a_tree_is_removed_with_a_digest_of_what_it_has() {
    let host = Host::new();
    host.on_hash(|algorithm, content| {
        assert_eq!(algorithm, "md5");
        content[..3].to_vec()
    });
    let requests = asked(&host, |r| match (&r.method[..], r.url.split_once('?')) {
        ("POST", Some((_, "delete="))) => Reply::new(200).body("<DeleteResult/>"),
        ("GET", Some((_, query))) if query.starts_with("list-type=2&") => Reply::new(200)
            .body("<ListBucketResult><Contents><Key>d/e</Key><Size>1</Size></Contents></ListBucketResult>"),
        ("GET", Some((_, query))) if query.starts_with("uploads=&") => {
            Reply::new(200).body("<ListMultipartUploadsResult/>")
        }
        ("DELETE", _) => Reply::new(204),
        _ => Reply::new(404),
    });
    driver(&host, "").delete_tree(host.call(), "/d").unwrap();
    let requests = requests.borrow();
    let deletion = requests.iter().find(|r| r.method == "POST").expect("a deletion of many");
    assert_eq!(deletion.header("content-md5"), Some("PERl")); // of what begins with <De
    assert!(deletion.body.starts_with(b"<Delete ") && deletion.body.ends_with(b"<Key>d/e</Key></Object></Delete>"));
}

#[test]
fn long_content_is_copied_in_ranges() {
    assert_eq!(ranges(10, 4).collect::<Vec<_>>(), [(0, 3), (4, 7), (8, 9)]);
    assert_eq!(ranges(8, 4).collect::<Vec<_>>(), [(0, 3), (4, 7)]);
    assert_eq!(ranges(0, 4).count(), 0);
    let most = 50 << 40;
    assert_eq!(ranges(most, 5 * MEBIBYTE).count(), 10_000); // and no more, however small the parts should be
    assert_eq!(ranges(most, 5 * MEBIBYTE).last().map(|(_, last)| last), Some(most - 1));
}

/// A service with an object `/a` of 12 bytes, which answers ranges of it with `range`.
fn copying(host: &Host, range: impl Fn(usize) -> Reply + 'static) -> (Result<()>, Vec<String>) {
    let mut copied = 0;
    let requests = asked(host, move |r| match (&r.method[..], r.header("x-amz-copy-source-range")) {
        ("HEAD", _) => Reply::new(200).header("etag", "\"v\"").body("123456789012"),
        ("PUT", Some(_)) => {
            assert_eq!(r.header("x-amz-copy-source-if-match"), Some("\"v\""));
            copied += 1;
            range(copied)
        }
        ("POST", _) if r.url.ends_with("?uploads=") => Reply::new(200)
            .body("<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"),
        ("POST", _) => Reply::new(200).body("<CompleteMultipartUploadResult/>"),
        ("PUT", None) => Reply::new(200).body("<CopyObjectResult/>"),
        ("GET", _) => Reply::new(200).body("<ListBucketResult/>"),
        _ => Reply::new(204),
    });
    let mut s3 = driver(host, r#", "files-under-files": "refused", "copy-threshold": 11"#);
    let done = s3.copy(host.call(), "/a", "/b");
    (done, lines(&requests))
}

fn part_copied() -> Reply {
    Reply::new(200).body("<CopyPartResult><ETag>\"1\"</ETag></CopyPartResult>")
}

#[test]
fn a_copy_that_fails_is_aborted() {
    let (done, requests) = copying(&Host::new(), |_| part_copied());
    done.unwrap();
    assert_eq!(requests, ["HEAD /a", "POST /b?uploads=", "PUT /b?uploadId=id&partNumber=1", "POST /b?uploadId=id"]);
    let (done, requests) = copying(&Host::new(), |_| Reply::new(200).body(said("SlowDown", "")));
    assert_eq!(done.unwrap_err().kind, Kind::Unavailable);
    assert!(requests.contains(&"DELETE /b?uploadId=id".to_owned()), "{:?}", requests);
}

#[test]
fn a_copy_whose_source_is_replaced_begins_again() {
    let once = |n| match n {
        1 => Reply::new(412).body(said("PreconditionFailed", "")),
        _ => part_copied(),
    };
    let (done, requests) = copying(&Host::new(), once);
    done.unwrap();
    assert_eq!(requests.iter().filter(|line| line.starts_with("HEAD")).count(), 2);
    let (done, _) = copying(&Host::new(), |_| Reply::new(412));
    assert_eq!(done.unwrap_err().kind, Kind::Conflict);
}

#[test]
fn a_service_that_copies_no_ranges_is_told() {
    let (done, _) = copying(&Host::new(), |_| Reply::new(501).body(said("NotImplemented", "")));
    let e = done.unwrap_err();
    assert_eq!(e.kind, Kind::Unsupported);
    assert!(e.message.starts_with("set parameter \"copy-threshold\" to 5368709120: "), "{}", e.message);
}

#[test]
fn a_copy_whose_upload_is_ended_goes_on_with_one_request() {
    let (done, requests) = copying(&Host::new(), |_| Reply::new(404).body(said("NoSuchUpload", "")));
    done.unwrap();
    assert_eq!(requests.last().map(String::as_str), Some("PUT /b"));
    assert_eq!(requests.iter().filter(|line| line.ends_with("?uploads=")).count(), 1);
}
