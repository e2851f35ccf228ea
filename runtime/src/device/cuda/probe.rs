//! Whether NVIDIA's libraries are there: asked before anything of them is called, for a call into a missing one panics.

use super::super::DeviceError;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// A folder with NVIDIA's libraries, or several separated by colons, beside those the system knows.
pub(super) const FOLDERS: &str = "GMPC_CUDA_LIB_DIR";

/// What the names of libraries begin with, in the order in which they need each other. The first has its full version in its
/// name, and the compiler asks for its own.
const LIBRARIES: [&str; 5] =
    ["libnvrtc-builtins.so.13.", "libnvrtc.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9"];

/// What a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The compiler alone: no GPU.
    Compiler,
    /// A GPU, with matrix products.
    Device,
    /// Convolutions too.
    Convolutions,
}

/// Nothing is missing.
///
/// # Errors
/// The first library that is missing, and what brings it.
pub(super) fn probe(needs: Needs) -> Result<(), DeviceError> {
    preload();
    let known: [(bool, Needs, &str, &str); 4] = [
        // SAFETY: each of these opens a library of NVIDIA's by name, and says whether that worked.
        (unsafe { cudarc::nvrtc::sys::is_culib_present() }, Needs::Compiler, "libnvrtc.so.13", "CUDA 13"),
        // SAFETY: as above.
        (unsafe { cudarc::driver::sys::is_culib_present() }, Needs::Device, "libcuda.so.1", "NVIDIA's driver"),
        // SAFETY: as above.
        (unsafe { cudarc::cublaslt::sys::is_culib_present() }, Needs::Device, "libcublasLt.so.13", "CUDA 13"),
        // SAFETY: as above.
        (unsafe { cudarc::cudnn::sys::is_culib_present() }, Needs::Convolutions, "libcudnn.so.9", "cuDNN 9"),
    ];
    match known.iter().find(|(there, need, ..)| !there && *need as u8 <= needs as u8) {
        None => Ok(()),
        Some((_, _, library, from)) => Err(DeviceError {
            message: format!("there is no `{library}`"),
            help: Some(format!("install {from}, or set `{FOLDERS}` to the folder that holds it")),
        }),
    }
}

/// Loads what the folders hold, so that a later search by name finds it.
fn preload() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folders = std::env::var_os(FOLDERS).unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
        for library in LIBRARIES {
            folders.iter().filter_map(|folder| named(folder, library)).any(|path| load(&path));
        }
    });
}

/// The library of this name, or one whose name goes on where this ends with a dot.
fn named(folder: &Path, library: &str) -> Option<PathBuf> {
    let begins = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(library));
    match library.ends_with('.') {
        true => std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).filter(begins).max(),
        false => Some(folder.join(library)),
    }
}

fn load(path: &Path) -> bool {
    if !path.exists() {
        return false;
    }
    // SAFETY: the user named the folder as that of NVIDIA's libraries, which do no more than set themselves up when
    // loaded; this one stays loaded for the life of the process.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            true
        }
        Err(error) => {
            tracing::warn!("{}: {error}", path.display());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_whatever_its_minor_version() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(named(folder.path(), "libnvrtc-builtins.so.13."), None);
        for name in ["libnvrtc-builtins.so.13.0", "libnvrtc-builtins.so.13.2", "libnvrtc.so.13"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = named(folder.path(), "libnvrtc-builtins.so.13.").unwrap();
        assert!(found.ends_with("libnvrtc-builtins.so.13.2"));
    }

    #[test]
    fn what_is_missing_is_named_with_what_brings_it() {
        for needs in [Needs::Compiler, Needs::Device, Needs::Convolutions] {
            if let Err(error) = probe(needs) {
                assert!(error.message.starts_with("there is no `lib"), "{error}");
                assert!(error.help.is_some_and(|help| help.contains(FOLDERS)));
            }
        }
    }
}
