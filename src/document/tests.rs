use proptest::prelude::*;
use serde_json::json;

use super::*;

fn values(text: &str) -> Vec<Value> {
    read(text.as_bytes()).unwrap().into_iter().map(|d| d.value).collect()
}

fn fault(text: &str) -> (&'static str, usize, Option<u64>, String) {
    let fault = read(text.as_bytes()).unwrap_err();
    (fault.id, fault.number, fault.line, fault.found)
}

#[test]
fn one_document_or_several_in_either_form() {
    let wanted = [json!({"a": 1, "b": ["x", true, null]}), json!({"c": -2.5})];
    for text in [
        "a: 1\nb: [x, true, null]\n---\nc: -2.5\n",
        "---\na: 1\nb:\n- x\n- true\n-\n---\n---\n# nothing\n---\nc: -2.5\n...\n",
        "a: 1\r\nb: [x, true, ~]\r\n---\r\nc: -2.5\r\n",
        "\u{feff}{\"a\": 1, \"b\": [\"x\", true, null]}\n{\"c\": -2.5}",
        "\n\n\t{\"a\": 1,\r\n\t\"b\": [\"x\", true, null]}\n null {\"c\": -2.5}\n",
    ] {
        assert_eq!(values(text), wanted, "{text:?}");
    }
    for nothing in ["", "\n", "# a comment\n", "---\n", "null"] {
        assert!(values(nothing).is_empty(), "{nothing:?}");
    }
}

#[test]
fn places_are_counted_from_1() {
    let places = |text: &str| -> Vec<_> {
        read(text.as_bytes()).unwrap().into_iter().map(|d| (d.number, d.line)).collect()
    };
    assert_eq!(places("# one\na: 1\n---\nb: 2\n---\n\n\nc: 3\n"), [(1, 2), (2, 4), (3, 8)]);
    assert_eq!(places("\n{\"a\":\n1}\n\n{\"b\":1} {\"c\":1}"), [(1, 2), (2, 5), (3, 5)]);
}

#[test]
fn a_list_is_its_items() {
    let yaml = "apiVersion: v1\nitems:\n- kind: A\n- kind: B\nkind: List\nmetadata:\n  resourceVersion: \"\"\n\
                ---\nkind: C\n";
    let wanted = [json!({"kind": "A"}), json!({"kind": "B"}), json!({"kind": "C"})];
    assert_eq!(values(yaml), wanted);
    let numbers: Vec<_> = read(yaml.as_bytes()).unwrap().into_iter().map(|d| (d.number, d.line)).collect();
    assert_eq!(numbers, [(1, 1), (2, 1), (3, 9)]);
    assert_eq!(values("{\"kind\":\"List\",\"items\":[]}"), [] as [Value; 0]);
    assert_eq!(values("[{\"kind\":\"A\"},{\"kind\":\"B\"}]"), wanted[..2]);
    assert_eq!(values("[{\"kind\":\"A\"},1]").len(), 1);
    // What only looks like a list stays what it is.
    for text in ["kind: List\nitems: 1\n", "kind: Thing\nitems: [1]\n", "items: [1]\n"] {
        assert_eq!(values(text).len(), 1, "{text}");
    }
}

#[test]
fn no_key_stands_twice() {
    for text in
        ["a: 1\n---\nb:\n  isCA: true\n  isCA: false\n", "{\"a\":1}\n{\"b\":{\"isCA\":1,\n\n\n\"isCA\":2}}"]
    {
        let (id, number, line, found) = fault(text);
        assert_eq!((id, number, line), ("document.duplicate-key", 2, Some(5)), "{text}");
        assert_eq!(found, "the key 'isCA' for the second time in one mapping");
    }
    for text in [
        "1: a\n0x1: b\n",
        "1: a\n'1': b\n",
        "a: 1\n\"\\x61\": 2\n",
        "true: 1\n'true': 2\n",
        "{\"a\":1,\"\\u0061\":2}",
    ] {
        assert_eq!(fault(text).0, "document.duplicate-key", "{text}");
    }
}

