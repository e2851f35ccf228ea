//! Records which addresses of the arena are taken at which time. The records form a tree over time, so that a buffer can
//! be placed without comparing it with all other buffers.

use std::collections::BTreeMap;

/// Address ranges that are taken over ranges of time.
pub(super) struct Occupied {
    /// Number of points of time, a power of two.
    times: usize,
    /// A binary tree over time. Node 1 stands for all of the time, and nodes 2 n and 2 n + 1 for the halves of node n.
    nodes: Vec<Node>,
}

/// The addresses that are taken during the time of a node.
#[derive(Clone, Default)]
struct Node {
    /// Ranges that are taken during all of the node's time. Ranges that a node above or below records here are not repeated.
    whole: Ranges,
    /// Ranges that are taken at some time of the node, except those that a node above records in `whole`.
    some: Ranges,
}

/// Part of the tree: a node and its first and last point of time.
#[derive(Clone, Copy)]
struct Part {
    node: usize,
    first: usize,
    last: usize,
}

impl Part {
    fn halves(self) -> [Part; 2] {
        let middle = self.first.midpoint(self.last);
        let (left, right) = (2 * self.node, 2 * self.node + 1);
        [Part { node: left, last: middle, ..self }, Part { node: right, first: middle + 1, ..self }]
    }

    fn interferes(self, (first, last): (usize, usize)) -> bool {
        self.first <= last && first <= self.last
    }

    fn lies_in(self, (first, last): (usize, usize)) -> bool {
        first <= self.first && self.last <= last
    }
}

impl Occupied {
    /// Nothing is taken, from time 0 to before `times`.
    pub(super) fn new(times: usize) -> Self {
        let times = times.max(1).next_power_of_two();
        Occupied { times, nodes: vec![Node::default(); 2 * times] }
    }

    fn all(&self) -> Part {
        Part { node: 1, first: 0, last: self.times - 1 }
    }

    /// Takes the lowest `size` bytes that are free from the first to the last point of `live`. Returns their address.
    pub(super) fn place(&mut self, live: (usize, usize), size: usize) -> usize {
        if size == 0 {
            return 0;
        }
        let mut taken = Vec::new();
        self.collect(self.all(), live, &mut taken);
        let (mut at, mut looked) = (0, None);
        // Each set may move the address beyond a range of another set that was already checked. The search ends when a
        // whole round over all sets moves it no more.
        while looked != Some(at) {
            looked = Some(at);
            for ranges in &taken {
                while let Some(end) = ranges.blocks(at, size) {
                    at = end;
                }
            }
        }
        self.take(self.all(), live, (at, at + size));
        at
    }

    /// The ranges that are taken at some time of `live`.
    fn collect<'a>(&'a self, part: Part, live: (usize, usize), taken: &mut Vec<&'a Ranges>) {
        let Node { whole, some } = &self.nodes[part.node];
        if part.lies_in(live) {
            taken.push(some);
            return;
        }
        taken.push(whole);
        for half in part.halves().into_iter().filter(|half| half.interferes(live)) {
            self.collect(half, live, taken);
        }
    }

    fn take(&mut self, part: Part, live: (usize, usize), range: (usize, usize)) {
        self.nodes[part.node].some.add(range);
        if part.lies_in(live) {
            self.nodes[part.node].whole.add(range);
            return;
        }
        for half in part.halves().into_iter().filter(|half| half.interferes(live)) {
            self.take(half, live, range);
        }
    }
}

/// A set of addresses, as a map from the start of each range to its end. Ranges neither overlap nor touch.
#[derive(Clone, Default)]
struct Ranges(BTreeMap<usize, usize>);

impl Ranges {
    fn add(&mut self, (mut start, mut end): (usize, usize)) {
        // Ranges that overlap or touch the new one become part of it.
        while let Some((&from, &to)) = self.0.range(..=end).next_back().filter(|(_, to)| **to >= start) {
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        self.0.insert(start, end);
    }

    /// The end of the last range that overlaps `size` bytes at this address.
    fn blocks(&self, at: usize, size: usize) -> Option<usize> {
        self.0.range(..at + size).next_back().map(|(_, end)| *end).filter(|end| *end > at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The live range of a buffer, and its addresses.
    type Placed = ((usize, usize), (usize, usize));

    /// The lowest address with `size` free bytes, found by a comparison with every placed buffer.
    fn obvious(placed: &[Placed], live: (usize, usize), size: usize) -> usize {
        let interferes = |other: (usize, usize)| live.0 <= other.1 && other.0 <= live.1;
        let taken: Vec<(usize, usize)> =
            placed.iter().filter(|(l, _)| interferes(*l)).map(|(_, range)| *range).collect();
        let free = |at: usize| taken.iter().all(|&(start, end)| at + size <= start || end <= at);
        let ends = taken.iter().map(|(_, end)| *end).chain([0]);
        ends.filter(|&at| free(at)).min().expect("behind the last one all is free")
    }

    #[test]
    fn every_buffer_gets_the_lowest_room_there_is() {
        let mut state = 1_u64;
        let mut draw = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % limit
        };
        for times in [1, 2, 7, 40] {
            let (mut occupied, mut placed) = (Occupied::new(times), Vec::new());
            for _ in 0..300 {
                let (a, b) = (draw(times), draw(times));
                let (live, size) = ((a.min(b), a.max(b)), draw(5) + 1);
                let at = occupied.place(live, size);
                assert_eq!(at, obvious(&placed, live, size));
                placed.push((live, (at, at + size)));
            }
        }
    }
}
