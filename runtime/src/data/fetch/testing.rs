//! A small HTTP server on the loopback, for tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// A server that gives each answer once, in order; it remembers the `Range` of each request.
pub(super) struct Server {
    /// Of the one file it has.
    pub(super) url: String,
    /// To be joined when everything has been asked for.
    pub(super) ranges: JoinHandle<Vec<Option<String>>>,
}

/// Starts a server on the loopback.
pub(super) fn serve(answers: Vec<Vec<u8>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/data.txt", listener.local_addr().unwrap());
    let ranges = std::thread::spawn(move || {
        let mut ranges = vec![];
        for answer in answers {
            let (mut connection, _) = listener.accept().unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let range =
                head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: ").map(str::to_string));
            ranges.push(range);
            connection.write_all(&answer).unwrap();
        }
        ranges
    });
    Server { url, ranges }
}

/// A response; `headers` end in line ends.
pub(super) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n").as_bytes(), body].concat()
}

/// A response with all of a file.
pub(super) fn whole(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}
