//! The order in which kernels run, while passes move them. Comparing, moving and removing kernels does not need a visit
//! to all others: the order is a list of short blocks, so that a change renumbers one block and a comparison reads two
//! numbers.

use std::cmp::Ordering;

/// The most members of a block. A larger one is cut in two (chosen by hand: a network of thousands of layers has a few
/// hundred blocks).
const FULL: usize = 128;

/// Numbered kernels in the order in which they run.
#[derive(Default)]
pub(super) struct Order {
    blocks: Vec<Block>,
    /// For each block its position in the sequence.
    ranks: Vec<usize>,
    /// The blocks from first to last.
    sequence: Vec<usize>,
    /// The position of each member. `None` if it is not in the list.
    places: Vec<Option<Position>>,
    /// For each member: must it still be visited?
    marked: Vec<bool>,
    /// For each member the last member that must run before it, if there is any. It may be out of date.
    waits: Vec<Option<usize>>,
}

#[derive(Clone, Copy)]
struct Position {
    block: usize,
    slot: usize,
}

#[derive(Default)]
struct Block {
    members: Vec<usize>,
    /// Number of marked members.
    marked: usize,
    /// The member that waits for the earliest kernel. `None` after a change, until it is needed again.
    freest: Option<usize>,
}

impl Order {
    /// Adds a member at the end.
    pub(super) fn push(&mut self, member: usize) {
        match self.sequence.last() {
            Some(&block) => self.insert(member, Position { block, slot: self.blocks[block].members.len() }),
            None => {
                self.sequence.push(0);
                self.ranks.push(0);
                self.blocks.push(Block::default());
                self.insert(member, Position { block: 0, slot: 0 });
            }
        }
    }

    /// Adds a new member directly before another.
    pub(super) fn insert_before(&mut self, other: usize, member: usize) {
        if let Some(place) = self.places[other] {
            self.insert(member, place);
        }
    }

    /// Moves a member to the beginning.
    pub(super) fn move_first(&mut self, member: usize) {
        self.take_out(&[member]);
        let block = self.sequence[0];
        self.insert_all(&[member], Position { block, slot: 0 });
    }

    /// Removes a member.
    pub(super) fn remove(&mut self, member: usize) {
        self.unmark(member);
        self.take_out(&[member]);
    }

    /// Moves members, given in order, directly before another.
    pub(super) fn move_before(&mut self, other: usize, members: &[usize]) {
        self.take_out(members);
        if let Some(place) = self.places[other] {
            self.insert_all(members, place);
        }
    }

    /// Moves members, given in order, directly behind another.
    pub(super) fn move_after(&mut self, other: usize, members: &[usize]) {
        self.take_out(members);
        if let Some(Position { block, slot }) = self.places[other] {
            self.insert_all(members, Position { block, slot: slot + 1 });
        }
    }

    /// Is it in the list?
    pub(super) fn contains(&self, member: usize) -> bool {
        self.places.get(member).is_some_and(Option::is_some)
    }

    /// The member directly behind another.
    pub(super) fn next(&self, member: usize) -> Option<usize> {
        let Position { block, slot } = self.places[member]?;
        let after = self.sequence[self.ranks[block] + 1..].iter();
        let rest = self.blocks[block].members.get(slot + 1).copied();
        rest.or_else(|| after.copied().find_map(|block| self.blocks[block].members.first().copied()))
    }

    /// Does the first one run before the second one?
    pub(super) fn is_before(&self, a: usize, b: usize) -> bool {
        self.compare(a, b) == Ordering::Less
    }

