use crate::decoder::{Bad, Decoder};
use crate::driver::Receipt;
use crate::receipts::receipt;

/// What a driver asks of the host: every key that a request may have, as no two operations mean another type by one.
#[derive(Default)]
pub(super) struct Asked<'m> {
    pub(super) method: &'m str,
    pub(super) url: &'m str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: &'m [u8],
    pub(super) body: Vec<i64>,
    pub(super) max: u64,
    /// `None` is all headers.
    pub(super) want: Option<Vec<&'m str>>,
    pub(super) credential: &'m str,
    pub(super) sha256: &'m [u8],
    pub(super) outlast: bool,
    pub(super) requests: Vec<Asked<'m>>,
    pub(super) seconds: u64,
    pub(super) sink: i64,
    pub(super) receipts: i64,
    pub(super) after: u64,
    pub(super) limit: u64,
    pub(super) page: Vec<Receipt>,
    pub(super) algs: Vec<&'m str>,
    pub(super) name: &'m str,
    /// The key `type`.
    pub(super) kind: &'m str,
    pub(super) value: u64,
    pub(super) time: i64,
    pub(super) text: &'m str,
    pub(super) format: &'m str,
    pub(super) store: &'m str,
    pub(super) path: &'m str,
    pub(super) dest: &'m str,
    pub(super) cursor: &'m str,
    pub(super) off: u64,
    /// The key `len`; `None` is to the end.
    pub(super) length: Option<u64>,
}

impl<'m> Asked<'m> {
    pub(super) fn decode(message: &'m [u8]) -> Result<Self, Bad> {
        let mut d = Decoder::new(message);
        let asked = Asked::nested(&mut d)?;
        d.end()?;
        Ok(asked)
    }

    fn nested(d: &mut Decoder<'m>) -> Result<Self, Bad> {
        let mut a = Asked { length: Some(0), ..Asked::default() };
        d.fields(&mut |key, d| a.field(key, d))?;
        Ok(a)
    }

    fn field(&mut self, key: &[u8], d: &mut Decoder<'m>) -> Result<bool, Bad> {
        match key {
            b"method" => self.method = d.text()?,
            b"url" => self.url = d.text()?,
            b"headers" => {
                for _ in 0..d.array()? / 2 {
                    let name = d.string()?;
                    self.headers.push((name, d.string()?));
                }
            }
            b"data" => self.data = d.bytes()?,
            b"body" => self.body = list(d, Decoder::int)?,
            b"max" => self.max = d.uint()?,
            b"want" => self.want = Some(list(d, Decoder::text)?),
            b"credential" => self.credential = d.text()?,
            b"sha256" => self.sha256 = d.bytes()?,
            b"outlast" => self.outlast = d.flag()?,
            b"requests" => self.requests = list(d, Asked::nested)?,
            b"seconds" => self.seconds = d.uint()?,
            b"sink" => self.sink = d.int()?,
            b"receipts" => self.receipts = d.int()?,
            b"after" => self.after = d.uint()?,
            b"limit" => self.limit = d.uint()?,
            b"page" => self.page = list(d, receipt)?,
            b"algs" => self.algs = list(d, Decoder::text)?,
            b"name" => self.name = d.text()?,
            b"type" => self.kind = d.text()?,
            b"value" => self.value = d.uint()?,
            b"time" => self.time = d.int()?,
            b"text" => self.text = d.text()?,
            b"format" => self.format = d.text()?,
            b"store" => self.store = d.text()?,
            b"path" => self.path = d.text()?,
            b"dest" => self.dest = d.text()?,
            b"cursor" => self.cursor = d.text()?,
            b"off" => self.off = d.uint()?,
            b"len" => self.length = d.length()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn list<'m, T>(d: &mut Decoder<'m>, item: fn(&mut Decoder<'m>) -> Result<T, Bad>) -> Result<Vec<T>, Bad> {
    (0..d.array()?).map(|_| item(d)).collect()
}
