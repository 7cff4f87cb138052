//! How a token and a key on it are named: PKCS#11 URIs (RFC 7512), and those of PIV.
//!
//! Our own parser: the crate `pkcs11-uri` drags in an abandoned binding, and a
//! ceremony wants an unknown or repeated attribute refused, not overlooked.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use super::piv::uri::PivUri;
use crate::error::{Error, Result};
use crate::text::shown;

/// A token or a key on one, by either kind of token.
#[expect(clippy::large_enum_variant, reason = "there are a handful of them")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenUri {
    /// `pkcs11:…`
    Pkcs11(Pkcs11Uri),
    /// `piv:…`
    Piv(PivUri),
}

impl TokenUri {
    /// Reads a URI by its scheme.
    pub fn parse(text: &str) -> Result<Self> {
        let scheme = text.split(':').next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("piv") {
            return PivUri::parse(text).map(Self::Piv);
        }
        Pkcs11Uri::parse(text).map(Self::Pkcs11)
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pkcs11(uri) => uri.fmt(f),
            Self::Piv(uri) => uri.fmt(f),
        }
    }
}

/// The `type` attribute: the class of the object that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// CKO_PUBLIC_KEY
    Public,
    /// CKO_PRIVATE_KEY
    Private,
    /// CKO_CERTIFICATE
    Certificate,
    /// CKO_SECRET_KEY
    SecretKey,
    /// CKO_DATA
    Data,
}

impl ObjectType {
    const NAMES: [(Self, &str); 5] = [
        (Self::Public, "public"),
        (Self::Private, "private"),
        (Self::Certificate, "cert"),
        (Self::SecretKey, "secret-key"),
        (Self::Data, "data"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// A PKCS#11 URI, read. What is `None` matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// The token's label (CK_TOKEN_INFO).
    pub token: Option<String>,
    /// Its serialNumber.
    pub serial: Option<String>,
    /// Its manufacturerID.
    pub manufacturer: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// The slot's number; it may change from one start to the next.
    pub slot_id: Option<u64>,
    /// CKA_LABEL
    pub object: Option<String>,
    /// The object's class.
    pub object_type: Option<ObjectType>,
    /// CKA_ID
    pub id: Option<Vec<u8>>,
    /// `module-path`: where the module lies.
    pub module_path: Option<PathBuf>,
    /// `module-name`: its file name without `lib` and ending.
    pub module_name: Option<String>,
}

impl Pkcs11Uri {
    /// Reads a URI strictly: an attribute that is unknown, repeated or not well
    /// encoded is an error, and so is a PIN or the way to one.
    pub fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("pkcs11") || scheme.len() == text.len() {
            return Err(bad("it does not begin with `pkcs11:` (or `piv:`)"));
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut uri = Self::default();
        if !path.is_empty() {
            path.split(';').try_for_each(|attribute| uri.path_attribute(attribute))?;
        }
        if let Some(query) = query {
            query.split('&').try_for_each(|attribute| uri.query_attribute(attribute))?;
        }
        Ok(uri)
    }

    fn path_attribute(&mut self, attribute: &str) -> Result<()> {
        let (name, value) = split(attribute)?;
        match name {
            "token" => set(&mut self.token, name, string(name, value)?),
            "serial" => set(&mut self.serial, name, string(name, value)?),
            "manufacturer" => set(&mut self.manufacturer, name, string(name, value)?),
            "model" => set(&mut self.model, name, string(name, value)?),
            "slot-id" => {
                let number = value.parse().map_err(|_| bad("`slot-id` wants a decimal number"))?;
                set(&mut self.slot_id, name, number)
            }
            "object" => set(&mut self.object, name, string(name, value)?),
            "type" => {
                let kind = ObjectType::NAMES.iter().find(|(_, n)| *n == value).map(|(kind, _)| *kind);
                let wanted = "`type` wants one of public, private, cert, secret-key, data";
                set(&mut self.object_type, name, kind.ok_or_else(|| bad(wanted))?)
            }
            "id" => set(&mut self.id, name, decoded(name, value)?),
            // people write the PIN on this side too; its value must not be shown
            "pin-value" | "pin-source" => Err(pin_in_uri("PKCS#11", name)),
            _ => Err(unknown(name, "token, serial, manufacturer, model, slot-id, object, type, id")),
        }
    }

    fn query_attribute(&mut self, attribute: &str) -> Result<()> {
        let (name, value) = split(attribute)?;
        match name {
            "pin-value" | "pin-source" => return Err(pin_in_uri("PKCS#11", name)),
            "module-path" => set(&mut self.module_path, name, string(name, value)?.into())?,
            "module-name" => set(&mut self.module_name, name, string(name, value)?)?,
            _ => return Err(unknown(name, "module-path, module-name")),
        }
        if self.module_path.is_some() && self.module_name.is_some() {
            return Err(bad("`module-path` and `module-name` both name the module; one is enough"));
        }
        Ok(())
    }
}

impl fmt::Display for Pkcs11Uri {
    /// The canonical spelling: one order, everything but RFC 3986's unreserved
    /// characters encoded, `id` encoded throughout (RFC 7512 §2.3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot_id = self.slot_id.map(|id| id.to_string());
        let id = self.id.as_ref().map(|id| id.iter().fold(String::new(), |s, b| s + &format!("%{b:02X}")));
        let path = [
            ("token", self.token.as_deref().map(encoded)),
            ("manufacturer", self.manufacturer.as_deref().map(encoded)),
            ("model", self.model.as_deref().map(encoded)),
            ("serial", self.serial.as_deref().map(encoded)),
            ("slot-id", slot_id),
            ("object", self.object.as_deref().map(encoded)),
            ("type", self.object_type.map(|kind| kind.name().to_owned())),
            ("id", id),
        ];
        let module_path = self.module_path.as_ref().map(|path| encoded(&path.to_string_lossy()));
        let query = [
            ("module-path", module_path.map(|path| path.replace("%2F", "/"))),
            ("module-name", self.module_name.as_deref().map(encoded)),
        ];
        f.write_str("pkcs11:")?;
        write_attributes(f, "", ";", path)?;
        write_attributes(f, "?", "&", query)
    }
}

fn write_attributes<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    first: &str,
    between: &str,
    attributes: [(&str, Option<String>); N],
) -> fmt::Result {
    let mut separator = first;
    for (name, value) in attributes {
        if let Some(value) = value {
            write!(f, "{separator}{name}={value}")?;
            separator = between;
        }
    }
    Ok(())
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

fn split(attribute: &str) -> Result<(&str, &str)> {
    // the text is not shown: it may be a PIN that slipped in
    attribute.split_once('=').ok_or_else(|| bad("an attribute is empty or lacks its `=`"))
}

fn set<T>(field: &mut Option<T>, name: &str, value: T) -> Result<()> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad(format!("`{name}` is given twice"))),
    }
}

