//! Several files in one input: each begins with a mark and its name, which ends at a NUL.

/// No text and no DER of ours holds it, so that a fuzzer can cut and join files.
const MARK: &[u8] = b"\0\xffFILE ";

/// The files of an input, in order; what comes before the first mark is none.
pub fn unpack(data: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut files = Vec::new();
    let mut rest = after_mark(data);
    while let Some(here) = rest {
        let end = here.windows(MARK.len()).position(|w| w == MARK).unwrap_or(here.len());
        let (file, next) = here.split_at(end);
        let name = file.iter().position(|b| *b == 0).unwrap_or(file.len());
        files.push((&file[..name], file.get(name + 1..).unwrap_or_default()));
        rest = after_mark(next);
    }
    files
}

/// The input that [`unpack`] makes these files of.
pub fn pack<'a>(files: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    files.into_iter().flat_map(|(name, bytes)| [MARK, name, b"\0", bytes].concat()).collect()
}

fn after_mark(data: &[u8]) -> Option<&[u8]> {
    let at = data.windows(MARK.len()).position(|w| w == MARK)?;
    Some(&data[at + MARK.len()..])
}
