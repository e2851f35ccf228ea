//! Jobs that wait for a thread: first those that nobody has looked at, then those that another process was at.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long to leave another process alone with a run before it is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// Indices of jobs.
pub(super) struct Waiting {
    jobs: Mutex<VecDeque<(usize, Option<Instant>)>>,
}

impl Waiting {
    /// These jobs, in their order.
    pub(super) fn of(jobs: &[usize]) -> Self {
        Waiting { jobs: Mutex::new(jobs.iter().map(|job| (*job, None)).collect()) }
    }

    /// The next job; waits where all that is left was just looked at. `None` where nothing is left.
    pub(super) fn next(&self) -> Option<usize> {
        let (job, since) = self.lock().pop_front()?;
        if let Some(rest) = since.and_then(|since| PAUSE.checked_sub(since.elapsed())) {
            std::thread::sleep(rest);
        }
        Some(job)
    }

    /// Another process is at this job.
    pub(super) fn again(&self, job: usize) {
        self.lock().push_back((job, Some(Instant::now())));
    }

    /// Nothing more begins.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(usize, Option<Instant>)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
