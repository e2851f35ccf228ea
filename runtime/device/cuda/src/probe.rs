//! Checks that NVIDIA's libraries are installed. This comes before any call, because a call into a missing library panics.

use gmpc_device::DeviceError;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The environment variable for folders with NVIDIA's libraries, separated by colons. They are searched in addition to
/// those that the system knows.
pub(super) const FOLDERS: &str = "GMPC_CUDA_LIB_DIR";

/// The beginnings of the libraries' names, each after those that it needs. The first library has its full version in its
/// name; the compiler loads the one of its own version.
const LIBRARIES: [&str; 5] =
    ["libnvrtc-builtins.so.13.", "libnvrtc.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9"];

/// The libraries that a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The compiler only, without a GPU.
    Compiler,
    /// The compiler, the driver and matmuls.
    Device,
    /// All of these and convolutions.
    Convolutions,
}

/// Checks that no library is missing.
///
/// # Errors
/// A library is missing. The error names the first one, and the package that contains it.
pub(super) fn probe(needs: Needs) -> Result<(), DeviceError> {
    preload();
    let known: [(bool, Needs, &str, &str); 4] = [
        // SAFETY: each of these four calls opens a library of NVIDIA by name, which runs only its own initialization.
        (unsafe { cudarc::nvrtc::sys::is_culib_present() }, Needs::Compiler, "libnvrtc.so.13", "CUDA 13"),
        // SAFETY: as for the compiler.
        (unsafe { cudarc::driver::sys::is_culib_present() }, Needs::Device, "libcuda.so.1", "NVIDIA's driver"),
        // SAFETY: as for the compiler.
        (unsafe { cudarc::cublaslt::sys::is_culib_present() }, Needs::Device, "libcublasLt.so.13", "CUDA 13"),
        // SAFETY: as for the compiler.
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

/// Loads the libraries in the user's folders. A later search by name then finds the loaded ones.
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

/// The path of a library in a folder. If the name ends with a dot, the file with the largest name that begins with it.
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
    // SAFETY: the user declares that the folder holds NVIDIA's libraries. When loaded, these run only their own
    // initialization. The library is never unloaded (`forget` below).
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
