//! A part of a comparison's runs, for several machines with a common folder and no server.
//!
//! `--shard 3/16` does every sixteenth run, from the third on. The same command without it gathers what all shards did, does what is
//! missing, and prints. `auto` takes the part from a scheduler or a launcher of ranks.

use crate::failure::{Failure, Message};

/// Part `index` of `count`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    index: usize,
    /// How many there are, at least 1.
    count: usize,
}

/// Variables that say which part a process is: its number, how many there are, and the first number.
const PLACES: [[&str; 3]; 5] = [
    ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"],
    ["SLURM_PROCID", "SLURM_NTASKS", ""],
    ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", ""],
    ["PMI_RANK", "PMI_SIZE", ""],
    ["RANK", "WORLD_SIZE", ""],
];

impl Shard {
    /// Reads `3/16`.
    ///
    /// # Errors
    /// [`Failure::Usage`]: it is no such thing.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let numbers = text
            .split_once('/')
            .and_then(|(part, count)| Some((part.trim().parse::<usize>().ok()?, count.trim().parse::<usize>().ok()?)));
        match numbers {
            Some((part, count)) if (1..=count).contains(&part) => Ok(Shard { index: part - 1, count }),
            _ => {
                let told = Message::new(format!("`--shard {text}` is no part of a whole"));
                Err(Failure::Usage(told.help("write `--shard 3/16` for the third of sixteen, or `--shard auto`")))
            }
        }
    }

    /// What the scheduler or launcher says, by its variables.
    ///
    /// # Errors
    /// [`Failure::Usage`]: none says anything, or one says nonsense.
    pub fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
        for [part, count, first] in PLACES {
            let (Some(part), Some(count)) = (number(part), number(count)) else { continue };
            let index = part.checked_sub(number(first).unwrap_or(0)).filter(|index| *index < count);
            if let Some(index) = index {
                return Ok(Shard { index, count });
            }
        }
        let told =
            Message::new("`--shard auto` finds no part: no scheduler and no launcher of ranks says which one this is");
        let names: Vec<&str> = PLACES.iter().map(|[part, ..]| *part).collect();
        Err(Failure::Usage(told.help(format!("write `--shard 3/16`; `auto` looks at {}", names.join(", ")))))
    }

    /// Is a job of this part?
    pub(super) fn has(self, job: usize) -> bool {
        job % self.count == self.index
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.index + 1, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        let third = Shard::parse("3/16").unwrap();
        assert_eq!((third.index, third.count, third.to_string().as_str()), (2, 16, "3 of 16"));
        assert!(third.has(2) && third.has(18) && !third.has(3));
        for text in ["0/4", "5/4", "3", "a/b", "1/0", ""] {
            let failure = Shard::parse(text).unwrap_err();
            assert!(failure.exit_code() == 2 && failure.help().is_some(), "{text}");
        }
    }

    #[test]
    fn a_scheduler_or_a_launcher_says_which_part_it_is() {
        let of = |all: &[(&str, &str)]| {
            let all: Vec<(String, String)> =
                all.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            Shard::of_environment(&move |name| {
                all.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            })
        };
        let array = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_COUNT", "4"), ("SLURM_ARRAY_TASK_MIN", "5")];
        assert_eq!(of(&array).unwrap(), Shard { index: 2, count: 4 });
        assert_eq!(of(&[("RANK", "1"), ("WORLD_SIZE", "2")]).unwrap(), Shard { index: 1, count: 2 });
        assert!(of(&[("RANK", "2"), ("WORLD_SIZE", "2")]).is_err());
        assert!(of(&[]).unwrap_err().help().unwrap().contains("SLURM_PROCID"));
    }
}
