//! Reads XML as it comes, as much of it as S3 writes.
//!
//! Of a document only the texts of its elements count: attributes, comments, processing instructions and the prefixes of names are
//! passed over. A document type is refused, and with it every entity that is not XML's own. Whatever a service sends, the memory it
//! takes is bounded by [`MAX_DEPTH`], [`MAX_NAME`] and [`MAX_CONTENT`].

use std::io::Read;

use berth_guest::{Error, Kind, Result};

/// The most elements that are inside one another.
pub const MAX_DEPTH: usize = 16;
/// The most bytes of an element's name, and of what stands between `&` and `;`.
pub const MAX_NAME: usize = 64;
/// The most bytes of an element's own text. A key has 1,024, and each may be written with up to 6.
pub const MAX_CONTENT: usize = 16 << 10;
/// The most bytes of a document: 1,000 keys, each with what is said of it.
pub const MAX_DOCUMENT: u64 = 8 << 20;

/// Calls `f` at the end of each element, with the names from the root's to its own, joined by `/`, and its own text. Returns the
/// root's name.
///
/// What is no XML, or not all of it, is `Corrupt`; what is longer than the limits is `Limit`; errors of `from` and of `f` come as they
/// are.
pub fn parse(from: impl Read, f: &mut dyn FnMut(&str, &str) -> Result<()>) -> Result<String> {
    let mut reader = Reader { from, buffer: vec![0; 4 << 10], at: 0, filled: 0, left: MAX_DOCUMENT };
    let mut open = Open::default();
    let mut root = None;
    while let Some(c) = reader.next()? {
        match c {
            b'<' if root.is_some() => reader.after_root()?,
            b'<' => {
                if let Some(name) = reader.markup(&mut open, f)? {
                    root = Some(name);
                }
            }
            b'&' if root.is_none() => {
                let c = reader.entity()?;
                open.push(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
            _ if root.is_none() && !open.texts.is_empty() => open.push(&[c])?,
            _ if is_space(c) || matches!(c, 0xef | 0xbb | 0xbf) => {} // white space, or a byte order mark
            _ => return Err(corrupt("text that is in no element")),
        }
    }
    root.ok_or_else(|| corrupt("it has no end"))
}

/// Returns the text of an element by its path, and the empty text when there is none.
#[cfg(test)]
fn find(document: &str, path: &str) -> Result<String> {
    let mut found = String::new();
    parse(document.as_bytes(), &mut |at, text| {
        if at == path {
            found = text.to_owned();
        }
        Ok(())
    })?;
    Ok(found)
}

/// The namespace of what is sent.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Returns `text` so that it is an element's text and nothing else.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"), // as it is it would be read as a line feed
            c => out.push(c),
        }
    }
    out
}

fn corrupt(what: &str) -> Error {
    Error::new(Kind::Corrupt, format!("the service's XML cannot be read: {}", what))
}

fn too_long(what: &str) -> Error {
    Error::new(Kind::Limit, format!("the service's XML is not read: {}", what))
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\r' | b'\n')
}

/// The elements that have not ended.
#[derive(Default)]
struct Open {
    path: String,
    /// Where in `path` each name begins.
    names: Vec<usize>,
    texts: Vec<Vec<u8>>,
}

impl Open {
    fn begin(&mut self, name: &str) -> Result<()> {
        if self.names.len() == MAX_DEPTH {
            return Err(too_long("its elements are too deep inside one another"));
        }
        if !self.names.is_empty() {
            self.path.push('/');
        }
        self.names.push(self.path.len());
        self.path.push_str(name);
        self.texts.push(Vec::new());
        Ok(())
    }

    /// Ends the innermost element and returns the root's name when that was it.
    fn end(&mut self, name: &str, f: &mut dyn FnMut(&str, &str) -> Result<()>) -> Result<Option<String>> {
        let (at, text) = match (self.names.pop(), self.texts.pop()) {
            (Some(at), Some(text)) if &self.path[at..] == name => (at, text),
            _ => return Err(corrupt("an end without its beginning")),
        };
        let text = std::str::from_utf8(&text).map_err(|_| corrupt("text that is not UTF-8"))?;
        f(&self.path, text)?;
        if at == 0 {
            return Ok(Some(std::mem::take(&mut self.path)));
        }
        self.path.truncate(at - 1);
        Ok(None)
    }

    /// Adds to the text of the innermost element.
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let text = self.texts.last_mut().ok_or_else(|| corrupt("text that is in no element"))?;
        if text.len() + bytes.len() > MAX_CONTENT {
            return Err(too_long("an element is too long"));
        }
        text.extend_from_slice(bytes);
        Ok(())
    }
}

struct Reader<R> {
    from: R,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    left: u64,
}

