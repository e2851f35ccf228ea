//! The weights of a run: its newest undamaged checkpoint and its final weights. Weights of other runs are refused.

use super::{About, RunFolder, best_of};
use crate::failure::{Failure, Message};
use crate::run::checkpoint::{self, Checkpoint, again};
use gmpc_compiler::graphs::states::AVERAGE;
use std::path::Path;

/// The average of the weights in the place of the weights, if the run kept one: it is what the run was judged by.
fn averaged(mut checkpoint: Checkpoint) -> Checkpoint {
    let name = |kept: &String| kept.strip_prefix(AVERAGE).map(str::to_string);
    let averages = checkpoint.tensors.iter().filter_map(|(kept, stored)| Some((name(kept)?, stored.clone())));
    let averages: Vec<_> = averages.collect();
    checkpoint.tensors.extend(averages);
    checkpoint
}

impl RunFolder {
    /// True if the run has a checkpoint.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        let last = self.file("last.safetensors");
        last.exists() || checkpoint::previous(&last).exists()
    }

    /// The newest undamaged checkpoint, and the reason for each newer one that was skipped.
    ///
    /// # Errors
    /// [`Failure::Io`]: there is no checkpoint, none is undamaged, or the newest is another run's.
    pub fn last(&self, about: &About) -> Result<(Checkpoint, Vec<String>), Failure> {
        let path = self.file("last.safetensors");
        if !self.has_checkpoint() {
            let message =
                Message::new(format!("{} has no checkpoint: the run ended before its first", self.path.display()));
            let help = format!("continue it with `gmpc train --resume {}`", self.path.display());
            return Err(Failure::Io(message.at("E0804", &path).help(help)));
        }
        let (checkpoint, skipped) = checkpoint::read_newest(&path)?;
        self.of_this_run(&path, &checkpoint, about)?;
        Ok((checkpoint, skipped))
    }

    /// The weights that a finished run is used with: those of its best epoch if it ends with them, else its last.
    ///
    /// # Errors
    /// [`Failure::Io`]: they are missing, damaged, or another run's. No other weights of the run replace them.
    pub fn weights(&self, about: &About) -> Result<Checkpoint, Failure> {
        if !about.ends_with_best {
            return self.last(about).map(|(checkpoint, _)| averaged(checkpoint));
        }
        let path = self.file("best.safetensors");
        if !path.exists() {
            return self.without_best(about);
        }
        let checkpoint = checkpoint::read(&path).map_err(|failure| self.with_remedy(failure, about))?;
        self.of_this_run(&path, &checkpoint, about).map_err(|failure| self.with_remedy(failure, about))?;
        Ok(checkpoint)
    }

    /// A run that should end with its best epoch's weights has no file of them. This is right if it had no best epoch.
    fn without_best(&self, about: &About) -> Result<Checkpoint, Failure> {
        let missing = || {
            let path = self.file("best.safetensors");
            let message =
                Message::new(format!("{} is missing: the run ends with the weights of its best epoch", path.display()));
            Failure::Io(message.at("E0804", &path).help(again(&path)))
        };
        if !self.has_checkpoint() && about.converted {
            return Err(missing());
        }
        let (checkpoint, _) = self.last(about)?;
        if best_of(&checkpoint).is_empty() { Ok(averaged(checkpoint)) } else { Err(self.with_remedy(missing(), about)) }
    }

    /// Adds a next step to a failure about `best.safetensors`: if `last.safetensors` holds the same weights, resuming
    /// restores them.
    fn with_remedy(&self, failure: Failure, about: &About) -> Failure {
        let in_last = self.last(about).is_ok_and(|(last, _)| !best_of(&last).is_empty());
        match failure {
            Failure::Io(message) if in_last => {
                let foreign = message.place.as_ref().is_some_and(|place| place.code == "E0805");
                let first = if foreign { "move it away; then " } else { "" };
                let run = self.path.display();
                let help = format!("{first}`gmpc train --resume {run}` restores it from last.safetensors");
                Failure::Io(message.help(help))
            }
            failure => failure,
        }
    }

    /// Refuses to resume if `best.safetensors` is undamaged and not this run's: training would overwrite it.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file is another run's, or gmpc did not write it.
    pub fn check_best(&self, about: &About) -> Result<(), Failure> {
        let path = self.file("best.safetensors");
        match std::fs::read(&path) {
            Ok(bytes) if checkpoint::is_foreign(&bytes) => {
                let message = Message::new(format!("{} was not written by gmpc", path.display())).at("E0805", &path);
                Err(self.with_remedy(Failure::Io(message.help("move it away")), about))
            }
            Ok(bytes) => match checkpoint::decode(&path, &bytes) {
                Ok(found) => self.of_this_run(&path, &found, about).map_err(|failure| self.with_remedy(failure, about)),
                Err(_) => Ok(()), // damaged: it is restored
            },
            Err(_) => Ok(()),
        }
    }

    /// Refuses a checkpoint of another run. A user may have copied it here, or a process whose own folder was replaced
    /// wrote it.
    fn of_this_run(&self, path: &Path, checkpoint: &Checkpoint, about: &About) -> Result<(), Failure> {
        let other_seed = checkpoint.progress.as_ref().map(|progress| progress.seed).filter(|seed| *seed != about.seed);
        let why = match (other_seed, &checkpoint.run) {
            (Some(seed), _) => format!("its seed is {seed}, and this run's is {}", about.seed),
            (None, Some(run)) if *run != about.identity() => "its source, its data or its seed are different".into(),
            _ => return Ok(()),
        };
        let message = Message::new(format!("{} belongs to another run: {why}", path.display())).at("E0805", path);
        Err(Failure::Io(message.help(again(path))))
    }
}
