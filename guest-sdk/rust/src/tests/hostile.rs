use super::vectors::vectors;
use super::{dispatch, Host};
use crate::constants::MAX_DEPTH;
use crate::decoder::{Bad, Decoder};
use crate::dispatch::Dispatch;
use crate::error::Kind;

/// Messages that are no proper value, and what is said of them.
#[test]
fn skip_refuses_what_is_no_value() {
    let deep = vec![0x91; MAX_DEPTH];
    let deeper = vec![0x91; 1 << 20];
    let cases: [(&[u8], Bad); 10] = [
        (b"", Bad::Truncated),
        (b"\xc1", Bad::Format),
        (b"\xdf\xff\xff\xff\xff\x00", Bad::Truncated),
        (b"\xdd\xff\xff\xff\xff\x00", Bad::Truncated),
        (b"\xdb\xff\xff\xff\xff", Bad::Truncated),
        (b"\xc6\xff\xff\xff\xff\x00", Bad::Truncated),
        (b"\xc9\xff\xff\xff\xff\x00", Bad::Truncated),
        (b"\x82\xa1a\x01", Bad::Truncated),
        (&deep, Bad::Truncated),
        (&deeper, Bad::Deep),
    ];
    for (message, want) in cases {
        let got = Decoder::new(message).skip().unwrap_err();
        assert_eq!(got, want, "{:02x?}", &message[..message.len().min(20)]);
    }
}

#[test]
fn skip_passes_over_every_format() {
    let values: [&[u8]; 22] = [
        b"\x00",
        b"\xe0",
        b"\xc0",
        b"\xc2",
        b"\xc3",
        b"\xc4\x01x",
        b"\xc5\x00\x01x",
        b"\xc6\x00\x00\x00\x01x",
        b"\xc7\x01\x05x",
        b"\xc8\x00\x01\x05x",
        b"\xc9\x00\x00\x00\x01\x05x",
        b"\xca0123",
        b"\xcb01234567",
        b"\xcc0",
        b"\xcf01234567",
        b"\xd301234567",
        b"\xd4\x01x",
        b"\xd8\x010123456789abcdef",
        b"\xd9\x01x",
        b"\xdc\x00\x01\x00",
        b"\xde\x00\x01\xa1a\x00",
        b"\x92\x91\x90\x80",
    ];
    for value in values {
        let mut d = Decoder::new(value);
        d.skip().unwrap_or_else(|e| panic!("{:02x?}: {:?}", value, e));
        d.end().unwrap_or_else(|e| panic!("{:02x?}: {:?}", value, e));
    }
}

#[test]
fn integers_of_every_width_are_read() {
    let values: [(&[u8], i64); 12] = [
        (b"\x7f", 127),
        (b"\xff", -1),
        (b"\xe0", -32),
        (b"\xcc\x05", 5),
        (b"\xcd\x01\x00", 256),
        (b"\xce\x80\x00\x00\x00", 1 << 31),
        (b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", i64::MAX),
        (b"\xd0\x80", -128),
        (b"\xd1\xff\xff", -1),
        (b"\xd2\x80\x00\x00\x00", -(1 << 31)),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", i64::MIN),
        (b"\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 5),
    ];
    for (message, want) in values {
        assert_eq!(Decoder::new(message).int(), Ok(want), "{:02x?}", message);
    }
    let too_large = b"\xcf\x80\x00\x00\x00\x00\x00\x00\x00";
    assert_eq!(Decoder::new(too_large).int(), Err(Bad::Format));
    assert_eq!(Decoder::new(b"\xff").uint(), Err(Bad::Format));
    assert_eq!(Decoder::new(b"\xfe").length(), Err(Bad::Format));
    assert_eq!(Decoder::new(b"\xff").length(), Ok(None));
}

#[test]
fn unknown_keys_are_ignored() {
    let mut guest = dispatch::guest(&Host::default());
    let reply = guest.dispatch(crate::constants::OP_STAT, b"\x82\xa3new\x92\x01\x81\xa1a\xc0\xa4path\xa1/");
    assert_eq!(reply, b"\x81\xa3dir\xc3");
}

#[test]
fn cut_messages_are_corrupt() {
    let vectors = match vectors() {
        Some(vectors) => vectors,
        None => return,
    };
    let host = Host::default();
    let call = host.call();
    let mut guest = dispatch::guest(&host);
    for v in &vectors {
        for end in 0..v.message.len() {
            let cut = &v.message[..end];
            let reply = guest.dispatch(crate::constants::OP_STAT, cut).to_vec();
            assert_eq!(dispatch::error(&reply).kind, Kind::Corrupt, "{} of {}", end, v.name);
            host.reply.replace(cut.to_vec());
            let e = call.store("s").stat("/").unwrap_err();
            assert_eq!(e.kind, Kind::Corrupt, "{} of {}: {}", end, v.name, e);
        }
    }
}

/// Every byte of every short message is changed to every other one: nothing panics, and an answer is a message.
#[test]
fn changed_messages_do_no_harm() {
    let vectors = match vectors() {
        Some(vectors) => vectors,
        None => return,
    };
    let host = Host::default();
    let call = host.call();
    let mut guest = dispatch::guest(&host);
    let mut op = 0;
    for v in vectors.iter().filter(|v| v.message.len() < 60) {
        for at in 0..v.message.len() {
            let mut message = v.message.clone();
            for c in 0..=u8::MAX {
                message[at] = c;
                op = (op + 1) % 20;
                let mut reply = Decoder::new(guest.dispatch(2 + op, &message));
                reply.skip().unwrap();
                reply.end().unwrap();
                host.reply.replace(message.clone());
                let _ = match op % 3 {
                    0 => call.http(&crate::Request::new("GET", "http://127.0.0.1/")).map(|_| ()),
                    1 => call.store("s").list("/", "", 10).map(|_| ()),
                    _ => crate::receipts::Receipts::new(&call, 1).page(0, 10).map(|_| ()),
                };
                host.reply.replace(vec![0x80]);
            }
        }
    }
}
