//! Stores the warnings of a run in its folder, so that they can be read later.

use crate::event::{Event, Listener};
use crate::failure::Failure;
use crate::run::folder::RunFolder;
use gmpc_data::Note;
use gmpc_grammar::diagnostic::Diagnostic;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Passes events on, and appends each warning to the folder's `notes.jsonl`.
pub struct WarningLog<'a> {
    listener: &'a mut dyn Listener,
    /// `None` if the run has no folder.
    path: Option<PathBuf>,
    failed: Option<std::io::Error>,
}

impl<'a> WarningLog<'a> {
    /// Writes to the folder of a run, if it has one.
    pub fn new(folder: Option<&RunFolder>, listener: &'a mut dyn Listener) -> Self {
        WarningLog { listener, path: folder.map(|folder| folder.file("notes.jsonl")), failed: None }
    }

    /// Stores the warnings about the .gmpnet file without passing them on: commands already print them with their
    /// positions.
    pub fn keep(&mut self, diagnostics: &[Diagnostic]) {
        for found in diagnostics {
            let (code, message) = (found.code.to_string(), found.message.clone());
            self.write(&Event::Warning { code, message, help: found.help.clone() });
        }
    }

    /// Reports that a warning could not be written. This is an error, because the folder must be complete.
    ///
    /// # Errors
    /// [`Failure::Io`]: a warning could not be written.
    pub fn finish(self) -> Result<(), Failure> {
        match (self.failed, self.path) {
            (Some(error), Some(path)) => Err(Failure::io("write", &path, &error)),
            _ => Ok(()),
        }
    }

    fn write(&mut self, warning: &Event) {
        let (Some(path), None) = (&self.path, &self.failed) else { return };
        let file = File::options().create(true).append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(format!("{}\n", warning.to_json()).as_bytes()));
        self.failed = written.err();
    }
}

impl Listener for WarningLog<'_> {
    fn on_event(&mut self, event: &Event) {
        if matches!(event, Event::Warning { .. }) {
            self.write(event);
        }
        self.listener.on_event(event);
    }
}

impl From<&Note> for Event {
    fn from(note: &Note) -> Self {
        Event::Warning { code: note.code.into(), message: note.to_string(), help: note.help.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_heard_and_kept_and_other_events_only_heard() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder { path: folder.path().to_path_buf() };
        let mut heard = 0;
        let mut listener = |_: &Event| heard += 1;
        let mut noting = WarningLog::new(Some(&run), &mut listener);
        noting.on_event(&Event::from(&Note::new("W0999", "a.csv", "2 lines are blank").help("delete them")));
        noting.on_event(&Event::Checkpoint { path: "a".into(), step: 1 });
        noting.finish().unwrap();
        assert_eq!(heard, 2);
        let kept = std::fs::read_to_string(folder.path().join("notes.jsonl")).unwrap();
        insta::assert_snapshot!(kept, @r#"{"event":"warning","code":"W0999","message":"a.csv: 2 lines are blank","help":"delete them"}"#);
    }
}
