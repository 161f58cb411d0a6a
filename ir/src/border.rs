//! Codes of a border around a map.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

/// Most channels whose borders have codes of their own.
pub const BORDER_CHANNELS: usize = 4;

/// A code for all channels, or one for each of at most [`BORDER_CHANNELS`]; in a file a number, or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border {
    codes: [u8; BORDER_CHANNELS],
    /// Codes in use, 1 for all channels.
    count: usize,
}

impl Border {
    /// `codes` of as many channels; `None` where there are none, or several for more than [`BORDER_CHANNELS`].
    pub fn new(codes: &[u8]) -> Option<Self> {
        let first = *codes.first()?;
        if codes.iter().all(|code| *code == first) {
            return Some(first.into());
        }
        let mut kept = [0; BORDER_CHANNELS];
        kept.get_mut(..codes.len())?.copy_from_slice(codes);
        Some(Border { codes: kept, count: codes.len() })
    }

    /// The code of a channel.
    pub fn of(&self, channel: usize) -> u8 {
        self.codes[channel % self.count]
    }

    /// The codes as they repeat: channel c has the code `c % BORDER_CHANNELS`.
    pub fn repeated(&self) -> [u8; BORDER_CHANNELS] {
        std::array::from_fn(|channel| self.of(channel))
    }

    /// The largest code.
    pub fn largest(&self) -> u8 {
        self.codes[..self.count].iter().copied().max().unwrap_or(0)
    }

    /// Channels have codes of their own.
    pub(crate) fn is_list(&self) -> bool {
        self.count > 1
    }

    /// A map of `channels` channels can have it.
    pub fn fits(&self, channels: usize) -> bool {
        self.count == 1 || self.count == channels
    }

    /// From a number or a list.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let code = |value: &Value| u8::try_from(value.as_u64()?).ok();
        match value {
            Value::Array(codes) => Border::new(&codes.iter().map(code).collect::<Option<Vec<u8>>>()?),
            _ => code(value).map(Border::from),
        }
    }
}

impl From<u8> for Border {
    fn from(code: u8) -> Self {
        Border { codes: [code; BORDER_CHANNELS], count: 1 }
    }
}

impl Serialize for Border {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.count {
            1 => self.codes[0].serialize(serializer),
            _ => self.codes[..self.count].serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Border {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Border::read(&value).ok_or_else(|| D::Error::custom(format!("{value} is no border of codes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_are_those_of_the_file() {
        for (text, codes) in
            [(json!(7), [7; 4]), (json!([1, 2, 3]), [1, 2, 3, 1]), (json!([9, 8, 7, 6]), [9, 8, 7, 6])]
        {
            let border = Border::read(&text).unwrap();
            assert_eq!(border.repeated(), codes);
            assert_eq!(serde_json::to_value(border).unwrap(), text);
        }
        assert_eq!(Border::read(&json!([5, 5, 5, 5, 5, 5])), Some(5.into()));
        for refused in [json!(256), json!(-1), json!([]), json!([1, 2, 3, 4, 5]), json!("1"), json!([1.5])] {
            assert_eq!(Border::read(&refused), None, "{refused}");
        }
        let border = Border::new(&[1, 200, 3]).unwrap();
        assert!(border.fits(3) && !border.fits(4) && Border::from(1).fits(9));
        assert_eq!(border.largest(), 200);
    }
}
