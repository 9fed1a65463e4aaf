//! What of the data is not used, said once for each thing or once for all of a kind.

/// What is left out, and what else should be known of the data.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// One line for each picture or row, or for all of a kind, with the reason.
    pub lines: Vec<String>,
    /// How many pictures, rows and faces these are.
    pub count: usize,
    /// Nothing is left out for these.
    pub notes: Vec<String>,
}

impl LeftOut {
    pub fn add(&mut self, count: usize, line: String) {
        self.count += count;
        self.lines.push(line);
    }

    /// One line each.
    pub fn each(&mut self, lines: Vec<String>) {
        self.count += lines.len();
        self.lines.extend(lines);
    }

    pub fn extend(&mut self, other: Self) {
        self.count += other.count;
        self.lines.extend(other.lines);
        self.notes.extend(other.notes);
    }
}
