//! Key generation: private, sensitive, non-extractable, sign-only, and read back.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, MlDsaParameterSetType, ObjectClass, ObjectHandle};
use der::Encode as _;

use super::errors::explained;
use super::keys::handle_of;
use super::{Pkcs11, at_token, attributes, public_key};
use crate::error::{Error, Result};
use crate::journal::KeyPermit;
use crate::text::{hex, shown};
use crate::token::{Key, KeyAttributes};
use crate::x509::KeyAlgorithm;

impl Pkcs11 {
    pub(super) fn generate_pair(&mut self, permit: &KeyPermit) -> Result<Key> {
        self.check_mechanisms(permit.algorithm())?;
        if permit.again() {
            if let Some(key) = self.private_key(permit.id())? {
                return self.fit(permit, key);
            }
            self.discard_half(permit)?;
        }
        self.check_free(permit)?;
        let (mechanism, mut public) = kind(permit.algorithm())?;
        public.extend(public_template(permit));
        let private = private_template(permit, &self.accept);
        let (public, private) =
            self.writable()?.generate_key_pair(&mechanism, &public, &private).map_err(explained)?;
        self.read_back(permit, public, private)
    }

    /// Removes what a crash left of this very pair: its public half under the random
    /// CKA_ID that is on record; there is no private one.
    fn discard_half(&mut self, permit: &KeyPermit) -> Result<()> {
        for object in self.find(ObjectClass::PUBLIC_KEY, Attribute::Id(permit.id().to_vec()))? {
            self.writable()?.destroy_object(object).map_err(explained)?;
        }
        Ok(())
    }

    /// Neither label nor CKA_ID may be another key's: it could not be told apart later.
    fn check_free(&self, permit: &KeyPermit) -> Result<()> {
        let taken = |id, what: String| {
            Err(at_token(&self.info, Error::token(id, what))
                .next("choose another label; `anchorite token list` shows what is there"))
        };
        if self.any_key_labelled(permit.label())? {
            return taken(
                "token.label-in-use",
                format!("a key labelled `{}` is there already", shown(permit.label())),
            );
        }
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if !self.find(class, Attribute::Id(permit.id().to_vec()))?.is_empty() {
                return taken(
                    "token.id-in-use",
                    format!("a key with CKA_ID {} is there already", hex(permit.id())),
                );
            }
        }
        Ok(())
    }

    /// What was asked for is not believed until the token says it.
    fn read_back(&mut self, permit: &KeyPermit, public: ObjectHandle, private: ObjectHandle) -> Result<Key> {
        let unfit = |what: String| at_token(&self.info, unfit(permit, &what));
        let public_key = public_key::of(&self.session, public)?
            .ok_or_else(|| unfit("the token does not tell its public key".into()))?;
        for object in [public, private] {
            for (kind, wanted) in
                [(AttributeType::Label, permit.label().as_bytes()), (AttributeType::Id, permit.id())]
            {
                if attributes::bytes(&self.session, object, kind)?.as_deref() != Some(wanted) {
                    return Err(unfit(format!("{kind} was not kept")));
                }
            }
        }
        let key = self.known_key(private, permit.id(), public_key)?;
        self.fit(permit, key)
    }

    fn fit(&self, permit: &KeyPermit, key: Key) -> Result<Key> {
        let attributes = match handle_of(&self.keys, &key) {
            Some(handle) => attributes::protection(&self.session, handle)?,
            None => KeyAttributes::default(),
        };
        let mut faults = faults(&attributes, &self.accept);
        if key.public_key.algorithm() != permit.algorithm() {
            faults.push(format!("it is {}, wanted {}", key.public_key.algorithm(), permit.algorithm()));
        }
        if faults.is_empty() {
            return Ok(key);
        }
        Err(at_token(&self.info, unfit(permit, &faults.join(", "))))
    }
}

fn unfit(permit: &KeyPermit, what: &str) -> Error {
    let name = format!("the new key `{}` with CKA_ID {}", shown(permit.label()), hex(permit.id()));
    Error::token("token.key-unfit", format!("{name} is not as wanted: {what}")).next(
        "delete this key with the token's own tool; unless a crash left it half made, this token is not fit for a root. \
         Where it must be, `accept` in anchorite.toml names the rules in brackets",
    )
}

