//! Every network as C, compiled strictly and run with sanitizers, computes what the compiler's own graph computes.

use crate::testing::networks::{Data, NETWORKS};
use crate::testing::{Sample, difference};
use crate::{HOSTILE, succeed, write};
use gmpc_export::c::{self, Weights};
use gmpc_export::{Network, object};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const STRICT: [&str; 5] = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"];
const SANITIZED: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Compilers to try: the system's, and clang where there is one.
fn compilers() -> Vec<String> {
    let first = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let has_clang = Command::new("clang").arg("--version").output().is_ok_and(|output| output.status.success());
    std::iter::once(first).chain(has_clang.then(|| "clang".to_string())).collect()
}

/// Can a compiler link its sanitizers? A clang may be installed without their libraries; the system's compiler has to have them.
fn sanitizers(compiler: &str, folder: &Path) -> &'static [&'static str] {
    let source = write(folder, "empty.c", b"int main(void) { return 0; }\n");
    let mut build = Command::new(compiler);
    let built = build.args(SANITIZED).arg("-o").arg(folder.join("empty")).arg(source).output();
    if compiler != "clang" || built.is_ok_and(|built| built.status.success()) { &SANITIZED } else { &[] }
}

/// What a compiled program predicts.
pub fn predicted(run: &mut Command, rows: usize, input: &[u8]) -> Vec<f64> {
    let mut child = run.arg(rows.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{run:?} ended with {}", output.status);
    output.stdout.as_chunks::<8>().0.iter().map(|number| f64::from_ne_bytes(*number)).collect()
}

#[test]
#[cfg_attr(not(has_cc), ignore = "needs a C compiler")]
fn every_source_is_the_same_function() {
    let folder = tempfile::tempdir().unwrap();
    for compiler in compilers() {
        let sanitizers = sanitizers(&compiler, folder.path());
        for (place, case) in NETWORKS.iter().enumerate() {
            let sample = Sample::new(case);
            let network = if place % 5 == 4 { sample.network.clone().raw() } else { sample.network.clone() };
            let source = write(folder.path(), "check.c", c::program(&network, case.0, Weights::Inside).as_bytes());
            let binary = folder.path().join(case.0);
            succeed(
                Command::new(&compiler).args(STRICT).args(sanitizers).arg("-o").arg(&binary).arg(&source).arg("-lm"),
            );
            for count in [1, 2, 7] {
                let off = off(&sample, &network, &mut Command::new(&binary), count);
                assert!(off < 1e-5, "{}, {count} rows, {compiler}: {off:e}", case.0);
            }
        }
    }
}

/// How far a compiled network is from the compiler's own graph, over so many rows.
pub fn off(sample: &Sample, network: &Network, run: &mut Command, count: usize) -> f64 {
    let rows = sample.rows(count);
    let right = sample.prediction(&rows);
    let taken = if network.is_raw { sample.scaled(&rows) } else { rows };
    let mut found = predicted(run, count, &c::rows(network, &taken));
    if let (true, Some(scale)) = (network.is_raw, &network.outputs.scale) {
        for row in found.chunks_mut(scale.factor.len()) {
            row.iter_mut().enumerate().for_each(|(i, y)| *y = *y * scale.factor[i] + scale.shift[i]);
        }
    }
    difference(&right, &found)
}

/// Every network compiled for another processor, and run by an emulator of it.
fn on_another_processor(compiler: &str, emulator: &str) {
    let folder = tempfile::tempdir().unwrap();
    for case in &NETWORKS {
        let sample = Sample::new(case);
        let source = write(folder.path(), "check.c", c::program(&sample.network, case.0, Weights::Inside).as_bytes());
        let binary = folder.path().join(case.0);
        let mut build = Command::new(compiler);
        succeed(build.args(STRICT).args(["-O2", "-static", "-o"]).arg(&binary).arg(&source).arg("-lm"));
        for count in [1, 7] {
            let off = off(&sample, &sample.network, Command::new(emulator).arg(&binary), count);
            assert!(off < 1e-5, "{}, {count} rows, {emulator}: {off:e}", case.0);
        }
    }
}

#[test]
#[cfg_attr(not(has_arm), ignore = "needs arm-linux-gnueabihf-gcc and qemu-arm")]
fn every_source_is_the_same_function_on_arm_with_32_bits() {
    on_another_processor("arm-linux-gnueabihf-gcc", "qemu-arm");
}

#[test]
#[cfg_attr(not(has_aarch64), ignore = "needs aarch64-linux-gnu-gcc and qemu-aarch64")]
fn every_source_is_the_same_function_on_aarch64() {
    on_another_processor("aarch64-linux-gnu-gcc", "qemu-aarch64");
}

#[test]
#[cfg_attr(not(has_cc), ignore = "needs a C compiler")]
fn weights_beside_are_the_same_numbers_and_those_of_another_network_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str| Sample::new(NETWORKS.iter().find(|case| case.0 == name).unwrap());
    let build = |sample: &Sample, weights: Weights, name: &str| {
        let source = write(folder.path(), "check.c", c::program(&sample.network, "check", weights).as_bytes());
        let binary = folder.path().join(name);
        succeed(
            Command::new(&compilers()[0]).args(STRICT).args(SANITIZED).arg("-o").arg(&binary).arg(&source).arg("-lm"),
        );
        binary
    };
    for name in ["gmp_mn", "double", "centred", "normed"] {
        let sample = named(name);
        let input = c::rows(&sample.network, &sample.rows(7));
        let [inside, beside] =
            [Weights::Inside, Weights::Beside].map(|weights| build(&sample, weights, &format!("{weights:?}")));
        let files = c::write(&sample.network, "check", Weights::Beside);
        let path = write(folder.path(), "check.weights", &files[2].bytes);
        let right = predicted(&mut Command::new(inside), 7, &input);
        // The program reads its count first, so the file comes behind it.
        let with = |file: &Path| {
            let mut run = Command::new("sh");
            run.args(["-c", "exec \"$0\" \"$2\" \"$1\""]).arg(&beside).arg(file);
            run
        };
        assert_eq!(predicted(&mut with(&path), 7, &input), right, "{name}");
        let mut damaged = files[2].bytes.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let others = named("own");
        let other = c::write(&others.network, "check", Weights::Beside).swap_remove(2).bytes;
        let short = files[2].bytes[..files[2].bytes.len() - 1].to_vec();
        for (what, bytes) in [("damaged", damaged), ("another", other), ("short", short), ("empty", vec![])] {
            let path = write(folder.path(), "wrong.weights", &bytes);
            let status = with(&path).arg("0").stdin(Stdio::null()).status().unwrap();
            assert_eq!(status.code(), Some(1), "{name}, {what}");
        }
    }
}

