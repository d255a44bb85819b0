use core::time::Duration;

use crate::error::{Error, Result};
use crate::json::{self, Value, Writer};

/// The JSON Schema of a driver's parameters. The default is that of a driver without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(pub(crate) String);

impl Default for Schema {
    fn default() -> Schema {
        Fields::new([]).schema()
    }
}

impl Schema {
    /// Returns the schema's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The parameters that a driver is opened with.
#[derive(Debug)]
pub struct Parameters<'a> {
    json: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Returns the parameters of a JSON object; of no bytes it has none.
    pub fn new(json: &'a [u8]) -> Self {
        Parameters { json: if json.is_empty() { b"{}" } else { json } }
    }

    /// Decodes the parameters into what the fields point to. One that is unknown, missing, of another type or out of range is
    /// `InvalidArgument` and named.
    pub fn decode(&self, fields: Fields<'_>) -> Result<()> {
        fields.decode(self.json)
    }

    /// The JSON object as it came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.json
    }
}

enum Target<'a> {
    Text(&'a mut String),
    Integer(&'a mut i64),
    Bool(&'a mut bool),
    Duration(&'a mut Duration),
}

/// One parameter. The value that is there before is the default.
pub struct Field<'a> {
    name: &'static str,
    to: Target<'a>,
    description: &'static str,
    required: bool,
    secret: bool,
    range: Option<(i64, i64)>,
    one_of: &'static [&'static str],
}

impl<'a> Field<'a> {
    fn new(name: &'static str, to: Target<'a>) -> Self {
        Field { name, to, description: "", required: false, secret: false, range: None, one_of: &[] }
    }

    /// A parameter that is a string.
    pub fn string(name: &'static str, to: &'a mut String) -> Self {
        Field::new(name, Target::Text(to))
    }

    /// A whole number.
    pub fn integer(name: &'static str, to: &'a mut i64) -> Self {
        Field::new(name, Target::Integer(to))
    }

    /// True or false.
    pub fn boolean(name: &'static str, to: &'a mut bool) -> Self {
        Field::new(name, Target::Bool(to))
    }

    /// A string such as `1m30s`.
    pub fn duration(name: &'static str, to: &'a mut Duration) -> Self {
        Field::new(name, Target::Duration(to))
    }

    /// Sets the line that the schema says about the parameter.
    #[must_use]
    pub fn describe(mut self, text: &'static str) -> Self {
        self.description = text;
        self
    }

    /// Makes the parameter one that must be given.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Makes the parameter one that is never printed.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Bounds a whole number, both ends included.
    #[must_use]
    pub fn range(mut self, min: i64, max: i64) -> Self {
        self.range = Some((min, max));
        self
    }

    /// Lists the values that a string may have.
    #[must_use]
    pub fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.one_of = values;
        self
    }

    fn decode(&mut self, v: &Value) -> Result<()> {
        let want = match (&mut self.to, v) {
            (Target::Text(to), Value::Text(s)) => {
                if !self.one_of.is_empty() && !self.one_of.contains(&s.as_str()) {
                    return Err(self.invalid(&("one of ".to_owned() + &self.one_of.join(", "))));
                }
                **to = s.clone();
                return Ok(());
            }
            (Target::Text(_), _) => "a string",
            (Target::Integer(to), v) => {
                let n = match v {
                    Value::Number(digits) => digits.parse::<i64>().ok(),
                    _ => None,
                };
                match (n, self.range) {
                    (Some(n), Some((min, max))) if n < min || n > max => {
                        return Err(self.invalid(&(min.to_string() + " to " + &max.to_string())));
                    }
                    (Some(n), _) => {
                        **to = n;
                        return Ok(());
                    }
                    _ => "a whole number",
                }
            }
            (Target::Bool(to), Value::Bool(b)) => {
                **to = *b;
                return Ok(());
            }
            (Target::Bool(_), _) => "true or false",
            (Target::Duration(to), v) => {
                let wait = match v {
                    Value::Text(s) => duration(s),
                    _ => None,
                };
                if let Some(wait) = wait {
                    **to = wait;
                    return Ok(());
                }
                "a duration such as \"1m30s\""
            }
        };
        Err(self.invalid(&(want.to_owned() + ", not " + v.kind())))
    }

    /// Says what the parameter must be and never what it was: it may be a secret.
    fn invalid(&self, want: &str) -> Error {
        Error::invalid_argument("parameter \"".to_owned() + self.name + "\" must be " + want)
    }

    fn schema(&self, w: &mut Writer) {
        w.begin('{');
        w.member("type").text(match self.to {
            Target::Text(_) | Target::Duration(_) => "string",
            Target::Integer(_) => "integer",
            Target::Bool(_) => "boolean",
        });
        if !self.description.is_empty() {
            w.member("description").text(self.description);
        }
        if self.secret {
            w.member("writeOnly").raw("true");
        }
        if let Some((min, max)) = self.range {
            w.member("minimum").raw(&min.to_string());
            w.member("maximum").raw(&max.to_string());
        }
        if !self.one_of.is_empty() {
            w.member("enum").texts(self.one_of);
        }
        w.end('}');
    }
}

