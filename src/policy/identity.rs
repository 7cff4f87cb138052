//! Which cluster a request is of, and which policy it falls under.

use const_oid::db::rfc4519;

use super::decision::Context;
use super::profile::Profile;
use super::register::Cluster;
use super::values::AttributeType;
use crate::intake::Request;
use crate::text::is_dns_label;

/// A request's cluster and policy. Only the register can say which policy a
/// cluster has, and only a policy which attribute names the cluster; so the
/// register is asked by every attribute that some policy uses.
pub(super) struct Identity<'a> {
    /// The registered clusters that the subject answers to.
    pub entries: Vec<(&'a str, &'a Cluster)>,
    /// The registered policy, or the one the operator names where none is registered.
    pub profile: Option<&'a Profile>,
    /// The attribute that holds the cluster id.
    pub attribute: AttributeType,
    /// The cluster id, if there is exactly one and it is a DNS label.
    pub cluster: Option<&'a str>,
}

impl<'a> Identity<'a> {
    pub fn of(context: &Context<'a>, request: &'a Request) -> Self {
        let entries = registered(context, request);
        let profiles = context.policies.profiles();
        let profile = match (entries.as_slice(), context.forced) {
            ([(_, entry)], _) => profiles.get(entry.policy.as_str()),
            ([], Some(forced)) => profiles.get(forced),
            _ => None,
        };
        let attribute = profile.map_or(AttributeType(rfc4519::L), |p| *p.subject.cluster_id);
        let mut values = request.subject.values(attribute.0);
        let cluster = match (values.next(), values.next()) {
            (Some(Some(id)), None) if is_dns_label(id) => Some(id),
            _ => None,
        };
        Self { entries, profile, attribute, cluster }
    }
}

fn registered<'a>(context: &Context<'a>, request: &Request) -> Vec<(&'a str, &'a Cluster)> {
    let profiles = context.policies.profiles();
    let mut entries: Vec<(&str, &Cluster)> = Vec::new();
    for (name, profile) in profiles {
        for id in request.subject.values(profile.subject.cluster_id.0).flatten() {
            let entry = context.policies.register().clusters().get_key_value(id);
            if let Some((id, cluster)) = entry.filter(|(_, cluster)| cluster.policy.as_str() == name)
                && entries.iter().all(|(known, _)| *known != id)
            {
                entries.push((id, cluster));
            }
        }
    }
    entries
}
