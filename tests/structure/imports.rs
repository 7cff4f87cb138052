//! Who imports whom.

use super::source::Source;

/// Every path into the crate that a file names (`x509::Digest`), with where.
pub fn imports(source: &Source) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for at in source.finds("crate::") {
        let mut paths = Vec::new();
        tree(&source.code[at + "crate::".len()..], "", &mut paths);
        found.extend(paths.into_iter().map(|path| (path, source.place(at))));
    }
    found
}

/// Reads one use tree (or an expression's path) and returns what follows it.
fn tree<'a>(text: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            if rest.is_empty() {
                return rest;
            }
            rest = tree(rest, prefix, found);
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
    let (name, rest) = text.split_at(end.max(1).min(text.len()));
    let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") };
    match rest.strip_prefix("::") {
        Some(rest) => tree(rest, &path, found),
        None => {
            found.push(path);
            let renamed = rest.trim_start().strip_prefix("as ");
            renamed.map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
        }
    }
}

/// A way from a house back to itself, if there is one.
pub fn cycle(edges: &[(String, String)]) -> Option<Vec<String>> {
    fn walk(edges: &[(String, String)], way: &mut Vec<String>) -> bool {
        let here = way.last().unwrap().clone();
        for (_, next) in edges.iter().filter(|(from, _)| *from == here) {
            let closed = way.first() == Some(next);
            if closed || !way.contains(next) {
                way.push(next.clone());
                if closed || walk(edges, way) {
                    return true;
                }
                way.pop();
            }
        }
        false
    }
    edges.iter().find_map(|(from, _)| {
        let mut way = vec![from.clone()];
        walk(edges, &mut way).then_some(way)
    })
}

#[test]
fn nested_imports_and_cycles_are_read() {
    let mut found = Vec::new();
    let rest = tree("a::{self, b::{C, d as e}, f::*} ;", "", &mut found);
    assert_eq!((found.join(" ").as_str(), rest), ("a::self a::b::C a::b::d a::f::*", " ;"));
    let edge = |a: &str, b: &str| (a.to_string(), b.to_string());
    assert_eq!(cycle(&[edge("a", "b"), edge("a", "c"), edge("b", "c")]), None);
    let way = cycle(&[edge("x", "a"), edge("a", "b"), edge("b", "c"), edge("c", "a")]);
    assert_eq!(way.unwrap().join(" "), "a b c a");
}
