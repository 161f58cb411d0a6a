//! The rule that every channel of AXI keeps: what is offered stays, unchanged, until it is taken.

/// What a channel offered in the last cycle and nobody took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Channel {
    waiting: Option<[u64; 2]>,
}

impl Channel {
    /// The next cycle of the channel; false where it breaks the rule.
    pub(crate) fn is_stable(&mut self, valid: bool, ready: bool, payload: [u64; 2]) -> bool {
        let kept = self.waiting.is_none_or(|offered| valid && offered == payload);
        self.waiting = (valid && !ready).then_some(payload);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_stable(cycles: &[(bool, bool, u64)]) -> bool {
        let mut channel = Channel::default();
        cycles.iter().all(|(valid, ready, payload)| channel.is_stable(*valid, *ready, [*payload, 0]))
    }

    #[test]
    fn an_offer_stays_until_it_is_taken() {
        assert!(is_stable(&[(false, true, 0), (true, false, 1), (true, true, 1), (true, false, 2)]));
        assert!(is_stable(&[(true, true, 1), (false, false, 3), (true, true, 2)]));
        assert!(!is_stable(&[(true, false, 1), (false, false, 1)]), "withdrawn");
        assert!(!is_stable(&[(true, false, 1), (true, true, 2)]), "changed");
    }
}
