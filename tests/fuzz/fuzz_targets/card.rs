#![no_main]
//! A card that answers as it likes: the first byte of each piece says how long the answer is, then the whole reader runs.

use hoso::chip::reader::curve::NoEntropy;
use hoso::chip::reader::{AccessKeys, Entropy, Lost, Session, Transceiver};

struct Hostile<'a>(&'a [u8]);

impl Transceiver for Hostile<'_> {
    fn transceive(&mut self, _: &[u8]) -> Result<Vec<u8>, Lost> {
        let (length, rest) = self.0.split_first().ok_or(Lost)?;
        let (answer, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        self.0 = rest;
        Ok(answer.to_vec())
    }
}

/// The same draws in every run, so that what is found is found again.
struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(29).wrapping_add(7);
            *byte = self.0;
        }
        Ok(())
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let keys = AccessKeys::default().can("123456").and_then(|keys| keys.fields("C01X00T47", "640812", "270115"));
    let Ok(mut session) = keys.and_then(|keys| Session::new(keys, None)) else { unreachable!("these keys are well formed") };
    let _ = session.read(&mut Hostile(data), &mut Fixed(1), &mut |_| ());
});
