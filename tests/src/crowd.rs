//! Cases that together use every bit of a small accelerator: drawn ones, and some as large as a number can be.

use crate::case::{Attention, Case, CaseInput, Conv, Layer, Shortcut, Windows};
use crate::random::fit;
use crate::suite::Result;
use empf_ir::ArchConfig;

/// Drawn cases, and the most vectors of one.
const DRAWN: (u64, usize) = (24, 4_000);
/// Greatest side of a map: the greatest number that a register for sides holds.
const LONG: usize = 4095;

/// Cases of a 4x4 array, A = 5; its memories are as deep as the largest of them needs.
///
/// # Errors
/// What the compiler refuses.
pub fn crowd() -> Result<Vec<Case>> {
    let arch = ArchConfig {
        accumulator_depth: 64,
        activation_depth: 1 << 20,
        potential_depth: 1 << 20,
        current_depth: 200,
        sum_depth: 1 << 20,
        weight_depth: 1 << 20,
        parameter_depth: 1 << 20,
        input_depth: 1 << 20,
        schedule_depth: 1 << 10,
        ..ArchConfig::sized(4, 4, 5)
    };
    let mut cases: Vec<Case> = (0..DRAWN.0).map(|seed| Case::random(seed, &arch, DRAWN.1)).collect();
    let large =
        |seed: u64, [channels, height, width]: [usize; 3], time_steps, layers: &[Layer], classes| Case {
            seed,
            arch: arch.clone(),
            time_steps,
            input: CaseInput { channels, height, width, is_static: time_steps < 63, zero_point: 200.into() },
            layers: layers.to_vec(),
            classes,
        };
    let along = |axis: usize, kernel: usize, stride: usize| {
        let (mut window, mut step) = ([1, 1], [1, 1]);
        (window[axis], step[axis]) = (kernel, stride);
        Layer::Pool { kernel: window, stride: step }
    };
    let added = |by: usize, windows: Option<usize>, channels: usize, kernel: usize| {
        let windows = windows.map(|kernel| Windows { kernel, stride: 1, padding: kernel / 2 });
        let shortcut = Some(Shortcut { by, scaled: false, windows });
        Layer::Conv(Conv { shortcut, ..conv_of(channels, kernel) })
    };
    // A layer with wide steps, and a shortcut with the same ones over what it reads.
    let strided = |stride: usize| {
        let windows = Windows { kernel: 3, stride, padding: 1 };
        let shortcut = Some(Shortcut { by: 1, scaled: false, windows: Some(windows) });
        [Conv { stride, ..conv_of(4, 3) }, Conv { shortcut, ..conv_of(4, 3) }].map(Layer::Conv)
    };
    let attending = |channels: usize, kernel: usize, shortcut: Option<Shortcut>| {
        let attention = Some(Attention { kernel, shortcut });
        Layer::Conv(Conv { attention, ..conv_of(channels, 3) })
    };
    let identity = Shortcut { by: 0, scaled: false, windows: None };
    let projection = Shortcut { windows: Some(Windows { kernel: 1, stride: 1, padding: 0 }), ..identity };
    let [odd_bits, even_bits] = [2730, 1365].map(|stride| strided(stride).to_vec());
    let once = |axis| [conv(1, 1), along(axis, 1024, 1023)];
    let twice = |axis| [conv(1, 1), along(axis, 4, 4), Layer::GlobalPool];
    cases.extend([
        large(101, [1, 1, LONG], 1, &once(1), 2),
        large(102, [1, LONG, 1], 1, &once(0), 2),
        large(103, [1, 1, LONG], 1, &twice(1), 2),
        large(104, [1, LONG, 1], 1, &twice(0), 2),
        large(105, [2, 2, 2], 63, &[conv(3, 1)], 3),
        large(106, [300, 1, 1], 1, &[conv(300, 1)], 300),
        large(107, [1, 20, 20], 2, &[conv(2, 17)], 5),
        // Borders at the ends of long maps, and rows of shortcuts with every bit.
        large(108, [1, 1, LONG], 1, &[conv(1, 1), conv(2, 3)], 2),
        large(109, [1, LONG, 1], 1, &[conv(1, 1), conv(2, 3)], 2),
        large(110, [1, 2, 1367], 1, &[conv(4, 1), conv(4, 1), added(1, Some(3), 4, 3)], 2),
        large(111, [1, 2, 684], 1, &[conv(4, 1), conv(4, 1), added(1, Some(3), 4, 3)], 2),
        // Many channels of shortcuts and of the input.
        large(112, [1, 1, 1], 1, &[conv(680, 1), conv(4, 1), added(1, Some(1), 4, 1)], 2),
        large(113, [1, 1, 1], 1, &[conv(340, 1), conv(4, 1), added(1, Some(1), 4, 1)], 2),
        large(114, [444, 1, 1], 1, &[conv(4, 1)], 2),
        // Identities, and windows whose rows are counted through every low bit.
        large(115, [1, 6, 6], 2, &[conv(4, 1), conv(4, 3), added(1, None, 4, 1)], 2),
        large(116, [1, 18, 17], 1, &[conv(1, 1), Layer::GlobalPool], 2),
        // Classifiers of the input, whose windows are whole long maps.
        large(117, [1, 1, LONG], 1, &[], 2),
        large(118, [1, LONG, 1], 1, &[], 2),
        // Strides of every bit, whose last window reaches over the border.
        large(
            119,
            [1, 1, 2731],
            1,
            &[vec![conv(4, 1)], odd_bits, vec![Layer::Back { by: 2 }], even_bits].concat(),
            2,
        ),
        // Frames that lie far from the first.
        large(120, [1, 1, 600], 62, &[conv(4, 1), Layer::GlobalPool], 2),
        // Attention frame by frame on maps of several tiles, with shortcuts.
        large(121, [1, 5, 13], 4, &[conv(12, 1), attending(12, 7, Some(identity))], 2),
        large(122, [1, 5, 13], 2, &[conv(4, 3), attending(10, 5, Some(projection))], 2),
        // Windows whose last tile of positions begins behind a map of the greatest size.
        large(123, [1, LONG, 1], 1, &[conv(1, 1), reaching()], 2),
        large(124, [1, 1, LONG], 1, &[conv(1, 1), reaching()], 2),
        // Shortcuts whose sums lie behind those of large tiles.
        large(125, [1, 1, 32], 1, &[conv(4, 1), added(0, Some(1), 4, 1)], 2),
        large(126, [1, 1, 64], 1, &[conv(5, 1), added(0, Some(1), 5, 3)], 2),
        large(127, [1, 1, 16], 2, &[conv(4, 1), conv(4, 1), added(1, Some(1), 4, 3)], 2),
        // Rows of windows over maps of which every position counts.
        large(144, [1, 9, 7], 1, &[conv(5, 1), Layer::Pool { kernel: [2, 3], stride: [2, 2] }], 2),
        large(145, [1, 40, 3], 1, &[conv(5, 1), Layer::MaxPool { kernel: 3, stride: 1, padding: 1 }], 2),
        // Few cycles, for what is tried in each of them.
        large(142, [1, 2, 2], 2, &[conv(5, 1), attending(5, 3, Some(identity))], 2),
        large(143, [1, 2, 2], 1, &[conv(5, 1), added(0, Some(1), 5, 1), Layer::GlobalPool], 2),
        // Steps of runs of odd and of even lengths.
        large(128, [1, 1, 3], 20, &[conv(4, 1)], 2),
        large(129, [1, 1, 4], 20, &[conv(4, 1)], 2),
    ]);
    // Attention on all frames together. Signs hang on every tile where sums are small, as some of these are.
    let of_tiles = |seed| large(seed, [1, 5, 5], 4, &[conv(4, 1), attending(8, 7, None)], 2);
    cases.extend((130..142).map(of_tiles));
    fit(&mut cases)?;
    Ok(cases)
}

fn conv(channels: usize, kernel: usize) -> Layer {
    Layer::Conv(conv_of(channels, kernel))
}

fn reaching() -> Layer {
    let windows = Some(Windows { kernel: 3, stride: 2, padding: 2 });
    let shortcut = Some(Shortcut { by: 0, scaled: false, windows });
    Layer::Conv(Conv { stride: 2, padding: 2, shortcut, ..conv_of(2, 3) })
}

fn conv_of(channels: usize, kernel: usize) -> Conv {
    Conv {
        channels,
        kernel,
        stride: 1,
        padding: kernel / 2,
        sign: true,
        parallel: false,
        offset: true,
        shortcut: None,
        attention: None,
    }
}
