#![no_main]
//! Any EF.SOD, with everything that is read of it before a signature is checked.

use hoso::chip::sod::Sod;
use hoso::cms::KeyFacts;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(sod) = Sod::parse(data) else { return };
    assert!(sod.list.hashes.keys().all(|number| (1..=16).contains(number)));
    for signer in &sod.signed.signers {
        let _ = (signer.certificate(&sod.signed.certificates), signer.signing_time());
    }
    for certificate in &sod.signed.certificates {
        let _ = KeyFacts::of(certificate);
    }
});
