use super::vectors::{tree, vectors, Tree};
use crate::decoder::Decoder;

#[test]
fn decoder_reads_the_golden_vectors() {
    let vectors = match vectors() {
        Some(vectors) => vectors,
        None => return,
    };
    assert!(vectors.len() >= 131, "{} vectors", vectors.len());
    for v in vectors {
        let mut d = Decoder::new(&v.message);
        let got = tree(&mut d);
        d.end().unwrap();
        let want = match v.dir.as_str() {
            "error" => Tree::Map([("err".to_owned(), v.value)].into()),
            _ => v.value,
        };
        assert_eq!(got, want, "{} {}", v.dir, v.name);
        let mut d = Decoder::new(&v.message);
        d.skip().unwrap();
        d.end().unwrap();
    }
}
