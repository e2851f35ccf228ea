//! Checks where `-o` may write: not over files that something else depends on, and not under the extension of another
//! format.

use crate::failure::{Failure, Message};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The files of a run's folder without its records.
pub const OF_A_RUN: [&str; 11] = [
    "run.json",
    "source.gmpnet",
    "metrics.jsonl",
    "notes.jsonl",
    "best.safetensors",
    "last.safetensors",
    "last.previous.safetensors",
    "result.json",
    "data.json",
    "lock",
    crate::run::tensorboard::FILE,
];

/// The file that marks a comparison's folder.
pub const COMPARISON: &str = "comparison.json";

/// Refuses an output that is one of the inputs or belongs to a run or a comparison. To be called before any work is
/// done.
///
/// # Errors
/// [`Failure::Usage`] (E0808).
pub fn check(output: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    let real = real(output);
    let refuse = |why: String| {
        Err(Failure::Usage(Message::new(why).at("E0808", output).help("choose another name for the output")))
    };
    if inputs.iter().any(|input| real == self::real(input) || is_same_file(output, input)) {
        return refuse(format!("{} is an input, and would be overwritten", output.display()));
    }
    match of_a_run(&real) {
        Some(folder) => refuse(format!(
            "{} belongs to the run or comparison in {}, and would be overwritten",
            output.display(),
            folder.display()
        )),
        None => Ok(()),
    }
}

/// Refuses file extensions of formats that the command does not write. Devices and pipes have no format and are
/// allowed.
///
/// # Errors
/// [`Failure::Usage`] with the extensions that can be written.
pub fn check_ending(output: &Path, known: &[&str]) -> Result<(), Failure> {
    let ending = output.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let special = std::fs::metadata(output).is_ok_and(|found| !found.is_file() && !found.is_dir());
    if special || ending.as_deref().is_some_and(|ending| known.contains(&ending)) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|ending| format!("`.{ending}`")).collect();
    let message = match ending {
        Some(ending) => format!("{}: this command writes no `.{ending}` files", output.display()),
        None => format!("{}: the file extension selects the format, and there is none", output.display()),
    };
    let message = Message::new(message).at("E0808", output);
    Err(Failure::Usage(message.help(format!("name a file that ends in {}", known.join(" or ")))))
}

/// The folder of the run or comparison that the file belongs to.
fn of_a_run(real: &Path) -> Option<&Path> {
    let name = real.file_name()?.to_string_lossy().to_lowercase();
    let folder = real.parent()?;
    let run = folder.join("run.json").exists() && OF_A_RUN.contains(&name.as_str());
    // A comparison stores each run in a file whose name is a hash.
    let hash = |stem: &str| stem.len() == 32 && stem.chars().all(|c| c.is_ascii_hexdigit());
    let of_runs = name.split_once('.').is_some_and(|(stem, ending)| hash(stem) && ["json", "jsonl"].contains(&ending));
    let comparison = folder.join(COMPARISON).is_file() && (name == COMPARISON || name == "lock" || of_runs);
    let states = name == crate::run::records::STATES && folder.join("run.json").exists();
    let records = folder.file_name().is_some_and(|name| name == crate::run::records::FOLDER)
        && folder.parent().is_some_and(|run| run.join("run.json").exists());
    (run || comparison || states || records).then_some(folder)
}

/// True if both paths name one file. Hard links make this possible for paths that differ.
fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        of(a).is_some() && of(a) == of(b)
    }
    #[cfg(not(unix))]
    {
        a == b
    }
}

