//! The options of `gmpc data`.

use super::DataDirArgs;
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

/// `gmpc data …`
#[derive(Debug, Clone, Subcommand)]
pub enum DataCommand {
    /// List the data sets of the standard library, and whether they are on this machine
    List(DataDirArgs),
    /// Describe a data set: what it is, its files and their contents
    Info(DataInfoArgs),
    /// Download a data set and verify its checksums
    Fetch(DataNameArgs),
    /// Copy a table or an array into the data folder, and print its declaration
    Import(DataImportArgs),
    /// Verify files: checksums of tables, and every image of an image set
    Verify {
        /// Such as `uci.yacht`; without a name, every data set on this machine
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

/// A data set to describe.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataInfoArgs {
    /// Such as `uci.yacht`; or a `.gmpnet` file, for the data set it uses
    pub name: String,
    /// For images: write a contact sheet with one row of images for each class
    #[arg(long, value_name = "FILE.png")]
    pub preview: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A file to import as a data set.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataImportArgs {
    /// A table, an `.npy` matrix or an `.npz` archive
    pub file: PathBuf,
    /// Name of the data set, such as `coffee`; by default the file's name
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub data: DataDirArgs,
}
