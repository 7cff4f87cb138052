//! What is granted, and the certificate's specification made from it.

use const_oid::{AssociatedOid as _, db::rfc5280};
use der::asn1::Ia5String;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
};

use super::constraint::Subtree;
use super::decision::Case;
use super::profile::{Extensions, Profile};
use super::rules::{self, Window};
use super::values::{Consumer, HttpUrl};
use crate::error::{Error, Result};
use crate::x509::certificate::{authority_key_id, extension, subject_key_id};
use crate::x509::{CertificateSpec, Digest, Issuer, Name, PublicKey, Serial, Time};

/// A certificate that may be signed. Made only by the decision, when no rule refused.
///
/// ```compile_fail,E0451
/// # use anchorite::policy::Grant;
/// fn widened(grant: Grant) -> Grant {
///     Grant { path_len: 9, ..grant }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Grant {
    cluster: String,
    policy: String,
    consumer: Consumer,
    issuer: Digest,
    subject: Name,
    public_key: PublicKey,
    not_before: Time,
    not_after: Time,
    path_len: u8,
    key_usage: KeyUsage,
    subject_key_id: Vec<u8>,
    subject_alt_name: GeneralNames,
    extensions: Extensions,
}

impl Grant {
    pub(super) fn draw(case: &Case<'_>, profile: &Profile, cluster: &str) -> Self {
        let window = Window::of(case, profile);
        Self {
            cluster: cluster.into(),
            policy: profile.name().into(),
            consumer: *profile.release.consumer,
            issuer: case.context.issuer.fingerprint(),
            subject: case.request.subject.clone(),
            public_key: case.request.key.clone(),
            not_before: window.not_before,
            not_after: window.not_after,
            path_len: *profile.path_length,
            key_usage: KeyUsage(rules::granted_usage(case, profile)),
            subject_key_id: rules::key_id(case),
            subject_alt_name: rules::granted_names(case, profile),
            extensions: profile.extensions.clone(),
        }
    }

    /// The cluster it is for.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }
    /// The policy that granted it.
    pub fn policy(&self) -> &str {
        &self.policy
    }
    /// Who takes the bundle.
    pub fn consumer(&self) -> Consumer {
        self.consumer
    }
    /// The subject, byte for byte as asked for.
    pub fn subject(&self) -> &Name {
        &self.subject
    }
    /// The subject's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
    /// First second of validity.
    pub fn not_before(&self) -> Time {
        self.not_before
    }
    /// Last second of validity.
    pub fn not_after(&self) -> Time {
        self.not_after
    }
    /// pathLenConstraint
    pub fn path_len(&self) -> u8 {
        self.path_len
    }
    /// keyUsage
    pub fn key_usage(&self) -> &KeyUsage {
        &self.key_usage
    }

    /// Everything the certificate says, under the issuer that the decision was
    /// made for. The same arguments give the same specification.
    pub fn specification(&self, serial: Serial, issuer: &Issuer) -> Result<CertificateSpec> {
        if issuer.fingerprint() != self.issuer {
            return Err(Error::integrity(
                "grant.issuer",
                format!(
                    "grant for {}: decided for root {}, found root {}",
                    self.cluster,
                    self.issuer,
                    issuer.fingerprint()
                ),
            )
            .next("decide again with the root that is to sign"));
        }
        Ok(CertificateSpec {
            serial,
            signature: issuer.signature,
            issuer: issuer.subject.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            subject: self.subject.clone(),
            public_key: self.public_key.clone(),
            extensions: self.extensions(issuer)?,
        })
    }

    fn extensions(&self, issuer: &Issuer) -> Result<Vec<Extension>> {
        let basic = BasicConstraints { ca: true, path_len_constraint: Some(self.path_len) };
        let mut all = vec![
            extension(BasicConstraints::OID, true, &basic)?,
            extension(KeyUsage::OID, true, &self.key_usage)?,
            subject_key_id(&self.subject_key_id)?,
            authority_key_id(&issuer.key_id)?,
        ];
        let Extensions {
            extended_key_usage,
            permitted_names,
            excluded_names,
            certificate_policies,
            crl_distribution_points,
            ca_issuers,
        } = &self.extensions;
        if !extended_key_usage.is_empty() {
            let purposes = ExtendedKeyUsage(extended_key_usage.iter().map(|purpose| purpose.0).collect());
            all.push(extension(ExtendedKeyUsage::OID, false, &purposes)?);
        }
        if !self.subject_alt_name.is_empty() {
            all.push(extension(SubjectAltName::OID, false, &SubjectAltName(self.subject_alt_name.clone()))?);
        }
        if !permitted_names.is_empty() || !excluded_names.is_empty() {
            let constraints = NameConstraints {
                permitted_subtrees: subtrees(permitted_names),
                excluded_subtrees: subtrees(excluded_names),
            };
            all.push(extension(NameConstraints::OID, true, &constraints)?);
        }
        if !certificate_policies.is_empty() {
            let policy = |oid| PolicyInformation { policy_identifier: oid, policy_qualifiers: None };
            let policies = CertificatePolicies(certificate_policies.iter().map(|p| policy(p.0)).collect());
            all.push(extension(CertificatePolicies::OID, false, &policies)?);
        }
        if !crl_distribution_points.is_empty() {
            let points = crl_distribution_points.iter().map(distribution_point).collect::<Result<_>>()?;
            all.push(extension(CrlDistributionPoints::OID, false, &CrlDistributionPoints(points))?);
        }
        if !ca_issuers.is_empty() {
            let descriptions = ca_issuers.iter().map(ca_issuer).collect::<Result<_>>()?;
            let access = AuthorityInfoAccessSyntax(descriptions);
            all.push(extension(AuthorityInfoAccessSyntax::OID, false, &access)?);
        }
        Ok(all)
    }
}

fn subtrees(names: &[Subtree]) -> Option<Vec<GeneralSubtree>> {
    let subtree = |name: &Subtree| GeneralSubtree { base: name.base().clone(), minimum: 0, maximum: None };
    (!names.is_empty()).then(|| names.iter().map(subtree).collect())
}

fn distribution_point(url: &HttpUrl) -> Result<DistributionPoint> {
    let name = DistributionPointName::FullName(vec![uri(url)?]);
    Ok(DistributionPoint { distribution_point: Some(name), reasons: None, crl_issuer: None })
}

fn ca_issuer(url: &HttpUrl) -> Result<AccessDescription> {
    Ok(AccessDescription { access_method: rfc5280::ID_AD_CA_ISSUERS, access_location: uri(url)? })
}

fn uri(url: &HttpUrl) -> Result<GeneralName> {
    Ia5String::new(&url.0).map(GeneralName::UniformResourceIdentifier).map_err(encoding)
}

fn encoding(e: der::Error) -> Error {
    Error::usage("certificate.extension", format!("an extension's value cannot be encoded: {e}"))
}