/// Writes an output of a command to a temporary file and renames it. So a full disk leaves the old file as it was, and
/// an incomplete file is never taken for a complete one. Devices and pipes are written directly; links are followed.
///
/// # Errors
/// [`Failure::Io`]: the output cannot be written.
pub fn write(path: &Path, contents: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::io("write", path, error);
    let put = |mut file: BufWriter<File>| contents(&mut file).and_then(|()| file.flush());
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let file = File::options().write(true).open(path).map_err(|e| failed(&e))?;
        return put(BufWriter::new(file)).map_err(|e| failed(&e));
    }
    let real = real(path);
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut name = std::ffi::OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let aside = folder.join(name);
    let written = File::create(&aside).and_then(|file| {
        // The new file gets the permissions of the old one.
        if let Ok(old) = std::fs::metadata(&real) {
            file.set_permissions(old.permissions())?;
        }
        put(BufWriter::new(file))?;
        std::fs::rename(&aside, &real)
    });
    written.map_err(|error| {
        let _ = std::fs::remove_file(&aside); // the first error is the one to report
        failed(&error)
    })
}

/// Writes a text, see [`write()`].
///
/// # Errors
/// The errors of [`write()`].
pub fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    write(path, |to| to.write_all(text.as_bytes()))
}

/// An absolute path without links. The file need not exist.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match (absolute.parent().and_then(|folder| folder.canonicalize().ok()), absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_and_files_of_a_run_are_not_written_over() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        std::fs::create_dir_all(run.join("boundaries")).unwrap();
        std::fs::write(run.join("run.json"), "{}").unwrap();
        let input = place.path().join("new.csv");
        std::fs::write(&input, "x\n1\n").unwrap();
        let code = |path: &Path| check(path, &[input.as_path()]).map_err(|failure| failure.exit_code());
        for name in ["best.safetensors", "LAST.safetensors", "run.json", "lock", "boundaries/hidden.npy"] {
            assert_eq!(code(&run.join(name)), Err(2), "{name}");
        }
        assert_eq!(code(&run.join("../run/best.safetensors")), Err(2), "by another way");
        assert_eq!(code(&place.path().join("run/../new.csv")), Err(2), "the input");
        for path in [run.join("best.sp.safetensors"), run.join("p.csv"), place.path().join("best.safetensors")] {
            assert_eq!(code(&path), Ok(()), "{}", path.display());
        }
        #[cfg(unix)]
        {
            let link = place.path().join("link.csv");
            std::os::unix::fs::symlink(run.join("run.json"), &link).unwrap();
            assert_eq!(code(&link), Err(2), "a link to it");
            let second = place.path().join("second.csv");
            std::fs::hard_link(&input, &second).unwrap();
            assert_eq!(code(&second), Err(2), "another name of the input");
        }
    }

    #[test]
    fn an_output_that_cannot_be_written_leaves_what_was_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("p.csv");
        write(&path, |to| to.write_all(b"old")).unwrap();
        let full = write(&path, |to| to.write_all(b"ne").and_then(|()| Err(std::io::ErrorKind::StorageFull.into())));
        let failure = full.unwrap_err();
        assert!(failure.exit_code() == 6 && failure.help().unwrap().contains("free some"), "{failure}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        #[cfg(unix)]
        {
            let link = place.path().join("link.csv");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            write(&link, |to| to.write_all(b"new")).unwrap();
            assert_eq!((std::fs::read(&path).unwrap().as_slice(), link.is_symlink()), (&b"new"[..], true));
            write(Path::new("/dev/null"), |to| to.write_all(b"gone")).unwrap();
        }
        let left = std::fs::read_dir(place.path()).unwrap().count();
        assert!(left <= 2, "nothing is left aside");
        assert_eq!(write(&place.path().join("no/p.csv"), |_| Ok(())).unwrap_err().exit_code(), 6);
    }

    #[test]
    fn an_ending_promises_a_format() {
        let checked =
            |path: &str| check_ending(Path::new(path), &["csv", "npy"]).map_err(|failure| failure.to_string());
        assert!(checked("p.csv").is_ok() && checked("P.NPY").is_ok());
        assert_eq!(checked("p.xlsx").unwrap_err(), "p.xlsx: this command writes no `.xlsx` files");
        assert!(checked("p.npz").is_err() && checked("p.csv.gz").is_err() && checked("p").is_err());
        #[cfg(unix)]
        assert!(checked("/dev/null").is_ok());
    }
}