impl<R: Read> Reader<R> {
    fn next(&mut self) -> Result<Option<u8>> {
        if self.at == self.filled {
            self.filled = self.from.read(&mut self.buffer)?;
            self.at = 0;
            if self.filled == 0 {
                return Ok(None);
            }
            self.left = self.left.checked_sub(self.filled as u64).ok_or_else(|| too_long("it is too long"))?;
        }
        self.at += 1;
        Ok(Some(self.buffer[self.at - 1]))
    }

    /// Returns the next byte of what must not end here.
    fn must(&mut self) -> Result<u8> {
        self.next()?.ok_or_else(|| corrupt("it has no end"))
    }

    /// Reads what begins with `<`, and returns the root's name when it was its end.
    fn markup(&mut self, open: &mut Open, f: &mut dyn FnMut(&str, &str) -> Result<()>) -> Result<Option<String>> {
        match self.must()? {
            b'?' => self.until(b"?>").map(|()| None),
            b'!' => self.declaration(Some(open)).map(|()| None),
            b'/' => {
                let first = self.must()?;
                let (name, mut c) = self.name(first)?;
                while is_space(c) {
                    c = self.must()?;
                }
                if c != b'>' {
                    return Err(corrupt("an end of an element that does not end"));
                }
                open.end(&name, f)
            }
            first => {
                let (name, c) = self.name(first)?;
                open.begin(&name)?;
                match self.attributes(c)? {
                    true => open.end(&name, f),
                    false => Ok(None),
                }
            }
        }
    }

    /// Reads what begins with `<` and follows the root: comments and instructions.
    fn after_root(&mut self) -> Result<()> {
        match self.must()? {
            b'?' => self.until(b"?>"),
            b'!' => self.declaration(None),
            _ => Err(corrupt("a second root")),
        }
    }

    /// Reads a name, without its prefix, and what follows it.
    fn name(&mut self, first: u8) -> Result<(String, u8)> {
        let mut name = String::new();
        let mut c = first;
        loop {
            match c {
                b':' => name.clear(),
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(c.into()),
                b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n' if !name.is_empty() => return Ok((name, c)),
                _ => return Err(corrupt("a name with what no name has")),
            }
            if name.len() > MAX_NAME {
                return Err(too_long("a name is too long"));
            }
            c = self.must()?;
        }
    }

    /// Passes over attributes, and reports whether the element has ended with them.
    fn attributes(&mut self, mut c: u8) -> Result<bool> {
        loop {
            match c {
                b'>' => return Ok(false),
                b'/' => match self.must()? {
                    b'>' => return Ok(true),
                    _ => return Err(corrupt("a / where none can be")),
                },
                b'"' | b'\'' => while self.must()? != c {},
                b'<' => return Err(corrupt("a < where none can be")),
                _ => {}
            }
            c = self.must()?;
        }
    }

    /// Reads what begins with `<!`: a comment, or inside an element text that is taken as it is.
    fn declaration(&mut self, open: Option<&mut Open>) -> Result<()> {
        match (self.must()?, open) {
            (b'-', _) => {
                self.expect(b"-")?;
                self.until(b"-->")
            }
            (b'[', Some(open)) => {
                self.expect(b"CDATA[")?;
                self.section(open)
            }
            _ => Err(corrupt("a document type, which is refused")),
        }
    }

