//! Folders of images with other extensions, nested folders, rotated, transparent, damaged and exchanged images.

use super::super::{decode, folder};
use super::*;
use crate::Directories;

fn png(red: u8) -> Vec<u8> {
    decode::png(&[red, 10, 20].repeat(6), 3, 2).unwrap()
}

/// Two classes of two images each.
fn set() -> (tempfile::TempDir, Directories) {
    let folder = tempfile::tempdir().unwrap();
    for (class, name, red) in [("a", "1.png", 1), ("a", "2.png", 2), ("b", "1.png", 3), ("b", "2.png", 4)] {
        std::fs::create_dir_all(folder.path().join("pets").join(class)).unwrap();
        std::fs::write(folder.path().join("pets").join(class).join(name), png(red)).unwrap();
    }
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    (folder, directories)
}

fn read(directories: &Directories) -> Result<super::super::ImageSet, DataError> {
    folder::read("pets", None, None, None, "pets", directories)
}

fn codes(notes: &[Note]) -> Vec<&'static str> {
    notes.iter().map(|note| note.code).collect()
}

#[test]
fn what_is_passed_over_and_what_lies_deeper_is_counted() {
    let (folder, directories) = set();
    let pets = folder.path().join("pets");
    for name in ["a/3.webp", "a/4.webp", "b/notes.txt", "readme"] {
        std::fs::write(pets.join(name), "x").unwrap();
    }
    std::fs::create_dir(pets.join("a/more")).unwrap();
    std::fs::write(pets.join("a/more/5.JFIF"), "x").unwrap();
    let set = read(&directories).unwrap();
    assert_eq!((set.labels.as_slice(), codes(&set.notes)), (&[0, 0, 0, 1, 1][..], vec!["W0780", "W0781"]));
    let message = &set.notes[0].message;
    assert!(message.starts_with("4 files are skipped") && message.contains("2 with .webp"), "{message}");
    // An image in no class is reported.
    std::fs::write(pets.join("6.png"), png(1)).unwrap();
    let notes = read(&directories).unwrap().notes;
    assert_eq!(codes(&notes), ["W0780", "W0799", "W0781"]);
    assert_eq!(notes[1].message, "1 image lies beside the folders of the classes, in none of them");
    std::fs::create_dir(pets.join("c")).unwrap();
    std::fs::write(pets.join("c/1.webp"), "x").unwrap();
    let error = read(&directories).unwrap_err();
    assert!(error.reason.contains("no readable image: 1 of its files end with .webp"), "{error}");
}

#[test]
fn a_look_finds_damage_and_other_contents_of_equal_length() {
    let (folder, directories) = set();
    let set = read(&directories).unwrap();
    let sums = |looks: Vec<Look>| looks.iter().map(|look| look.sha256).collect::<Vec<_>>();
    let before = sums(look(&set.store).unwrap());
    let place = |name: &str| folder.path().join("pets").join(name);
    assert_eq!(png(1).len(), png(3).len());
    // The files are rewritten so quickly that the time of the last write may be equal.
    let later = SystemTime::now() + std::time::Duration::from_secs(5);
    for (name, red) in [("a/1.png", 3), ("b/1.png", 1)] {
        std::fs::write(place(name), png(red)).unwrap();
        std::fs::File::options().append(true).open(place(name)).unwrap().set_modified(later).unwrap();
    }
    assert_ne!(sums(look(&set.store).unwrap()), before);
    std::fs::write(place("b/2.png"), &png(4)[..60]).unwrap();
    let error = look(&set.store).unwrap_err();
    assert!(error.code == "E0764" && error.file.ends_with("2.png"), "{error}");
}

#[test]
fn turned_and_transparent_images_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let turned = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/images/jpeg/kinds/turned.jpg");
    let clear = folder.path().join("clear.png");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().unwrap().write_image_data(&[1, 2, 3, 0]).unwrap();
    std::fs::write(&clear, bytes).unwrap();
    let store = Store::Files { channels: 3, paths: vec![turned, clear], size: None, background: None };
    let looks = look(&store).unwrap();
    assert_eq!(looks[0].size, [37, 29]);
    let found =
        notes(&looks, &Store::Files { channels: 3, paths: vec![], size: None, background: Some([0; 3]) }, "pets");
    assert_eq!(codes(&found), ["W0782"], "a stated background is no guess");
    let found = notes(&looks, &store, "pets");
    assert_eq!(codes(&found), ["W0782", "W0783"]);
    assert!(found.iter().all(|note| note.message.starts_with("1 of 2 images")));
    assert_eq!(
        stretched(&looks, [37, 29]).unwrap().message,
        "1 of 2 images are stretched to 37×29, the size trained on"
    );
}
