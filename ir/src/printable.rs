//! Text that people see as it is.

/// Characters that turn the direction of the text behind them, so that it reads as something else.
const TURNS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// There is something to see, and no character moves a cursor, gives a terminal an order or turns the text around.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(|c| c.is_control() || TURNS.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::is_printable;

    #[test]
    fn orders_to_terminals_are_not_printable() {
        for text in ["ant", "größer", "猫", "a b", "👩\u{200d}🔬"] {
            assert!(is_printable(text), "{text:?}");
        }
        for text in ["", " ", "a\nb", "\u{1b}[2Jx", "\u{9b}1m", "txt.\u{202e}exe", "\u{2066}a"] {
            assert!(!is_printable(text), "{text:?}");
        }
    }
}