fn string(name: &str, value: &str) -> Result<String> {
    String::from_utf8(decoded(name, value)?).map_err(|_| bad(format!("`{name}` is not UTF-8")))
}

/// Percent-decoding; only what RFC 7512 §2.3 lets stand unencoded may do so.
fn decoded(name: &str, value: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                match (digit(bytes.next()), digit(bytes.next())) {
                    (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
                    _ => return Err(bad(format!("`{name}`: `%` wants two hexadecimal digits after it"))),
                }
            }
            b if b.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&/|?".contains(&b) => out.push(b),
            b => return Err(bad(format!("`{name}`: a character must be written as %{b:02X} here"))),
        }
    }
    Ok(out)
}

fn bad(what: impl fmt::Display) -> Error {
    Error::usage("token.uri", format!("PKCS#11 URI: {what}"))
        .next("write it as `anchorite token list` prints it (RFC 7512)")
}

fn unknown(name: &str, known: &str) -> Error {
    bad(format!("`{}` is not an attribute known here; known are {known}", shown(name)))
}

/// A PIN, or the way to one, where it has no place. Its value is not shown.
pub(in crate::token) fn pin_in_uri(scheme: &str, name: &str) -> Error {
    Error::usage(
        "token.pin-in-uri",
        format!(
            "{scheme} URI: `{name}` is refused; a PIN never stands on a command line or in a configuration"
        ),
    )
    .next("leave it out and type the PIN when asked, or use --pin-file, --pin-fd or an environment variable")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Error {
        Pkcs11Uri::parse(text).unwrap_err()
    }

    #[test]
    fn every_attribute_is_read() {
        let uri = Pkcs11Uri::parse(
            "pkcs11:token=Root%20CA;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;serial=0f;\
             slot-id=7;object=g1;type=private;id=%00%ffA?module-path=/usr/lib/softhsm/libsofthsm2.so",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("Root CA"));
        assert_eq!(uri.manufacturer.as_deref(), Some("SoftHSM project"));
        assert_eq!(uri.model.as_deref(), Some("SoftHSM v2"));
        assert_eq!(uri.serial.as_deref(), Some("0f"));
        assert_eq!(uri.slot_id, Some(7));
        assert_eq!(uri.object.as_deref(), Some("g1"));
        assert_eq!(uri.object_type, Some(ObjectType::Private));
        assert_eq!(uri.id.as_deref(), Some(&[0, 255, b'A'][..]));
        assert_eq!(uri.module_path, Some("/usr/lib/softhsm/libsofthsm2.so".into()));
        assert_eq!(Pkcs11Uri::parse("PKCS11:").unwrap(), Pkcs11Uri::default());
        assert_eq!(
            Pkcs11Uri::parse("pkcs11:?module-name=softhsm2").unwrap().module_name.unwrap(),
            "softhsm2"
        );
    }

    #[test]
    fn the_canonical_spelling_reads_back() {
        let text = "pkcs11:id=A%2f;type=cert;token=%c3%a9%20%3b(x)?module-path=/a%20b.so";
        let uri = Pkcs11Uri::parse(text).unwrap();
        let canonical = "pkcs11:token=%C3%A9%20%3B%28x%29;type=cert;id=%41%2F?module-path=/a%20b.so";
        assert_eq!(uri.to_string(), canonical);
        assert_eq!(Pkcs11Uri::parse(canonical).unwrap(), uri);
        assert_eq!(Pkcs11Uri::default().to_string(), "pkcs11:");
    }

    #[test]
    fn a_pin_is_refused_and_never_shown() {
        for text in [
            "pkcs11:token=a?pin-value=98765",
            "pkcs11:token=a?pin-source=file:98765",
            "pkcs11:token=a;pin-value=98765",
            "pkcs11:token=a?pin_value=98765",
            "pkcs11:token=a?98765",
            "pkcs11:token=a?pin-value=98765%",
        ] {
            let error = refused(text);
            assert!(!format!("{error} {}", error.next).contains("98765"), "{error}");
        }
        assert_eq!(refused("pkcs11:?pin-value=1").id, "token.pin-in-uri");
        assert_eq!(refused("pkcs11:?pin-source=/x").id, "token.pin-in-uri");
        assert_eq!(refused("pkcs11:pin-value=1").id, "token.pin-in-uri");
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for (text, why) in [
            ("", "begin with"),
            ("pkcs11", "begin with"),
            ("softhsm:token=a", "begin with"),
            ("pkcs11:token=a;token=b", "`token` is given twice"),
            ("pkcs11:?module-name=a&module-name=b", "given twice"),
            ("pkcs11:?module-name=a&module-path=/b", "one is enough"),
            ("pkcs11:tokn=a", "`tokn` is not an attribute"),
            ("pkcs11:library-version=1", "`library-version` is not an attribute"),
            ("pkcs11:x\u{1b}[31m=a", "`x\\u{1b}[31m`"),
            ("pkcs11:token=a?frob=1", "`frob` is not an attribute"),
            ("pkcs11:token=a;", "empty"),
            ("pkcs11:token", "lacks its `=`"),
            ("pkcs11:?", "empty"),
            ("pkcs11:token=a b", "%20"),
            ("pkcs11:token=a#b", "%23"),
            ("pkcs11:token=\u{e9}", "%C3"),
            ("pkcs11:token=%2", "two hexadecimal digits"),
            ("pkcs11:token=%+1", "two hexadecimal digits"),
            ("pkcs11:token=%ff", "not UTF-8"),
            ("pkcs11:type=key", "`type` wants"),
            ("pkcs11:slot-id=-1", "`slot-id` wants"),
        ] {
            let error = refused(text);
            assert_eq!(error.id, "token.uri", "{text}");
            assert!(error.message.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_token_is_named_by_either_scheme() {
        for text in ["pkcs11:token=a", "piv:9c?serial=1"] {
            assert_eq!(TokenUri::parse(text).unwrap().to_string(), text);
        }
        assert!(matches!(TokenUri::parse("PIV:"), Ok(TokenUri::Piv(_))));
        assert_eq!(TokenUri::parse("yubikey:9c").unwrap_err().id, "token.uri");
    }
}
