//! Where data files are looked for: beside the user's file, and in the data directory.

use super::DataError;
use gmpc_compiler::experiment::FileSpec;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The places data files are looked for in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// Where `gmpc data fetch` keeps files; need not exist.
    pub data: PathBuf,
    /// The folder of the `.gmpnet` file, for tables named in it.
    pub beside: Option<PathBuf>,
}

impl Directories {
    /// The data directory is `option` (`--data-dir`), else `GMPNET_DATA`, else `gmpc` in the user's data folder.
    ///
    /// `gmpnet` is the user's file.
    #[must_use]
    pub fn new(option: Option<&Path>, gmpnet: Option<&Path>) -> Self {
        let data = choose(option, |name| std::env::var_os(name));
        let beside = gmpnet.and_then(Path::parent).map(Path::to_path_buf);
        Directories { data, beside }
    }

    /// The file a declaration means.
    ///
    /// What can be fetched is in the data directory only; what the user names is looked for beside their file first.
    ///
    /// # Errors
    /// `E0750` if it is in none of the places, `E0751` if it is not a regular file, `E0752` for a path that leaves the
    /// data directory though the file is fetched.
    pub fn find(&self, file: &FileSpec, set: &str) -> Result<PathBuf, DataError> {
        let places = self.places(file)?;
        let Some(found) = places.iter().find(|path| path.exists()) else { return Err(missing(file, set, &places)) };
        if found.is_file() {
            return Ok(found.clone());
        }
        Err(DataError::data("E0751", found.display().to_string(), "this is a folder, not a file"))
    }

    /// Where a file is looked for, in order; the last one is where it would be put.
    ///
    /// # Errors
    /// `E0752` for a path that leaves the data directory though the file is fetched.
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
    /// `E0752` if the path is absolute, empty, or climbs out with `..`.
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
        error.help(format!("`gmpc data fetch {set}` gets it; `--data-dir` or GMPNET_DATA says where data are kept"))
    } else {
        error.help("a path counts from the folder of the .gmpnet file, then from the data directory (`--data-dir`)")
    }
}

fn choose(option: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = option.map(Path::to_path_buf).or_else(|| set("GMPNET_DATA")) {
        return folder;
    }
    let users = set("XDG_DATA_HOME").filter(|folder| folder.is_absolute()); // a relative one is to be ignored (XDG)
    let users = users.or_else(|| set("HOME").map(|home| home.join(".local/share")));
    users.unwrap_or_else(|| PathBuf::from(".")).join("gmpc")
}

#[cfg(test)]
mod tests {
    use super::*;

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
