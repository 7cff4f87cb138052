//! What an order says, for the module and for the card that misbehave.

use std::path::Path;

/// What to do, with its numbers.
#[derive(Clone)]
pub struct Deed {
    pub word: String,
    pub numbers: Vec<u64>,
}

impl Deed {
    pub fn number(&self, index: usize) -> u64 {
        *self.numbers.get(index).unwrap_or_else(|| panic!("order: {} lacks a number", self.word))
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.numbers.iter().map(|n| u8::try_from(*n).expect("order: a byte")).collect()
    }
}

/// What the file `orders` in this folder says of a function's n-th call.
pub fn ordered(folder: &Path, function: &str, nth: u64) -> Vec<Deed> {
    let orders = std::fs::read_to_string(folder.join("orders")).unwrap_or_default();
    orders.lines().filter_map(|line| meant(line, function, nth)).collect()
}

fn meant(line: &str, function: &str, nth: u64) -> Option<Deed> {
    let mut words = line.split_whitespace();
    if words.next()? != function {
        return None;
    }
    let which = words.next()?;
    let from = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("order: which call is `{text}`?"));
    let this = match which.strip_suffix('-') {
        _ if which == "*" => true,
        Some(first) => nth >= from(first),
        None => nth == from(which),
    };
    let word = words.next()?.to_string();
    this.then(|| Deed { word, numbers: words.map(number).collect() })
}

fn number(text: &str) -> u64 {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("order: `{text}` is no number"))
}
