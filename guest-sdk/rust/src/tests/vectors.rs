//! The golden vectors, and as much of JSON, hex and base64 as they need.

use std::collections::BTreeMap;

use crate::decoder::Decoder;

/// Any value of a message, or of a document. Bytes are in base64.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Int(i64),
    Flag(bool),
    Text(String),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

static NONE: Tree = Tree::Int(0);

impl Tree {
    /// Returns the member of a map, or 0.
    pub(crate) fn get(&self, key: &str) -> &Tree {
        match self {
            Tree::Map(m) => m.get(key).unwrap_or(&NONE),
            _ => &NONE,
        }
    }

    pub(crate) fn int(&self, key: &str) -> i64 {
        match self.get(key) {
            Tree::Int(n) => *n,
            other => panic!("{} is {:?}", key, other),
        }
    }

    pub(crate) fn uint(&self, key: &str) -> u64 {
        u64::try_from(self.int(key)).unwrap()
    }

    /// -1 is none.
    pub(crate) fn length(&self, key: &str) -> Option<u64> {
        u64::try_from(self.int(key)).ok()
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        *self.get(key) == Tree::Flag(true)
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Tree::Text(s) => s,
            _ => "",
        }
    }

    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        unbase64(self.text(key))
    }

    pub(crate) fn list(&self, key: &str) -> &[Tree] {
        match self.get(key) {
            Tree::List(list) => list,
            _ => &[],
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Vec<&str> {
        let texts = self.list(key).iter().map(|t| match t {
            Tree::Text(s) => s.as_str(),
            other => panic!("{} has {:?}", key, other),
        });
        texts.collect()
    }

    pub(crate) fn handles(&self, key: &str) -> Vec<i64> {
        let handles = self.list(key).iter().map(|t| match t {
            Tree::Int(n) => *n,
            other => panic!("{} has {:?}", key, other),
        });
        handles.collect()
    }
}

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) op: String,
    pub(crate) dir: String,
    pub(crate) message: Vec<u8>,
    pub(crate) value: Tree,
}

/// Returns all vectors; `None` when the crate stands alone, which it may not under CI.
pub(crate) fn vectors() -> Option<Vec<Vector>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../abi/testdata/messages.json");
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if std::env::var_os("CI").is_none() => {
            eprintln!("the golden vectors of package abi are not beside this crate: {}", e);
            return None;
        }
        Err(e) => panic!("the golden vectors of package abi: {}", e),
    };
    let all = Tree::Map([(String::new(), parse(&text))].into());
    let vectors = all.list("").iter().map(|v| Vector {
        name: v.text("name").to_owned(),
        op: v.text("op").to_owned(),
        dir: v.text("dir").to_owned(),
        message: unhex(v.text("hex")),
        value: v.get("value").clone(),
    });
    Some(vectors.collect())
}

fn parse(text: &[u8]) -> Tree {
    let mut r = Parser { b: text };
    r.value()
}

struct Parser<'a> {
    b: &'a [u8],
}

impl Parser<'_> {
    fn peek(&mut self) -> u8 {
        while self.b[0].is_ascii_whitespace() {
            self.b = &self.b[1..];
        }
        self.b[0]
    }

    fn next(&mut self) -> u8 {
        let c = self.peek();
        self.b = &self.b[1..];
        c
    }

    /// Reads items up to `end`.
    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self)) {
        self.next();
        while self.peek() != end {
            item(self);
            if self.peek() == b',' {
                self.next();
            }
        }
        self.next();
    }

    fn value(&mut self) -> Tree {
        match self.peek() {
            b'{' => {
                let mut m = BTreeMap::new();
                self.items(b'}', |r| {
                    assert_eq!(r.peek(), b'"');
                    let name = r.string();
                    assert_eq!(r.next(), b':');
                    m.insert(name, r.value());
                });
                Tree::Map(m)
            }
            b'[' => {
                let mut list = Vec::new();
                self.items(b']', |r| list.push(r.value()));
                Tree::List(list)
            }
            b'"' => Tree::Text(self.string()),
            _ => {
                let end = self.b.iter().position(|c| !c.is_ascii_alphanumeric() && *c != b'-').unwrap();
                let (word, rest) = self.b.split_at(end);
                self.b = rest;
                match word {
                    b"true" => Tree::Flag(true),
                    b"false" => Tree::Flag(false),
                    _ => Tree::Int(std::str::from_utf8(word).unwrap().parse().unwrap()),
                }
            }
        }
    }

    fn string(&mut self) -> String {
        self.next();
        let mut out = Vec::new();
        loop {
            let c = self.b[0];
            self.b = &self.b[1..];
            match c {
                b'"' => return String::from_utf8(out).unwrap(),
                b'\\' => {
                    let c = self.b[0];
                    self.b = &self.b[1..];
                    match c {
                        b't' => out.push(b'\t'),
                        b'u' => {
                            let hex = std::str::from_utf8(&self.b[..4]).unwrap();
                            out.push(u8::from_str_radix(hex, 16).unwrap());
                            self.b = &self.b[4..];
                        }
                        c => out.push(c),
                    }
                }
                c => out.push(c),
            }
        }
    }
}

pub(crate) fn hex(b: &[u8]) -> String {
    b.iter().map(|c| format!("{:02x}", c)).collect()
}

fn unhex(s: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).unwrap() as u8;
    s.as_bytes().chunks(2).map(|p| digit(p[0]) << 4 | digit(p[1])).collect()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(b: &[u8]) -> String {
    let mut out = String::new();
    for group in b.chunks(3) {
        let n = group.iter().fold(0, |n, c| n << 8 | u32::from(*c)) << (8 * (3 - group.len()));
        for at in 0..4 {
            out.push(if at > group.len() { '=' } else { DIGITS[(n >> (18 - 6 * at)) as usize & 63].into() });
        }
    }
    out
}

pub(crate) fn unbase64(s: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for group in s.as_bytes().chunks(4) {
        let digits: Vec<_> = group.iter().filter_map(|c| DIGITS.iter().position(|d| d == c)).collect();
        let n = digits.iter().fold(0, |n, d| n << 6 | *d as u32) << (6 * (4 - digits.len()));
        out.extend_from_slice(&n.to_be_bytes()[1..digits.len()]);
    }
    out
}

/// Decodes any value with the decoder under test.
pub(crate) fn tree(d: &mut Decoder<'_>) -> Tree {
    match d.first() {
        0x80..=0x8f | 0xde | 0xdf => {
            let mut m = BTreeMap::new();
            for _ in 0..d.map().unwrap() {
                let key = d.string().unwrap();
                m.insert(key, tree(d));
            }
            Tree::Map(m)
        }
        0x90..=0x9f | 0xdc | 0xdd => {
            let n = d.array().unwrap();
            Tree::List((0..n).map(|_| tree(d)).collect())
        }
        0xa0..=0xbf | 0xd9..=0xdb => Tree::Text(d.string().unwrap()),
        0xc4..=0xc6 => Tree::Text(base64(d.bytes().unwrap())),
        0xc2 | 0xc3 => Tree::Flag(d.flag().unwrap()),
        _ => Tree::Int(d.int().unwrap()),
    }
}
