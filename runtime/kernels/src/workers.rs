//! Threads that share a fixed list of tasks.

use super::flush::Flush;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The calling thread and some others, which share tasks. The cut into tasks depends only on the shape of the work, and the
/// result of a task only on the task. So results are the same bits with any number of threads.
#[derive(Debug)]
pub struct Workers {
    threads: usize,
    /// All threads except the calling one. `None` for a single thread.
    others: Option<ThreadPool>,
}

impl Workers {
    /// The calling thread and `threads - 1` others, or only the calling thread if the system gives no others. 0 counts as 1.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let others = (threads > 1)
            .then(|| {
                // The same mode as on the calling thread: the thread that runs a task must not change its result.
                let ready = |_| Flush::begin().stay();
                let pool = ThreadPoolBuilder::new().num_threads(threads - 1).start_handler(ready);
                pool.thread_name(|n| format!("kernel-{n}")).build()
            })
            .and_then(Result::ok);
        Self { threads: if others.is_some() { threads } else { 1 }, others }
    }

    /// The number of threads, including the calling one.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(task, worker)` once for every task below `tasks`, and returns when all are done. `worker` is below
    /// [`Workers::threads`]. No two tasks run at the same time with the same worker, so it may select a part of the
    /// workspace.
    pub fn run(&self, tasks: usize, work: impl Fn(usize, usize) + Sync) {
        match self.others.as_ref().filter(|_| tasks > 1) {
            Some(others) => share_out(others, tasks, &work),
            None => (0..tasks).for_each(|task| work(task, 0)),
        }
    }
}

/// Each thread takes the next task until none is left. This is not generic: otherwise each of a hundred callers would
/// compile the code of the thread pool again, to save one indirect call for each task.
fn share_out(others: &ThreadPool, tasks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
    let next = AtomicUsize::new(0);
    let share = |worker: usize| {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return;
            }
            work(task, worker);
        }
    };
    others.in_place_scope(|scope| {
        scope.spawn_broadcast(|_, context| share(context.index() + 1));
        share(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnormal_numbers_are_zeros_on_every_thread() {
        let (workers, both) = (Workers::new(2), std::sync::Barrier::new(2));
        let _flush = Flush::begin();
        workers.run(2, |task, _| {
            both.wait(); // so that each thread runs one task
            assert_eq!(std::hint::black_box(1e-39_f32) * std::hint::black_box(1.0), 0.0, "task {task}");
        });
    }

    #[test]
    fn every_task_is_done_once_by_a_worker_of_its_own() {
        for threads in [0, 1, 2, 3, 5] {
            let workers = Workers::new(threads);
            let (done, busy) =
                (Vec::from_iter((0..100).map(|_| AtomicUsize::new(0))), [const { AtomicUsize::new(0) }; 5]);
            workers.run(done.len(), |task, worker| {
                assert!(worker < workers.threads());
                assert_eq!(busy[worker].fetch_add(1, Ordering::SeqCst), 0, "worker {worker} does two tasks at once");
                done[task].fetch_add(1, Ordering::SeqCst);
                busy[worker].fetch_sub(1, Ordering::SeqCst);
            });
            assert!(done.iter().all(|count| count.load(Ordering::SeqCst) == 1), "{threads} threads: {done:?}");
        }
    }
}
