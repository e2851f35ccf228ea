//! Downloads one file over HTTP. It continues an interrupted download and verifies the file before it gets its name.

use super::Progress;
use super::checksum::{absorb, digits};
use crate::{DataError, Fault};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode};

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// The address, `http://` or `https://`.
    pub(super) url: &'a str,
    /// The declared checksum, if there is one.
    pub(super) sha256: Option<&'a str>,
    /// The path of the file. `.part` is appended while the file is incomplete.
    pub(super) target: &'a Path,
    /// Largest size in bytes.
    pub(super) max_bytes: u64,
}

/// The HTTP client. `proxy` says whether `HTTPS_PROXY` and similar variables are used.
pub(super) fn agent(proxy: bool) -> ureq::Agent {
    let builder = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .user_agent(concat!("gmpc/", env!("CARGO_PKG_VERSION")));
    if proxy { builder.build() } else { builder.proxy(None).build() }.into()
}

/// Downloads a file, and returns its checksum and size.
pub(super) fn download(
    agent: &ureq::Agent,
    request: &Request<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(String, u64), DataError> {
    if !request.url.starts_with("https://") && !request.url.starts_with("http://") {
        let error = DataError::data("E0760", request.url, "this is not an address that can be downloaded");
        return Err(error.help("an address begins with `https://` or `http://`"));
    }
    let mut part = Part::open(request.target)?;
    let resumed = part.bytes > 0;
    transfer(agent, request, &mut part, progress)?;
    if part.is_wrong(request) && resumed {
        // The first part may be from another version of the file, so the whole file is downloaded once more.
        part.restart()?;
        transfer(agent, request, &mut part, progress)?;
    }
    if let (true, Some(declared)) = (part.is_wrong(request), request.sha256) {
        let found = part.discard();
        let reason = format!("the checksum is wrong: declared sha256 {declared}, fetched {found}");
        return Err(
            DataError::data("E0762", request.url, reason).help("is the address right? the file there may have changed")
        );
    }
    part.finish(request.target)
}

/// Requests the missing part and appends it.
fn transfer(
    agent: &ureq::Agent,
    request: &Request<'_>,
    part: &mut Part,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    let mut call = agent.get(request.url);
    if part.bytes > 0 {
        call = call.header("Range", format!("bytes={}-", part.bytes));
    }
    let mut response = call.call().map_err(|e| network(request.url, &e.to_string()))?;
    let status = response.status();
    match status {
        StatusCode::PARTIAL_CONTENT if continues(response.headers(), part.bytes) => {}
        StatusCode::OK => part.restart()?, // the server ignores ranges and sends the whole file
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if part.bytes > 0 => {
            // The server has nothing after our last byte. Either the file is complete, which the checksum shows, or the
            // part belongs to another file.
            if request.sha256.is_some() && !part.is_wrong(request) {
                return Ok(());
            }
            part.restart()?;
            return transfer(agent, request, part, progress);
        }
        _ => return Err(network(request.url, &format!("the server answered {status}"))),
    }
    let total = length(response.headers()).map(|rest| part.bytes.saturating_add(rest));
    if total.is_some_and(|total| total > request.max_bytes) {
        return Err(too_large(request));
    }
    let mut body = response.body_mut().as_reader();
    let ended = copy(&mut body, request, part, total, progress)?;
    match total {
        Some(total) if part.bytes < total => {
            let ended = ended.map_or_else(String::new, |e| format!(" ({e})"));
            let reason = format!("the connection ended after {} of {total} bytes{ended}", part.bytes);
            Err(network(request.url, &reason).help("run the command again: it continues there"))
        }
        _ => ended.map_or(Ok(()), |e| Err(network(request.url, &e.to_string()))),
    }
}

/// Copies until the body ends. Returns the error if the network failed.
fn copy(
    body: &mut impl Read,
    request: &Request<'_>,
    part: &mut Part,
    total: Option<u64>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<std::io::Error>, DataError> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Ok(Some(e)),
        };
        if part.bytes + read as u64 > request.max_bytes {
            return Err(too_large(request));
        }
        part.append(&buffer[..read])?;
        progress(Progress { bytes: part.bytes, total });
    }
}

/// True for a range such as `Content-Range: bytes 100-199/200` that begins at `from`.
fn continues(headers: &HeaderMap, from: u64) -> bool {
    let range = headers.get("content-range").and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start == Some(from)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

fn network(url: &str, reason: &str) -> DataError {
    let error = DataError::data("E0761", url, reason).help("is the address right, and is there a network connection?");
    DataError { fault: Fault::InputOutput, ..error }
}

fn too_large(request: &Request<'_>) -> DataError {
    let reason = format!("the file is larger than {} bytes", request.max_bytes);
    DataError::data("E0761", request.url, reason).help("is this the right address?")
}

/// The incomplete file. It is locked, so that two downloads cannot write to it.
struct Part {
    file: File,
    path: PathBuf,
    bytes: u64,
    hash: Sha256,
}

impl Part {
    /// Opens the part of an earlier download, or creates an empty one.
    fn open(target: &Path) -> Result<Self, DataError> {
        let mut name = target.as_os_str().to_os_string();
        name.push(".part");
        let path = PathBuf::from(name);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|e| DataError::io(folder, "make this folder", &e))?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(|e| DataError::io(&path, "write it", &e))?;
        if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
            let error = DataError::data("E0761", path.display().to_string(), "another gmpc is downloading this file");
            return Err(DataError { fault: Fault::InputOutput, ..error }.help("wait for it to end"));
        }
        let mut hash = Sha256::new();
        let bytes = absorb(&mut file, &mut hash).map_err(|e| DataError::io(&path, "read it", &e))?;
        Ok(Part { file, path, bytes, hash })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.file.write_all(bytes).map_err(|e| DataError::io(&self.path, "write it", &e))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), DataError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|e| DataError::io(&self.path, "write it", &e))?;
        (self.bytes, self.hash) = (0, Sha256::new());
        Ok(())
    }

    /// True if a checksum is declared and the part has another one.
    fn is_wrong(&self, request: &Request<'_>) -> bool {
        request.sha256.is_some_and(|declared| !declared.eq_ignore_ascii_case(&digits(self.hash.clone())))
    }

    /// Removes the part, and returns its checksum.
    fn discard(self) -> String {
        let _ = std::fs::remove_file(&self.path); // if it cannot be removed, the next download replaces it
        digits(self.hash)
    }

    /// Waits until the file is on the disk, and then renames it.
    fn finish(self, target: &Path) -> Result<(String, u64), DataError> {
        self.file.sync_all().map_err(|e| DataError::io(&self.path, "write it", &e))?;
        std::fs::rename(&self.path, target).map_err(|e| DataError::io(target, "put it in its place", &e))?;
        if let Some(folder) = target.parent() {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|e| DataError::io(folder, "write this folder", &e))?;
        }
        Ok((digits(self.hash), self.bytes))
    }
}

#[cfg(test)]
mod tests;
