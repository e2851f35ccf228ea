//! `gmpc export RUN --as FORMAT -o FILE`: writes a trained network for other programs, after a comparison with `gmpc
//! predict`.

use super::train::data_directories;
use crate::args::{ExportArgs, ExportForm, WeightsPlace};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::project::tell;
use gmpc_runtime::task::export::{Asked, Form, export};
use serde_json::json;

/// Exports the network and reports the comparison.
///
/// # Errors
/// There is no run folder; the format cannot express the network; the exported network computes something else; a file
/// cannot be read or written.
pub fn run(args: &ExportArgs, output: &Output) -> Result<(), Failure> {
    // An option that this format cannot follow is refused, so that nobody believes it was.
    let form = match args.form {
        ExportForm::Torch => Form::Torch { fold: args.fold },
        _ if args.fold => {
            let help = "leave `--fold` out: this format has plain weights in any case";
            return Err(Failure::with_help(Kind::Usage, "`--fold` is for `--as torch`", help));
        }
        ExportForm::Onnx => Form::Onnx,
        ExportForm::C => Form::C { beside: args.weights == WeightsPlace::Beside },
        ExportForm::Object => Form::Object,
    };
    if args.weights == WeightsPlace::Beside && args.form != ExportForm::C {
        let help = "leave `--weights beside` out, or write `--as c`";
        return Err(Failure::with_help(Kind::Usage, "`--weights beside` is for `--as c`", help));
    }
    let asked = Asked { form, output: args.output.clone(), raw: args.raw, check: !args.no_check };
    let exported = export(&args.run, &asked, &data_directories(&args.data))?;
    tell(exported.warnings, output);
    let files: Vec<String> = exported.files.iter().map(|path| path.display().to_string()).collect();
    let checked = exported.checked.as_ref();
    output.line(&json!({
        "event": "exported",
        "files": files,
        "checked_rows": checked.map(|checked| checked.rows),
        "checked_by": checked.map(|checked| checked.by.clone()),
        "difference": checked.map(|checked| checked.difference),
    }));
    files.iter().for_each(|file| output.say(file));
    if let Some(checked) = checked {
        output.note(format_args!(
            "computed by {} on {} {}: within {:.1e} of `gmpc predict`",
            checked.by, checked.rows, checked.from, checked.difference
        ));
    }
    Ok(())
}
