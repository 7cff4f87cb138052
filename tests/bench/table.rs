//! What was measured, as a table for people and as JSON for machines.

use std::fmt;

use serde_json::{Value, json};

/// A measured value.
#[derive(Clone, Copy)]
pub enum Figure {
    Seconds(f64),
    /// In a second.
    Rate(f64),
    Bytes(u64),
}

/// What DESIGN asks of the ratio.
#[derive(Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// One line: a figure of anchorite's and what it is held against.
pub struct Row {
    pub what: String,
    pub root: &'static str,
    pub ours: Figure,
    pub against: (String, Figure),
    pub target: Option<Target>,
}

#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Self::Seconds(value) | Self::Rate(value) => value,
            Self::Bytes(bytes) => bytes as f64,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Seconds(_) => "s",
            Self::Rate(_) => "1/s",
            Self::Bytes(_) => "B",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) if *seconds < 1.0 => write!(f, "{:.1} ms", seconds * 1e3),
            Self::Seconds(seconds) => write!(f, "{seconds:.2} s"),
            Self::Rate(rate) => write!(f, "{rate:.0}/s"),
            Self::Bytes(bytes) if *bytes < 10_000 => write!(f, "{bytes} B"),
            Self::Bytes(bytes) if *bytes < 1_000_000 => write!(f, "{:.0} kB", *bytes as f64 / 1e3),
            Self::Bytes(bytes) => write!(f, "{:.1} MB", *bytes as f64 / 1e6),
        }
    }
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours.value() / self.against.1.value()
    }

    /// Whether the target is met, where there is one, by the ratio as it is shown.
    fn met(&self) -> Option<bool> {
        let ratio = (self.ratio() * 100.0).round() / 100.0;
        self.target.map(|target| match target {
            Target::AtMost(most) => ratio <= most,
            Target::AtLeast(least) => ratio >= least,
        })
    }

    fn markdown(&self) -> String {
        let target = match self.target {
            Some(Target::AtMost(most)) => format!("at most {most}"),
            Some(Target::AtLeast(least)) => format!("at least {least}"),
            None => String::new(),
        };
        let missed = if self.met() == Some(false) { ": missed" } else { "" };
        let Self { what, root, ours, against: (other, theirs), .. } = self;
        format!("| {what} | {root} | {ours} | {other} {theirs} | {:.2} | {target}{missed} |", self.ratio())
    }

    fn json(&self) -> Value {
        let target = self.target.map(|target| match target {
            Target::AtMost(most) => json!({"at_most": most, "met": self.met()}),
            Target::AtLeast(least) => json!({"at_least": least, "met": self.met()}),
        });
        json!({
            "what": self.what, "root": self.root, "unit": self.ours.unit(), "anchorite": self.ours.value(),
            "against": self.against.0, "theirs": self.against.1.value(), "ratio": self.ratio(),
            "target": target,
        })
    }
}

impl Table {
    /// Adds a line, and shows it at once.
    pub fn push(&mut self, row: Row) {
        eprintln!("{}", row.markdown());
        self.rows.push(row);
    }

    pub fn markdown(&self) -> String {
        let head = "| what | root | anchorite | against | ratio | target |\n|---|---|---:|---:|---:|---|\n";
        let rows: String = self.rows.iter().map(|row| row.markdown() + "\n").collect();
        format!("{head}{rows}")
    }

    pub fn json(&self) -> Value {
        self.rows.iter().map(Row::json).collect()
    }
}

/// `100,000`
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(",")
}
