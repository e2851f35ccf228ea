//! Prepares images in worker threads before they are used, and returns them in order.
//!
//! The images of an epoch are divided into pieces, numbered in the order of use. A worker takes the next number that is
//! not too far ahead and prepares its images; the consumer takes the pieces in order. It makes no difference which
//! worker prepares a piece, because every image is a function of its row and of the epoch's key.

use super::render::{Room, Source};
use crate::DataError;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Approximate size of a piece, and largest size of all prepared pieces, in bytes.
const PIECE_BYTES: usize = 1 << 19;
const WAITING_BYTES: usize = 32 << 20;
/// Largest number of images in a piece.
const MOST_IN_PIECE: usize = 64;

/// Images that are prepared in advance.
#[derive(Debug)]
pub(super) struct Feed {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Position in the order of the next image to return.
    at: usize,
    /// The present piece and its number.
    piece: Option<(usize, Piece)>,
}

#[derive(Debug)]
struct Shared {
    source: Arc<Source>,
    /// Rows in the order of use.
    order: Vec<u32>,
    key: Option<(u64, u64)>,
    in_piece: usize,
    /// Largest number of pieces that may be ahead of the present one.
    window: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The next piece that no worker has taken.
    next: usize,
    /// The piece that is used next.
    wanted: usize,
    made: BTreeMap<usize, Result<Piece, DataError>>,
    closed: bool,
}

#[derive(Debug)]
struct Piece {
    pixels: Vec<u8>,
    lights: Vec<[f32; 3]>,
}

impl Feed {
    /// Begins with the image at position `from` of an order.
    pub(super) fn new(
        source: &Arc<Source>,
        order: Vec<u32>,
        key: Option<(u64, u64)>,
        from: usize,
        workers: usize,
    ) -> Self {
        let in_piece = (PIECE_BYTES / source.bytes().max(1)).clamp(1, MOST_IN_PIECE);
        let window = (WAITING_BYTES / (in_piece * source.bytes()).max(1)).clamp(workers + 1, 64.max(workers + 1));
        let first = from / in_piece;
        let state = Mutex::new(State { next: first, wanted: first, ..State::default() });
        let source = Arc::clone(source);
        let shared = Arc::new(Shared { source, order, key, in_piece, window, state, changed: Condvar::new() });
        let threads = (0..workers.max(1)).filter_map(|number| {
            let shared = Arc::clone(&shared);
            let named = std::thread::Builder::new().name(format!("images {number}"));
            named.spawn(move || shared.work()).ok() // without any thread, images are prepared when they are used
        });
        Feed { threads: threads.collect(), shared, at: from, piece: None }
    }

    /// True if these rows, prepared with this key, come next in the order.
    pub(super) fn is_next(&self, rows: impl ExactSizeIterator<Item = u32>, key: Option<(u64, u64)>) -> bool {
        let rest = self.shared.order.get(self.at..).unwrap_or_default();
        let Some(next) = rest.get(..rows.len()) else { return false };
        !self.threads.is_empty() && self.shared.key == key && rows.eq(next.iter().copied())
    }

    /// Calls `each` with the next `count` images in order.
    ///
    /// # Errors
    /// The error of the first image that could not be prepared.
    pub(super) fn take(&mut self, count: usize, mut each: impl FnMut(usize, &[u8], [f32; 3])) -> Result<(), DataError> {
        let (bytes, in_piece) = (self.shared.source.bytes(), self.shared.in_piece);
        for place in 0..count {
            let (number, inner) = (self.at / in_piece, self.at % in_piece);
            if self.piece.as_ref().is_none_or(|(held, _)| *held != number) {
                self.piece = Some((number, self.shared.wait_for(number)?));
            }
            if let Some((_, piece)) = &self.piece {
                each(place, &piece.pixels[inner * bytes..][..bytes], piece.lights[inner]);
            }
            self.at += 1;
        }
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a worker that panicked has stored an error before
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pieces(&self) -> usize {
        self.order.len().div_ceil(self.in_piece)
    }

    /// The loop of a worker. It ends when all pieces are taken or the feed is closed.
    fn work(&self) {
        let mut room = Room::default();
        while let Some(number) = self.claim() {
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.make(number, &mut room)));
            let made = made.unwrap_or_else(|_| {
                Err(DataError::data("E0764", "the images", "one of them cannot be prepared: a bug in gmpc"))
            });
            self.lock().made.insert(number, made);
            self.changed.notify_all();
        }
    }

    /// Takes the next piece, and waits while it is too far ahead.
    fn claim(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.closed || state.next >= self.pieces() {
                return None;
            }
            if state.next < state.wanted + self.window {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn make(&self, number: usize, room: &mut Room) -> Result<Piece, DataError> {
        let rest = self.order.get(number * self.in_piece..).unwrap_or_default();
        let rows = &rest[..rest.len().min(self.in_piece)];
        let bytes = self.source.bytes();
        let mut piece = Piece { pixels: vec![0; rows.len() * bytes], lights: Vec::with_capacity(rows.len()) };
        for (&row, to) in rows.iter().zip(piece.pixels.chunks_exact_mut(bytes.max(1))) {
            piece.lights.push(self.source.render(row, self.key, room, to)?);
        }
        Ok(piece)
    }

    /// Waits for a piece on the consumer's side.
    fn wait_for(&self, number: usize) -> Result<Piece, DataError> {
        let mut state = self.lock();
        state.wanted = number;
        self.changed.notify_all();
        loop {
            if let Some(made) = state.made.remove(&number) {
                return made;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
