//! Numbers of things in sentences.

/// `1 sample`, `2 samples`, `3 classes`.
pub fn counted(number: usize, thing: &str) -> String {
    let plural = match thing.ends_with('s') {
        _ if number == 1 => "",
        true => "es",
        false => "s",
    };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!(
            [counted(1, "class"), counted(0, "class"), counted(2, "image")],
            ["1 class", "0 classes", "2 images"]
        );
    }
}