#[test]
#[cfg_attr(not(has_cc), ignore = "needs a C compiler")]
fn every_object_is_the_same_function() {
    let folder = tempfile::tempdir().unwrap();
    let mut needs = std::collections::BTreeSet::new();
    for (place, case) in NETWORKS.iter().enumerate() {
        let sample = Sample::new(case);
        let network = if place % 5 == 4 { sample.network.clone().raw() } else { sample.network.clone() };
        let written = object::write(&network, case.0).unwrap();
        let object = write(folder.path(), "network.o", &written.files[0].bytes);
        let source = object::program(case.0, &written.files[1].bytes);
        let source = write(folder.path(), "check.c", source.as_bytes());
        let binary = folder.path().join(case.0);
        let mut link = Command::new(&compilers()[0]);
        link.args(STRICT).args(SANITIZED).arg("-Wl,--fatal-warnings").arg("-o").arg(&binary).arg(&source).arg(&object);
        succeed(link.arg("-lm"));
        for count in [1, 2, 7] {
            let off = off(&sample, &network, &mut Command::new(&binary), count);
            assert!(off < 1e-5, "{}, {count} rows: {off:e}", case.0);
        }
        needs.extend(written.needs);
    }
    let named: Vec<&str> = needs.iter().map(String::as_str).collect();
    let of_libm = ["cosf", "erf", "erff", "exp", "expf", "log1p", "log1pf", "logf", "powf", "sinf", "tanh", "tanhf"];
    assert_eq!(named, of_libm, "what objects need of libm");
}

