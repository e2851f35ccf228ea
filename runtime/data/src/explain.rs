//! The pages about errors in data and notes about data, for `gmpc explain E0753`.

use gmpc_grammar::explain::Page;

/// The pages of E0750 to E0765 and of the notes from W0771 on, in the order of their codes.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    PAGES.iter()
}

#[rustfmt::skip] // a page, a block
const PAGES: &[Page] = &[
    Page {
        code: "E0750",
        about: "A file of the data set does not exist in any of the folders that are searched. Downloadable files \
                are in the data directory: `--data-dir`, else GMPNET_DATA, else `gmpc` in your own data folder. A \
                file that you name yourself is searched beside your .gmpnet file first.",
        wrong: "data = table(\"cofee.csv\", target = \"celsius\")",
        right: "data = table(\"coffee.csv\", target = \"celsius\")",
    },
    Page {
        code: "E0751",
        about: "The operating system refused: a file cannot be opened, read or written, or there is a folder instead \
                of a file. The message contains the system's answer, such as a missing permission or no space left.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0752",
        about: "A downloadable file must be below the data directory, so that no declaration can write anywhere \
                else. Its path must be relative and must not contain `..`.",
        wrong: "file = table(\"../../notes.txt\", separator = whitespace)",
        right: "file = table(\"mine/notes.txt\", separator = whitespace)",
    },
    Page {
        code: "E0753",
        about: "The file does not have the expected form. Examples: a table without rows, with rows of different \
                lengths, with a quote that never closes, or in an encoding other than UTF-8; an NPY or NPZ file that \
                is cut off, has less data than its header says, or contains no plain numbers; a folder of images \
                without classes, or whose parts have different classes; a compressed file that does not unpack. \
                Arrays of Python objects are never read, because reading them can run code.",
        wrong: "minutes,celsius\n1,80\n2\n",
        right: "minutes,celsius\n1,80\n2,75\n",
    },
    Page {
        code: "E0754",
        about: "The declaration asks for a column, or for an array of an archive, that the file does not have, or \
                uses one for two purposes. A column is given by its name in the header or by its position, counted \
                from 0. The features are all columns that are not targets, unless `columns` lists them.",
        wrong: "data = table(\"coffee.csv\", target = \"temperature\")",
        right: "data = table(\"coffee.csv\", target = \"celsius\")",
    },
    Page {
        code: "E0755",
        about: "Every value must be a finite number. The message names the line and the column of a value that is \
                not. gmpc fills in nothing silently: fill missing values yourself, drop the line, or leave the \
                column out. Convert a column of words to one column of 0 and 1 for each word (`pandas.get_dummies` \
                does this), or leave it out with `columns`. Convert a date to a number of days. TRUE and FALSE are \
                read as 1 and 0. Among class labels, an empty cell, `?`, `NA`, `None` and similar words mean a \
                missing value. With `missing = [\"\"]` in `table(...)` only empty cells are missing, so that `None` \
                can be a class.",
        wrong: "minutes,celsius\n1,80\n2,n/a\n",
        right: "minutes,celsius\n1,80\n",
    },
    Page {
        code: "E0756",
        about: "Data from a formula need a range `x = [low, high]` with low below high, at least one point, noise \
                with a standard deviation of 0 or more, a seed below 2^32, and a formula that is finite on the whole \
                range.",
        wrong: "file = formula(y, x = [-1, 1], points = 50)    // with y = log(x)",
        right: "file = formula(y, x = [1, 3], points = 50)     // with y = log(x)",
    },
    Page {
        code: "E0757",
        about: "The distinct values of the target column, in ascending order, become classes 0, 1, …. There must be \
                at least two of them. If nearly every row has its own value, the target is a measurement, and the \
                task is a regression.",
        wrong: "data = table(\"coffee.csv\", target = \"celsius\", task = classification)",
        right: "data = table(\"coffee.csv\", target = \"celsius\", task = regression)",
    },
    Page {
        code: "E0758",
        about: "With `features` and `classes` in a declaration, a network can be checked before its data exist. When \
                the file is read, it must have these numbers.",
        wrong: "features = 7    // and the file has 6 columns besides the target",
        right: "features = 6",
    },
    Page {
        code: "E0759",
        about: "The rows cannot be split as asked. A part would have no row, more rows are sampled than there are, \
                or a file of a predefined split names a row that does not exist or names a row twice. Row numbers \
                count from 0.",
        wrong: "data = table(\"three_rows.csv\", target = 1, split = random(train = 0.1))",
        right: "data = table(\"three_rows.csv\", target = 1, split = random(train = 0.7))",
    },
    Page {
        code: "E0760",
        about: "A data set can be downloaded if its declaration has a `url` that begins with `https://` or \
                `http://`. Put any other file into its place yourself; the message says where that is.",
        wrong: "url = \"ftp://example.org/coffee.csv\"",
        right: "url = \"https://example.org/coffee.csv\"",
    },
    Page {
        code: "E0761",
        about: "The network or the server failed. The part that has arrived is stored beside the file as `.part`, \
                and the same command continues from there. Proxies are taken from HTTPS_PROXY and HTTP_PROXY.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0762",
        about: "The downloaded file differs from the declared one: the SHA-256 checksums differ. gmpc deletes the \
                download. Either the file has changed at its source, or something changed it on the way. Find out \
                which before you copy the new checksum into the declaration.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0763",
        about: "A file cannot be imported under this name. A name has letters, digits and `_`, with dots between \
                words. Existing files are never overwritten, and it must be clear which columns are inputs and which \
                are targets.",
        wrong: "gmpc data import coffee.csv --name \"my coffee\"",
        right: "gmpc data import coffee.csv --name mine.coffee",
    },
    Page {
        code: "E0764",
        about: "A file of images, an archive or a photograph is incomplete or damaged, or does not have the expected \
                format. The message names the file and the reason. Pickles are read without running code: a pickle \
                that contains anything other than arrays is refused. `gmpc data verify NAME` finds all such files at \
                once, before training.",
        wrong: "",
        right: "",
    },
    Page {
        code: "E0765",
        about: "An image has another size than the declaration says, or is smaller than the window to be cut out of \
                it. With a resize as the first step of `transform`, every image gets the same size.",
        wrong: "data = images(\"pets\", classes = 2, transform = center_crop(224))",
        right: "data = images(\"pets\", classes = 2, transform = [resize_shorter(256), center_crop(224)])",
    },
    Page {
        code: "W0770",
        about: "Numbers of f32 have about seven digits. A column such as a time in seconds since 1970 varies by little around a \
                large number, so rounding makes different values equal. Standardizing subtracts the mean in f64 first, and \
                keeps the differences.",
        wrong: "data = table(\"log.csv\", target = \"load\", standardize = none)    // with a column of seconds since 1970",
        right: "data = table(\"log.csv\", target = \"load\")",
    },
    Page {
        code: "W0771",
        about: "Blank lines, and lines that begin with a character of `skip`, contain no row. They are counted if \
                they are between rows, because rows that are counted by hand then have other numbers. Predictions \
                contain the line of the file that they are for.",
        wrong: "minutes,celsius\n1,80\n\n3,70\n",
        right: "minutes,celsius\n1,80\n3,70\n",
    },
    Page {
        code: "W0772",
        about: "Every line of the file ends in a separator, so there is one more column than there are names. This \
                column is empty and has no name, and it is left out. A value in it in a later row is an error.",
        wrong: "minutes,celsius,\n1,80,\n",
        right: "minutes,celsius\n1,80\n",
    },
    Page {
        code: "W0773",
        about: "The first line contains only numbers and was read as a row, but it differs from all rows below it. \
                It may contain the names of the columns, such as years. `header = true` makes it the header; `header \
                = false` confirms that it is a row.",
        wrong: "data = table(\"sales.csv\", target = 2)    // which begins with 2019,2020,2021",
        right: "data = table(\"sales.csv\", target = 2, header = true)",
    },
    Page {
        code: "W0774",
        about: "A line that begins with `#` comes before the first row and has as many words as there are columns. \
                NumPy writes headers in this way. Its words are used as the names of the columns.",
        wrong: "# minutes,celsius\n1,80\n",
        right: "minutes,celsius\n1,80\n",
    },
    Page {
        code: "W0775",
        about: "The first column counts the rows from 0 or 1. Some programs write such an index beside the data. As \
                a feature it tells the position of a row in the file, which is rarely intended. List the feature \
                columns in `columns`.",
        wrong: "data = table(\"coffee.csv\", target = \"celsius\")    // whose first column is `Id`",
        right: "data = table(\"coffee.csv\", target = \"celsius\", columns = [\"minutes\"])",
    },
    Page {
        code: "W0776",
        about: "The target has the same value in every row, so there is nothing to learn. Often another column was \
                intended, or the separator is wrong: `3,5` with a comma as separator is two columns and not three \
                and a half.",
        wrong: "data = table(\"halves.csv\", target = 1)    // whose lines are 3,5,7,25",
        right: "data = table(\"halves.csv\", target = 1, separator = \";\")    // whose lines are 3.5;7.25",
    },
    Page {
        code: "W0777",
        about: "In this column, every number with a point has three digits after it and one to three digits before \
                it, and all integers are below 1000. In some countries 1.250 means one thousand two hundred and \
                fifty; gmpc reads it as one and a quarter.",
        wrong: "price\n998\n1.250\n2.500\n",
        right: "price\n998\n1250\n2500\n",
    },
    Page {
        code: "W0778",
        about: "A class label is the text in the file. Two labels differ only in case, blanks, accents or a final \
                point, or are two spellings of one number. They are different classes. If they should be one class, \
                the file needs one spelling.",
        wrong: "answer\nyes\nYes\nno\n",
        right: "answer\nyes\nyes\nno\n",
    },
    Page {
        code: "W0779",
        about: "A class has no row in the training part, so the network cannot learn it; or it has none in the test \
                part, so the test metrics do not cover it. In a random split, a small class may be in one part only.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0780",
        about: "Some files in a folder of images are skipped because their names do not have the extension of a JPEG \
                or PNG file (.jpg, .jpeg, .jpe, .jfif, .png, .apng). The note counts them by extension. Convert them \
                or remove them.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0781",
        about: "Some images are in folders inside the folder of a class. They belong to this class, as in the usual \
                data loaders and in `gmpc predict`. If an inner folder should be a class of its own, move it up.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0782",
        about: "A camera that was held sideways stores its orientation in the file (Exif) and does not rotate the \
                pixels. gmpc rotates such images to be upright, in training, in `predict` and on contact sheets.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0783",
        about: "Some images have transparent pixels. Their stored colour is arbitrary, so the network should not \
                learn from it. Such pixels are placed on white, or on the colour that `background` gives: `white`, \
                `black`, or red, green and blue from 0 to 1.",
        wrong: "data = images(\"icons\", shape = [3, 16, 16])",
        right: "data = images(\"icons\", background = black, shape = [3, 16, 16])",
    },
    Page {
        code: "W0784",
        about: "Images with 16 bits for each channel are rounded to 8 bits. Measurements of 12 bits in 16-bit files \
                become nearly black: scale them to the full range and save them with 8 bits.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0785",
        about: "Some classes have no training image or no test image. The network has an output for each of them \
                nevertheless. Often the labels are identifiers and not class numbers, or `first_label` is wrong.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0787",
        about: "A batch cannot have more rows than the training part, so every batch contains all rows. An epoch is \
                then one step, whatever `batch` says. This training differs from one with smaller batches and is \
                often not intended.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0786",
        about: "A network that was trained on images of one size predicts for images of other sizes. They are \
                stretched to the trained size, whatever their proportions. Crop or resize them yourself if this \
                matters.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0788",
        about: "The file to predict for has columns that the network was not trained on. Its features are found by \
                name, so no column is shifted. `--keep NAME` copies a column to the predictions, such as the number \
                of a customer.",
        wrong: "gmpc predict runs/a --input new.csv",
        right: "gmpc predict runs/a --input new.csv --keep id",
    },
    Page {
        code: "W0789",
        about: "Only one of two files has a header: the training file or the file to predict for. So the columns are \
                used in the order of training, which cannot be checked.",
        wrong: "1,100\n",
        right: "minutes,celsius\n1,100\n",
    },
    Page {
        code: "W0790",
        about: "One value is far outside all others of its column, and more than one row has it: -999, 9999. Such \
                values often mark missing measurements. A network reads them as numbers, and they distort means and \
                deviations. Drop those rows or fill in the values; `missing = [\"-999\"]` in `table(...)` refuses \
                them. If the value is a real measurement, do nothing.",
        wrong: "kelvin\n290\n-999\n288\n-999\n",
        right: "kelvin\n290\n288\n",
    },
    Page {
        code: "W0791",
        about: "A feature column contains only TRUE and FALSE, in upper or lower case, as Python, R and Excel write \
                truth values. They are read as 1 and 0, as in NumPy.",
        wrong: "ill,age\nTRUE,50\nFALSE,31\n",
        right: "ill,age\n1,50\n0,31\n",
    },
    Page {
        code: "W0792",
        about: "Two used columns have the same name, or names that differ only in case or blanks. Often one is a \
                copy of the other. A copy of the target among the features makes the result meaningless.",
        wrong: "Price,rooms,price\n100,2,100\n",
        right: "rooms,price\n2,100\n",
    },
    Page {
        code: "W0793",
        about: "`header = true` makes the first line the names of the columns. Here all names are numbers, some of \
                them with a fraction. If they are a row of data, this row is lost: write `header = false`.",
        wrong: "data = table(\"coffee.csv\", target = 1, header = true)    // whose first line is 1.5,80.2",
        right: "data = table(\"coffee.csv\", target = 1, header = false)",
    },
    Page {
        code: "W0794",
        about: "The largest number in single precision is 3.4e38. Targets above 1e19 fit, but their squares do not, \
                so their mean squared error is infinite. Use double precision, or divide the target by a suitable \
                unit.",
        wrong: "data = table(\"stars.csv\", target = \"kilograms\")",
        right: "precision = f64\ndata = table(\"stars.csv\", target = \"kilograms\")",
    },
    Page {
        code: "W0795",
        about: "Many test rows, or some test images, are also in the training part. The network may have memorized them, so \
                the metrics on the test part are better than on new data. Remove duplicates before the split. Measurements \
                that repeat naturally, such as those of a few categories, are not an error.",
        wrong: "data = images(\"photos\", test = \"photos\")",
        right: "data = images(\"photos\")    // a random fifth is the test part",
    },
    Page {
        code: "W0796",
        about: "The same image is in two classes, with equal bytes (or equal pixels, if the set is stored as pixels). Every \
                prediction is then wrong for one of them. Often a file was copied into a second folder instead of moved.",
        wrong: "",
        right: "",
    },
    Page {
        code: "W0797",
        about: "A feature equals the target in every training row. The network learns to copy it, so the metrics are perfect, \
                but for new rows this feature is unknown. Often the column is the target under another name.",
        wrong: "data = table(\"houses.csv\", target = \"price\")    // whose column `sold_for` is the price",
        right: "data = table(\"houses.csv\", target = \"price\", columns = [\"rooms\", \"area\"])",
    },
    Page {
        code: "W0798",
        about: "A feature has the same value in every training row, up to rounding. Standardizing turns it into 0, also for new \
                rows, so its value in a new row has no effect.",
        wrong: "data = table(\"sensors.csv\", target = \"wear\")    // whose column `unit` is 1 everywhere",
        right: "data = table(\"sensors.csv\", target = \"wear\", columns = [\"speed\", \"load\"])",
    },
    Page {
        code: "W0799",
        about: "A folder of images has one folder for each class, and here some images are next to these folders. They belong to \
                no class, so they are not used.",
        wrong: "photos/cat/1.jpg, photos/dog/1.jpg, photos/2.jpg",
        right: "photos/cat/1.jpg, photos/dog/1.jpg, photos/dog/2.jpg",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Every `E07nn` and `W07nn` in string literals of the files below a folder, except this file.
    fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_in(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("explain.rs")
                && !path.ends_with("tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for kind in ["E07", "W07"] {
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
        codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        used.insert("W0787".to_string()); // reported by the runtime, which knows the batch size
        let explained: BTreeSet<String> = pages().map(|page| page.code.to_string()).collect();
        assert_eq!(used, explained);
        assert!(pages().all(|page| page.about.len() > 80 && page.wrong.is_empty() == page.right.is_empty()));
    }
}
