//! Downloads from a server on the loopback interface, which answers correctly and incorrectly.

use super::*;
use crate::fetch::testing::{Server, answer, serve, whole};
use std::net::TcpListener;

const TEXT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn rest(from: usize) -> Vec<u8> {
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", TEXT.len() - 1, TEXT.len());
    let headers = format!("Content-Length: {}\r\n{range}", TEXT.len() - from);
    answer("206 Partial Content", &headers, &TEXT[from..])
}

fn sha256(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    digits(hash)
}

struct Case {
    folder: tempfile::TempDir,
    server: Server,
    max_bytes: u64,
    declared: Option<String>,
}

impl Case {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Case { folder, server: serve(answers), max_bytes: 1000, declared: Some(sha256(TEXT)) }
    }

    /// The part of an earlier download.
    fn with_part(self, bytes: &[u8]) -> Self {
        std::fs::create_dir(self.folder.path().join("set")).unwrap();
        std::fs::write(self.part(), bytes).unwrap();
        self
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("set/data.txt")
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("set/data.txt.part")
    }

    fn download(&self) -> Result<(String, u64), DataError> {
        let target = self.target();
        let request = Request {
            url: &self.server.url,
            sha256: self.declared.as_deref(),
            target: &target,
            max_bytes: self.max_bytes,
        };
        download(&agent(false), &request, &mut |progress| assert!(progress.total.is_none_or(|t| progress.bytes <= t)))
    }

    /// Checks that the file is complete and the `.part` is gone; returns the requested ranges.
    fn succeeds(self) -> Vec<Option<String>> {
        assert_eq!(self.download(), Ok((sha256(TEXT), TEXT.len() as u64)));
        assert_eq!(std::fs::read(self.target()).unwrap(), TEXT);
        assert!(!self.part().exists());
        self.server.ranges.join().unwrap()
    }

    fn fails(&self) -> DataError {
        let error = self.download().unwrap_err();
        assert!(!self.target().exists());
        error
    }
}

#[test]
fn a_file_is_fetched_and_checked() {
    assert_eq!(Case::new(vec![whole(TEXT)]).succeeds(), [None]);
}

#[test]
fn a_server_that_does_not_say_how_much_comes_will_do() {
    assert_eq!(Case::new(vec![answer("200 OK", "", TEXT)]).succeeds(), [None]);
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let cut = answer("200 OK", &format!("Content-Length: {}\r\n", TEXT.len()), &TEXT[..10]);
    let case = Case::new(vec![cut, rest(10)]);
    let error = case.fails();
    assert_eq!(error.exit_code(), 6);
    assert!(error.reason.starts_with("the connection ended after 10 of 36 bytes"), "{error}");
    assert_eq!(std::fs::read(case.part()).unwrap(), &TEXT[..10]);
    assert_eq!(case.succeeds(), [None, Some("bytes=10-".to_string())]);
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    assert_eq!(Case::new(vec![whole(TEXT)]).with_part(&TEXT[..7]).succeeds(), [Some("bytes=7-".to_string())]);
}

#[test]
fn the_rest_of_another_version_is_thrown_away() {
    let asked = Case::new(vec![rest(4), whole(TEXT)]).with_part(b"????").succeeds();
    assert_eq!(asked, [Some("bytes=4-".to_string()), None]);
}

#[test]
fn a_part_that_is_already_whole_needs_nothing_more() {
    let refused = || answer("416 Range Not Satisfiable", "Content-Length: 0\r\n", b"");
    assert_eq!(Case::new(vec![refused()]).with_part(TEXT).succeeds(), [Some("bytes=36-".to_string())]);
    let asked = Case::new(vec![refused(), whole(TEXT)]).with_part(&[b'x'; 50]).succeeds();
    assert_eq!(asked, [Some("bytes=50-".to_string()), None]);
}

#[test]
fn a_wrong_checksum_is_told_with_both() {
    let case = Case::new(vec![whole(b"something else")]);
    let error = case.fails();
    assert_eq!((error.code, error.exit_code()), ("E0762", 3));
    let (declared, found) = (sha256(TEXT), sha256(b"something else"));
    assert_eq!(error.reason, format!("the checksum is wrong: declared sha256 {declared}, fetched {found}"));
    assert!(!case.part().exists());
}

#[test]
fn without_a_declared_checksum_it_is_told_what_came() {
    let case = Case { declared: None, ..Case::new(vec![whole(TEXT)]) };
    assert_eq!(case.download().unwrap(), (sha256(TEXT), 36));
}

#[test]
fn a_missing_page_is_no_data() {
    let case = Case::new(vec![answer("404 Not Found", "Content-Length: 5\r\n", b"sorry")]);
    let error = case.fails();
    assert_eq!((error.exit_code(), error.reason.as_str()), (6, "the server answered 404 Not Found"));
    assert_eq!(std::fs::read(case.part()).unwrap(), b"");
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    for headers in ["Content-Length: 36\r\n", ""] {
        let case = Case { max_bytes: 20, ..Case::new(vec![answer("200 OK", headers, TEXT)]) };
        assert_eq!(case.fails().reason, "the file is larger than 20 bytes");
    }
}

#[test]
fn no_server_and_no_address_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x");
    for (url, code) in [(url.as_str(), "E0761"), ("file:///etc/passwd", "E0760")] {
        let request = Request { url, sha256: None, target: &target, max_bytes: 10 };
        assert_eq!(download(&agent(false), &request, &mut |_| {}).unwrap_err().code, code);
    }
}

#[test]
fn two_downloads_do_not_write_into_one_file() {
    let case = Case::new(vec![]).with_part(b"");
    let held = Part::open(&case.target()).unwrap();
    assert_eq!(case.fails().reason, "another gmpc is downloading this file");
    drop(held);
}

#[test]
fn a_folder_that_cannot_be_made_is_a_fault_of_the_disk() {
    let case = Case::new(vec![]);
    std::fs::write(case.folder.path().join("set"), "a file where the folder should be").unwrap();
    let error = case.fails();
    assert_eq!((error.code, error.exit_code()), ("E0751", 6));
}
