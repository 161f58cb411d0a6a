//! `empf data`: public data sets.

use crate::catalogue::{SETS, Set, Source, find};
use crate::error::{Error, Result};
use crate::fetch::{Outcome, Request};
use crate::output::print;
use crate::table::Table;
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Fetch public data sets, or list them
///
/// Files come from where they are published, or from a mirror, are held to their
/// MD5 sums, and are read in place: nothing is unpacked. A fetch that was cut goes
/// on where it was.
///
/// Examples:
///   empf data list
///   empf data fetch fashion-mnist
///   empf data fetch cifar10 -o data/cifar10
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the data sets, and whose checksums are known
    List,
    /// Fetch a data set
    Fetch {
        /// One of `empf data list`
        #[arg(value_name = "NAME")]
        name: String,
        /// Address of a folder that has the files under their names, in place of the usual one
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
        /// Folder for the files [default: data/NAME]
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

/// Lists or fetches.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::List => list(),
        Action::Fetch { name, mirror, output } => {
            let set = find(name).ok_or_else(|| {
                Error::file(name, "is no data set that is known; `empf data list` names those that are")
            })?;
            let folder = output.clone().unwrap_or_else(|| Path::new("data").join(name));
            fetch(set, mirror.as_deref(), &folder)
        }
    }
}

fn list() -> Result<()> {
    let mut table = Table::new(&["name", "what", "files", "MD5 sums"]);
    for Set { name, about, source } in &SETS {
        let (files, sums) = match source {
            Source::Files { files, sums } => (files.len().to_string(), (*sums).to_owned()),
            Source::Page { .. } => ("by hand".into(), "none known".into()),
        };
        table.row([(*name).to_owned(), (*about).to_owned(), files, sums]);
    }
    print(&table.to_string())?;
    for Set { name, source, .. } in &SETS {
        if let Source::Page { url, hint } = source {
            print(&format!("{name}: download it from {url}; {hint}"))?;
        }
    }
    Ok(())
}

fn fetch(set: &Set, mirror: Option<&str>, folder: &Path) -> Result<()> {
    let files = match &set.source {
        Source::Files { files, .. } => files,
        Source::Page { url, hint } => {
            let message = format!("cannot be fetched, only downloaded by hand from {url}; {hint}");
            return Err(Error::file(set.name, message));
        }
    };
    for file in *files {
        let url = match mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), file.name),
            None => file.url.to_owned(),
        };
        let target = folder.join(file.name);
        let outcome = Request { url: &url, md5: file.md5, target: &target }.fetch()?;
        let done = if outcome == Outcome::Kept { "is there" } else { "fetched" };
        print(&format!("{} {done}", target.display()))?;
    }
    print(&format!("use it with --data {}", folder.display()))
}
