//! Policy: the documents, the rules, the decision. Pure.

mod history;

pub use history::History;
