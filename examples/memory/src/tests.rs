use berth_guest::testing::{bytes, Host};
use berth_guest::{Driver, Kind, Parameters};

use crate::{manifest, open, Memory};

/// Opens a driver and puts objects, whose content is their path.
fn with(host: &Host, paths: &[&str]) -> Memory {
    let mut driver = open(host.call(), &Parameters::new(b"{}")).unwrap().driver;
    for path in paths {
        driver.put(host.call(), path, host.stream(*path)).unwrap();
    }
    driver
}

fn content(driver: &mut Memory, host: &Host, path: &str) -> String {
    let content = driver.read(host.call(), path, 0, None).unwrap();
    String::from_utf8(bytes(content).unwrap()).unwrap()
}

#[test]
fn what_is_put_is_read() {
    let host = Host::new();
    let mut driver = with(&host, &["/a/b"]);
    assert_eq!(content(&mut driver, &host, "/a/b"), "/a/b");
    let part = driver.read(host.call(), "/a/b", 1, Some(2)).unwrap();
    assert_eq!(bytes(part).unwrap(), b"a/");
    assert_eq!(driver.read(host.call(), "/a/b", 5, None).unwrap_err().kind, Kind::InvalidOffset);
    let entry = driver.stat(host.call(), "/a/b").unwrap();
    assert_eq!((entry.size, entry.time, entry.dir), (4, host.call().now(), false));
}

#[test]
fn another_content_has_another_version() {
    let host = Host::new();
    let mut driver = with(&host, &["/a"]);
    let before = driver.read(host.call(), "/a", 0, None).unwrap().version;
    assert_eq!(driver.read(host.call(), "/a", 1, None).unwrap().version, before);
    driver.put(host.call(), "/a", host.stream("/a")).unwrap();
    assert_ne!(driver.read(host.call(), "/a", 0, None).unwrap().version, before);
}

#[test]
fn pages_are_in_order() {
    let host = Host::new();
    let mut driver = with(&host, &["/d/a/1", "/d/a/2", "/d/a-b", "/d/a0", "/e"]);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = driver.list(host.call(), "/d", &cursor, 1).unwrap();
        names.extend(page.entries.into_iter().map(|e| (e.name, e.dir)));
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    let want = [("a-b", false), ("a", true), ("a0", false)].map(|(name, dir)| (name.to_owned(), dir));
    assert_eq!(names, want);
    assert_eq!(driver.list(host.call(), "/e", "", 1).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn files_and_directories_are_not_in_each_others_place() {
    let host = Host::new();
    let mut driver = with(&host, &["/a/b", "/c"]);
    for path in ["/a", "/a/b/c"] {
        assert_eq!(driver.put(host.call(), path, host.stream("")).unwrap_err().kind, Kind::InvalidPath);
        assert_eq!(driver.move_to(host.call(), "/c", path).unwrap_err().kind, Kind::InvalidPath);
        assert_eq!(driver.concat(host.call(), path, &["/c"]).unwrap_err().kind, Kind::InvalidPath);
    }
    assert_eq!(driver.delete(host.call(), "/a").unwrap_err().kind, Kind::InvalidPath);
    driver.delete(host.call(), "/a/b").unwrap();
    assert_eq!(driver.stat(host.call(), "/a").unwrap_err().kind, Kind::NotFound);
}

#[test]
fn objects_are_moved_and_joined() {
    let host = Host::new();
    let mut driver = with(&host, &["/a", "/b"]);
    driver.concat(host.call(), "/b", &["/a", "/b", "/a"]).unwrap();
    driver.move_to(host.call(), "/b", "/c").unwrap();
    assert_eq!(content(&mut driver, &host, "/c"), "/a/b/a");
    for path in ["/b", "/d"] {
        assert_eq!(driver.move_to(host.call(), path, "/e").unwrap_err().kind, Kind::NotFound);
    }
}

#[test]
fn the_manifest_says_that_there_is_one_instance() {
    assert_eq!(manifest().instances, 1);
}
