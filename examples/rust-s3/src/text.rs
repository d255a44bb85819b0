//! Small texts: URLs, base64, times.

use berth_guest::Time;

/// Escapes `text` for a URL as the signature wants it: all but letters, digits and `-._~`, and what is in `keep`.
pub fn escape(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.bytes() {
        match c {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(c.into()),
            c if keep.as_bytes().contains(&c) => out.push(c.into()),
            c => out.extend(['%', digit(c >> 4), digit(c & 15)]),
        }
    }
    out
}

fn digit(n: u8) -> char {
    b"0123456789ABCDEF"[usize::from(n)].into()
}

/// Writes `bytes` in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|c| format!("{:02x}", c)).collect()
}

/// Writes `bytes` in base64, with padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            out.push(if i <= three.len() { DIGITS[(bits >> (18 - 6 * i) & 63) as usize].into() } else { '=' });
        }
    }
    out
}

/// Reads a time as listings have it, such as `2009-10-12T17:50:30.000Z`. Any other text is a time that is not known. It stands here because a
/// page has a thousand of them, and [`Call::parse_time`](berth_guest::Call::parse_time) is a call of the host each.
pub fn time(text: &str) -> Time {
    parse_time(text).unwrap_or(Time::UNKNOWN)
}

fn parse_time(text: &str) -> Option<Time> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let within = (1970..2262).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !within || hour > 23 || minute > 59 || second > 60 || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{:0<9.9}", fraction).parse::<i64>().ok()?;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Time::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut numbers = text.split(separator).map(|digits| digits.parse::<u16>().ok());
    let three = [numbers.next()??.into(), numbers.next()??.into(), numbers.next()??.into()];
    numbers.next().is_none().then_some(three)
}

/// Returns the days from 1970 to a date of the Gregorian calendar. Years count from March here, so that a leap day ends one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_urls_have_not_is_escaped() {
        assert_eq!(escape("a/b c\u{e9}~", ""), "a%2Fb%20c%C3%A9~");
        assert_eq!(escape("a/b&", "/"), "a/b%26");
    }

    #[test]
    fn base64_is_as_in_rfc_4648() {
        for (raw, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(raw.as_bytes()), want);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }

    #[test]
    fn times_are_read() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2009-10-12T17:50:30.000Z", 1_255_369_830_000_000_000),
            ("2000-02-29T23:59:59.5Z", 951_868_799_500_000_000),
            ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789),
            ("2024-03-01T00:00:00.1234567891Z", 1_709_251_200_123_456_789),
        ] {
            assert_eq!(time(text).as_nanos(), want, "{}", text);
        }
    }

    #[test]
    fn other_times_are_not_known() {
        for text in [
            "",
            "Z",
            "T",
            "2009-10-12",
            "2009-10-12T17:50:30",
            "2009-13-12T17:50:30Z",
            "2009-00-12T17:50:30Z",
            "2009-10-12T24:50:30Z",
            "9999-10-12T17:50:30Z",
            "1969-10-12T17:50:30Z",
            "2009-10-12T17:50:30.x0Z",
            "2009-10-12-01T17:50:30Z",
            "\u{e9}T\u{e9}Z",
        ] {
            assert_eq!(time(text), Time::UNKNOWN, "{}", text);
        }
    }
}
