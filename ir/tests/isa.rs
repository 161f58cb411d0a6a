//! The instruction set: its page, and every field of it between compiler, schedule and register.

use empf_ir::isa::{
    Array, Drain, Field, HEADER, Kind, Pool, Record, Schedule, Stream, Task, Unfold, Unit, page,
};
use empf_ir::{ArchConfig, Program};
use proptest::prelude::*;
use serde_json::{Value, json};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/isa.md");

#[test]
fn the_page_is_the_description() {
    if std::env::var_os("EMPF_BLESS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap();
    assert_eq!(written, page(), "run `EMPF_BLESS=1 cargo test -p empf-ir --test isa`");
}

/// Architectures of all kinds, with depths that are no powers of two.
fn architectures() -> impl Strategy<Value = ArchConfig> {
    let sizes = (1usize..=64, 1usize..=64, 2u32..=8);
    let depths = [16usize..=1 << 24, 16..=1 << 24, 16..=1 << 24, 16..=1 << 24, 16..=1 << 24];
    (sizes, depths).prop_map(
        |((rows, cols, act_bits), [activation, accumulator, weight, parameter, input])| ArchConfig {
            activation_depth: activation,
            accumulator_depth: accumulator,
            potential_depth: activation,
            current_depth: weight,
            sum_depth: parameter,
            weight_depth: weight,
            parameter_depth: parameter,
            input_depth: input,
            ..ArchConfig::sized(rows, cols, act_bits)
        },
    )
}

fn fields() -> impl Iterator<Item = &'static Field> {
    HEADER.iter().chain(Unit::ALL.into_iter().flat_map(Unit::fields))
}

proptest! {
    #[test]
    fn a_field_takes_its_greatest_number_and_no_more(arch in architectures()) {
        arch.validate().unwrap();
        for field in fields() {
            let (least, greatest) = (*field.range(&arch).start(), *field.range(&arch).end());
            for value in [least, greatest] {
                prop_assert_eq!(field.encode(value.into(), &arch), Ok(value), "{}", field.name);
                prop_assert_eq!(field.decode(value, &arch), value, "{}", field.name);
                prop_assert_eq!(field.check(value, &arch), Ok(()));
            }
            // The register has no bit too many.
            prop_assert!(greatest >> (field.bits(&arch) - 1) == 1 || greatest == 0, "{}", field.name);
            if let Kind::Offset(_) = field.kind {
                prop_assert_eq!(field.encode(-1, &arch), Ok(greatest));
                prop_assert_eq!(field.encode(i64::from(greatest) + 1, &arch), Ok(0));
                continue;
            }
            for beyond in [i64::from(greatest) + 1, i64::from(least) - 1, i64::MAX, i64::MIN] {
                let error = field.encode(beyond, &arch).unwrap_err().to_string();
                let said = format!(": {beyond}, but the hardware takes {least} to {greatest}; ");
                prop_assert!(error.contains(&said), "{}", error);
            }
            if greatest < u32::MAX {
                prop_assert!(field.check(greatest + 1, &arch).is_err());
            }
        }
    }

    /// Of a register's value nothing is lost between compiler and hardware.
    #[test]
    fn schedules_come_back(arch in architectures(), seed in any::<u64>(), steps in 0usize..4) {
        let mut state = seed;
        let mut value = |field: &Field| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let (least, greatest) = field.range(&arch).into_inner();
            let drawn = [least, greatest, least + (state >> 33) as u32 % (greatest - least).max(1)];
            drawn[(state >> 16) as usize % 3]
        };
        let [build_id, input_length] = [&HEADER[0], &HEADER[1]].map(&mut value);
        let steps = (0..steps).flat_map(|_| tasks(&mut value)).collect();
        let schedule = Schedule { build_id, input_length, steps };
        let words = schedule.words();
        prop_assert_eq!(Schedule::decode(&words, &arch), Ok(schedule));
        for cut in 0..words.len() {
            let message = Schedule::decode(&words[..cut], &arch).unwrap_err().to_string();
            prop_assert!(message.contains("no end") || message.contains("without its drain"), "{}", message);
        }
    }
}