    /// Compares two members by the time at which they run. A member that is not in the list counts as the earliest.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        self.position(a).cmp(&self.position(b))
    }

    /// All members from first to last.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.sequence.iter().flat_map(|&block| self.blocks[block].members.iter().copied())
    }

    /// Marks a member, which must be visited.
    pub(super) fn mark(&mut self, member: usize) {
        if let (false, Some(place)) = (self.marked[member], self.places[member]) {
            self.marked[member] = true;
            self.blocks[place.block].marked += 1;
        }
    }

    /// Removes the mark of a member.
    pub(super) fn unmark(&mut self, member: usize) {
        if let (true, Some(place)) = (self.marked[member], self.places[member]) {
            self.marked[member] = false;
            self.blocks[place.block].marked -= 1;
        }
    }

    /// The first marked member of the list.
    pub(super) fn first_marked(&self) -> Option<usize> {
        self.marked_in(0)
    }

    /// The first marked member that does not run before this one.
    pub(super) fn marked_from(&self, member: usize) -> Option<usize> {
        let Position { block, slot } = self.places[member]?;
        let rest = self.blocks[block].members[slot..].iter().copied();
        rest.into_iter().find(|&other| self.marked[other]).or_else(|| self.marked_in(self.ranks[block] + 1))
    }

    fn marked_in(&self, rank: usize) -> Option<usize> {
        let block = self.sequence[rank..].iter().find(|&&block| self.blocks[block].marked > 0)?;
        self.blocks[*block].members.iter().copied().find(|&other| self.marked[other])
    }

    /// Records the last member that must run before this one.
    pub(super) fn set_waits(&mut self, member: usize, last: Option<usize>) {
        self.waits[member] = last;
        if let Some(place) = self.places[member] {
            self.blocks[place.block].freest = None;
        }
    }

    /// Updates the recorded predecessor of a member if it is one of `known`. Those moved, or became part of `becomes`.
    pub(super) fn recheck_waits(&mut self, member: usize, known: &[usize], becomes: usize) {
        if self.waits[member].is_some_and(|last| known.contains(&last)) {
            self.set_waits(member, Some(becomes));
        }
    }

    /// The next member behind `cursor` and before `end` whose recorded predecessor, if any, runs before `start`.
    pub(super) fn next_free(&mut self, cursor: usize, start: usize, end: usize) -> Option<usize> {
        let (Position { block, slot }, last) = (self.places[cursor]?, self.places[end]?);
        let (mut rank, mut slot) = (self.ranks[block], slot + 1);
        while rank <= self.ranks[last.block] {
            let block = self.sequence[rank];
            // A block is searched only if its freest member is free: otherwise none of its members is.
            if self.freest(block).is_some_and(|freest| self.is_free(freest, start)) {
                let members = &self.blocks[block].members;
                let stop = if block == last.block { last.slot } else { members.len() };
                let rest = members.get(slot..stop).unwrap_or_default();
                if let Some(&free) = rest.iter().find(|&&member| self.is_free(member, start)) {
                    return Some(free);
                }
            }
            (rank, slot) = (rank + 1, 0);
        }
        None
    }

    fn is_free(&self, member: usize, start: usize) -> bool {
        self.waits[member].is_none_or(|last| self.is_before(last, start))
    }

    /// The member of a block that waits for the earliest kernel.
    fn freest(&mut self, block: usize) -> Option<usize> {
        if self.blocks[block].freest.is_none() {
            let earliest = |member: &&usize| self.waits[**member].and_then(|last| self.position(last));
            self.blocks[block].freest = self.blocks[block].members.iter().min_by_key(earliest).copied();
        }
        self.blocks[block].freest
    }

    fn position(&self, member: usize) -> Option<(usize, usize)> {
        self.places[member].map(|Position { block, slot }| (self.ranks[block], slot))
    }

    fn insert(&mut self, member: usize, place: Position) {
        if self.places.len() <= member {
            self.places.resize(member + 1, None);
            self.marked.resize(member + 1, false);
            self.waits.resize(member + 1, None);
        }
        self.insert_all(&[member], place);
    }

    fn insert_all(&mut self, members: &[usize], Position { mut block, slot }: Position) {
        self.blocks[block].members.splice(slot..slot, members.iter().copied());
        self.blocks[block].marked += members.iter().filter(|&&member| self.marked[member]).count();
        self.renumber(block, slot);
        while self.blocks[block].members.len() > FULL {
            block = self.split(block);
        }
    }

    /// Removes members, given in order, from their blocks. They keep their marks, since they will be inserted elsewhere.
    fn take_out(&mut self, members: &[usize]) {
        let mut blocks: Vec<usize> = Vec::new();
        for &member in members {
            let Some(Position { block, .. }) = self.places[member].take() else { continue };
            self.blocks[block].marked -= usize::from(self.marked[member]);
            if blocks.last() != Some(&block) {
                blocks.push(block);
            }
        }
        for block in blocks {
            self.blocks[block].members.retain(|&member| self.places[member].is_some());
            self.renumber(block, 0);
        }
    }

    /// Records the positions of the members of a block, from one of them on.
    fn renumber(&mut self, block: usize, from: usize) {
        self.blocks[block].freest = None;
        for (slot, &member) in self.blocks[block].members.iter().enumerate().skip(from) {
            self.places[member] = Some(Position { block, slot });
        }
    }

    /// Moves the members of a full block beyond its first half to a new block behind it. Returns the new block.
    fn split(&mut self, block: usize) -> usize {
        let members = self.blocks[block].members.split_off(FULL / 2);
        let marked = members.iter().filter(|&&member| self.marked[member]).count();
        self.blocks[block].marked -= marked;
        let (rank, new) = (self.ranks[block] + 1, self.blocks.len());
        self.blocks.push(Block { members, marked, freest: None });
        self.ranks.push(rank);
        self.sequence.insert(rank, new);
        self.renumber(block, 0);
        self.renumber(new, 0);
        for (rank, &block) in self.sequence.iter().enumerate().skip(rank) {
            self.ranks[block] = rank;
        }
        new
    }
}
