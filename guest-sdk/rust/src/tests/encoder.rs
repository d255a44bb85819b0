use crate::decoder::Decoder;
use crate::encoder::{array, bytes, integer, text, unsigned};

/// Returns the first byte of what is written, and how many bytes there are before the content.
fn head(content: usize, write: impl FnOnce(&mut Vec<u8>)) -> (u8, usize) {
    let mut b = Vec::new();
    write(&mut b);
    (b[0], b.len() - content)
}

#[test]
fn integers_have_the_shortest_format() {
    let cases = [
        (0, 0x00, 1),
        (127, 0x7f, 1),
        (128, 0xcc, 2),
        (255, 0xcc, 2),
        (256, 0xcd, 3),
        (65_535, 0xcd, 3),
        (65_536, 0xce, 5),
        ((1 << 32) - 1, 0xce, 5),
        (1 << 32, 0xcf, 9),
        (i64::MAX, 0xcf, 9),
        (-1, 0xff, 1),
        (-32, 0xe0, 1),
        (-33, 0xd0, 2),
        (-128, 0xd0, 2),
        (-129, 0xd1, 3),
        (-32_768, 0xd1, 3),
        (-32_769, 0xd2, 5),
        (-(1 << 31), 0xd2, 5),
        (-(1 << 31) - 1, 0xd3, 9),
        (i64::MIN, 0xd3, 9),
    ];
    for (n, first, length) in cases {
        assert_eq!(head(0, |b| integer(b, n)), (first, length), "{}", n);
        let mut b = Vec::new();
        integer(&mut b, n);
        assert_eq!(Decoder::new(&b).int(), Ok(n));
    }
    assert_eq!(head(0, |b| unsigned(b, u64::MAX)), (0xcf, 9));
}

#[test]
fn lengths_have_the_shortest_format() {
    for (n, first, length) in [
        (0, 0xa0, 1),
        (31, 0xbf, 1),
        (32, 0xd9, 2),
        (255, 0xd9, 2),
        (256, 0xda, 3),
        (65_535, 0xda, 3),
        (65_536, 0xdb, 5),
    ] {
        let s = "x".repeat(n);
        assert_eq!(head(n, |b| text(b, &s)), (first, length), "a string of {}", n);
        let mut b = Vec::new();
        text(&mut b, &s);
        assert_eq!(Decoder::new(&b).text(), Ok(&s[..]));
    }
    for (n, first, length) in [(0, 0xc4, 2), (255, 0xc4, 2), (256, 0xc5, 3), (65_535, 0xc5, 3), (65_536, 0xc6, 5)] {
        let p = vec![7; n];
        assert_eq!(head(n, |b| bytes(b, &p)), (first, length), "{} bytes", n);
        let mut b = Vec::new();
        bytes(&mut b, &p);
        assert_eq!(Decoder::new(&b).bytes(), Ok(&p[..]));
    }
    for (n, first, length) in [(0, 0x90, 1), (15, 0x9f, 1), (16, 0xdc, 3), (65_535, 0xdc, 3), (65_536, 0xdd, 5)] {
        assert_eq!(head(0, |b| array(b, n)), (first, length), "an array of {}", n);
        let mut b = Vec::new();
        array(&mut b, n);
        b.resize(b.len() + n, 0);
        assert_eq!(Decoder::new(&b).array(), Ok(n));
    }
}
