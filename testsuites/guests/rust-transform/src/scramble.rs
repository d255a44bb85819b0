//! A change of content that takes a handful of instructions for each byte, of which each waits for the one before: no compiler makes
//! vectors of it.

/// The remainders of CRC-32.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut value = i as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (0xedb8_8320 * (value & 1));
            bit += 1;
        }
        out[i] = value;
        i += 1;
    }
    out
}

/// Changes bytes in order; each depends on all before it.
pub struct Scramble(u32);

impl Scramble {
    pub fn new() -> Scramble {
        Scramble(!0)
    }

    pub fn change(&mut self, p: &mut [u8]) {
        let mut state = self.0;
        for b in p {
            state = TABLE[usize::from(state as u8 ^ *b)] ^ (state >> 8);
            *b ^= state as u8;
        }
        self.0 = state;
    }
}

/// How much is changed at a time.
pub const PIECE: usize = 64 << 10;