#[test]
fn what_a_reader_could_take_for_something_else_is_not_read() {
    for (text, id, found) in [
        ("a: &x 1\nb: *x\n", "document.bounds", "an alias ('*')"),
        ("b: *nowhere\n", "document.bounds", "an alias ('*')"),
        ("a: &x [*x]\n", "document.bounds", "an alias ('*')"),
        ("a:\n  <<: {b: 1}\n", "document.syntax", "a merge key ('<<')"),
        ("a: !thing 1\n", "document.syntax", "a tag ('!')"),
    ] {
        let (is, _, _, was) = fault(text);
        assert_eq!((is, was.as_str()), (id, found), "{text}");
    }
    assert_eq!(
        values("a: yes\nb: True\nc: 0777\nd: 1_0\n")[0],
        json!({"a": "yes", "b": true, "c": "0777", "d": "1_0"})
    );
}

#[test]
fn alias_bombs_and_other_ballast_are_refused_at_once() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(","));
    }
    let deep = |n: usize| (0..n).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>();
    let wide = |n: usize| (0..n).map(|i| format!("k{i}: a\n")).collect::<String>();
    for text in [
        bomb,
        deep(MAX_DEPTH + 1),
        deep(500),
        format!("a: {}", "[".repeat(500_000)),
        format!("a: {}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)),
        format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1)),
        "{\"a\":".repeat(200_000),
        "[".repeat(1 << 20),
        "a: 1\n---\n".repeat(STICK.objects + 1),
        "{}".repeat(STICK.objects + 1),
        format!("kind: List\nitems:\n{}", "- 1\n".repeat(STICK.objects + 1)),
        format!("a: [{}]", "1,".repeat(STICK.nodes)),
        " ".repeat(STICK.length + 1),
        wide(80_000),
        wide(node::MAX_KEYS + 1),
        format!("{{{}}}", (0..=node::MAX_KEYS).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")),
    ] {
        let fault = read(text.as_bytes()).unwrap_err();
        assert_eq!(fault.id, "document.bounds", "{} {fault}", &text[..text.len().min(200)]);
    }
    assert_eq!(values(&deep(MAX_DEPTH - 1)).len(), 1);
    assert_eq!(values(&wide(node::MAX_KEYS)).len(), 1);
    assert_eq!(values(&"a: 1\n---\n".repeat(STICK.objects)).len(), STICK.objects);
}

#[test]
fn damage_is_named_with_its_place_and_without_the_documents_values() {
    for text in [
        "a: 1\n---\nb: [hunter2\n",
        "a: 1\n---\nb: \"hunter2\n",
        "{\"a\":1}\n\n{\"b\": hunter2}",
        "a: 1\n---\nb:\n\thunter2: 1\n",
        "a: 1\n---\nb: hunter2: 3\n",
    ] {
        let fault = read(text.as_bytes()).unwrap_err();
        assert_eq!((fault.id, fault.number), ("document.syntax", 2), "{text}");
        assert!(fault.line.is_some_and(|line| line >= 3), "{fault}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
    assert_eq!(read(b"a: \xff").unwrap_err().id, "document.encoding");
    let error = read(b"a: 1\na: 2").unwrap_err().error("x.yaml");
    assert_eq!(
        error.to_string(),
        "x.yaml: document 1, line 2: the key 'a' for the second time in one mapping, \
         where each key once is wanted [document.duplicate-key]"
    );
    assert!(crate::text::is_shown(&read("a\u{202e}: 1\na\u{202e}: 2".as_bytes()).unwrap_err().to_string()));
}

proptest! {
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn nothing_that_looks_like_yaml_panics(text in "([-:?*&!|>'\"%@`{}\\[\\],# \n\ta0~<.]|---\n|a: |- ){0,60}") {
        let _ = read(text.as_bytes());
    }

    #[test]
    fn json_is_read_as_it_was_meant(keys in prop::collection::btree_map("[a-z\\PC]{0,8}", "\\PC{0,20}", 0..6)) {
        let value = json!({"kind": keys});
        prop_assert_eq!(values(&value.to_string()), [value]);
    }
}