    fn section(&mut self, open: &mut Open) -> Result<()> {
        let mut brackets = 0;
        loop {
            match self.must()? {
                b']' if brackets < 2 => brackets += 1,
                b']' => open.push(b"]")?,
                b'>' if brackets == 2 => return Ok(()),
                c => {
                    open.push(&b"]]"[..brackets])?;
                    open.push(&[c])?;
                    brackets = 0;
                }
            }
        }
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<()> {
        for want in bytes {
            if self.must()? != *want {
                return Err(corrupt("a declaration that XML does not have"));
            }
        }
        Ok(())
    }

    /// Passes over all up to `end`, which is at most three bytes, and over that.
    fn until(&mut self, end: &[u8]) -> Result<()> {
        let mut last = [0; 3];
        while !last.ends_with(end) {
            last = [last[1], last[2], self.must()?];
        }
        Ok(())
    }

    /// Reads what follows `&`.
    fn entity(&mut self) -> Result<char> {
        let mut name = String::new();
        loop {
            match self.must()? {
                b';' => break,
                c if c.is_ascii_graphic() && name.len() < MAX_NAME => name.push(c.into()),
                _ => return Err(corrupt("an & that begins nothing")),
            }
        }
        let numbered = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let c = match (&name[..], name.strip_prefix("#x"), name.strip_prefix('#')) {
            ("lt", ..) => Some('<'),
            ("gt", ..) => Some('>'),
            ("amp", ..) => Some('&'),
            ("quot", ..) => Some('"'),
            ("apos", ..) => Some('\''),
            (_, Some(hex), _) => numbered(hex, 16),
            (_, _, Some(decimal)) => numbered(decimal, 10),
            _ => None,
        };
        c.ok_or_else(|| corrupt("an entity that is not XML's own"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(document: &str) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        parse(document.as_bytes(), &mut |path, text| {
            found.push((path.to_owned(), text.to_owned()));
            Ok(())
        })?;
        Ok(found)
    }

    fn kind(document: &str) -> Kind {
        elements(document).unwrap_err().kind
    }

    #[test]
    fn elements_come_with_their_paths() {
        let document = "\u{feff}<?xml version=\"1.0\"?>\n<!-- > --><s3:A xmlns:s3='a>b'>\n<B x=\"/>\">1</B ><C/><B>2<D>3</D>4</B></s3:A> <!-- -->\n";
        let want = [("A/B", "1"), ("A/C", ""), ("A/B/D", "3"), ("A/B", "24"), ("A", "\n")];
        assert_eq!(elements(document).unwrap(), want.map(|(path, text)| (path.to_owned(), text.to_owned())));
    }

    #[test]
    fn text_is_what_it_stands_for() {
        for (written, want) in [
            ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
            ("&#34;&#x26;amp;&#233;", "\"&amp;\u{e9}"),
            ("<![CDATA[a<b]]&lt;]]>", "a<b]]&lt;"),
            ("<![CDATA[]]]]>", "]]"),
            ("a<!-- b -->c<?d e?>f", "acf"),
            ("\u{e9}\u{1f600}", "\u{e9}\u{1f600}"),
        ] {
            assert_eq!(find(&format!("<A>{}</A>", written), "A").unwrap(), want, "{}", written);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "a<b>&\"'\r\n]]>\u{e9}";
        assert_eq!(find(&format!("<A>{}</A>", escape(text)), "A").unwrap(), text);
    }

    #[test]
    fn what_does_not_end_is_corrupt() {
        let whole = "<?xml?><A b=\"c\"><!-- d --><B>&lt;<![CDATA[e]]></B></A>";
        for (at, _) in whole.char_indices() {
            assert_eq!(kind(&whole[..at]), Kind::Corrupt, "{}", &whole[..at]);
        }
        assert!(elements(whole).is_ok());
    }

    #[test]
    fn what_is_no_xml_is_corrupt() {
        for document in [
            "",
            "a",
            "<A></B>",
            "</A>",
            "<A><B></A></B>",
            "<A/><B/>",
            "<A/>b",
            "<A>&b;</A>",
            "<A>&</A>",
            "<A>& </A>",
            "<A>&#xd800;</A>",
            "<A>&#x110000;</A>",
            "<A>&#;</A>",
            "<A>&#-1;</A>",
            "<>",
            "< A/>",
            "<A/ >",
            "<A <B/>",
            "<!DOCTYPE A [<!ENTITY b \"c\">]><A>&b;</A>",
            "<A/><!DOCTYPE A>",
            "<![CDATA[a]]><A/>",
            "<A/><![CDATA[a]]>",
            "<A><!ELEMENT b></A>",
            "{\"error\": 1}",
            "<A\u{0}/>",
        ] {
            assert_eq!(kind(document), Kind::Corrupt, "{}", document);
        }
        let invalid = parse(&b"<A>\xff</A>"[..], &mut |_, _| Ok(()));
        assert_eq!(invalid.unwrap_err().kind, Kind::Corrupt);
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let name = "A".repeat(MAX_NAME + 1);
        assert_eq!(kind(&format!("<{}/>", name)), Kind::Limit);
        assert_eq!(kind(&format!("<A>{}</A>", "b".repeat(MAX_CONTENT + 1))), Kind::Limit);
        assert_eq!(kind(&format!("<A><![CDATA[{}]]></A>", "b".repeat(MAX_CONTENT + 1))), Kind::Limit);
        assert_eq!(kind(&"<A>".repeat(MAX_DEPTH + 1)), Kind::Limit);
        assert_eq!(kind(&format!("<A>&{};</A>", "b".repeat(MAX_NAME + 1))), Kind::Corrupt);
        assert!(elements(&format!("<A>{}</A>", "<B>c</B>".repeat(100_000))).is_ok());
        let endless = std::io::repeat(b' ');
        assert_eq!(parse(endless, &mut |_, _| Ok(())).unwrap_err().kind, Kind::Limit);
        let comment = b"<A><!--".chain(std::io::repeat(b'-'));
        assert_eq!(parse(comment, &mut |_, _| Ok(())).unwrap_err().kind, Kind::Limit);
    }

    #[test]
    fn errors_pass_through() {
        let stop = || Error::new(Kind::Conflict, "enough");
        assert_eq!(parse(&b"<A/>"[..], &mut |_, _| Err(stop())).unwrap_err(), stop());
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(Error::new(Kind::Unavailable, "the connection broke").temporary().into())
            }
        }
        let broken = parse(b"<A>".chain(Broken), &mut |_, _| Ok(())).unwrap_err();
        assert_eq!((broken.kind, broken.temporary), (Kind::Unavailable, true));
    }
}