/// One task of each kind, with what `value` gives for each field.
fn tasks(value: &mut impl FnMut(&Field) -> u32) -> [Task; 4] {
    let mut record = |field| Ok::<u32, ()>(value(field));
    let array =
        Array { stream: Record::try_new(&mut record).unwrap(), drain: Record::try_new(&mut record).unwrap() };
    [
        Task::Unfold(Record::try_new(&mut record).unwrap()),
        Task::Array(Box::new(array)),
        Task::Drain(Box::new(Record::try_new(&mut record).unwrap())),
        Task::Pool(Record::try_new(&mut record).unwrap()),
    ]
}

#[test]
fn what_is_no_schedule_is_refused() {
    let arch = ArchConfig::default();
    let refused = |words: &[u32]| Schedule::decode(words, &arch).unwrap_err().to_string();
    let unknown = Unit::ALL.len() as u32 + 1;
    assert_eq!(refused(&[0, 0, unknown]), "schedule word 2: opcode 5 is unknown; compile the network again");
    let alone: Vec<u32> = [0, 0, Unit::Stream.opcode()]
        .into_iter()
        .chain(vec![1; Unit::Stream.fields().len()])
        .chain([0])
        .collect();
    assert!(refused(&alone).contains("word 44: a stream without its drain"));
}

/// Tasks within all limits of [`small`].
fn valid() -> [Task; 3] {
    let unfold = Unfold {
        in_height: 4,
        in_width: 6,
        channels: 2,
        kernel_height: 3,
        kernel_width: 2,
        stride: 1,
        out_height: 2,
        out_width: 5,
        frames: 1,
        ..Unfold::default()
    };
    let stream = Stream {
        in_height: 4,
        in_width: 6,
        kernel_height: 3,
        kernel_width: 2,
        stride: 1,
        blocks: 1,
        last_banks: 1,
        frames: 2,
        out_width: 5,
        tiles: 2,
        tile_positions: 6,
        last_tile_positions: 4,
        column_blocks: 2,
        passes: 1,
        shortcut_height: 1,
        shortcut_width: 1,
        shortcut_kernel_height: 1,
        shortcut_kernel_width: 1,
        shortcut_stride: 1,
        shortcut_blocks: 1,
        shortcut_last_banks: 1,
        ..Stream::default()
    };
    let drain = Drain {
        frames: 2,
        tiles: 2,
        tile_positions: 6,
        last_tile_positions: 4,
        time_steps: 2,
        groups: 2,
        ..Drain::default()
    };
    let pool = Pool {
        in_height: 4,
        in_width: 3,
        stride_height: 2,
        stride_width: 1,
        kernel_height: 2,
        kernel_width: 1,
        blocks: 1,
        out_height: 2,
        out_width: 3,
        frames: 2,
        ..Pool::default()
    };
    [Task::Unfold(unfold), Task::Array(Box::new(Array { stream, drain })), Task::Pool(pool)]
}

fn small() -> ArchConfig {
    ArchConfig {
        accumulator_depth: 100,
        activation_depth: 1000,
        weight_depth: 600,
        parameter_depth: 200,
        input_depth: 70,
        ..ArchConfig::sized(4, 4, 3)
    }
}

/// `valid()` after `change`, as the check of the hardware's limits sees it.
fn checked(change: impl FnOnce(&mut Unfold, &mut Array, &mut Pool)) -> Result<(), String> {
    let [Task::Unfold(mut unfold), Task::Array(mut array), Task::Pool(mut pool)] = valid() else {
        unreachable!("valid() has these tasks")
    };
    change(&mut unfold, &mut array, &mut pool);
    let tasks = [Task::Unfold(unfold), Task::Array(array), Task::Pool(pool)];
    tasks.into_iter().try_for_each(|task| task.check(&small())).map_err(|e| e.to_string())
}

