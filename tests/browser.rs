//! Reports as a reader sees them. The program makes a report, and a headless browser opens it at the width of a phone and
//! of a screen, in light and in dark colours. The script `browser/probe.js` then measures the page from inside.
//!
//! The browser is the one that `GMPC_BROWSER` names, or else `chromium` of the search path. Without a browser the tests
//! are ignored. With `GMPC_PICTURES=DIR` every page is also saved as a picture in that folder.

use crate::support::{TINY, data_dir, gmpc, gmpc_in, path_in, write};
use serde_json::Value;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::{TempDir, tempdir};

/// Widths of a phone and of a screen, in pixels.
const WIDTHS: [u32; 2] = [400, 1400];
/// The least contrast of text to its background, and of lines (WCAG 2.1, level AA).
const TEXT: f64 = 4.5;
const LINES: f64 = 3.0;
/// The height of the smallest text, in pixels.
const SMALLEST: f64 = 9.0;

/// The path of the browser. Fails the test where there is none.
fn browser() -> PathBuf {
    let named = std::env::var_os("GMPC_BROWSER").filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| std::env::split_paths(&path).map(|at| at.join("chromium")).find(|at| at.is_file()));
    found.expect("a browser: install chromium, or set GMPC_BROWSER")
}

/// A command that opens this page in a browser with a profile of its own and without requests to other machines.
fn command(browser: &Path, profile: &TempDir, page: &Path) -> Command {
    let mut command = Command::new(browser);
    let options = [
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ];
    command.args(options).arg(format!("--user-data-dir={}", profile.path().display())).stderr(Stdio::null());
    if profile.path().metadata().unwrap().uid() == 0 {
        give_up_rights(&mut command, profile, page);
    }
    command
}

