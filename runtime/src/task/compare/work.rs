//! Runs jobs on threads, each job on one of them, and tells how far they are.

use super::Step;
use super::job::{Came, Job, Ran, Rung, run};
use super::waiting::Waiting;
use crate::failure::{Failure, Message};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What all runs of a comparison have in common.
pub(super) struct Work<'a> {
    /// All of them.
    pub(super) jobs: &'a [Job],
    /// The folder for finished runs.
    pub(super) keep: Option<&'a Path>,
    /// At least 1.
    pub(super) threads: usize,
    /// Ends everything early.
    pub(super) stop: &'a AtomicBool,
}

/// Who is told of each run, with what there was before it.
pub(super) struct Tally<'a> {
    pub(super) told: &'a mut dyn FnMut(&Step),
    pub(super) total: usize,
    done: usize,
    found: usize,
    failed: usize,
}

/// A job's index, with what came of it.
type Report = (usize, Result<Ran, Failure>);

impl<'a> Tally<'a> {
    /// Of `total` runs none has been looked at.
    pub(super) fn new(total: usize, told: &'a mut dyn FnMut(&Step)) -> Self {
        Tally { told, total, done: 0, found: 0, failed: 0 }
    }

    fn tell(&mut self, job: &Job, ran: &Ran, running: usize) {
        self.done += 1;
        self.found += usize::from(ran.kept);
        self.failed += usize::from(ran.outcome.figures.is_err());
        (self.told)(&Step {
            done: self.done,
            total: self.total,
            found: self.found,
            failed: self.failed,
            running,
            param: job.param.clone(),
            over: job.over.clone(),
            outcome: ran.outcome.clone(),
            kept: ran.kept,
        });
    }
}

impl Work<'_> {
    /// Takes some of the jobs as far as a rung; what they gave is in the order of all jobs, `None` where `stop` came first.
    ///
    /// # Errors
    /// An outcome could not be kept; no thread could be started. What runs is ended first, nothing else begins.
    pub(super) fn run(
        &self,
        mine: &[usize],
        rung: Rung<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<Vec<Option<Ran>>, Failure> {
        let mut all: Vec<Option<Ran>> = self.jobs.iter().map(|_| None).collect();
        let mut fault = None;
        let (waiting, running) = (Waiting::of(mine), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            for started in 0..self.threads.clamp(1, mine.len().max(1)) {
                let (sender, waiting, running) = (sender.clone(), &waiting, &running);
                let work = move || self.work(rung, waiting, running, &sender);
                // A thread that the system refuses is one less, as long as there is one.
                match std::thread::Builder::new().spawn_scoped(scope, work) {
                    Ok(_) => {}
                    Err(error) => {
                        fault = (started == 0).then(|| no_thread(&error));
                        break;
                    }
                }
            }
            drop(sender);
            if let Some(failure) = self.gather(receiver, &running, &mut all, tally) {
                fault.get_or_insert(failure);
            }
        });
        fault.map_or(Ok(all), Err)
    }

    /// One thread: a job after the other, until none is left.
    fn work(&self, rung: Rung<'_>, waiting: &Waiting, running: &AtomicUsize, sender: &Sender<Report>) {
        while !self.stop.load(Ordering::Relaxed)
            && let Some(index) = waiting.next()
        {
            running.fetch_add(1, Ordering::Relaxed);
            let came = run(&self.jobs[index], rung, self.keep, self.stop);
            running.fetch_sub(1, Ordering::Relaxed);
            match came {
                Ok(Came::Elsewhere) => waiting.again(index),
                Ok(Came::Stopped) => break,
                Ok(Came::Done(ran)) => {
                    if sender.send((index, Ok(*ran))).is_err() {
                        break; // who listened has ended
                    }
                }
                Err(failure) => {
                    waiting.clear(); // what runs may end, nothing else begins
                    let _ = sender.send((index, Err(failure))); // who listened has ended
                    break;
                }
            }
        }
    }

    /// Puts what threads report into place; the first failure, if there was one.
    fn gather(
        &self,
        receiver: Receiver<Report>,
        running: &AtomicUsize,
        all: &mut [Option<Ran>],
        tally: &mut Tally<'_>,
    ) -> Option<Failure> {
        let mut fault = None;
        for (index, ran) in receiver {
            match ran {
                Ok(ran) => {
                    tally.tell(&self.jobs[index], &ran, running.load(Ordering::Relaxed));
                    all[index] = Some(ran);
                }
                Err(failure) => {
                    fault.get_or_insert(failure);
                }
            }
        }
        fault
    }
}

fn no_thread(error: &std::io::Error) -> Failure {
    let told = Message::new(format!("cannot start a thread: {error}"));
    Failure::Io(told.help("allow the process more memory or more threads (`ulimit`)"))
}
