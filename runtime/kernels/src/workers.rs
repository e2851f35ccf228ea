//! Threads that share out a fixed list of jobs.

use super::flush::Flush;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The calling thread and some others, which do jobs together. How work is cut into jobs depends on its shape alone, and
/// a job's result on nothing but the job, so that results are the same bits with any number of threads.
#[derive(Debug)]
pub struct Workers {
    threads: usize,
    /// All but the calling thread; none for a single thread.
    others: Option<ThreadPool>,
}

impl Workers {
    /// The calling thread and `threads - 1` others; alone where the system gives no threads. 0 counts as 1.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let others = (threads > 1)
            .then(|| {
                // As on the calling thread while a program runs: which thread does a job must not change its result.
                let ready = |_| Flush::begin().stay();
                let pool = ThreadPoolBuilder::new().num_threads(threads - 1).start_handler(ready);
                pool.thread_name(|n| format!("kernel-{n}")).build()
            })
            .and_then(Result::ok);
        Self { threads: if others.is_some() { threads } else { 1 }, others }
    }

    /// How many threads work, this one included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(job, worker)` once for every job below `jobs`, and returns when all are done. `worker` is below
    /// [`Workers::threads`]; no two jobs run at the same time as the same worker, so it may name working memory.
    pub fn run(&self, jobs: usize, work: impl Fn(usize, usize) + Sync) {
        let Some(others) = self.others.as_ref().filter(|_| jobs > 1) else {
            (0..jobs).for_each(|job| work(job, 0));
            return;
        };
        let next = AtomicUsize::new(0);
        let share = |worker: usize| {
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    return;
                }
                work(job, worker);
            }
        };
        others.in_place_scope(|scope| {
            scope.spawn_broadcast(|_, context| share(context.index() + 1));
            share(0);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnormal_numbers_are_zeros_on_every_thread() {
        let (workers, both) = (Workers::new(2), std::sync::Barrier::new(2));
        let _flush = Flush::begin();
        workers.run(2, |job, _| {
            both.wait(); // one job on each thread
            assert_eq!(std::hint::black_box(1e-39_f32) * std::hint::black_box(1.0), 0.0, "job {job}");
        });
    }

    #[test]
    fn every_job_is_done_once_by_a_worker_of_its_own() {
        for threads in [0, 1, 2, 3, 5] {
            let workers = Workers::new(threads);
            let (done, busy) =
                (Vec::from_iter((0..100).map(|_| AtomicUsize::new(0))), [const { AtomicUsize::new(0) }; 5]);
            workers.run(done.len(), |job, worker| {
                assert!(worker < workers.threads());
                assert_eq!(busy[worker].fetch_add(1, Ordering::SeqCst), 0, "worker {worker} does two jobs at once");
                done[job].fetch_add(1, Ordering::SeqCst);
                busy[worker].fetch_sub(1, Ordering::SeqCst);
            });
            assert!(done.iter().all(|count| count.load(Ordering::SeqCst) == 1), "{threads} threads: {done:?}");
        }
    }
}