/// Runs the browser as the user `nobody`, to whom the profile belongs and who may read the page: Chromium does not start for root.
fn give_up_rights(command: &mut Command, profile: &TempDir, page: &Path) {
    const NOBODY: u32 = 65534;
    chown(profile.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let temporary = std::env::temp_dir();
    for at in page.ancestors().filter(|at| at.starts_with(&temporary) && *at != temporary) {
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    command.uid(NOBODY).gid(NOBODY).env("HOME", profile.path());
}

/// The document after its scripts have run, as text.
fn dumped(browser: &Path, page: &Path, options: &[&str]) -> String {
    let profile = tempdir().unwrap();
    let output = command(browser, &profile, page).args(options).arg("--dump-dom").arg(address(page)).output();
    String::from_utf8_lossy(&output.expect("the browser starts").stdout).into_owned()
}

fn address(page: &Path) -> String {
    format!("file://{}", page.display())
}

/// Opens a page in a frame of this width, in light or dark colours, and returns what the probe measured.
fn probed(browser: &Path, page: &Path, width: u32, dark: bool) -> Value {
    let folder = page.parent().unwrap();
    let text = std::fs::read_to_string(page).unwrap();
    // The handlers stand before every script of the page, so that no error of the page escapes them. The probe stands at
    // the end, where all figures exist.
    let before = "<script>const faults = []; addEventListener('error', (e) => faults.push(String(e.message)));\n\
                  addEventListener('unhandledrejection', (e) => faults.push(String(e.reason)));\n\
                  for (const name of ['error', 'warn']) console[name] = (...all) => faults.push(all.join(' '));</script>\n";
    let probe = include_str!("browser/probe.js");
    let with = text.replacen("<style>", &format!("{before}<style>"), 1);
    let with = with.replacen("</html>", &format!("<script>{probe}</script></html>"), 1);
    assert!(with.len() > text.len() + before.len());
    std::fs::write(folder.join("probed.html"), with).unwrap();
    // Chromium makes no window narrower than 500 pixels, but a frame may be narrower. The page inside reports through a
    // message, which is encoded because `--dump-dom` escapes marks of HTML.
    let frame = format!(
        "<!doctype html><style>:root {{ color-scheme: light dark }} body {{ margin: 0 }} iframe {{ border: 0 }}</style>\n\
         <iframe src=\"probed.html\" width=\"{width}\" height=\"1000\"></iframe><pre id=\"found\"></pre>\n\
         <script>addEventListener('message', (e) => {{ document.getElementById('found').textContent = \
         encodeURIComponent(e.data); }});</script>"
    );
    let outer = folder.join("frame.html");
    std::fs::write(&outer, frame).unwrap();
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let text = dumped(browser, &outer, &["--virtual-time-budget=8000", "--window-size=1500,1100", &scheme]);
    let found = text.split("id=\"found\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
    assert!(!found.is_empty(), "the probe said nothing about {}: {text}", page.display());
    serde_json::from_str(&decoded(found)).expect("what the probe says")
}

/// Reverses `encodeURIComponent`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &tail[2..]).1,
            None => (bytes.push(first), rest = tail).1,
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Saves a picture of a page where `GMPC_PICTURES` asks for it.
fn photograph(browser: &Path, page: &Path, name: &str, width: u32, dark: bool) {
    let Some(folder) = std::env::var_os("GMPC_PICTURES").map(PathBuf::from) else { return };
    let outer = page.with_file_name("picture.html");
    let height = 9000;
    let inner = page.file_name().unwrap().to_string_lossy();
    let text = format!(
        "<!doctype html><style>:root {{ color-scheme: light dark }} body {{ margin: 0 }} iframe {{ border: 0 }}</style>\n\
         <iframe src=\"{inner}\" width=\"{width}\" height=\"{height}\"></iframe>"
    );
    std::fs::write(&outer, text).unwrap();
    let profile = tempdir().unwrap();
    let scheme = if dark { "dark" } else { "light" };
    let picture = folder.join(format!("{name}-{width}-{scheme}.png"));
    let taken = profile.path().join("picture.png");
    let mut command = command(browser, &profile, page);
    command.arg(format!("--window-size={},{height}", width.max(500)));
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
    command.arg(format!("--screenshot={}", taken.display())).arg(address(&outer));
    command.output().expect("the browser starts");
    std::fs::copy(&taken, &picture).unwrap_or_else(|error| panic!("{}: {error}", picture.display()));
}

/// Checks what must hold for every page at every width and in every colour scheme.
#[track_caller]
fn sound(found: &Value, name: &str, width: u32, dark: bool) {
    let at = format!("{name}, {width} pixels, {}", if dark { "dark" } else { "light" });
    assert_eq!(found["faults"], serde_json::json!([]), "{at}: errors on the console");
    assert_eq!((&found["width"], &found["dark"]), (&width.into(), &dark.into()), "{at}");
    assert!(found["overflow"].as_i64().unwrap() <= 0, "{at}: wider than the window by {}", found["overflow"]);
    assert_eq!(found["overlaps"], serde_json::json!([]), "{at}: texts lie over each other");
    let least = |what: &str, limit: f64| {
        let number = found[what][0].as_f64().unwrap();
        assert!(number >= limit, "{at}: {what} {number} of {}", found[what][1]);
    };
    least("contrast", TEXT);
    least("stroke_contrast", LINES);
    least("smallest", SMALLEST);
    assert!(found["texts"].as_u64().unwrap() > 20, "{at}");
    // The probe zoomed in on every interactive figure and back out. The view must change and then be restored, and no
    // tooltip may show `NaN`.
    for act in found["acts"].as_array().unwrap() {
        let id = &act["id"];
        assert!(act["view"][0].as_f64().unwrap() > 0.0 && act["whole"] != act["closer"], "{at}: {id} comes closer");
        assert_eq!(act["restored"], true, "{at}: {id} goes back");
        let told = act["told"].as_array().unwrap();
        assert!(
            told.len() > 1 && told.iter().all(|text| !text.as_str().unwrap().contains("NaN")),
            "{at}: {id} {told:?}"
        );
    }
    // Files that the page offers for download: drawings, and tables with more than a head.
    for file in found["files"].as_array().unwrap() {
        assert!(file["svg"] == true || file["rows"].as_u64().unwrap_or(0) > 2, "{at}: {file}");
    }
    for figure in found["figures"].as_array().unwrap() {
        for plot in figure["plots"].as_array().unwrap() {
            assert!(plot["ticks"].as_u64().unwrap() >= 2 && plot["wide"].as_f64().unwrap() >= 200.0, "{at}: {plot}");
            assert!(plot["title"].as_str().is_some_and(|title| !title.is_empty()));
        }
    }
}

/// Checks that every figure is also a file which a browser can draw, and that a table of its numbers lies beside it.
fn drawings(browser: &Path, folder: &Path) {
    let all = std::fs::read_dir(folder.join("figures")).unwrap().flatten().map(|entry| entry.path());
    let (drawn, tables): (Vec<PathBuf>, Vec<PathBuf>) = all
        .filter(|path| path.extension().is_some_and(|e| e == "svg" || e == "csv"))
        .partition(|path| path.extension().is_some_and(|e| e == "svg"));
    let (printed, drawn): (Vec<PathBuf>, Vec<PathBuf>) = drawn.into_iter().partition(|path| {
        let name = path.to_string_lossy();
        name.ends_with("-single.svg") || name.ends_with("-double.svg")
    });
    assert!(drawn.len() > 8 && tables.len() == drawn.len() && printed.len() == 2 * drawn.len(), "{drawn:?}");
    let drawn = [drawn, printed].concat();
    let images: String = drawn.iter().map(|path| format!("<img src=\"{}\" alt=\"{0}\">\n", address(path))).collect();
    let page = folder.join("drawings.html");
    let script = "<script>addEventListener('load', () => { const bad = [...document.images].filter((one) => \
                  one.naturalWidth < 200).map((one) => one.alt); document.body.innerHTML = \
                  `<i id=\"found\">${bad.length} ${bad.join(' ')}</i>`; });</script>";
    std::fs::write(&page, format!("<!doctype html><body>{images}{script}")).unwrap();
    let text = dumped(browser, &page, &[]);
    assert!(text.contains("<i id=\"found\">0 </i>"), "drawings that cannot be drawn: {text}");
}

/// The number of plots of a figure, and the number of paths of each kind in the first plot.
fn structure<'a>(found: &'a Value, id: &str) -> (usize, &'a Value) {
    let figures = found["figures"].as_array().unwrap();
    let figure = figures.iter().find(|figure| figure["id"] == id).unwrap_or_else(|| panic!("there is no {id}"));
    (figure["plots"].as_array().unwrap().len(), &figure["plots"][0]["kinds"])
}

/// Writes a model of two classes in the plane, and its table. Returns the path of the model.
fn plane(folder: &Path) -> String {
    let rows: String = (0..80)
        .map(|k| {
            let (angle, class) = (f64::from(k) * 0.37, k % 2);
            let radius = 1.0 + f64::from(class) + 0.3 * (f64::from(k) * 1.7).sin();
            format!("{},{},{class}\n", radius * angle.cos(), radius * angle.sin())
        })
        .collect();
    write(folder, "plane.csv", &format!("a,b,class\n{rows}"));
    let text = "data = table(\"plane.csv\", target = \"class\", task = classification, split = random(train = 0.8))
model plane { input -> dense(6) as hidden -> relu -> dense(4) -> relu -> linear(1) }
train { loss = binary_cross_entropy  optimizer = adam(lr = 0.05)  batch = 16  epochs = 12  metrics = [accuracy] }\n";
    write(folder, "plane.gmpnet", text)
}

/// Makes a report of runs with one input, runs with two inputs, and a comparison. Returns the page.
fn everything(folder: &Path) -> PathBuf {
    let (line, plane) = (write(folder, "line.gmpnet", TINY), plane(folder));
    let mut arguments = vec!["report".to_string()];
    for (file, param) in [(&line, "sp"), (&line, "gmp"), (&plane, "sp"), (&plane, "gmp")] {
        let name = format!("{}-{param}", if *file == line { "line" } else { "plane" });
        gmpc_in(folder, &["train", file, "--param", param, "--out", &name, "--record", "boundaries", "--quiet"])
            .expect(0);
        arguments.push(name);
    }
    let compare = ["compare", &line, "--param", "sp,gmp + mn", "--repeats", "3", "--out", "compared", "--quiet"];
    gmpc_in(folder, &compare).expect(0);
    arguments.extend(["compared", "--figures", "figures"].map(String::from));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    gmpc_in(folder, &arguments).expect(0);
    folder.join("report.html")
}

#[test]
#[cfg_attr(not(has_browser), ignore = "needs a browser: install chromium or set GMPC_BROWSER")]
fn a_report_of_everything_reads_well_on_a_phone_and_on_a_screen_in_light_and_in_dark() {
    let browser = browser();
    let folder = tempdir().unwrap();
    let page = everything(folder.path());
    drawings(&browser, folder.path());
    for (width, dark) in WIDTHS.into_iter().flat_map(|width| [(width, false), (width, true)]) {
        let found = probed(&browser, &page, width, dark);
        sound(&found, "everything", width, dark);
        photograph(&browser, &page, "everything", width, dark);
        // Runs of the same experiment share a figure. A mean of several runs has a band around it; a single run has none.
        for id in ["learning-curves-tiny-levy", "learning-curves-plane"] {
            let (plots, kinds) = structure(&found, id);
            assert_eq!((plots, &kinds["line"]), (4, &2.into()), "loss and metric of two parts");
        }
        let (_, kinds) = structure(&found, "curves-compared");
        assert_eq!((&kinds["line"], &kinds["band"]), (&2.into(), &2.into()));
        // Every figure of the paper is there, with as many plots and paths as the four runs give.
        let (plots, kinds) = structure(&found, "figure-2c");
        assert_eq!((plots, &kinds["line"]), (2, &2.into()), "one for each experiment");
        let (plots, kinds) = structure(&found, "figure-2d-g");
        assert_eq!((plots, &kinds["line"], &kinds["dots"]), (4, &2.into(), &2.into()), "a fit and a spectrum of each");
        let (plots, kinds) = structure(&found, "figure-3a-h");
        assert_eq!((plots, &kinds["line"], &kinds["dots"]), (4, &6.into(), &6.into()), "six units, two views");
        let (plots, kinds) = structure(&found, "figure-1-plane-gmp");
        assert_eq!((plots, &kinds["dots"]), (4, &5.into()), "before, as the run has it, sp, wn, gmp");
        assert_eq!(structure(&found, "figure-3i").0, 1);
        let (plots, kinds) = structure(&found, "figure-3j-m");
        assert_eq!((plots, &kinds["dots"]), (2, &2.into()));
        assert!(structure(&found, "regions-plane-gmp").1["segments"].as_u64().unwrap() > 3);
        // The slider of a figure moves its boundaries over the epochs and back to the first.
        for (id, plots) in [("boundaries-1", 2), ("boundaries-2", 2)] {
            assert_eq!(structure(&found, id).0, plots);
            let act = found["acts"].as_array().unwrap().iter().find(|act| act["id"] == id).unwrap();
            assert!(act["moved"] == true && act["came_back"] == true && act["time"] == "epoch 0", "{act}");
        }
        assert_eq!(found["sources"], 5);
    }
}

#[test]
#[cfg_attr(not(has_browser), ignore = "needs a browser: install chromium or set GMPC_BROWSER")]
fn figure_1_reads_well() {
    let browser = browser();
    let folder = tempdir().unwrap();
    gmpc_in(folder.path(), &["reproduce", "fig1", "-o", "fig1", "--quiet"]).expect(0);
    let page = folder.path().join("fig1/report.html");
    for (width, dark) in [(400, true), (1400, false)] {
        let found = probed(&browser, &page, width, dark);
        sound(&found, "fig1", width, dark);
        photograph(&browser, &page, "fig1", width, dark);
        let (plots, kinds) = structure(&found, "figure-1");
        assert_eq!((plots, &kinds["segments"], &kinds["dots"]), (4, &4.into(), &4.into()), "before and three after");
        assert_eq!(found["tables"], serde_json::json!([13]));
    }
}

#[test]
#[cfg_attr(
    not(all(has_browser, has_data)),
    ignore = "needs a browser (install chromium or set GMPC_BROWSER) and the data sets (set GMPNET_DATA to their folder)"
)]
fn a_reproduced_table_reads_well() {
    let (browser, folder) = (browser(), tempdir().unwrap());
    let data = data_dir();
    let data = data.to_string_lossy();
    let short =
        ["reproduce", "table1", "--repeats", "2", "--set", "train.epochs=4", "--set", "data=uci.boston,uci.yacht"];
    let there = ["--data-dir", &data, "-o", "table1", "--quiet"];
    gmpc_in(folder.path(), &[&short[..], &there[..]].concat()).expect(0);
    let page = folder.path().join("table1/report.html");
    for (width, dark) in [(400, false), (1400, true)] {
        let found = probed(&browser, &page, width, dark);
        sound(&found, "table1", width, dark);
        photograph(&browser, &page, "table1", width, dark);
        assert_eq!(found["tables"], serde_json::json!([1 + 2 + 1]), "two sets, one of them with the paper's numbers");
        assert_eq!(found["figures"].as_array().unwrap().len(), 2);
    }
}