/// Every attribute that is not as a root's key needs it; what the token does not say counts as wrong.
/// Rules that the home's configuration accepts as unfulfilled are left out.
fn faults(key: &KeyAttributes, accept: &[String]) -> Vec<String> {
    [
        ("token.key.sensitive", "CKA_SENSITIVE", key.sensitive, true),
        ("token.key.always-sensitive", "CKA_ALWAYS_SENSITIVE", key.always_sensitive, true),
        ("token.key.extractable", "CKA_EXTRACTABLE", key.extractable, false),
        ("token.key.never-extractable", "CKA_NEVER_EXTRACTABLE", key.never_extractable, true),
        ("token.key.local", "CKA_LOCAL", key.local, true),
        ("token.key.sign", "CKA_SIGN", key.sign, true),
        ("token.key.decrypt", "CKA_DECRYPT", key.decrypt, false),
        ("token.key.unwrap", "CKA_UNWRAP", key.unwrap, false),
        ("token.key.derive", "CKA_DERIVE", key.derive, false),
    ]
    .into_iter()
    .filter(|(rule, _, found, wanted)| *found != Some(*wanted) && !accept.iter().any(|id| id == rule))
    .map(|(rule, name, found, wanted)| match found {
        Some(found) => format!("{name} is {found}, wanted {wanted} ({rule})"),
        None => format!("{name} is not told, wanted {wanted} ({rule})"),
    })
    .collect()
}

/// The mechanism, and the public attributes that say which key of its family.
fn kind(algorithm: KeyAlgorithm) -> Result<(Mechanism<'static>, Vec<Attribute>)> {
    let curve = |mechanism, oid: ObjectIdentifier| {
        let parameters =
            oid.to_der().map_err(|e| Error::token("token.curve", format!("{algorithm}: {e}")))?;
        Ok((mechanism, vec![Attribute::EcParams(parameters)]))
    };
    match algorithm {
        KeyAlgorithm::Rsa(bits) => Ok((
            Mechanism::RsaPkcsKeyPairGen,
            vec![Attribute::ModulusBits(u64::from(bits).into()), Attribute::PublicExponent(vec![1, 0, 1])],
        )),
        KeyAlgorithm::P256 => curve(Mechanism::EccKeyPairGen, rfc5912::SECP_256_R_1),
        KeyAlgorithm::P384 => curve(Mechanism::EccKeyPairGen, rfc5912::SECP_384_R_1),
        KeyAlgorithm::P521 => curve(Mechanism::EccKeyPairGen, rfc5912::SECP_521_R_1),
        KeyAlgorithm::Ed25519 => curve(Mechanism::EccEdwardsKeyPairGen, rfc8410::ID_ED_25519),
        KeyAlgorithm::MlDsa65 => Ok(ml_dsa(MlDsaParameterSetType::ML_DSA_65)),
        KeyAlgorithm::MlDsa87 => Ok(ml_dsa(MlDsaParameterSetType::ML_DSA_87)),
    }
}

fn ml_dsa(set: MlDsaParameterSetType) -> (Mechanism<'static>, Vec<Attribute>) {
    (Mechanism::MlDsaKeyPairGen, vec![Attribute::ParameterSet(set.into())])
}

fn public_template(permit: &KeyPermit) -> [Attribute; 5] {
    [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Id(permit.id().to_vec()),
        Attribute::Label(permit.label().as_bytes().to_vec()),
        Attribute::Verify(true),
    ]
}

/// A use that the home's configuration accepts is not forbidden: some tokens do not let
/// it be. Sensitive and not extractable is asked for in any case.
fn private_template(permit: &KeyPermit, accept: &[String]) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Id(permit.id().to_vec()),
        Attribute::Label(permit.label().as_bytes().to_vec()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let uses = [
        ("token.key.sign-recover", Attribute::SignRecover(false)),
        ("token.key.decrypt", Attribute::Decrypt(false)),
        ("token.key.unwrap", Attribute::Unwrap(false)),
        ("token.key.derive", Attribute::Derive(false)),
    ];
    let forbidden = uses.into_iter().filter(|(rule, _)| !accept.iter().any(|id| id == rule));
    template.extend(forbidden.map(|(_, attribute)| attribute));
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: KeyAttributes = KeyAttributes {
        sensitive: Some(true),
        extractable: Some(false),
        always_sensitive: Some(true),
        never_extractable: Some(true),
        local: Some(true),
        private: Some(true),
        token: Some(true),
        modifiable: None,
        copyable: None,
        sign: Some(true),
        sign_recover: Some(false),
        decrypt: Some(false),
        unwrap: Some(false),
        derive: Some(false),
        always_authenticate: None,
        mechanisms: None,
    };

    #[test]
    fn a_key_that_is_as_wanted_has_no_faults() {
        assert!(faults(&FIT, &[]).is_empty());
    }

    #[test]
    fn what_is_wrong_and_what_is_not_told_are_faults() {
        let key = KeyAttributes { extractable: Some(true), local: None, ..FIT };
        assert_eq!(
            faults(&key, &[]),
            [
                "CKA_EXTRACTABLE is true, wanted false (token.key.extractable)",
                "CKA_LOCAL is not told, wanted true (token.key.local)"
            ]
        );
        assert_eq!(faults(&key, &["token.key.local".into()]).len(), 1);
        assert_eq!(faults(&KeyAttributes::default(), &[]).len(), 9);
    }
}
