//! How much of anything a manifest of a registry may have. All manifests are read before anything is
//! done with agents or providers, so one without an end would hold up what is a person's own.

/// In bytes; the longest text of a built-in manifest has 732.
const MAX_TEXT: usize = 4096;

/// Why there may not be so many; None if there may.
pub fn refused_count(what: &str, count: usize, most: usize) -> Option<String> {
    (count > most).then(|| {
        format!("`{what}` has {count} in it, of which a manifest of a registry has at most {most}")
    })
}

/// Why the text may not be so long; None if it may.
pub fn refused_length(at: &str, text: &str) -> Option<String> {
    (text.len() > MAX_TEXT).then(|| {
        format!(
            "`{at}` has a text of {} bytes, of which a manifest of a registry has at most {MAX_TEXT}",
            text.len()
        )
    })
}
