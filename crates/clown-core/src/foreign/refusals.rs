//! What is told of a manifest that is refused.

/// Whoever makes a registry is to see all at once, and nobody is to be told without an end.
const MOST_TOLD: usize = 20;

/// All that is wrong with one manifest.
#[derive(Debug, Default)]
pub struct Refusals {
    told: Vec<String>,
    untold: usize,
}

impl Refusals {
    /// One more.
    pub fn add(&mut self, refusal: String) {
        if self.told.contains(&refusal) {
            return;
        }
        match self.told.len() < MOST_TOLD {
            true => self.told.push(refusal),
            false => self.untold += 1,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// One text of them, with what can be done at its end.
    pub fn told(mut self, remedy: &str) -> Result<(), String> {
        if self.told.is_empty() {
            return Ok(());
        }
        if self.untold > 0 {
            self.told.push(format!("and {} more", self.untold));
        }
        Err(format!("{}; {remedy}", self.told.join("; ")))
    }
}

impl Extend<String> for Refusals {
    fn extend<T: IntoIterator<Item = String>>(&mut self, refusals: T) {
        refusals.into_iter().for_each(|refusal| self.add(refusal));
    }
}
