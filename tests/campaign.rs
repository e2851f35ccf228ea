//! Campaigns: a run is killed, its disk fails at every call, every file that is read is damaged; nothing may be lost, wrong or
//! without a word.
//!
//! A short form runs with the other tests. `GMPC_CAMPAIGN=N cargo test --workspace --profile checked --test main campaign --
//! --nocapture` is the long one: every call instead of some, N random rounds, N damaged files of each kind. It prints its figures,
//! which stand with their date in docs/results.md.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod disk;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod readers;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod shim;

/// How long the long form is; `None` for the short one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn long() -> Option<u64> {
    std::env::var("GMPC_CAMPAIGN").ok().and_then(|text| text.parse().ok())
}

/// Numbers that look random and are the same in every run (splitmix64).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
struct Dice(u64);

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }
}
