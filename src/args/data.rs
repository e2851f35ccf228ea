//! The options of `gmpc data`.

use super::DataDirArgs;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

/// `gmpc data …`
#[derive(Debug, Clone, Subcommand)]
pub enum DataCommand {
    /// The data sets of the standard library, and whether they are here
    List(DataDirArgs),
    /// One data set: what it is, its files, what is in them
    Info(DataInfoArgs),
    /// Download a data set and check it
    Fetch(DataNameArgs),
    /// Make a table or array of yours a data set of the data folder, and print its declaration
    Import(DataImportArgs),
    /// Look through the files that are here: checksums of tables, every image of a set of images
    Verify {
        /// Such as `uci.yacht`; without one, every data set that is here
        name: Option<String>,
        #[command(flatten)]
        data: DataDirArgs,
    },
}

/// A data set by name.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataNameArgs {
    /// Such as `uci.yacht`; or a `.gmpnet` file, for the data set it uses
    pub name: String,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A data set to look at.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataInfoArgs {
    /// Such as `uci.yacht`; or a `.gmpnet` file, for the data set it uses
    pub name: String,
    /// Of images: write a contact sheet here, a row of images for each class
    #[arg(long, value_name = "FILE.png")]
    pub preview: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A file that becomes a data set.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataImportArgs {
    /// A table, an `.npy` matrix or an `.npz` archive
    pub file: PathBuf,
    /// What to call it, such as `coffee`; by default as the file is called
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub data: DataDirArgs,
}
