//! The cache on disk, in the user's cache folder. It holds compiled kernels, and the fastest library algorithm for each
//! shape.
//!
//! A damaged file counts as missing. A failed write is not an error.

use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of the checksum at the beginning of a file.
const CHECKSUM: usize = 32;
/// Limit on the size of an entry. Larger files are not read.
const MOST_BYTES: u64 = 256 << 20;

/// A cache folder.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    /// `None` if the system has no such folder.
    folder: Option<PathBuf>,
}

impl Cache {
    /// `$XDG_CACHE_HOME/gmpc/cuda` or `~/.cache/gmpc/cuda`.
    pub(super) fn of_the_user() -> Self {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
        Cache { folder: root.map(|root| root.join("gmpc").join("cuda")) }
    }

    /// The cache in a given folder.
    #[cfg(test)]
    pub(super) fn in_folder(folder: &Path) -> Self {
        Cache { folder: Some(folder.to_path_buf()) }
    }

    /// The key of an entry: a digest of these words, each with its length, so that no two lists of words collide.
    pub(super) fn key(words: &[&str]) -> String {
        let mut hash = Sha256::new();
        for word in words {
            hash.update(u64::try_from(word.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(word.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The content of an entry, if it exists and its checksum is right.
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.join(key);
        if std::fs::metadata(&path).ok()?.len() > MOST_BYTES {
            return None;
        }
        let mut bytes = std::fs::read(path).ok()?;
        let content = bytes.split_off(bytes.len().min(CHECKSUM));
        (bytes[..] == Sha256::digest(&content)[..]).then_some(content)
    }

    /// Stores an entry. Other processes see all of it or nothing, because the file is renamed into place.
    pub(super) fn put(&self, key: &str, content: &[u8]) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = write(folder, key, content) {
            tracing::debug!("{}: {error}", folder.display());
        }
    }
}

fn write(folder: &Path, key: &str, content: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&Sha256::digest(content))?;
    file.write_all(content)?;
    file.persist(folder.join(key))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { folder: Some(folder.path().join("deep")) };
        let key = Cache::key(&["text", "sm_90"]);
        assert_eq!((key.len(), cache.get(&key)), (64, None));
        cache.put(&key, b"code");
        assert_eq!(cache.get(&key).as_deref(), Some(&b"code"[..]));
        std::fs::write(folder.path().join("deep").join(&key), b"short").unwrap();
        assert_eq!(cache.get(&key), None);
        assert_ne!(Cache::key(&["a", "bc"]), Cache::key(&["ab", "c"]));
    }
}
