//! README's table of tokens is this one.

use super::TABLE;

fn table() -> String {
    let mut out = String::from(
        "| token | through | roots | keys | PIN for each signature | keeps the head | has to be accepted |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in &TABLE {
        let yes = |yes| if yes { "yes" } else { "no" };
        let accept: Vec<String> = row.accept.iter().map(|rule| format!("`{rule}`")).collect();
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            row.token,
            row.through,
            row.kinds.join(", "),
            if row.makes_keys { "made in it" } else { "taken over" },
            yes(row.pin_each_time),
            yes(row.keeps_head),
            accept.join(", "),
        ));
    }
    out
}

#[test]
fn the_readme_has_the_table_of_tokens() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let table = table();
    assert!(readme.contains(&table), "README.md: its table of tokens should be\n\n{table}");
}
