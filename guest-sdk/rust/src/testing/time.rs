use core::fmt::Write;

use super::asked::Asked;
use crate::encoder::Map;
use crate::error::{Error, Result};

/// Writes the time of a request.
pub(super) fn format(asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
    m.text("text", &write(patterns(asked.format)?[0], asked.time));
    Ok(())
}

/// Reads the text of a request.
pub(super) fn parse(asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
    let time = patterns(asked.format)?.iter().find_map(|pattern| read(pattern, asked.text)).ok_or_else(|| {
        let text = format!("{:?} is no time of the format {} in the years 1678 to 2261", asked.text, asked.format);
        Error::invalid_argument(text)
    })?;
    m.int("time", time);
    Ok(())
}

/// Returns how times of a format are written, and after that how else they are read. `%` is followed by a letter of `strftime`, or by
/// `f` for a fraction and `z` for an offset, of which no fraction and the offset `Z` are written.
fn patterns(format: &str) -> Result<&'static [&'static str]> {
    match format {
        "rfc3339" => Ok(&["%Y-%m-%dT%H:%M:%S%f%z"]),
        "http" => Ok(&["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]),
        "iso-basic" => Ok(&["%Y%m%dT%H%M%SZ"]),
        "date" => Ok(&["%Y%m%d"]),
        _ => Err(Error::invalid_argument(format!("times have no format {:?}", format))),
    }
}

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 24 * 60 * 60;

/// Returns the days from 1970 to a date of the Gregorian calendar, also of a 13th month. Years count from March here, so that a leap
/// day ends one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn write(pattern: &str, time: i64) -> String {
    let seconds = time.div_euclid(1_000_000_000);
    let (date, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Nanoseconds reach from 1677 to 2262.
    let year = (1677..=2262).rev().find(|year| days(*year, 1, 1) <= date).unwrap_or(1677);
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= date).unwrap_or(1);
    let mut text = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let done = match letters.next() {
            Some('Y') => write!(text, "{:04}", year),
            Some('m') => write!(text, "{:02}", month),
            Some('d') => write!(text, "{:02}", date - days(year, month, 1) + 1),
            Some('H') => write!(text, "{:02}", clock / 3600),
            Some('M') => write!(text, "{:02}", clock / 60 % 60),
            Some('S') => write!(text, "{:02}", clock % 60),
            Some('a') => write!(text, "{:.3}", WEEKDAYS[(date + 4).rem_euclid(7) as usize]), // 1970 began on a Thursday
            Some('b') => write!(text, "{}", MONTHS[month as usize - 1]),
            Some('z') => write!(text, "Z"),
            _ => Ok(()),
        };
        done.expect("a string takes all");
    }
    text
}

/// Reads a time; `None` is another text.
fn read(pattern: &str, text: &str) -> Option<i64> {
    let text = &mut &*text;
    let (mut year, mut month, mut day) = (0, 0, 0);
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    let (mut nanos, mut offset) = (0, 0);
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            *text = text.strip_prefix(letter)?;
            continue;
        }
        match letters.next()? {
            'Y' => year = number(text, 4)?,
            'y' => year = 1969 + (number(text, 2)? - 69).rem_euclid(100), // of 1969 to 2068
            'm' => month = number(text, 2)?,
            'b' => month = 1 + name(text, MONTHS.iter().copied())?,
            'd' => day = number(text, 2)?,
            'e' => day = if take(text, ' ') { number(text, 1)? } else { number(text, 2)? },
            'a' => {
                name(text, WEEKDAYS.iter().map(|day| &day[..3]))?;
            }
            'A' => {
                name(text, WEEKDAYS.iter().copied())?;
            }
            'H' => hour = number(text, 2)?,
            'M' => minute = number(text, 2)?,
            'S' => second = number(text, 2)?,
            'f' if take(text, '.') => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                nanos = format!("{:0<9.9}", &text[..digits]).parse().ok().filter(|_| digits > 0)?;
                *text = &text[digits..];
            }
            'z' if !take(text, 'Z') => {
                let sign = match text.chars().next()? {
                    '+' => 1,
                    '-' => -1,
                    _ => return None,
                };
                *text = &text[1..];
                let hours = number(text, 2)?;
                *text = text.strip_prefix(':')?;
                let minutes = number(text, 2)?;
                offset = sign * (hours * 3600 + minutes * 60);
                if hours > 23 || minutes > 59 {
                    return None;
                }
            }
            _ => {}
        }
    }
    let is_date = (1..=12).contains(&month) && (1..=days(year, month + 1, 1) - days(year, month, 1)).contains(&day);
    if !text.is_empty() || !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    let range = days(1678, 1, 1) * DAY..days(2262, 1, 1) * DAY;
    range.contains(&seconds).then(|| seconds * 1_000_000_000 + nanos)
}

fn take(text: &mut &str, c: char) -> bool {
    text.strip_prefix(c).map(|left| *text = left).is_some()
}

/// Takes a number of so many digits.
fn number(text: &mut &str, digits: usize) -> Option<i64> {
    let (number, left) = (text.get(..digits)?, text.get(digits..)?);
    *text = left;
    if !number.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    number.parse().ok()
}

/// Takes one of the names, and returns which.
fn name<'n>(text: &mut &str, names: impl Iterator<Item = &'n str>) -> Option<i64> {
    let (at, left) = (0..).zip(names).find_map(|(at, name)| Some((at, text.strip_prefix(name)?)))?;
    *text = left;
    Some(at)
}
