use super::*;
use crate::format::types::XLogRecPtr;
use crate::format::version::{VERSIONS, Version};
use crate::format::wal::{Decoder, RecordHeader};
use proptest::prelude::*;

/// What is said of a record with this main data and, from 9.5 on, one block with this data.
fn described(major: Major, rmid: u8, info: u8, main: &[u8], data: &[u8]) -> String {
    let layout = Layout::usual(Version::of(major).unwrap());
    let mut bytes = vec![0; RecordHeader::size(layout.version)];
    if layout.since(Major::V9_5) {
        let len = u16::try_from(data.len()).unwrap();
        bytes.extend([0, if len > 0 { 0x20 } else { 0 }]);
        bytes.extend(len.to_le_bytes());
        for number in [1663_u32, 5, 16_384, 7] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.push(254);
        bytes.extend(u32::try_from(main.len()).unwrap().to_le_bytes());
        bytes.extend(data);
    }
    bytes.extend(main);
    let header = RecordHeader {
        xl_tot_len: u32::try_from(bytes.len()).unwrap(),
        xl_info: info,
        xl_rmid: rmid,
        xl_len: u32::try_from(main.len()).unwrap(),
        ..RecordHeader::default()
    };
    let mut decoder = Decoder::new();
    let lsn = XLogRecPtr(0x2000);
    let record = decoder
        .decode(layout, lsn, lsn, header, &bytes)
        .unwrap_or_else(|e| panic!("{e:?}"));
    describe(layout, &record)
}

#[test]
fn an_insert_in_the_words_of_each_era() {
    let target: Vec<u8> = [1663_u32, 12_145, 16_384, 0]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .chain([1, 0, 0, 0])
        .collect();
    let of = |major, main: &[u8]| described(major, rmgr::RM_HEAP_ID, 0, main, &[]);
    let legacy = [target, vec![0; 8]].concat();
    assert_eq!(
        of(Major::V9_3, &legacy),
        "insert: rel 1663/12145/16384; tid 0/1"
    );
    assert_eq!(of(Major::V11, &[1, 0, 0]), "INSERT off 1");
    assert_eq!(of(Major::V15, &[1, 0, 8]), "INSERT off 1 flags 0x08");
    assert_eq!(of(Major::V16, &[1, 0, 8]), "INSERT off: 1, flags: 0x08");
}

#[test]
fn a_page_of_9_4_is_unlinked_in_the_order_of_its_record() {
    let main: Vec<u8> = [1663_u32, 5, 16_384, 9, 8, 10, 3, 2, 4, 7, 700]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    assert_eq!(
        described(Major::V9_4, rmgr::RM_BTREE_ID, 0x80, &main, &[]),
        "unlink_page: rel 1663/5/16384; dead 9; left 8; right 10; btpo_xact 700; leaf 3; leafleft 2; \
         leafright 4; topparent 7"
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let of = |major, rmid, info, main: &[u8]| described(major, rmid, info, main, &[]);
    assert_eq!(
        of(Major::V15, rmgr::RM_HEAP_ID, 0, &[1]),
        "INSERT (malformed)"
    );
    assert_eq!(
        of(Major::V15, rmgr::RM_GENERIC_ID, 0, &[1, 0, 9, 0, 1]),
        "Generic offset 1, length 9 (malformed)"
    );
    assert_eq!(
        of(Major::V15, rmgr::RM_CLOG_ID, 0x30, &[1]),
        "UNKNOWN (30) "
    );
    assert_eq!(of(Major::V9_3, rmgr::RM_CLOG_ID, 0x30, &[1]), "UNKNOWN");
    assert_eq!(of(Major::V15, 128, 0x30, &[1]), "UNKNOWN (30) ");
}

#[test]
fn numbers_as_c_prints_them() {
    for (number, text) in [
        (0.0, "0"),
        (738.0, "738"),
        (999_999.0, "999999"),
        (1_000_000.0, "1e+06"),
        (1_234_567.0, "1.23457e+06"),
        (0.5, "0.5"),
        (0.000_012_5, "1.25e-05"),
        (-1.0, "-1"),
        (f64::NAN, "nan"),
        (f64::INFINITY, "inf"),
    ] {
        assert_eq!(hash::general(number), text);
    }
    assert_eq!(time_text(TimestampTz(0)), "2000-01-01 00:00:00.000000 UTC");
    assert_eq!(
        time_text(TimestampTz(i64::MAX)),
        format!("timestamp {}", i64::MAX)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_described(
        row in 0..VERSIONS.len(),
        rmid in 0_u8..24,
        info: u8,
        main in proptest::collection::vec(any::<u8>(), 1..120),
        data in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let info = info & 0xF0;
        let text = described(VERSIONS[row].major, rmid, info, &main, &data);
        // No list is longer than the bytes it came from.
        prop_assert!(text.len() < 10_000, "{}", text.len());
    }
}
