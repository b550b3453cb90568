#![no_main]
//! Any data group, EF.COM or EF.CardAccess; each reader gets the same bytes and knows its own by the tag.

use hoso::chip::dg13::Dg13;
use hoso::chip::mrz::Mrz;
use hoso::chip::reader::pace;
use hoso::chip::{chip_authentication, dg7, dg11, dg12, lds, portrait};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for number in 1..=16 {
        let _ = lds::open(data, number);
    }
    let _ = (lds::com_list(data), lds::security_infos(data), Dg13::parse(data));
    let _ = (dg7::pictures(data), dg11::Dg11::parse(data), dg12::Dg12::parse(data));
    let _ = (chip_authentication::offers(data), pace::offers(data));
    let today = jiff::civil::date(2026, 6, 1);
    for mrz in Mrz::of_dg1(data).into_iter().chain(Mrz::parse(data)) {
        let _ = (mrz.birth_date(today), mrz.expires(today));
    }
    if let Ok(found) = portrait::find(data) {
        assert!(found.range.end <= data.len() && found.range.start < found.range.end);
    }
});
