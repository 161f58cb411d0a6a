//! Descriptors and refusals of the back half.

use crate::networks::{Random, arch, network};
use empf_compiler::error::Shortage;
use empf_compiler::{Error, lower};
use empf_ir::arch::Memory;
use empf_ir::isa::{Stream, Task};
use empf_ir::{ArchConfig, INPUT, Node, Program, QuantOp, WeightKind};
use proptest::prelude::*;

/// Addresses of frame 0 that the stream walks, in order: (y, x, ky, kx, block) and the address.
fn walked(d: &Stream, rows: u32) -> Vec<([u32; 5], u32)> {
    let mut all = Vec::new();
    let mut position = d.in_origin;
    for y in 0..rows {
        for x in 0..d.out_width {
            let mut address = position;
            for ky in 0..d.kernel_height {
                for kx in 0..d.kernel_width {
                    for block in 0..d.blocks {
                        all.push(([y, x, ky, kx, block], address));
                        let ends = kx + 1 == d.kernel_width && block + 1 == d.blocks;
                        address = address.wrapping_add(if ends { d.ky_step } else { 1 });
                    }
                }
            }
            let step = if x + 1 == d.out_width { d.row_step } else { d.x_step };
            position = position.wrapping_add(step);
        }
    }
    all
}

fn check_walk(program: &Program, arch: &ArchConfig, d: &Stream) {
    let base = program.placements.iter().map(|p| i64::from(p.base)).collect::<Vec<_>>();
    let positions = (d.tiles - 1) * d.tile_positions + d.last_tile_positions;
    let border = i64::from(d.padding * (d.in_width + 1) * d.blocks);
    let depth = arch.activation_depth as i64;
    let origin = (i64::from(d.in_origin) + border) % depth;
    assert!(base.contains(&origin), "no tensor starts at {origin}");
    for ([y, x, ky, kx, block], address) in walked(d, positions / d.out_width) {
        let row = i64::from(y * d.stride + ky) - i64::from(d.padding);
        let column = i64::from(x * d.stride + kx) - i64::from(d.padding);
        let expected =
            origin + (row * i64::from(d.in_width) + column) * i64::from(d.blocks) + i64::from(block);
        assert_eq!(
            i64::from(address) % depth,
            expected.rem_euclid(depth),
            "y {y}, x {x}, ky {ky}, kx {kx}, block {block}"
        );
    }
}

proptest! {
    #[test]
    fn streams_walk_the_map(seed in any::<u64>()) {
        let mut r = Random::new(seed);
        let arch = arch(&mut r);
        let network = network(&mut r, &arch);
        let program = lower(&network, &arch).unwrap();
        for step in &program.steps {
            if let Task::Array(array) = &step.task {
                check_walk(&program, &arch, &array.stream);
            }
        }
        prop_assert_eq!(&program, &lower(&network, &arch).unwrap());
        prop_assert_eq!(program.schedule().len(), program.memory.schedule);
        prop_assert_eq!(program.weights.len(), program.memory.weight);
        prop_assert_eq!(program.parameters.len(), program.memory.parameter);
        prop_assert_eq!(program.input_bytes(), program.memory.input);
        let ends = program.placements.iter().map(|place| (place.base + place.words) as usize);
        prop_assert_eq!(ends.max().unwrap(), program.memory.activation);
        let entries = program.steps.iter().filter_map(|step| match &step.task {
            Task::Array(array) => Some((array.stream.frames * array.stream.tile_positions) as usize),
            _ => None,
        });
        prop_assert_eq!(entries.max().unwrap(), program.memory.accumulator);
    }
}

#[test]
fn currents_that_nobody_reads_are_not_computed() {
    let mut r = Random::new(4);
    let arch = arch(&mut r);
    let mut network = network(&mut r, &arch);
    let expected = lower(&network, &arch).unwrap();
    let (channels, steps) = (network.input.channels, network.time_steps);
    let op = QuantOp::Conv {
        out_channels: 2,
        kernel: 1,
        stride: 1,
        padding: 0,
        weights: WeightKind::Sign,
        zero_point: 0.into(),
        shift: 0,
    };
    network.nodes.insert(0, Node { name: "idle".into(), inputs: vec![INPUT.into()], op });
    network.set_tensor("idle", "weight", vec![2, channels, 1, 1], vec![1; 2 * channels]);
    network.set_tensor("idle", "mantissa", vec![steps, 2], vec![1; 2 * steps]);
    network.set_tensor("idle", "bias", vec![steps, 2], vec![0; 2 * steps]);
    let program = lower(&network, &arch).unwrap();
    assert_eq!((program.steps, program.weights), (expected.steps, expected.weights));
    for name in ["one", "two"] {
        let op = QuantOp::Neuron { parallel: true, shift: 0 };
        network.nodes.insert(1, Node { name: name.into(), inputs: vec!["idle".into()], op });
        for tensor in ["lambda", "theta", "offset"] {
            network.set_tensor(name, tensor, vec![steps, 2], vec![0; 2 * steps]);
        }
    }
    let error = lower(&network, &arch).unwrap_err();
    assert!(error.to_string().starts_with("node `idle`: its current is read by 2 nodes"), "{error}");
}

