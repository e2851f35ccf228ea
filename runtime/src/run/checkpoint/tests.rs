//! Checkpoint files that are damaged, malicious or of another version.

use super::*;
use proptest::prelude::*;
use std::io::{Error, ErrorKind};

fn checkpoint(step: u64) -> Checkpoint {
    let mut progress = Progress::new(7, 0.1);
    progress.step = step;
    let numbers = Numbers::F32(vec![0.1, -0.0, f32::MIN_POSITIVE, f32::INFINITY, 5.0, 6.0]);
    let tensors = Named::from([
        ("hidden.w".to_string(), Stored { shape: vec![2, 3], numbers }),
        ("hidden.b".to_string(), Stored { shape: vec![], numbers: Numbers::F64(vec![0.1]) }),
    ]);
    Checkpoint { progress: Some(progress), tensors, ..Checkpoint::default() }
}

fn decoded(bytes: &[u8]) -> Result<Checkpoint, String> {
    decode(Path::new("last.safetensors"), bytes).map_err(|failure| failure.to_string())
}

#[test]
fn a_checkpoint_comes_back_bit_for_bit_and_always_gives_the_same_bytes() {
    let bytes = encode(&checkpoint(3)).unwrap();
    assert_eq!(bytes, encode(&checkpoint(3)).unwrap());
    assert_eq!(decoded(&bytes).unwrap(), checkpoint(3));
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let bytes = encode(&checkpoint(3)).unwrap();
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end]).is_err(), "cut to {end} bytes");
    }
    for place in 0..bytes.len() {
        for bit in [1, 0x20, 0x80] {
            let mut damaged = bytes.clone();
            damaged[place] ^= bit;
            // Blanks that pad the header may change without an effect on its contents.
            assert!(decoded(&damaged).map_or(true, |found| found == checkpoint(3)), "byte {place}, bit {bit:#x}");
        }
    }
}

