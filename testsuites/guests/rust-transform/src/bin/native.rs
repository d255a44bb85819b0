//! Changes content as the driver does, without a sandbox: `native BYTES ROUNDS` prints the seconds that each round took, and a sum of what
//! came out, a line each. Content comes from memory and goes to memory, a piece at a time.

#[path = "../scramble.rs"]
mod scramble;

use std::io::{Read, Write};
use std::time::Instant;

use scramble::{Scramble, PIECE};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>());
    let (bytes, rounds) = match (arguments.next(), arguments.next()) {
        (Some(Ok(bytes)), Some(Ok(rounds))) => (bytes, rounds),
        _ => {
            eprintln!("usage: native BYTES ROUNDS");
            std::process::exit(2);
        }
    };
    let content: Vec<u8> = (0..bytes).map(|i| (i >> 8) as u8 ^ i as u8).collect();
    let mut changed = vec![0; bytes];
    for _ in 0..rounds {
        let begin = Instant::now();
        round(&content, &mut changed);
        let took = begin.elapsed().as_secs_f64();
        let sum = changed.iter().fold(0_u32, |sum, b| sum.rotate_left(5) ^ u32::from(*b));
        println!("{} {}", took, sum);
    }
}

fn round(mut from: &[u8], mut to: &mut [u8]) {
    let mut scramble = Scramble::new();
    let mut piece = vec![0; PIECE];
    loop {
        let n = from.read(&mut piece).unwrap_or_default();
        if n == 0 {
            return;
        }
        scramble.change(&mut piece[..n]);
        to.write_all(&piece[..n]).unwrap_or_default();
    }
}
