//! The pages about errors and warnings of runs and comparisons, for `gmpc explain E0801`.

use gmpc_grammar::explain::Page;

/// The pages of E08nn and W08nn, in the order of their codes.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    PAGES.iter()
}

#[rustfmt::skip] // a page, a block
const PAGES: &[Page] = &[
    page("E0801", "The folder already holds something that a new run would overwrite: another run, a comparison, or \
          files with the names of a run's files. Choose another folder with `--out`, continue the existing run with \
          `gmpc train --resume RUN`, or replace it with `--force`."),
    page("E0802", "The command expects a run folder, and this folder has no `run.json`. `gmpc train` prints the \
          folder of each run when it ends. Below `runs/`, folders are named after model, data, parameterization and \
          seed."),
    page("E0803", "A file of a run or a comparison differs from what gmpc wrote: it was edited, cut off or damaged. \
          Each of these files contains a checksum or has one in `run.json`. The files of a run describe it together, \
          so none of them can be changed alone. Change the .gmpnet file and train again, or restore the file."),
    page("E0804", "A checkpoint is missing or damaged. A run keeps the last two versions of `last.safetensors`, and \
          `best.safetensors` beside them. gmpc uses the newest undamaged version and reports each damaged one. `gmpc \
          train --resume RUN` restores `best.safetensors` from `last.safetensors`. If no version is undamaged, train \
          the same run again from its `source.gmpnet`."),
    page("E0805", "The weights belong to another run, with another source, other data or another seed, or to another \
          network. Somebody copied them into this folder, or a process wrote them after its own folder was replaced. \
          gmpc never uses the weights of another run silently."),
    page("E0806", "Another process writes to this folder, or the folder was removed or replaced while this process \
          wrote to it. Only one process may write to a folder at a time. The file `lock` contains its process \
          number, and the lock ends with the process."),
    page("E0807", "The operating system refused to read or write a file, or to write to standard output: no space, \
          no permission, or no such file. The message contains the system's answer. Files that were saved before are \
          undamaged, because gmpc writes each file under another name first and then renames it."),
    page("E0808", "The output would overwrite an input or a file of a run or of a comparison, or its file extension \
          stands for a format that this command does not write. Choose another name."),
    page("E0809", "The folder holds no training that can be continued as asked: it holds weights that `gmpc convert` \
          wrote, or a run of another device. Train its `source.gmpnet` again into another folder, or name the device \
          of the run with `--device`."),
    page("E0810", "The data have changed since the run began: a file has other contents, or a class was added or \
          removed. The results of a run are valid only for its own rows, so `eval` and `--resume` stop. Restore the \
          files, or start a new run."),
    page("E0811", "The records of a run (`boundaries/`, `states.npy`) are missing, incomplete or changed, or belong to \
          another network. `gmpc train --record` writes them; a run without this option has none."),
    page("E0812", "The comparison would not compare what its options say. Causes: an axis has no values or one value \
          twice; seeds or parameterizations are given as an axis of settings; cells choose their epochs on different \
          rows; it is not known whether a higher or a lower metric is better; a range has no number of values; \
          `--choose` names no axis; `--baseline` names a parameterization that is not compared; \
          `--halve` has nothing to choose from, or too few epochs for its rungs."),
    page("E0813", "There is too little memory for the network or for the work of the device. Fewer units, smaller \
          batches, `precision = f32` and an optimizer with fewer states need less memory. If the process has a \
          memory limit (`ulimit -v`), raise it."),
    page("E0814", "The command needs something that the file does not contain: data, or a `train` block. Add it to \
          the file, or use `--set`."),
    page("E0815", "A number in training was not finite, or a gradient check found a number that is not finite or is \
          wrong. The message names the step, the layer and the operation where it first appeared. A smaller learning \
          rate or a warm-up often helps. The last checkpoint contains only finite numbers."),
    page("E0816", "The device could not run the program. The message contains the device's answer. `--device cpu` is \
          available on every machine."),
    page("E0817", "The command line is invalid: an unknown option, a missing name, options that exclude each other, \
          or a setting that is replaced twice. `gmpc COMMAND --help` lists what a command accepts."),
    page("E0818", "The data cannot be used for this purpose: there are too few rows or no held-out rows to choose \
          on, or files did not pass `gmpc data verify`. The message names the data set."),
    page("E0819", "A file is not as it should be, and the problem has no position in it. An example is a file that \
          `gmpc fmt --check` would format differently. The message names the next step."),
    page("E0820", "The run that `start = run(…)` or `--from` names cannot be begun from: its weights have other shapes, a layer has no \
          weights in it, it has done as many epochs as the file asks for, or it is another run by now. Layers that should be drawn anew are \
          named: `run(\"runs/a\", except = [head])`. To train longer, set more epochs: `gmpc train FILE --from RUN --set \
          train.epochs=200`."),
    page("E0821", "A confusion matrix counts rows by their true and their predicted class, and this run predicts numbers. `gmpc eval RUN` \
          prints its errors."),
    page("E0822", "The schedule gives a learning rate that is no number or below 0. A schedule is a formula of the time, and only a rate \
          of 0 or more makes a step. Change the formula: a division by 0 or a root of a negative number shows in the step that the message \
          names."),
    page("E0830", "Weights of another program do not fit the network: their names are not those of its layers, a shape \
          differs, or the file is not a safetensors file. The message lists both sides and the mapping that the shapes \
          suggest, as in `gmpc import FILE --weights STATE.safetensors --names fc1=hidden,fc2=last -o RUN`."),
    page("W0801", "Something about the folder of a run or a comparison deserves attention, and the command \
          continues. Either the file system has no locks, so gmpc cannot keep two processes out of one folder; or \
          lines of `metrics.jsonl` are missing, changed or unreadable and stay as they are; or `best.safetensors` was missing \
          or damaged and was restored."),
    page("W0802", "The newest checkpoint is damaged, so gmpc uses the one before it. The epochs since then are \
          trained again, with bit-identical results."),
    page("W0803", "Another version of gmpc started the run. Its numbers are right, but the last bits of the \
          following epochs may differ from those that the other version would compute."),
    page("W0804", "The records of boundaries will need much disk space. Record less often, as with \
          `boundaries(epochs = 10)`, or only the first layers."),
    page("W0805", "The run has few steps, so running means and variances still depend on their initial values. \
          Metrics on held-out rows then say little about the weights. More epochs or smaller batches give more \
          steps; with a larger `momentum` the initial values lose their influence sooner."),
    page("W0806", "Numbers to predict for are more than 100 standard deviations away from the mean of the training data. The \
          network has learned nothing about such inputs. The usual causes are another unit (grams instead of \
          kilograms), a value such as -999 for a missing number, or exchanged column names."),
    page("W0807", "`accumulate` and `average` act on gradients and weights. Statistics of batches (`bn`, `mn`, `mbn`, `mean_norm`) are \
          still those of each small batch and of the weights that train, and dropout draws for each batch. So the result is not that of one \
          large batch, or the running statistics are not those of the averaged weights."),
    page("W0830", "A file of weights has no values for some layers, so these were initialized randomly, as for a \
          training. Train the network before you rely on it."),
    page("W0831", "A file of weights contains tensors that no layer of the network uses. Separate batch normalization \
          must be folded into the layer before it; other tensors can be assigned with `--names`."),
    Page {
        code: "W0851",
        about: "`--choose` took the lowest or the highest of all values that were tried. A better value may lie \
                outside this range. A comparison is unfair if one parameterization could improve further and another \
                could not. Widen the axis until the best value lies inside.",
        wrong: "gmpc compare m.gmpnet --param sp,gmp --over train.optimizer.lr=0.01,0.1 --choose train.optimizer.lr",
        right: "gmpc compare m.gmpnet --param sp,gmp --over \"train.optimizer.lr=log(1e-4, 1, 9)\" --choose train.optimizer.lr",
    },
    page("W0852", "`--choose` only takes values for which every run succeeded, because a mean without the failed \
          runs would be too good. Here every value has a failed run. A common cause is a learning rate that is too \
          high for some seeds."),
    Page {
        code: "W0853",
        about: "A confidence interval describes how much differences vary from seed to seed, so it needs at least \
                two pairs of runs. Ten seeds are a good start; a signed-rank test needs at least six.",
        wrong: "gmpc compare m.gmpnet --param sp,gmp --baseline sp --repeats 1",
        right: "gmpc compare m.gmpnet --param sp,gmp --baseline sp --repeats 10",
    },
    page("W0854", "Differences are computed seed by seed. If one run of a pair failed, the pair is left out. Failed \
          seeds are not a random sample, so the mean difference of the other pairs may be too good."),
];

const fn page(code: &'static str, about: &'static str) -> Page {
    Page { code, about, wrong: "", right: "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Every `E08nn` and `W08nn` in string literals of the files below a folder, except this file.
    fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_in(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("explain.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for kind in ["E08", "W08"] {
                    let quote = format!("\"{kind}");
                    let quoted = text.split(quote.as_str()).skip(1).filter_map(|rest| rest.get(..2));
                    found.extend(quoted.map(|digits| format!("{kind}{digits}")));
                }
            }
        }
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let mut used = BTreeSet::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["src", "study/src", "../src"] {
            codes_in(&root.join(folder), &mut used);
        }
        let explained: BTreeSet<String> = pages().map(|page| page.code.to_string()).collect();
        assert_eq!(used, explained);
        assert!(pages().all(|page| page.about.len() > 80));
    }
}