#[test]
fn hostile_headers_are_refused_before_anything_is_allocated() {
    let file = |header: &str, data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let message = |bytes: &[u8]| decoded(bytes).unwrap_err();
    insta::assert_snapshot!(message(&[]), @"last.safetensors is not a usable checkpoint: it has 0 bytes and ends before its header");
    insta::assert_snapshot!(message(&u64::MAX.to_le_bytes()), @"last.safetensors is not a usable checkpoint: its header claims 18446744073709551615 bytes, and the limit is 1048576");
    insta::assert_snapshot!(message(&file("{}", 0)[..9]), @"last.safetensors is not a usable checkpoint: it ends within its header");
    insta::assert_snapshot!(message(&file("[]", 0)), @"last.safetensors is not a usable checkpoint: its header is not readable");
    insta::assert_snapshot!(message(&file(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}"#, 0)), @"last.safetensors is not a usable checkpoint: the sizes in its header overflow");
    insta::assert_snapshot!(message(&file(r#"{"a":{"dtype":"F32","shape":[0,1,1,1,1,1,1,1,1],"data_offsets":[0,0]}}"#, 0)), @"last.safetensors is not a usable checkpoint: `a` has the impossible shape [0, 1, 1, 1, 1, 1, 1, 1, 1]");
    insta::assert_snapshot!(message(&file(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4)), @"last.safetensors is not a usable checkpoint: it is shorter or longer than its header says");
    insta::assert_snapshot!(message(&file(r#"{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, 8)), @"last.safetensors is not a usable checkpoint: `a` holds I64, not F32 or F64");
    insta::assert_snapshot!(message(&file(r#"{"__metadata__":{"gmpc":"{\"version\":9,\"sha256\":\"\",\"progress\":null}"}}"#, 0)), @"last.safetensors is not a usable checkpoint: its version is 9, and this gmpc reads versions up to 1");
    insta::assert_snapshot!(message(&file(r#"{"__metadata__":{"gmpc":"{\"version\":1,\"sha256\":\"\",\"progress\":null}"}}"#, 0)), @"last.safetensors is not a usable checkpoint: its contents do not match its checksum");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoded(&bytes);
    }

    #[test]
    fn arbitrary_headers_never_panic(header in "[\\{\\}\\[\\]\":,a-zF0-9_]{0,80}", data in 0..64usize) {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 1);
        let _ = decoded(&bytes);
    }
}

/// A disk on which call number `n` and all later calls fail, as after a power failure or when the disk is full.
struct Failing {
    left: usize,
    /// The part of the file that a failing write still writes, in percent.
    written: usize,
    /// True if calls after the failure fail too.
    stays_broken: bool,
}

impl Failing {
    fn call(&mut self) -> std::io::Result<()> {
        if self.left == 0 {
            self.left = if self.stays_broken { 0 } else { usize::MAX };
            return Err(Error::from(ErrorKind::StorageFull));
        }
        self.left -= 1;
        Ok(())
    }
}

impl Files for Failing {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let called = self.call();
        let end = if called.is_ok() { bytes.len() } else { bytes.len() * self.written / 100 };
        Disk.write(path, &bytes[..end])?;
        called
    }

    fn sync(&mut self, path: &Path) -> std::io::Result<()> {
        self.call()?;
        Disk.sync(path)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.call()?;
        Disk.rename(from, to)
    }

    fn sync_folder(&mut self, folder: &Path) -> std::io::Result<()> {
        self.call()?;
        Disk.sync_folder(folder)
    }

    fn remove(&mut self, path: &Path) -> std::io::Result<()> {
        self.call()?;
        Disk.remove(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn free(&self, _: &Path) -> Option<u64> {
        None
    }
}

/// A disk with room for this number of bytes. Any other call is an error of the test.
struct Full(u64);

impl Files for Full {
    fn write(&mut self, path: &Path, _: &[u8]) -> std::io::Result<()> {
        panic!("{} was written", path.display())
    }

    fn sync(&mut self, path: &Path) -> std::io::Result<()> {
        panic!("{} was synced", path.display())
    }

    fn rename(&mut self, from: &Path, _: &Path) -> std::io::Result<()> {
        panic!("{} was renamed", from.display())
    }

    fn sync_folder(&mut self, folder: &Path) -> std::io::Result<()> {
        panic!("{} was synced", folder.display())
    }

    fn remove(&mut self, path: &Path) -> std::io::Result<()> {
        panic!("{} was removed", path.display())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn free(&self, _: &Path) -> Option<u64> {
        Some(self.0)
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_the_disk_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let bytes = encode(&checkpoint(1)).unwrap();
    write_atomically(&mut Disk, &path, &bytes, None).unwrap();
    let failure = write_atomically(&mut Full(10), &path, &encode(&checkpoint(2)).unwrap(), None).unwrap_err();
    assert_eq!(failure.exit_code(), 6);
    let said = failure.to_string();
    assert!(said.contains("and 10 are free"), "{said}");
    assert!(failure.help().unwrap().starts_with("free some"));
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the old one is still there");
    assert_eq!(Disk.free(folder.path()).is_some(), cfg!(unix));
}

#[test]
fn whichever_call_fails_a_whole_checkpoint_is_there() {
    for left in 0..6 {
        for (written, stays_broken) in [(0, true), (50, true), (100, true), (50, false)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("last.safetensors");
            let save = |files: &mut dyn Files, step| {
                write_atomically(files, &path, &encode(&checkpoint(step)).unwrap(), Some(&previous(&path)))
            };
            save(&mut Disk, 1).unwrap();
            save(&mut Disk, 2).unwrap();
            let failed = save(&mut Failing { left, written, stays_broken }, 3).is_err();
            assert_eq!(failed, left < 5, "five calls: write, sync, two renames, sync of the folder");
            let (found, _) = read_newest(&path).unwrap();
            let step = found.progress.unwrap().step;
            assert!(step == 2 || step == 3, "{step} after call {left}");
            assert!(failed || step == 3);
            if failed && !stays_broken {
                assert!(!path.with_extension("tmp").exists(), "the half-written file stayed");
            }
            save(&mut Disk, 4).unwrap();
            assert_eq!(read_newest(&path).unwrap().0.progress.unwrap().step, 4);
        }
    }
}

#[test]
fn a_damaged_file_is_passed_over_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    for step in 1..=3 {
        write_atomically(&mut Disk, &path, &encode(&checkpoint(step)).unwrap(), Some(&previous(&path))).unwrap();
    }
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(100);
    std::fs::write(&path, bytes).unwrap();
    let (found, skipped) = read_newest(&path).unwrap();
    assert_eq!(found.progress.unwrap().step, 2);
    assert!(skipped[0].contains("last.safetensors is not a usable checkpoint"), "{skipped:?}");
    std::fs::write(previous(&path), b"").unwrap();
    assert!(read_newest(&path).is_err());
}
