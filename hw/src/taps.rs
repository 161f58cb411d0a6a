//! Where a simulator sees what the neuron lanes compute on the way to a memory, of which the Verilog has no port.

use crate::accelerator::{Accelerator, TOP};
use crate::drain::{Drain, SUM_DELAY};
use crate::neuron_lane::{CURRENT_DELAY, NeuronLane, PLACES, SPIKE_DELAY};

/// A value of every position in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// The current to which a shortcut's is added; of no meaning where there is none.
    Addend,
    /// The current of the shortcut; of no meaning where there is none.
    Shortcut,
    /// The current that the neuron integrates, or that is kept; signed, V bits.
    Current,
    /// The code that the neuron fires; A bits.
    Spike,
}

impl Tap {
    /// In the order in which a position comes by.
    pub const ALL: [Tap; 4] = [Tap::Addend, Tap::Shortcut, Tap::Current, Tap::Spike];

    /// Cycles from a position's last address to the value.
    fn delay(self) -> usize {
        SUM_DELAY
            + match self {
                Tap::Addend | Tap::Shortcut => PLACES.current + 1,
                Tap::Current => CURRENT_DELAY,
                Tap::Spike => SPIKE_DELAY,
            }
    }

    /// The value in a lane.
    fn of_lane(self, lane: &NeuronLane) -> u64 {
        match self {
            Tap::Addend => lane.current_before.get(),
            Tap::Shortcut => lane.current.value_o.get(),
            Tap::Current => lane.current_o.get(),
            Tap::Spike => lane.spike_o.get(),
        }
    }

    /// Name in the Verilog of a lane.
    fn signal(self) -> &'static str {
        match self {
            Tap::Addend => "current_before",
            Tap::Shortcut => "current_value_o",
            Tap::Current => "current_o",
            Tap::Spike => "spike_o",
        }
    }

    /// Name in the Verilog of the drain of what is 1 when the value of a position is there.
    fn valid(self) -> String {
        format!("complete_{}", self.delay() - 1)
    }

    /// Modules and names of all signals in the Verilog.
    pub fn signals() -> impl Iterator<Item = (&'static str, String)> {
        Tap::ALL
            .into_iter()
            .flat_map(|tap| [("empf_drain", tap.valid()), ("empf_neuron_lane", tap.signal().to_owned())])
    }

    /// Paths in the Verilog, names joined by `separator`: what is 1 when values are there, and the value of each of
    /// `lanes` lanes.
    pub fn paths(self, lanes: usize, separator: &str) -> (String, Vec<String>) {
        let drain = format!("{TOP}{separator}drain{separator}");
        let of_lane = |lane: usize| format!("{drain}lanes_{lane}{separator}{}", self.signal());
        (format!("{drain}{}", self.valid()), (0..lanes).map(of_lane).collect())
    }
}

impl Drain {
    /// The value of each lane, where a position is at `tap`.
    fn seen(&self, tap: Tap) -> Option<Vec<u64>> {
        let is_there = self.complete[tap.delay() - 1].get() == 1;
        is_there.then(|| self.lanes.iter().map(|lane| tap.of_lane(lane)).collect())
    }
}

impl Accelerator {
    /// The step that runs and the value of each lane in RustHDL's simulator, where a position is at `tap`.
    pub fn lanes(&self, tap: Tap) -> Option<(u64, Vec<u64>)> {
        Some((self.step.get(), self.drain.seen(tap)?))
    }
}
