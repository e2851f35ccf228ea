//! The codes of data faults at length, for `gmpc explain E0753`.

use gmpc_grammar::explain::Page;

/// The pages of E0750 to E0765, by code.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    PAGES.iter()
}

#[rustfmt::skip] // a page, a block
const PAGES: &[Page] = &[
    Page {
        code: "E0750",
        about: "A file of the data set is in none of the places where it is looked for. What a declaration fetches is kept \
                in the data directory: `--data-dir`, else GMPNET_DATA, else `gmpc` in your own data folder. A file that \
                you name yourself is looked for beside your .gmpnet file first.",
        wrong: "data = table(\"cofee.csv\", target = \"celsius\")",
        right: "data = table(\"coffee.csv\", target = \"celsius\")",
    },
    Page {
        code: "E0751",
        about: "The disk refused: a file cannot be opened, read or written, or a folder stands where a file should be. \
                The message says what the system answered: a missing permission, no space left.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0752",
        about: "A file that is fetched must lie below the data directory, so that no declaration can write anywhere else: \
                its path is relative and has no `..` in it.",
        wrong: "file = table(\"../../notes.txt\", separator = whitespace)",
        right: "file = table(\"mine/notes.txt\", separator = whitespace)",
    },
    Page {
        code: "E0753",
        about: "The file is not what it is read as: a table without rows, with rows of different lengths, with a quote that \
                never closes, in another encoding than UTF-8; an NPY or NPZ file that is cut off, promises more than it \
                holds, or holds no plain numbers. Arrays of Python objects are never read, for reading them can run code.",
        wrong: "minutes,celsius\n1,80\n2\n",
        right: "minutes,celsius\n1,80\n2,75\n",
    },
    Page {
        code: "E0754",
        about: "A column, or an array of an archive, is asked for that the file does not have, or in two roles. Columns are \
                called by the name in the header or by position, counted from 0. The features are all columns that are no \
                target, unless `columns` chooses them.",
        wrong: "data = table(\"coffee.csv\", target = \"temperature\")",
        right: "data = table(\"coffee.csv\", target = \"celsius\")",
    },
    Page {
        code: "E0755",
        about: "Every value has to be a finite number; the message names the line and the column of one that is not. \
                Nothing is filled in silently: fill missing values yourself, drop the line, or leave the column out.",
        wrong: "minutes,celsius\n1,80\n2,n/a\n",
        right: "minutes,celsius\n1,80\n",
    },
    Page {
        code: "E0756",
        about: "Data computed from a formula need a range `x = [low, high]` with low below high, at least one point, a \
                standard deviation of 0 or more as noise, a seed below 2^32, and a formula that is finite on the whole range.",
        wrong: "file = formula(y, x = [-1, 1], points = 50)    // with y = log(x)",
        right: "file = formula(y, x = [1, 3], points = 50)     // with y = log(x)",
    },
    Page {
        code: "E0757",
        about: "The distinct values of the target column, ascending, become classes 0, 1, …; there must be at least two, \
                and not about as many as there are rows: such a target is a measurement, and the task a regression.",
        wrong: "data = table(\"coffee.csv\", target = \"celsius\", task = classification)",
        right: "data = table(\"coffee.csv\", target = \"celsius\", task = regression)",
    },
    Page {
        code: "E0758",
        about: "`features` and `classes` in a declaration let a network be checked before its data are there; the file is \
                held to them when it is read.",
        wrong: "features = 7    // and the file has 6 columns besides the target",
        right: "features = 6",
    },
    Page {
        code: "E0759",
        about: "The rows cannot be cut as asked: a part would have no row, more rows are to be sampled than there are, or a \
                file of a predefined split names a row that is not there, or one twice. Row numbers count from 0.",
        wrong: "data = table(\"three_rows.csv\", target = 1, split = random(train = 0.1))",
        right: "data = table(\"three_rows.csv\", target = 1, split = random(train = 0.7))",
    },
    Page {
        code: "E0760",
        about: "A data set can be fetched if its declaration has a `url` that begins with `https://` or `http://`. One \
                without is put in its place by hand; the message says where that is.",
        wrong: "url = \"ftp://example.org/coffee.csv\"",
        right: "url = \"https://example.org/coffee.csv\"",
    },
    Page {
        code: "E0761",
        about: "The network or the server failed. What has come so far is kept beside the file as `.part`: the same command \
                goes on where it stopped. Proxies are taken from HTTPS_PROXY and HTTP_PROXY.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0762",
        about: "What was fetched is not what was declared: the SHA-256 checksums differ, and the file is thrown away. Either \
                the file has changed where it comes from, or something in between has changed it. Do not copy the new \
                checksum into the declaration before you know which.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0763",
        about: "A file cannot be imported under this name: names have letters, digits and `_`, with dots between words; \
                nothing that is already there is written over; and it has to be clear what the inputs and the targets are.",
        wrong: "gmpc data import coffee.csv --name \"my coffee\"",
        right: "gmpc data import coffee.csv --name mine.coffee",
    },
    Page {
        code: "E0764",
        about: "A batch of images, an archive or a photograph is cut off, damaged, or not what it is read as; the message names \
                the file and the reason. Pickles are read without running anything: one that names anything but what arrays \
                are made of is refused. `gmpc data verify NAME` finds all such files at once, before anything is trained.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0765",
        about: "An image has another size than the declaration states, or is smaller than the window that is to be cut out \
                of it. A resize that comes first in `transform` gives every image one size.",
        wrong: "data = images(\"pets\", classes = 2, transform = center_crop(224))",
        right: "data = images(\"pets\", classes = 2, transform = [resize_shorter(256), center_crop(224)])",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Every `E07nn` in a string of the files below a folder, this file left out.
    fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_in(&path, found);
            } else if !path.ends_with("explain.rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split("\"E07").skip(1).filter_map(|rest| rest.get(..2));
                found.extend(quoted.map(|digits| format!("E07{digits}")));
            }
        }
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let mut used = BTreeSet::new();
        codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data"), &mut used);
        let explained: BTreeSet<String> = pages().map(|page| page.code.to_string()).collect();
        assert_eq!(used, explained);
        assert!(pages().all(|page| page.about.len() > 80 && page.wrong.is_empty() == page.right.is_empty()));
    }
}