#[test]
fn fields_are_within_limits_together() {
    type Change = fn(&mut Unfold, &mut Array, &mut Pool);
    assert_eq!(checked(|_, _, _| ()), Ok(()));
    let at_limits: [Change; 7] = [
        |_, _, p| (p.kernel_height, p.kernel_width) = (32, 32),
        |_, _, p| p.out_base = 1000 - 2 * 2 * 3,
        |u, _, _| (u.in_height, u.channels) = (7, 1),
        |_, a, _| a.stream.weight_base = 600 - 2 * 3 * 2 * 4,
        |_, a, _| a.drain.parameter_base = 200 - 2 * 2 * 5 * 4,
        |_, a, _| (a.drain.shortcut, a.drain.parameter_base) = (1, 200 - 2 * 2 * 7 * 4),
        |_, a, _| a.drain.out_base = 1000 - 2 * 10 * 2,
    ];
    for change in at_limits {
        assert_eq!(checked(change), Ok(()));
    }
    let beyond: [(Change, &str); 14] = [
        (
            |_, _, p| (p.kernel_height, p.kernel_width) = (1024, 2),
            "positions of the pooling window: 2048, but the hardware takes 0 to 1024; pool in two steps",
        ),
        (|_, _, p| p.out_base = 1000 - 11, "words of the activation memory: 1001"),
        (
            |u, _, _| u.frames = 2,
            "words of the input buffer: 96, but the hardware takes 0 to 70; raise `input_depth`",
        ),
        (|u, _, _| u.out_base = 1000 - 89, "words of the activation memory: 1001"),
        (|_, a, _| a.stream.weight_base = 600 - 47, "words of the weight memory: 601"),
        (|_, a, _| a.drain.parameter_base = 200 - 79, "words of the parameter memory: 201"),
        (
            |_, a, _| (a.drain.shortcut, a.drain.parameter_base) = (2, 200 - 111),
            "words of the parameter memory: 201",
        ),
        (
            |_, a, _| (a.drain.shortcut, a.drain.logits) = (1, 1),
            "shortcut of logits: 1, but the hardware takes 0 to 0",
        ),
        (|_, a, _| a.drain.out_base = 1000 - 39, "words of the activation memory: 1001"),
        (|_, a, _| a.stream.frames = 17, "words of the accumulator bank: 102"),
        (|_, a, _| a.stream.tiles = 3, "tiles of the drain: 2, but the hardware takes 3 to 3; compile again"),
        (|_, a, _| a.drain.frames = 1, "frames of the drain: 1"),
        (|_, a, _| a.drain.last_tile_positions = 5, "positions of the drain's last tile: 5"),
        (|_, a, _| a.drain.groups = 1, "blocks of columns of the drain's groups: 1"),
    ];
    for (change, said) in beyond {
        let error = checked(change).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}

/// A saved program of [`valid`] tasks, and its JSON.
fn saved() -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let mut program = hollow();
    program.memory.schedule = program.schedule().len();
    let program = program.sealed();
    program.save(folder.path()).unwrap();
    assert_eq!(Program::load(folder.path()).unwrap(), program);
    let text = std::fs::read(folder.path().join("program.json")).unwrap();
    (folder, serde_json::from_slice(&text).unwrap())
}

/// A program without ROM words.
fn hollow() -> Program {
    let step = |task| empf_ir::program::Step { node: "conv7".into(), task, additions: 0, currents: None };
    Program {
        name: "p".into(),
        arch: small(),
        build_id: 7,
        time_steps: 2,
        classes: 2,
        input: empf_ir::Shape::new(2, 4, 6),
        input_frames: 1,
        steps: valid().map(step).into(),
        placements: vec![],
        memory: Default::default(),
        checksums: Default::default(),
        weights: vec![],
        parameters: vec![],
    }
}

#[test]
fn programs_with_a_number_beyond_its_limit_are_refused() {
    let (folder, json) = saved();
    let arch = small();
    let places = [("/steps/0/task", Unit::Unfold), ("/steps/2/task", Unit::Pool)];
    let array = [("/steps/1/task/stream", Unit::Stream), ("/steps/1/task/drain", Unit::Drain)];
    for (place, unit) in places.into_iter().chain(array) {
        for field in unit.fields() {
            let beyond = u64::from(*field.range(&arch).end()) + 1;
            let mut changed = json.clone();
            changed.pointer_mut(place).unwrap()[field.name] = json!(beyond);
            std::fs::write(folder.path().join("program.json"), changed.to_string()).unwrap();
            let error = Program::load(folder.path()).unwrap_err().to_string();
            if beyond <= u32::MAX.into() {
                let said = format!("node `conv7`: {}: {beyond}, but", field.meaning.trim_end_matches('.'));
                assert!(error.contains(&said), "{error}");
            }
        }
    }
}

#[test]
fn an_old_program_is_to_be_compiled_again() {
    let (folder, mut json) = saved();
    json["version"] = json!(1);
    std::fs::write(folder.path().join("program.json"), json.to_string()).unwrap();
    let error = Program::load(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("version 1, but this program reads version 7; compile again"), "{error}");
}
