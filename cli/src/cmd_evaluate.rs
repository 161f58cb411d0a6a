//! `empf evaluate`: what a trained network answers, and what that costs.

use crate::data::{Interface, ReadingArgs, SplitName};
use crate::error::{Error, Result};
use crate::folder;
use crate::judgement::{self, Judgement};
use crate::output::{percent, print};
use crate::run_folder;
use crate::samples::Count;
use empf_ir::{Network, counted, store};
use empf_trainer::Model;
use std::path::PathBuf;

/// Judge a trained network by test images
///
/// Prints the accuracy, that of each class and what it is mostly taken for; and for
/// an inference of each layer: spikes, the share of silent places, and the additions
/// and multiplications that values other than zero cause, also as a share of those
/// without zeros. With -o, writes evaluation.json (with the confusion matrix and the
/// names of the classes), confusion.svg and confusion.png.
///
/// Examples:
///   empf evaluate runs/tiny
///   empf evaluate runs/fashion/best --data data/fashion_mnist -o runs/fashion/best-evaluation
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder with a network, or of a run, whose last network is taken
    #[arg(value_name = "RUN|NETWORK")]
    network: PathBuf,
    /// `glyphs`, or a folder with a data set as for `empf train`
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR")]
    data: String,
    /// Which of its images
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Only the first N images
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Folder for evaluation.json and the pictures
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Judges, writes and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.samples == Some(0) {
        return Err(Error::Option { option: "samples", message: "is 0; give 1 at least".into() });
    }
    let _held = match &args.output {
        Some(output) => {
            folder::check_no_file_in_the_way(output, judgement::FILES)?;
            run_folder::check_outside(output)?;
            output.exists().then(|| folder::hold(output)).transpose()?
        }
        None => None,
    };
    let network = Network::load(&run_folder::network_of(&args.network)?)?;
    let mut images = Interface::from(&network).part(&args.data, args.split, args.reading)?;
    images.truncate(Count::or_default(args.samples, usize::MAX).of(&args.data, images.len())?);
    let judgement = Judgement::of(&mut Model::from_network(&network)?, &images)?;
    if let Some(output) = &args.output {
        store::create_dir(output)?;
        judgement.save(output)?;
    }
    let evaluation = &judgement.evaluation;
    let (accuracy, images) = (percent(evaluation.accuracy()), counted(evaluation.total(), "image"));
    print(&format!("{}\n\n{}\n\naccuracy {accuracy} of {images}", judgement.table(), judgement.classes()))
}
