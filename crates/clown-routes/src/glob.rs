/// Whether `text` is as `pattern` says: `*` is any letters, `?` is one, all else is itself, in any
/// case. Takes time in proportion to both lengths at most.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut text_at) = (0, 0);
    // Where the last star stands, and how much it has taken so far.
    let mut star = None;
    while text_at < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, text_at));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[text_at] => {
                at += 1;
                text_at += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    text_at = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        };
        check("claude-*", "claude-haiku-4-5", true);
        check("*haiku*", "Claude-Haiku-4-5", true);
        check("*haiku", "claude-haiku-4-5", false);
        check("gpt-?", "gpt-5", true);
        check("gpt-?", "gpt-55", false);
        check("", "", true);
        check("*", "", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-b-b", false);
        check("é*", "École", true);
        // Would take ages if it tried every way.
        let pattern = "a*".repeat(40) + "b";
        check(&pattern, &"a".repeat(4_000), false);
    }
}
