//! Pickled batches, and pickles with unsupported or dangerous instructions.

use super::read;
use proptest::prelude::*;

/// `{"data": uint8 [2, 3], "labels": [7, 300], "label_names": ["a", "b"]}` as Python 2 and NumPy write it with protocol 2.
pub(in super::super) fn sample() -> Vec<u8> {
    let mut bytes = b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03".to_vec();
    bytes.extend(
        b"cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01",
    );
    bytes.extend(b"\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06abcdeftb");
    bytes.extend(b"U\x06labelsq\x08]q\x09(K\x07M,\x01eU\x0blabel_namesq\x0a]q\x0b(U\x01aU\x01beu.");
    bytes
}

#[test]
fn a_batch_is_read_without_copying_its_pixels() {
    let bytes = sample();
    let loaded = read(&bytes).unwrap();
    assert_eq!(loaded.bytes_array("data").unwrap(), (&[2, 3][..], &b"abcdef"[..]));
    assert_eq!(loaded.integers("labels").unwrap(), [7, 300]);
    assert_eq!(loaded.texts("label_names").unwrap(), ["a", "b"]);
    assert_eq!(loaded.integers("label").unwrap_err(), "it has no `label`, only data, labels, label_names");
}

#[test]
fn the_oldest_protocol_is_read_too() {
    let bytes = b"(dp0\nS'labels'\np1\n(lp2\nI3\naI-4\naL5L\nasS\"label_names\"\n(lS'cat'\nas.";
    let loaded = read(bytes).unwrap();
    assert_eq!(loaded.integers("labels").unwrap(), [3, -4, 5]);
    assert_eq!(loaded.texts("label_names").unwrap(), ["cat"]);
}

#[test]
fn nothing_that_could_run_is_accepted() {
    // The pickle of a call of `os.system("true")` in three protocols, and instructions that create objects of any
    // class.
    for (bytes, said) in [
        (&b"cos\nsystem\n(S'true'\ntR."[..], "byte 0: it names `os.system`, which is not allowed"),
        (b"\x80\x02cposix\nsystem\nU\x04true\x85R.", "it names `posix.system`"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "it names `posix.system`"),
        (b"\x80\x02c__builtin__\neval\nU\x011\x85R.", "it names `__builtin__.eval`"),
        (b"\x80\x02cnumpy\nload\n.", "it names `numpy.load`"),
        (b"(S'a'\nios\nsystem\n.", "the instruction `i`"),
        (b"(cos\nsystem\no.", "it names `os.system`"),
        (b"P1\n.", "the instruction `P`"),
        (b"\x82\x01.", "the instruction 0x82"),
        (b"\x80\x02cnumpy\nndarray\nK\x01\x85R.", "it calls something that does not make an array"),
        (b"\x80\x05N.", "protocol 5 is not read"),
    ] {
        let told = read(bytes).unwrap_err();
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn hostile_sizes_cost_nothing() {
    for (bytes, said) in [
        (b"\x80\x02T\xff\xff\xff\x7fabc.".to_vec(), "2147483647 bytes are announced and 4 are left"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.".to_vec(), "bytes are announced"),
        (b"(".repeat(3 << 20), "its stack grows beyond"),
        (b"N".repeat(3 << 20), "its stack grows beyond"),
        (b"\x80\x02".iter().copied().chain(b"]".repeat(3 << 20)).collect(), "its stack grows beyond"),
        (b"]".iter().copied().chain(b"Na".repeat(9 << 20)).collect(), "more than 8388608 elements"),
        (
            b"N".iter()
                .copied()
                .chain((0..1_100_000u32).flat_map(|i| [vec![b'r'], i.to_le_bytes().to_vec()].concat()))
                .collect(),
            "it stores more than",
        ),
        (b"\x80\x02h\x05.".to_vec(), "never stored"),
        (b"]q\x00h\x00a.".to_vec(), "it contains no dictionary"), // a list that contains itself
    ] {
        let told = read(&bytes).and_then(|loaded| loaded.integers("labels").map(|_| ())).unwrap_err();
        assert!(told.contains(said), "{told}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        look(&bytes);
    }

    #[test]
    fn no_change_of_a_real_one_makes_it_panic(cut in 0usize..300, place in 0usize..300, byte: u8) {
        let mut bytes = sample();
        let length = bytes.len();
        look(&bytes[..cut.min(length)]);
        bytes[place % length] = byte;
        look(&bytes);
    }
}

fn look(bytes: &[u8]) {
    if let Ok(loaded) = read(bytes) {
        let _ = (loaded.bytes_array("data"), loaded.integers("labels"), loaded.texts("label_names"));
    }
}