/// A report of ten runs of 3000 epochs, made once for the tests below.
fn ten_runs() -> &'static str {
    static REPORT: OnceLock<String> = OnceLock::new();
    REPORT.get_or_init(report_of_ten_runs)
}

fn report_of_ten_runs() -> String {
    let folder = tempdir().unwrap();
    let levy = crate::support::root().join("examples/levy.gmpnet").to_string_lossy().into_owned();
    let mut runs = Vec::new();
    for (param, seed) in ["sp", "gmp"].into_iter().flat_map(|param| ["0", "1", "2", "3", "4"].map(|seed| (param, seed)))
    {
        let run = path_in(&folder, &format!("{param}{seed}"));
        let train =
            ["train", &levy, "--param", param, "--seed", seed, "--out", &run, "--record", "boundaries", "--quiet"];
        gmpc(&[&train[..], &["--set", "train.epochs=3000"]].concat()).expect(0);
        runs.push(run);
    }
    let page = folder.path().join("ten.html");
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    gmpc(&[&["report", "-o", &page.to_string_lossy()], &runs[..]].concat()).expect(0);
    std::fs::read_to_string(&page).unwrap()
}

#[test]
fn a_report_of_ten_runs_is_small() {
    assert!(ten_runs().len() < 3_000_000, "{} bytes", ten_runs().len());
}

#[test]
#[cfg_attr(not(has_browser), ignore = "needs a browser: install chromium or set GMPC_BROWSER")]
fn a_report_of_ten_runs_opens_fast() {
    let (browser, folder, text) = (browser(), tempdir().unwrap(), ten_runs());
    let page = folder.path().join("ten.html");
    let clock = "<script>addEventListener('load', () => { document.body.getBoundingClientRect(); \
                 document.body.innerHTML = `<i id=\"found\">${performance.now()}</i>`; });</script></html>";
    std::fs::write(&page, text.replacen("</html>", clock, 1)).unwrap();
    let opened = || {
        let text = dumped(&browser, &page, &["--window-size=1400,1000"]);
        let number = text.split("id=\"found\">").nth(1).and_then(|rest| rest.split('<').next());
        number.and_then(|number| number.parse::<f64>().ok()).expect("the time")
    };
    // Other tests run at the same time and slow the browser down. The best of three times is nearest to the time of the
    // page itself.
    let times: Vec<f64> = (0..3).map(|_| opened()).collect();
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    eprintln!("{} bytes, open after {times:?} ms", text.len());
    assert!(best < 1000.0, "{times:?} ms");
}
