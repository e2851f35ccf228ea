//! Which boundaries a run records, and what a run reports while it trains.

use super::{numbers, train};
use crate::support::{TINY, gmpc, path_in, tensor_bytes, write};
use std::path::Path;
use tempfile::tempdir;

#[test]
fn boundaries_are_recorded_where_the_file_or_the_option_asks_for_it() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let by_option = train(&folder, &file, "option", &["--record", "boundaries"]);
    let by_file = train(&folder, &file, "file", &["--set", "train.record=boundaries(epochs = 1)"]);
    let nothing = train(&folder, &file, "nothing", &[]);
    // A header of 128 bytes, then four records (the start and three epochs) of four units with a direction and a distance
    // each.
    assert_eq!(numbers(&by_option, "hidden").len(), 128 + 4 * (4 * 2) * 4);
    assert_eq!(numbers(&by_option, "hidden"), numbers(&by_file, "hidden"));
    assert!(!Path::new(&nothing).join("boundaries").exists());
    let weights = |run: &str| tensor_bytes(&Path::new(run).join("best.safetensors"));
    assert_eq!(weights(&by_option), weights(&nothing), "recording changes nothing");
    // An epoch has four steps. The records are of the start and of steps 5 and 10.
    let by_steps = train(&folder, &file, "steps", &["--record", "boundaries(steps = 5)"]);
    assert_eq!(numbers(&by_steps, "hidden").len(), 128 + 3 * (4 * 2) * 4);
}

#[cfg(unix)]
#[test]
fn a_run_killed_and_resumed_has_recorded_what_an_uninterrupted_one_has() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let options = ["--set", "train.epochs=2000", "--record", "boundaries(steps = 3, layers = all)"];
    let whole = train(&folder, &file, "whole", &options);
    let parts = folder.path().join("parts");
    let name = path_in(&folder, "parts");
    let begin = [&["train", &file, "--out", &name, "--save-every", "0", "--quiet"], &options[..]].concat();
    let resume = ["train", "--resume", &name, "--save-every", "0", "--quiet"];
    // Each kill comes at another moment of the training. Where the folder has no `run.json` yet, there is nothing to resume.
    for wait in [30, 60, 10, 90] {
        let begun = parts.join("run.json").exists();
        let arguments = if begun { &resume[..] } else { &begin[..] };
        let mut child = crate::support::command(folder.path(), arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    gmpc(if parts.join("run.json").exists() { &resume[..3] } else { &begin }).expect(0);
    assert!(numbers(&whole, "hidden") == numbers(&name, "hidden"), "the records differ");
    let states = |run: &str| std::fs::read(Path::new(run).join("states.npy")).unwrap();
    assert!(states(&whole) == states(&name), "the records of the network differ");
}

#[test]
fn an_event_file_goes_on_with_a_resumed_run() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let run = train(&folder, &file, "run", &["--record", "boundaries", "--tensorboard"]);
    let events = std::fs::read(Path::new(&run).join("events.out.tfevents.gmpc")).unwrap();
    for tag in ["train/loss", "train/rmse", "lr", "boundaries/hidden/dphi", "boundaries/hidden/turn"] {
        let times = events.windows(tag.len()).filter(|window| *window == tag.as_bytes()).count();
        assert_eq!(times, 3, "{tag} of three epochs");
    }
    gmpc(&["train", "--resume", &run, "--quiet"]).expect(0);
    assert_eq!(std::fs::read(Path::new(&run).join("events.out.tfevents.gmpc")).unwrap(), events);
    // Where the event file is asked for only after the end of the run, it is made from the recorded metrics.
    let late = train(&folder, &file, "late", &[]);
    gmpc(&["train", "--resume", &late, "--tensorboard", "--quiet"]).expect(0);
    let events = std::fs::read(Path::new(&late).join("events.out.tfevents.gmpc")).unwrap();
    assert_eq!(events.windows(10).filter(|window| *window == b"train/loss").count(), 3);
}

#[test]
fn a_run_tells_how_it_goes_in_lines_and_with_json_in_nothing_else() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let out = |name: &str| path_in(&folder, name);
    let ran = gmpc(&["train", &file, "--out", &out("plain"), "--record", "boundaries"]).expect(0);
    let line = ran.stderr.lines().find(|line| line.starts_with("epoch 2/3")).expect("a line of the second epoch");
    for part in ["train.loss", "lr 0.01", "hidden dphi "] {
        assert!(line.contains(part), "{line}");
    }
    let ran = gmpc(&["train", &file, "--out", &out("json"), "--json"]).expect(0);
    assert!(!ran.stderr.contains("epoch 2/3"), "{}", ran.stderr);
    assert_eq!(ran.json().iter().filter(|line| line["event"] == "epoch").count(), 3);
}

#[test]
fn what_is_recorded_does_not_depend_on_the_device() {
    let folder = tempdir().unwrap();
    let text = "data = levy(points = 20, noise = 0.1)
        model m {
            h = input -> dropout(0.1) -> dense(4) as a -> relu
            left = h -> dense(4) as b -> relu
            right = h -> dense(4)
            left + right -> relu -> linear(1)
        }
        train { loss = mse  optimizer = sgd(lr = 0.001)  batch = 4  epochs = 2  record = boundaries(layers = all) }";
    let file = write(folder.path(), "residual.gmpnet", text);
    for param in ["gmp + mn", "bn", "wn + mbn"] {
        // Only the arithmetic differs between the devices. The seed, and with it dropout and the order of rows, is the same.
        let of = |device: &str| {
            let name = format!("{param}-{device}");
            train(&folder, &file, &name, &["--param", param, "--device", device])
        };
        let (cpu, candle) = (of("cpu"), of("candle"));
        let values = |run: &str| -> Vec<f32> {
            let bytes = numbers(run, "a");
            bytes[128..].as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        // Training adds up rounding errors, so the devices agree only approximately.
        let (ours, theirs) = (values(&cpu), values(&candle));
        assert_eq!(ours.len(), 3 * 2 * 4);
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs())), "{param}");
    }
}

#[test]
fn a_record_that_is_impossible_is_an_error_before_training() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let ran = gmpc(&["train", &file, "--record", "boundries"]).expect(1);
    assert!(ran.stderr.contains("E0614") && ran.stderr.contains("boundaries"), "{}", ran.stderr);
    // A network without an activation has no boundaries at all.
    let text = "model m(input: [3]) { input -> linear(1) }
                train { loss = mse  optimizer = sgd(lr = 0.1)  record = boundaries }\n";
    let file = write(folder.path(), "none.gmpnet", text);
    let ran = gmpc(&["check", &file]).expect(1);
    assert!(ran.stderr.contains("E0652"), "{}", ran.stderr);
    // Behind `mean_norm` no layer reads the input itself, so only `layers = all` has something to record.
    let text = "model m(input: [3]) { input -> mean_norm -> dense(4) -> relu -> linear(1) }
                train { loss = mse  optimizer = sgd(lr = 0.1)  record = boundaries }\n";
    let file = write(folder.path(), "later.gmpnet", text);
    let ran = gmpc(&["check", &file]).expect(1);
    assert!(ran.stderr.contains("E0652") && ran.stderr.contains("boundaries(layers = all)"), "{}", ran.stderr);
    gmpc(&["check", &file, "--set", "train.record=boundaries(layers = all)"]).expect(0);
    let ran = gmpc(&["check", &file, "--set", "train.record=boundaries(layers = deep)"]).expect(1);
    assert!(ran.stderr.contains("E0604") && ran.stderr.contains("`first`, `all`"), "{}", ran.stderr);
}