/// A driver's parameters: one list from which the manifest's schema is made and by which the parameters are decoded, so that
/// the two cannot differ.
///
/// ```
/// use berth_guest::{Field, Fields, Parameters};
///
/// #[derive(Default)]
/// struct Config {
///     endpoint: String,
///     retries: i64,
/// }
///
/// impl Config {
///     fn fields(&mut self) -> Fields<'_> {
///         Fields::new([
///             Field::string("endpoint", &mut self.endpoint).required(),
///             Field::integer("retries", &mut self.retries).range(0, 10),
///         ])
///     }
/// }
///
/// let schema = Config::default().fields().schema(); // for the manifest
/// assert!(schema.as_str().contains(r#""required":["endpoint"]"#));
///
/// let mut config = Config { retries: 3, ..Config::default() };
/// Parameters::new(br#"{"endpoint": "http://127.0.0.1"}"#).decode(config.fields()).unwrap();
/// assert_eq!((config.endpoint.as_str(), config.retries), ("http://127.0.0.1", 3));
///
/// let wrong = Parameters::new(br#"{"endpoint": "", "retries": 11}"#).decode(config.fields());
/// assert_eq!(wrong.unwrap_err().message, r#"parameter "retries" must be 0 to 10"#);
/// ```
pub struct Fields<'a> {
    list: Vec<Field<'a>>,
}

impl<'a> Fields<'a> {
    /// Returns the list of `fields`.
    pub fn new(fields: impl Into<Vec<Field<'a>>>) -> Self {
        Fields { list: fields.into() }
    }

    fn decode(mut self, json: &[u8]) -> Result<()> {
        let members =
            json::object(json).ok_or_else(|| Error::invalid_argument("the parameters are not a JSON object"))?;
        let mut seen = vec![false; self.list.len()];
        for (name, value) in &members {
            let at = self.list.iter().position(|f| f.name == name);
            let at = at.ok_or_else(|| self.unknown(name))?;
            seen[at] = true;
            self.list[at].decode(value)?;
        }
        for (field, seen) in self.list.iter().zip(seen) {
            if field.required && !seen {
                let text = "parameter \"".to_owned() + field.name + "\" is missing";
                return Err(Error::invalid_argument(text));
            }
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<_> = self.list.iter().map(|f| f.name).collect();
        Error::invalid_argument(format!("unknown parameter {:?}; there are: {}", name, names.join(", ")))
    }

    /// Returns the JSON Schema of the fields.
    pub fn schema(&self) -> Schema {
        let mut w = Writer::default();
        w.begin('{');
        w.member("type").text("object");
        w.member("additionalProperties").raw("false");
        w.member("properties").begin('{');
        for f in &self.list {
            f.schema(w.member(f.name));
        }
        w.end('}');
        let required: Vec<_> = self.list.iter().filter(|f| f.required).map(|f| f.name).collect();
        if !required.is_empty() {
            w.member("required").texts(&required);
        }
        w.end('}');
        Schema(w.out)
    }
}

/// Reads a duration as Go writes them: numbers with units, such as `1h2.5s`.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        rest = after;
        let unit = UNITS.iter().find(|u| u.0 == unit)?.1;
        total = total.checked_add(amount(digits, unit)?)?;
    }
    i64::try_from(total).ok()?;
    Some(Duration::from_nanos(total))
}

/// Multiplies a decimal number with a unit.
fn amount(digits: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = match whole {
        "" => 0,
        _ => whole.parse::<u64>().ok()?.checked_mul(unit)?,
    };
    let mut scale = 1_u64;
    let mut part = 0_u64;
    for digit in fraction.bytes().take(15) {
        scale *= 10;
        part = part * 10 + u64::from(digit - b'0');
    }
    let part = u128::from(part) * u128::from(unit) / u128::from(scale);
    whole.checked_add(u64::try_from(part).ok()?)
}
