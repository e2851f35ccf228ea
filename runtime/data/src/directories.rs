//! The folders in which data files are searched: beside the user's file, and in the data directory.

use super::DataError;
use gmpc_compiler::ir::experiment::FileSpec;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The folders in which data files are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// The data directory, where `gmpc data fetch` stores files. It need not exist.
    pub data: PathBuf,
    /// The folder of the `.gmpnet` file, for tables that the file names.
    pub beside: Option<PathBuf>,
}

impl Directories {
    /// The data directory is `option` (`--data-dir`), else `GMPNET_DATA`, else `gmpc` in the user's data folder.
    ///
    /// `gmpnet` is the path of the user's file.
    #[must_use]
    pub fn new(option: Option<&Path>, gmpnet: Option<&Path>) -> Self {
        let data = choose(option, |name| std::env::var_os(name));
        let beside = gmpnet.and_then(Path::parent).map(Path::to_path_buf);
        Directories { data, beside }
    }

    /// The path of a declared file.
    ///
    /// A file with an address is searched in the data directory only. A file that the user names is searched beside the
    /// user's file first.
    ///
    /// # Errors
    /// `E0750` if it is in none of the folders, `E0751` if it is not a regular file, `E0752` for a downloadable file
    /// whose path leaves the data directory.
    pub fn find(&self, file: &FileSpec, set: &str) -> Result<PathBuf, DataError> {
        let places = self.places(file)?;
        let Some(found) = places.iter().find(|path| path.exists()) else { return Err(missing(file, set, &places)) };
        if found.is_file() {
            return Ok(found.clone());
        }
        Err(DataError::data("E0751", found.display().to_string(), "this is a folder, not a file"))
    }

    /// The paths at which a file is searched, in order. At the last one it would be stored.
    ///
    /// # Errors
    /// `E0752` for a downloadable file whose path leaves the data directory.
    pub fn places(&self, file: &FileSpec) -> Result<Vec<PathBuf>, DataError> {
        if file.url.is_some() {
            return Ok(vec![self.below_data(&file.path)?]);
        }
        let beside = self.beside.iter().map(|folder| folder.join(&file.path));
        Ok(beside.chain([self.data.join(&file.path)]).collect())
    }

    /// A path below the data directory.
    ///
    /// # Errors
    /// `E0752` if the path is absolute, empty, or leaves the directory with `..`.
    pub fn below_data(&self, path: &str) -> Result<PathBuf, DataError> {
        let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        let inside = Path::new(path).components().all(plain) && !path.contains(['\\', '\0']) && !path.is_empty();
        if inside {
            return Ok(self.data.join(path));
        }
        let reason = "a data set's file must lie below the data directory";
        Err(DataError::data("E0752", path, reason).help("write a relative path without `..`"))
    }
}

fn missing(file: &FileSpec, set: &str, places: &[PathBuf]) -> DataError {
    let tried: Vec<String> = places.iter().map(|p| format!("`{}`", p.display())).collect();
    let error =
        DataError::data("E0750", &file.path, format!("there is no such file; looked for {}", tried.join(" and ")));
    if file.url.is_some() {
        error.help(format!("`gmpc data fetch {set}` downloads it; `--data-dir` or GMPNET_DATA sets the data directory"))
    } else if file.path.contains("://") {
        error.help(
            "an address is not a path: write it as `url = \"…\"` in a `dataset`, and `gmpc data fetch` downloads it",
        )
    } else if file.path.starts_with('~') {
        error.help("`~` is not expanded here: write the full path")
    } else if let Some(near) = near(places) {
        error.help(format!("did you mean `{near}`?"))
    } else {
        error.help("a path is relative to the folder of the .gmpnet file, or else to the data directory (`--data-dir`)")
    }
}

/// A file with a similar name in the same folder, for the message.
fn near(places: &[PathBuf]) -> Option<String> {
    places.iter().find_map(|place| {
        let (name, folder) = (place.file_name()?.to_str()?, place.parent()?);
        let entries = std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }).ok()?;
        // In a very large folder only some names are compared.
        let names: Vec<String> =
            entries.take(1000).flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
        gmpc_grammar::similar::nearest(name, names.iter().map(String::as_str)).map(str::to_string)
    })
}

fn choose(option: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = option.map(Path::to_path_buf).or_else(|| set("GMPNET_DATA")) {
        return folder;
    }
    let users = set("XDG_DATA_HOME").filter(|folder| folder.is_absolute()); // the XDG specification ignores relative paths
    let users = users.or_else(|| set("HOME").map(|home| home.join(".local/share")));
    users.unwrap_or_else(|| PathBuf::from(".")).join("gmpc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_told_with_the_one_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("houses.csv"), "a,y\n").unwrap();
        let directories = Directories { data: "/nowhere".into(), beside: Some(folder.path().to_path_buf()) };
        let help = |path: &str| {
            let file = FileSpec { path: path.to_string(), url: None, sha256: None };
            directories.find(&file, "a").unwrap_err().help.unwrap()
        };
        assert_eq!(help("huoses.csv"), "did you mean `houses.csv`?");
        assert!(help("~/a.csv").contains("write the full path"));
        assert!(help("https://example.org/a.csv").contains("`url = "));
    }

    fn chosen(option: Option<&str>, variables: &[(&str, &str)]) -> PathBuf {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        choose(option.map(Path::new), get)
    }

    #[test]
    fn the_option_wins_over_the_variable_and_that_over_the_users_folder() {
        let all = [("GMPNET_DATA", "/v"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(chosen(Some("o"), &all), Path::new("o"));
        assert_eq!(chosen(None, &all), Path::new("/v"));
        assert_eq!(chosen(None, &all[1..]), Path::new("/x/gmpc"));
        assert_eq!(chosen(None, &all[2..]), Path::new("/h/.local/share/gmpc"));
        assert_eq!(chosen(None, &[("GMPNET_DATA", ""), ("HOME", "/h")]), Path::new("/h/.local/share/gmpc"));
    }

    fn spec(path: &str, url: Option<&str>) -> FileSpec {
        FileSpec { path: path.into(), url: url.map(str::to_string), sha256: None }
    }

    #[test]
    fn a_table_beside_the_users_file_is_found_before_one_in_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let (data, beside) = (folder.path().join("data"), folder.path().join("mine"));
        let directories = Directories { data: data.clone(), beside: Some(beside.clone()) };
        for place in [&data, &beside] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("a.csv"), "1").unwrap();
        }
        assert_eq!(directories.find(&spec("a.csv", None), "a").unwrap(), beside.join("a.csv"));
        assert_eq!(directories.find(&spec("a.csv", Some("http://x/a")), "a").unwrap(), data.join("a.csv"));
        let missing = directories.find(&spec("b.csv", Some("http://x/b")), "uci.b").unwrap_err();
        assert!(missing.help.unwrap().contains("gmpc data fetch uci.b"));
    }

    #[test]
    fn a_fetched_file_cannot_leave_the_data_directory() {
        let directories = Directories { data: "/data".into(), beside: None };
        for path in ["../a", "a/../../b", "/etc/passwd", "", "a\\..\\b", "a\0b"] {
            assert_eq!(directories.below_data(path).unwrap_err().code, "E0752", "{path:?}");
        }
        assert_eq!(directories.below_data("uci/a/b.txt").unwrap(), Path::new("/data/uci/a/b.txt"));
    }
}
