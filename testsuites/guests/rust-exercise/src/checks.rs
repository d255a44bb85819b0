//! What is asked of the host once, and ways to fail. A check that does not hold is a panic.

use core::time::Duration;

use berth_guest::{alg, Call, Compression, Entry, Error, Kind, Level, Result, Time, TimeFormat};

use crate::under;

pub fn run(c: &Call, name: &str) -> Result<Entry> {
    match name {
        "content" => content(c)?,
        "values" => values(c)?,
        "secrets" => secrets(c)?,
        "index" => return Ok(Entry::dir(name.split_at(name.len() + name.matches('i').count()).0)),
        "equal" => assert_eq!(name, "other", "two\nlines"),
        "depth" => return Ok(Entry::file("", deep(name.len() as u64), Time::UNKNOWN)),
        _ => panic!("no way to check {}", name),
    }
    Ok(Entry::dir(""))
}

/// Calls itself until the stack is used up.
#[allow(unconditional_recursion)]
fn deep(n: u64) -> u64 {
    let local = [n; 64];
    deep(local[n as usize % 64] + 1) + local[0]
}

fn content(c: &Call) -> Result<()> {
    const MD5: &[u8] =
        &[0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0, 0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72]; // of "abc"
    let found = c.hash(&[alg::SHA256, alg::MD5], b"abc")?;
    assert_eq!(found.get(alg::MD5), Some(MD5));
    assert_eq!(found.get(alg::SHA256).map(<[u8]>::len), Some(32));
    assert_eq!(found.get(alg::SHA1), None);

    under(c).put("/checked", b"abc")?;
    let stored = || -> Result<_> { Ok(under(c).read("/checked", 0, None)?.body.expect("a body of three bytes")) };
    let (found, size) = c.hash_streams(&[alg::MD5], &[&stored()?])?;
    assert_eq!((found.get(alg::MD5), size), (Some(MD5), 3));
    let mut sink = c.hash_begin(&[alg::MD5])?;
    sink.write(b"a")?;
    assert_eq!(sink.splice(&under(c).read("/checked", 1, Some(2))?.body.expect("a body of two bytes"), None)?, 2);
    assert_eq!(sink.finish()?.0.get(alg::MD5), Some(MD5));

    for how in [Compression::gzip(), Compression::zstd().level(9)] {
        let small = c.compress(how, &[&stored()?, &stored()?])?;
        let large = c.compress(how.level(0).undo(), &[&small])?;
        assert_eq!(large.size(), None);
        assert_eq!(large.read_all(6)?, b"abcabc");
        let bomb = c.compress(how.level(0).undo().max(2), &[&c.compress(how, &[&stored()?])?])?;
        assert_eq!(bomb.read_all(10).unwrap_err().kind, Kind::Limit);
    }
    let mut dropped = under(c).begin("/dropped")?;
    dropped.write(b"x")?;
    drop(dropped);
    assert_eq!(under(c).stat("/dropped").unwrap_err().kind, Kind::NotFound);
    under(c).delete("/checked")
}

fn values(c: &Call) -> Result<()> {
    let at = Time::from_secs(1_700_000_000);
    let texts = [
        (TimeFormat::Rfc3339, "2023-11-14T22:13:20Z"),
        (TimeFormat::Http, "Tue, 14 Nov 2023 22:13:20 GMT"),
        (TimeFormat::IsoBasic, "20231114T221320Z"),
    ];
    for (format, text) in texts {
        assert_eq!(c.format_time(at, format)?, text);
        assert_eq!(c.parse_time(text, format)?, at);
    }
    assert_eq!(c.format_time(at, TimeFormat::Date)?, "20231114");
    assert_eq!(c.parse_time("yesterday", TimeFormat::Http).unwrap_err().kind, Kind::InvalidArgument);

    let mut random = [0; 16];
    c.random(&mut random);
    assert_ne!(random, [0; 16]);
    let before = c.now();
    c.sleep(Duration::from_millis(2));
    assert!(c.now().as_nanos() >= before.as_nanos() + 2_000_000, "a sleep is as long as it is to be");
    c.log(Level::Warn, "checked");
    c.count("checks", 2);
    c.gauge("height", 7);
    Ok(())
}

fn secrets(c: &Call) -> Result<()> {
    if c.secret("salt")? != b"s3cret" {
        return Err(Error::new(Kind::Corrupt, "the secret salt is another"));
    }
    assert_eq!(c.secret("bound").unwrap_err().kind, Kind::Denied);
    let key = c.hmac("bound", alg::SHA256, b"20231114")?;
    let next = key.hmac(alg::SHA1, b"")?;
    drop(key);
    next.hmac(alg::SHA512, b"x").map(|_| ())
}
