//! Finding PEM blocks in text (RFC 7468), as mail, editors and tools leave them:
//! text around the blocks, any line ending, a byte-order mark, spaces at the ends of lines.

use crate::text::{shown_bytes, unbase64};

/// Far more requests than a fleet puts in one file; it bounds the work one file can cause.
pub const MAX_BLOCKS: usize = 1000;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One block.
pub struct Block {
    /// The label of its BEGIN line, fit for a terminal.
    pub label: String,
    /// Its contents, or what keeps them from being read.
    pub body: Result<Vec<u8>, String>,
}

/// More than [`MAX_BLOCKS`].
pub struct TooMany;

/// All blocks, in order.
pub fn blocks(bytes: &[u8]) -> Result<Vec<Block>, TooMany> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut blocks = Vec::new();
    let mut open: Option<Open> = None;
    for line in bytes.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii) {
        if let Some(rest) = line.strip_prefix(BEGIN) {
            blocks.extend(open.take().map(|o| o.fail("another BEGIN line comes before its END line")));
            open = Some(Open::begin(rest));
        } else if let Some(rest) = line.strip_prefix(END) {
            blocks.extend(open.take().map(|o| o.end(rest)));
        } else if let Some(open) = &mut open {
            open.line(line);
        }
        if blocks.len() > MAX_BLOCKS {
            return Err(TooMany);
        }
    }
    blocks.extend(open.map(|o| o.fail("the END line is missing")));
    if blocks.len() > MAX_BLOCKS { Err(TooMany) } else { Ok(blocks) }
}

/// A block whose END line has not come yet.
struct Open {
    label: Vec<u8>,
    base64: Vec<u8>,
    fault: Option<String>,
}

impl Open {
    fn begin(rest: &[u8]) -> Self {
        let label = rest.windows(DASHES.len()).position(|w| w == DASHES).and_then(|at| rest.get(..at));
        let alone = rest.ends_with(DASHES) && label.is_some_and(|l| l.len() + DASHES.len() == rest.len());
        Self {
            label: label.unwrap_or(rest).iter().copied().take(64).collect(),
            base64: Vec::new(),
            fault: (!alone).then(|| "its BEGIN line does not stand alone on its line".into()),
        }
    }

    fn line(&mut self, line: &[u8]) {
        if line.contains(&b':') {
            self.fault.get_or_insert_with(|| "it has headers (RFC 1421), as encrypted PEM has".into());
        }
        self.base64.extend(line.iter().filter(|b| !b.is_ascii_whitespace()));
    }

    fn end(self, rest: &[u8]) -> Block {
        if rest.strip_suffix(DASHES) != Some(&self.label) {
            let end: Vec<u8> = rest.iter().copied().take(64).collect();
            return self.fail(&format!("its END line says '{}'", shown_bytes(&end)));
        }
        let body = match self.fault {
            Some(fault) => Err(fault),
            None if self.base64.is_empty() => Err("it is empty".into()),
            None => str::from_utf8(&self.base64)
                .ok()
                .and_then(unbase64)
                .ok_or_else(|| "its base64 is damaged".into()),
        };
        Block { label: shown_bytes(&self.label), body }
    }

    fn fail(self, fault: &str) -> Block {
        Block { label: shown_bytes(&self.label), body: Err(self.fault.unwrap_or_else(|| fault.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Block {
        let mut all = blocks(text.as_bytes()).ok().unwrap();
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    #[test]
    fn any_dress_gives_the_same_bytes() {
        let plain = "-----BEGIN X-----\nAAEC\nAwQF\n-----END X-----\n";
        let dresses = [
            plain.to_owned(),
            plain.trim_end().to_owned(),
            plain.replace('\n', "\r\n"),
            plain.replace('\n', "\r"),
            plain.replace('\n', " \t\n"),
            plain.replace('\n', "\n  "),
            format!("\u{feff}{plain}"),
            format!("Certificate Request:\n    Data: 1\n{plain}and after\n"),
            plain.replace("AAEC\nAwQF", "AAECAwQF"),
        ];
        for dress in dresses {
            assert_eq!(one(&dress).body, Ok(vec![0, 1, 2, 3, 4, 5]), "{dress:?}");
            assert_eq!(one(&dress).label, "X");
        }
    }

    #[test]
    fn damage_is_named() {
        let cases = [
            ("-----BEGIN X-----\nAAEC\n", "the END line is missing"),
            ("-----BEGIN X-----\nAAEC\n-----END Y-----\n", "its END line says 'Y-----'"),
            ("-----BEGIN X-----\nAAEC\n-----END X----\n", "its END line says 'X----'"),
            ("-----BEGIN X-----\nAA*C\n-----END X-----\n", "its base64 is damaged"),
            ("-----BEGIN X-----\nAAE\n-----END X-----\n", "its base64 is damaged"),
            ("-----BEGIN X-----\nAAF=\n-----END X-----\n", "its base64 is damaged"),
            ("-----BEGIN X-----\n-----END X-----\n", "it is empty"),
            ("-----BEGIN X-----AAEC-----END X-----\n", "its BEGIN line does not stand alone on its line"),
            ("-----BEGIN X\nAAEC\n-----END X-----\n", "its BEGIN line does not stand alone on its line"),
            (
                "-----BEGIN X-----\nDEK-Info: A\n\nAAEC\n-----END X-----\n",
                "it has headers (RFC 1421), as encrypted PEM has",
            ),
        ];
        for (text, fault) in cases {
            assert_eq!(one(text).body, Err(fault.into()), "{text}");
        }
        let two = blocks(b"-----BEGIN X-----\n-----BEGIN Y-----\nAAEC\n-----END Y-----\n").ok().unwrap();
        assert_eq!(two[0].body, Err("another BEGIN line comes before its END line".into()));
        assert_eq!(two[1].body, Ok(vec![0, 1, 2]));
    }

    #[test]
    fn text_without_blocks_has_none() {
        for text in ["", "hello\n", "-----END X-----\n", "see -----BEGIN X----- there\n"] {
            assert!(blocks(text.as_bytes()).ok().unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn blocks_are_counted() {
        let block = "-----BEGIN X-----\nAAEC\n-----END X-----\n";
        assert_eq!(blocks(block.repeat(MAX_BLOCKS).as_bytes()).ok().unwrap().len(), MAX_BLOCKS);
        assert!(blocks(block.repeat(MAX_BLOCKS + 1).as_bytes()).is_err());
        assert!(blocks("-----BEGIN X-----\n".repeat(MAX_BLOCKS + 1).as_bytes()).is_err());
    }
}
