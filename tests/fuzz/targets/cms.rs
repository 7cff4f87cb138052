//! The signature of a release's sums.

use anchorite::verify::{signed_attributes, verify_detached};
use anchorite::x509::Digest;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerInfos};
use const_oid::db::rfc5911;
use der::asn1::{Any, OctetString, SetOfVec};
use der::{Decode as _, Encode as _};

use super::world::{self, JOURNAL_KEY, root};
use super::{files, good};

pub fn cms(data: &[u8]) {
    good(signed_attributes(data));
    let sums = sums();
    let (certificate, root) = (world::journal_certificate(), &root().der);
    good(verify_detached(data, sums, certificate, root));
    // The fuzzer has no key: what the journal's key signed speaks for its own content alone.
    assert!(good(verify_detached(data, b"other", certificate, root)).is_none(), "forged");
    if let Some((signed, attributes)) = signed_anew(data) {
        for content in [sums, b"other"] {
            if good(verify_detached(&signed, content, certificate, root)).is_some() {
                assert_eq!(signed_attributes(&attributes).unwrap().message_digest, Digest::of(content));
            }
        }
    }
}

/// SHA256SUMS of the world's release.
fn sums() -> &'static [u8] {
    let all = files::unpack(world::RELEASE);
    all.iter().find(|(name, _)| *name == b"SHA256SUMS").map(|(_, bytes)| *bytes).unwrap()
}

/// The message with its attributes signed by the journal's key, and these attributes.
pub(super) fn signed_anew(data: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let message = ContentInfo::from_der(data).ok()?;
    let mut data: SignedData = message.content.decode_as().ok()?;
    let mut signers: Vec<_> = data.signer_infos.0.iter().cloned().collect();
    let mut attributes = Vec::new();
    for signer in &mut signers {
        attributes = signer.signed_attrs.as_ref()?.to_der().ok()?;
        signer.signature = OctetString::new(JOURNAL_KEY.sign(&attributes)).ok()?;
    }
    data.signer_infos = SignerInfos(SetOfVec::try_from(signers).ok()?);
    let content = Any::encode_from(&data).ok()?;
    let message = ContentInfo { content_type: rfc5911::ID_SIGNED_DATA, content };
    Some((message.to_der().ok()?, attributes))
}
