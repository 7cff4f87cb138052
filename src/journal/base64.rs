//! Bytes as base64 in a document (RFC 4648 §4).

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

use crate::text::{base64, unbase64};

pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&base64(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
    d.deserialize_str(Text)
}

/// Decodes the text where it stands.
struct Text;

impl Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        unbase64(text).ok_or_else(|| E::custom("want base64"))
    }
}

/// The same where there may be none.
pub(super) mod option {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::journal::Bytes;

    pub(in crate::journal) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.clone().map(Bytes).serialize(s)
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Bytes>::deserialize(d)?.map(|bytes| bytes.0))
    }
}
