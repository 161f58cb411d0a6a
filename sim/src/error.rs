//! What can go wrong when a program is executed.

use std::path::PathBuf;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of waves that ends too early.
    #[error("{0}: the waves are cut")]
    Waves(PathBuf),
    /// Built models can be kept nowhere.
    #[error(
        "the built simulator can be kept nowhere: {0}; set EMPF_CACHE to a folder of your own from which programs may run"
    )]
    Cache(String),
    /// Data on disk.
    #[error(transparent)]
    Data(#[from] empf_ir::Error),
    /// A network that [`crate::IntegerEngine`] cannot run.
    #[error(transparent)]
    Integer(#[from] empf_integer::Error),
    /// The wrong number of input bytes.
    #[error("an input of `{program}` has {expected} bytes, but {found} were given")]
    Input {
        /// The program's name.
        program: String,
        /// Bytes of one input.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// Words that are no schedule.
    #[error(transparent)]
    Schedule(#[from] empf_ir::isa::ScheduleError),
    /// An address beyond a memory.
    #[error(
        "step {step} (`{node}`) {action} {memory} word {address}, but the memory has {depth}; compile the network again"
    )]
    Address {
        /// Index of the step.
        step: usize,
        /// Node whose result the step writes.
        node: String,
        /// `reads` or `writes`.
        action: &'static str,
        /// The memory.
        memory: &'static str,
        /// The address.
        address: usize,
        /// Words of the memory.
        depth: usize,
    },
    /// A program that is not on the path.
    #[error("`{tool}` is not on PATH; install it with `apt-get install {package}`")]
    Missing {
        /// Name of the executable.
        tool: String,
        /// Debian package that contains it.
        package: &'static str,
    },
    /// A library that the compiler does not find.
    #[error(
        "this version of Verilator needs the library `{library}` for waves; install it with `apt-get install {package}`"
    )]
    Library {
        /// Its name for the linker.
        library: &'static str,
        /// Debian package that contains what a compiler needs of it.
        package: &'static str,
    },
    /// A program that ended with an error.
    #[error("`{tool}` failed ({status})\n{output}")]
    Tool {
        /// Name of the executable.
        tool: String,
        /// Exit status.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// A built model that cannot be loaded.
    #[error("cannot load the simulation model {path}: {message}; remove the file to have it built again")]
    Model {
        /// The shared object.
        path: PathBuf,
        /// The loader's message.
        message: String,
    },
    /// A port that the model does not have.
    #[error("module `{module}` has no port `{port}`")]
    Port {
        /// Name of the top module.
        module: String,
        /// Name asked for.
        port: String,
    },
    /// A simulation that does not come to its end.
    #[error("{engine}: {message} after {cycles} cycles")]
    Stuck {
        /// The engine.
        engine: String,
        /// What was being waited for.
        message: String,
        /// Cycles simulated.
        cycles: u64,
    },
    /// An engine of another crate.
    #[error("{engine}: {message}")]
    Engine {
        /// The engine.
        engine: String,
        /// Its message.
        message: String,
    },
    /// A NumPy file that does not fit.
    #[error("{path}: {message}")]
    Numpy {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is expected.
        message: String,
    },
}
