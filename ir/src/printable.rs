//! Text that people see as it is.

/// An order to a terminal, a new line, a change of the text's direction, or nothing that can be seen.
fn is_hidden(c: char) -> bool {
    let unseen =
        ['\u{ad}', '\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'];
    let ranges = ['\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{e0000}'..='\u{e007f}'];
    c.is_control() || unseen.contains(&c) || ranges.iter().any(|range| range.contains(&c))
}

/// There is something to see, and no character moves a cursor, gives a terminal an order or turns the text around.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(is_hidden)
}

/// `text` with such characters spelled out, but for those of `kept`: what a file holds must not write lines of its own.
pub(crate) fn spelled_out(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) && !kept.contains(&c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{is_printable, spelled_out};

    #[test]
    fn orders_to_terminals_are_not_printable() {
        for text in ["ant", "größer", "猫", "a b", "👩\u{200d}🔬"] {
            assert!(is_printable(text), "{text:?}");
        }
        for text in [
            "",
            " ",
            "a\nb",
            "\u{1b}[2Jx",
            "\u{9b}1m",
            "txt.\u{202e}exe",
            "\u{2066}a",
            "a\u{2028}b",
            "\u{feff}a",
        ] {
            assert!(!is_printable(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_hidden_is_spelled_out() {
        assert_eq!(spelled_out("größer\n\u{1b}[2J\u{202e}", &[]), "größer\\n\\u{1b}[2J\\u{202e}");
        assert_eq!(spelled_out("a\n\u{1b}", &['\n']), "a\n\\u{1b}");
    }
}
