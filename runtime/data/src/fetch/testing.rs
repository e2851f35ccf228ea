//! A small HTTP server on the loopback interface, for tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// A server that gives each of its answers once, in order. It records the `Range` header of each request.
pub(super) struct Server {
    /// The address of its only file.
    pub(super) url: String,
    /// The recorded headers, to be joined after the last request.
    pub(super) ranges: JoinHandle<Vec<Option<String>>>,
}

/// Starts a server on the loopback interface.
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

/// A response. Each header ends in a line end.
pub(super) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n").as_bytes(), body].concat()
}

/// A response with a whole file.
pub(super) fn whole(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}