/// Useful additions: for each output, position, frame and tap one, as often as weights and codes have digits.
#[test]
fn additions_are_those_of_every_tap() {
    for seed in 0..20 {
        let mut r = Random::new(seed);
        let arch = arch(&mut r);
        let network = network(&mut r, &arch);
        let (shapes, program) = (network.shapes().unwrap(), lower(&network, &arch).unwrap());
        for step in &program.steps {
            let Task::Array(task) = &step.task else {
                assert_eq!(step.additions, 0);
                continue;
            };
            let index = network.position(&step.node).unwrap();
            let output = shapes[index];
            let source = match network.nodes[index].op {
                QuantOp::Linear { .. } => index,
                _ => network.position(&network.nodes[index].inputs[0]).unwrap(),
            };
            let layer = &network.nodes[source];
            let input = network.shape_of(&layer.inputs[0], &shapes);
            let taps = match layer.op {
                QuantOp::Conv { kernel, .. } => kernel * kernel * input.channels,
                _ => input.elements(),
            };
            let each = taps * output.elements() * network.frames_of(&layer.inputs[0]);
            assert_eq!(
                step.additions,
                each as u64 * u64::from(task.stream.passes),
                "seed {seed}, {}",
                step.node
            );
        }
    }
}

/// A memory's depth in an architecture.
type Depth = fn(&mut ArchConfig) -> &mut usize;

/// Memories of exactly the words that a program takes hold it; with one word less it is refused, with that word.
#[test]
fn memories_need_not_be_larger_than_what_they_hold() {
    for seed in 0..20 {
        let mut r = Random::new(seed);
        let arch = arch(&mut r);
        let network = network(&mut r, &arch);
        let used = lower(&network, &arch).unwrap().memory;
        let fields: [(Memory, Depth); 5] = [
            (Memory::Activation, |arch| &mut arch.activation_depth),
            (Memory::Weight, |arch| &mut arch.weight_depth),
            (Memory::Parameter, |arch| &mut arch.parameter_depth),
            (Memory::Input, |arch| &mut arch.input_depth),
            (Memory::Schedule, |arch| &mut arch.schedule_depth),
        ];
        let mut exact = arch.clone();
        for (memory, depth) in fields {
            // No memory has fewer than 16 words.
            *depth(&mut exact) = used.of(memory).max(16);
        }
        assert_eq!(lower(&network, &exact).unwrap().memory, used, "seed {seed}");
        for (memory, depth) in fields.into_iter().filter(|(memory, _)| used.of(*memory) > 16) {
            let mut small = exact.clone();
            *depth(&mut small) -= 1;
            let error = lower(&network, &small).unwrap_err();
            let (needed, available) = (used.of(memory), used.of(memory) - 1);
            assert!(
                matches!(&error, Error::Memory(s) if *s == [Shortage { memory, needed, available }]),
                "seed {seed}: {error}"
            );
        }
    }
}

#[test]
fn small_memories_are_named_with_what_is_missing() {
    let mut r = Random::new(7);
    let mut arch = arch(&mut r);
    let network = network(&mut r, &arch);
    let needed = lower(&network, &arch).unwrap().memory.weight;
    arch.weight_depth = 16;
    let error = lower(&network, &arch).unwrap_err();
    assert!(matches!(error, Error::Memory(_)));
    let text = format!("the weight memory needs {needed} words, has 16: {} are missing", needed - 16);
    assert!(error.to_string().contains(&text), "{error}");
}

#[test]
fn overflow_is_refused_with_layer_and_bits() {
    let mut r = Random::new(3);
    let mut arch = arch(&mut r);
    let network = network(&mut r, &arch);
    arch.acc_bits = arch.sum_bits();
    let error = lower(&network, &arch).unwrap_err();
    assert!(matches!(&error, Error::Overflow { needed, available, .. } if needed > available), "{error}");
    assert!(error.to_string().starts_with("node `"), "{error}");
}
