//! Policy: the documents, the rules, the decision. Pure.

mod config;
mod constraint;
mod decision;
mod document;
mod grant;
mod history;
mod identity;
mod profile;
mod register;
mod rules;
#[cfg(test)]
mod sample;
mod set;
mod shipped;
mod values;

pub use config::{CeremonyConfig, Config, CrlConfig, Limits, RootConfig, TokenConfig, render_default};
pub use constraint::{DnsSuffix, Subtree, UriPrefix};
pub use decision::{Context, Decision, Keep, Verdict, decide_all};
pub use document::Setting;
pub use grant::Grant;
pub use history::History;
pub use profile::{
    Arriving, ClaimModes, Crl, Extensions, Key, KeyUsageBounds, Profile, Release, Renewal, Signature,
    Subject, SubjectAltNames, Validity,
};
pub use register::{Cluster, IssuerReference, Register, RegisteredSubject};
pub use rules::{BY_RECORD, RULES, RuleInfo, reserved_id, serial_unique};
pub use set::PolicySet;
pub use shipped::{DEFAULT_REGISTER, SHIPPED, fixed_organisation, nearest_shipped, pre_signed_ttl, shipped};
pub use values::{
    AttributeType, Consumer, HttpUrl, KeyKind, Mode, NamePattern, Permission, PolicyOid, PreSigned, Purpose,
    SenderMode, Span, Usage,
};

#[cfg(test)]
mod decision_tests;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod narrower_tests;
#[cfg(test)]
mod profile_tests;
