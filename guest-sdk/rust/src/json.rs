//! As much of JSON as a manifest and parameters need.

/// Writes objects and arrays of strings. Commas are its own affair.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) out: String,
    comma: bool,
}

impl Writer {
    pub(crate) fn begin(&mut self, c: char) {
        self.out.push(c);
        self.comma = false;
    }

    pub(crate) fn end(&mut self, c: char) {
        self.out.push(c);
        self.comma = true;
    }

    fn item(&mut self) {
        if self.comma {
            self.out.push(',');
        }
        self.comma = true;
    }

    pub(crate) fn member(&mut self, name: &str) -> &mut Self {
        self.item();
        self.text(name);
        self.out.push(':');
        self
    }

    pub(crate) fn text(&mut self, s: &str) {
        self.out.push('"');
        for c in s.chars() {
            match c {
                '"' | '\\' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                '\0'..='\x1f' => {
                    self.out.push_str("\\u00");
                    for digit in [c as u32 >> 4, c as u32 & 15] {
                        self.out.extend(char::from_digit(digit, 16));
                    }
                }
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    pub(crate) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub(crate) fn texts<S: AsRef<str>>(&mut self, list: &[S]) {
        self.begin('[');
        for s in list {
            self.item();
            self.text(s.as_ref());
        }
        self.end(']');
    }
}

/// A member's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// The digits.
    Number(String),
    Bool(bool),
    Null,
    /// An object or array, of which nobody asks more.
    Nested,
}

impl Value {
    /// Says what it is, and never its content, which may be a secret.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::Null => "null",
            Value::Nested => "an object or array",
        }
    }
}

/// Reads an object's members, in order; `None` when `b` is none.
pub(crate) fn object(b: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut r = Reader { b };
    let mut members = Vec::new();
    r.expect(b'{')?;
    if r.take(b'}') {
        return r.at_end(members);
    }
    loop {
        let name = r.text()?;
        r.expect(b':')?;
        members.push((name, r.value()?));
        if r.take(b'}') {
            return r.at_end(members);
        }
        r.expect(b',')?;
    }
}

struct Reader<'a> {
    b: &'a [u8],
}

impl Reader<'_> {
    fn space(&mut self) {
        while let [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] = self.b {
            self.b = rest;
        }
    }

    fn take(&mut self, c: u8) -> bool {
        self.space();
        match self.b {
            [first, rest @ ..] if *first == c => {
                self.b = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, c: u8) -> Option<()> {
        self.take(c).then_some(())
    }

    fn at_end<T>(&mut self, value: T) -> Option<T> {
        self.space();
        self.b.is_empty().then_some(value)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.b.split_first()?;
        self.b = rest;
        Some(*first)
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.b.first()? {
            b'"' => self.text().map(Value::Text),
            b'{' | b'[' => self.nested(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let word = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'+' | b'.');
        let end = self.b.iter().position(|c| !word(c)).unwrap_or(self.b.len());
        let (text, rest) = self.b.split_at(end);
        self.b = rest;
        match text {
            b"true" => Some(Value::Bool(true)),
            b"false" => Some(Value::Bool(false)),
            b"null" => Some(Value::Null),
            [b'-' | b'0'..=b'9', ..] if number(text) => String::from_utf8(text.to_vec()).ok().map(Value::Number),
            _ => None,
        }
    }

    /// Passes over an object or array: brackets are counted, strings are honoured.
    fn nested(&mut self) -> Option<Value> {
        let mut depth = 0_usize;
        loop {
            match self.b.first()? {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.byte()?;
            if depth == 0 {
                return Some(Value::Nested);
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            match self.byte()? {
                b'"' => return String::from_utf8(out).ok(),
                b'\\' => self.escape(&mut out)?,
                0..=0x1f => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.push(match self.byte()? {
            c @ (b'"' | b'\\' | b'/') => c,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.hex()?;
                let c = self.joined(first);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Some(());
            }
            _ => return None,
        });
        Some(())
    }

    /// Joins a surrogate with the escape that follows when both make one character; one that is alone is U+FFFD.
    fn joined(&mut self, first: u16) -> char {
        let before = self.b;
        let mut units = vec![first];
        if let [b'\\', b'u', rest @ ..] = self.b {
            self.b = rest;
            units.extend(self.hex());
        }
        let mut chars = char::decode_utf16(units);
        match chars.next() {
            Some(Ok(c)) if c > '\u{ffff}' => c,
            found => {
                self.b = before;
                found.and_then(|c| c.ok()).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
        }
    }

    fn hex(&mut self) -> Option<u16> {
        let mut n = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte()?).to_digit(16)?;
            n = n << 4 | digit as u16;
        }
        Some(n)
    }
}

fn number(text: &[u8]) -> bool {
    let text = core::str::from_utf8(text).unwrap_or("");
    text.parse::<f64>().is_ok()
}
