#![no_main]
//! Any master list, its contents alone, any certificate or revocation list, any imported list. Nobody is pinned, so
//! nothing may ever be believed.

use hoso::chip::trust::Anchor;
use hoso::chip::{Trust, master_list};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(master_list::verify(data, &[], jiff::Timestamp::UNIX_EPOCH, &[]).is_err());
    let _ = master_list::read_list(data);
    let _ = Anchor::read("fuzz", data);
    let mut trust = Trust::default();
    let _ = trust.add_file("fuzz", data);
    if trust.add_import("fuzz", data.to_vec()).is_ok() {
        assert!(trust.anchors().take(64).flatten().all(|anchor| !anchor.file.is_empty()));
    }
});
