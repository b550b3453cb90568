//! Text from outside as people are shown it: names in certificates, on chips and of files are written by whoever made
//! them, and may hold what moves a cursor, hides letters or turns a line around.

/// The same text without control and format characters (Unicode categories Cc, Cf, Zl and Zp).
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !steers(*c)).collect()
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'
                | '\u{e0020}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stay_and_what_steers_a_terminal_goes() {
        let text = "Nguyễn Văn Ân, số 5/2 – 字😀 e\u{301}";
        assert_eq!(plain(text), text);
        let steering =
            "A\u{1b}[2J\r\n\t\u{7f}\u{85}\u{202e}B\u{2066}\u{200f}\u{200b}\u{feff}\u{ad}\u{2028}\u{e0041}C";
        assert_eq!(plain(steering), "A[2JBC");
    }
}