#[test]
#[cfg_attr(not(has_cc), ignore = "needs a C compiler")]
fn an_object_has_everything_that_its_header_declares() {
    let folder = tempfile::tempdir().unwrap();
    let main = "
        #include \"grades.h\"
        #include <stdio.h>
        #include <math.h>
        int main(void) {
            grades_input x[3 * GRADES_INPUTS] = {1, 2, 3, 4, 5, 6};
            grades_number y[3 * GRADES_OUTPUTS], p[3 * GRADES_CLASSES], scratch[GRADES_SCRATCH], sum = 0;
            if (grades_predict(x, 3, y, scratch) != 0 || grades_predict(NULL, 1, y, scratch) != 1) return 1;
            if (grades_predict(x, 0, y, scratch) != 0 || grades_predict(x, 1, y, NULL) != 1) return 2;
            grades_probabilities(y, 3, p);
            grades_probabilities(y, 0, p);
            for (int i = 0; i < GRADES_CLASSES; i++) sum += p[GRADES_CLASSES + i];
            const size_t best = grades_class(y + GRADES_OUTPUTS);
            for (int i = 0; i < GRADES_CLASSES; i++) if (p[GRADES_CLASSES + i] > p[GRADES_CLASSES + best]) return 3;
            printf(\"%s|%s|%.5f\", grades_class_names[1], grades_feature_names[2], (double)sum);
            return grades_abi() != GRADES_ABI;
        }";
    for name in ["sp_tanh", "sp_sigmoid"] {
        let sample = Sample::new(NETWORKS.iter().find(|case| case.0 == name).unwrap());
        for file in object::write(&sample.network, "grades").unwrap().files {
            write(folder.path(), &format!("grades.{}", file.ending), &file.bytes);
        }
        write(folder.path(), "main.c", main.as_bytes());
        let mut link = Command::new(&compilers()[0]);
        link.args(["-Wall", "-o", "main", "main.c", "grades.o", "-lm"]).current_dir(folder.path());
        if name == "sp_sigmoid" {
            // One score says two classes: there is no largest one to look for.
            let text = main.replace("for (int i = 0; i < GRADES_CLASSES; i++) if", "for (int i = 0; i < 0; i++) if");
            write(folder.path(), "main.c", text.as_bytes());
        }
        succeed(&mut link);
        let said = String::from_utf8(succeed(&mut Command::new(folder.path().join("main")))).unwrap();
        assert_eq!(said, "class 1, \"gr\u{f6}\u{df}te\" */|Gr\u{f6}\u{df}e|1.00000", "{name}");
    }
}

#[test]
#[cfg_attr(not(has_cc), ignore = "needs a C compiler")]
fn hostile_names_make_valid_sources() {
    for compiler in compilers() {
        for (stem, data) in
            HOSTILE.into_iter().zip([Data::Table, Data::Images, Data::Binary, Data::Classes].into_iter().cycle())
        {
            let stem = &stem.replace('/', "_"); // a stem is part of a file's name
            let folder = tempfile::tempdir().unwrap();
            let case = NETWORKS.iter().find(|case| case.1 == data).unwrap();
            for file in c::write(&Sample::new(case).network, stem, Weights::Inside) {
                write(folder.path(), &format!("{stem}.{}", file.ending), &file.bytes);
            }
            let mut command = Command::new(&compiler);
            command.args(STRICT).args(["-c", "-o", "object.o"]).arg(format!("./{stem}.c"));
            succeed(command.current_dir(folder.path()));
        }
    }
}

#[test]
#[cfg_attr(not(all(has_cc, has_cxx)), ignore = "needs a C and a C++ compiler")]
fn a_header_is_c_plus_plus_and_its_classes_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let case = NETWORKS.iter().find(|case| case.0 == "sp_tanh").unwrap();
    for file in c::write(&Sample::new(case).network, "grades", Weights::Inside) {
        write(folder.path(), &format!("grades.{}", file.ending), &file.bytes);
    }
    let main = "
        #include \"grades.h\"
        #include <cstdio>
        int main() {
            grades_input x[2 * GRADES_INPUTS] = {};
            grades_number y[2 * GRADES_OUTPUTS], p[2 * GRADES_CLASSES], scratch[GRADES_SCRATCH];
            if (grades_predict(x, 2, y, scratch) != 0 || grades_predict(nullptr, 1, y, scratch) != 1) return 1;
            grades_probabilities(y, 2, p);
            std::printf(\"%s|%s|%.5f\", grades_class_names[grades_class(y)], grades_feature_names[2], p[0] + p[1] + p[2] + p[3]);
            return grades_abi() != GRADES_ABI;
        }";
    write(folder.path(), "main.cpp", main.as_bytes());
    let run = |program: &str, variable: &str, arguments: &[&str]| {
        let program = std::env::var(variable).unwrap_or_else(|_| program.into());
        succeed(Command::new(program).args(arguments).current_dir(folder.path()))
    };
    run("cc", "CC", &["-std=c99", "-c", "grades.c"]);
    run("c++", "CXX", &["-Wall", "-Werror", "-o", "main", "main.cpp", "grades.o", "-lm"]);
    let said = String::from_utf8(succeed(&mut Command::new(folder.path().join("main")))).unwrap();
    let (class, rest) = said.split_once('|').unwrap();
    assert!(class.starts_with("class ") && class.ends_with(", \"gr\u{f6}\u{df}te\" */"), "{said}");
    assert_eq!(rest, "Gr\u{f6}\u{df}e|1.00000");
}

fn text(name: &str, stem: &str) -> Vec<String> {
    let case = NETWORKS.iter().find(|case| case.0 == name).unwrap();
    let files = c::write(&Sample::new(case).network, stem, Weights::Inside);
    files.into_iter().map(|file| String::from_utf8(file.bytes).unwrap()).collect()
}

#[test]
fn a_source_reads_well() {
    let [source, header] = &text("sp_tanh", "grades")[..] else { panic!("two files") };
    for said in ["typedef double grades_input;", "#define GRADES_CLASSES 4", "int grades_predict(const grades_input *x"]
    {
        assert!(header.contains(said), "{said}\n{header}");
    }
    for said in ["#include \"grades.h\"", "static const number weight_1[15]", "tanhf(", "        /* dense1 */"] {
        assert!(source.contains(said), "{said}\n{source}");
    }
}

#[test]
fn a_name_that_no_include_can_hold_is_not_included() {
    let [source, header] = &text("affine", "we\"ird */ n\u{e4}me")[..] else { panic!("two files") };
    assert!(!source.contains("#include \"") && source.contains("int we_ird____n_me_predict("));
    assert!(header.contains("#ifndef GMPC_WE_IRD____N_ME_H"));
}

#[test]
fn memory_of_values_that_are_done_is_used_again() {
    let header = &text("deep", "deep")[1];
    let (_, rest) = header.split_once("#define DEEP_SCRATCH ").expect("its scratch memory");
    let numbers: usize = rest.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    assert!(numbers < 100, "{numbers} numbers for 200 layers of six");
}
